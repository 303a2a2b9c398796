"""Workspaces of the Azure ML stand-in to test with: each test file takes one of its own.

Belongs here: arranging. Does not belong here: what a test expects.
"""

from pathlib import Path
from typing import Any

from resources.azureml.platform import AzureMLPlatform
from resources.azureml.settings import AzureMLSettings
from resources.training_method import CommandMethod, TrainingMethod
from tests.emulators.azureml import StandIn


def settings_of(standin: StandIn, workspace: str, **more: Any) -> AzureMLSettings:
    """Settings of a new workspace, or of one that is there."""
    standin.add_workspace(workspace)
    return AzureMLSettings(
        subscription=standin.subscription_id,
        resource_group=standin.resource_group,
        workspace=workspace,
        **{"poll_seconds": 0.3, **more},
    )


def platform_on(
    standin: StandIn, workspace: str, folder: Path, method: TrainingMethod | None = None, **more: Any
) -> AzureMLPlatform:
    """A platform on a workspace of its own."""
    return AzureMLPlatform(settings_of(standin, workspace, **more), folder, method or CommandMethod())
