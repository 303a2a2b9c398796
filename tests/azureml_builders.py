"""The Azure ML stand-in to test with: workspaces, platforms on them, things to register and run there, and waiting for those.

Belongs here: arranging. Does not belong here: what a test expects. Names are unique to each call.
"""

import time
import uuid
from pathlib import Path
from typing import Any

from resources.azureml.platform import AzureMLPlatform
from resources.azureml.settings import AzureMLSettings
from resources.training_method import CommandMethod, TrainingMethod
from tests.emulators.azureml import StandIn

TRAIN = """
import argparse, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--model", type=pathlib.Path)
given = parser.parse_args()
rows = given.data.read_text().splitlines()
print(f"training on {len(rows)} rows")
(given.model / "rows.txt").write_text(str(len(rows)))
pathlib.Path("outputs").mkdir()
pathlib.Path("outputs/metrics.json").write_text('{"rows": %d}' % len(rows))
"""
SCORE = """
import json, os, pathlib
def init():
    global said
    said = {file.name: file.read_text() for file in pathlib.Path(os.environ["AZUREML_MODEL_DIR"]).rglob("*.txt")}
def run(data):
    asked = json.loads(data)
    if asked.get("fail"):
        raise ValueError("asked to fail")
    return {"model": said, "who": os.environ.get("WHO"), "asked": asked}
"""
TERMINAL = ("Completed", "Failed", "Canceled")


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def written(folder: Path, files: dict[str, str]) -> Path:
    """A folder with files."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def environment(client: Any) -> str:
    """A registered environment; the stand-in never builds it."""
    from azure.ai.ml.entities import Environment

    made = client.environments.create_or_update(
        Environment(name="science", version="1", image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04")
    )
    return f"azureml:{made.name}:{made.version}"


def ended(client: Any, name: str, seconds: float = 120) -> Any:
    """A job that has come to its end."""
    deadline = time.monotonic() + seconds
    while (job := client.jobs.get(name)).status not in TERMINAL:
        assert time.monotonic() < deadline, f"{name} is still {job.status}"
        time.sleep(0.1)
    return job


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
