"""The desired state of the endpoint as tags of the endpoint itself: whoever looks later knows what should run.

A tag's value is bounded to 256 characters, so each deployment has one of its own.
"""

from collections.abc import Mapping
from pathlib import Path

from resources.endpoint.endpoint import Deployment, DesiredState, Mirror
from resources.ml.azureml.models import folder_name

DEPLOYMENT, TRAFFIC, MIRROR = "desired_deployment_", "desired_traffic", "desired_mirror"


def as_tags(desired: DesiredState) -> dict[str, str]:
    """The desired state as tags."""
    tags = {
        f"{DEPLOYMENT}{name}": f"{one.model_version}/{one.content_hash}" for name, one in desired.deployments.items()
    }
    if desired.traffic:
        tags[TRAFFIC] = _percentages(desired.traffic)
    if desired.mirror is not None:
        tags[MIRROR] = _percentages({desired.mirror.deployment: desired.mirror.percent})
    return tags


def from_tags(tags: Mapping[str, str], models_folder: Path) -> DesiredState:
    """The inverse. Raises `ValueError` for tags that are damaged."""
    deployments = {
        name.removeprefix(DEPLOYMENT): _deployment(value, models_folder)
        for name, value in tags.items()
        if name.startswith(DEPLOYMENT)
    }
    mirrored = list(_numbers(tags.get(MIRROR, "")).items())
    return DesiredState(deployments, _numbers(tags.get(TRAFFIC, "")), Mirror(*mirrored[0]) if mirrored else None)


def others(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that say something else."""
    return {name: value for name, value in tags.items() if not name.startswith((DEPLOYMENT, TRAFFIC, MIRROR))}


def _deployment(value: str, models_folder: Path) -> Deployment:
    version, _, content = value.partition("/")
    return Deployment(str(models_folder / folder_name(version, content)), version, content)


def _percentages(numbers: Mapping[str, int]) -> str:
    return ",".join(f"{name}={percent}" for name, percent in sorted(numbers.items()))


def _numbers(text: str) -> dict[str, int]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: int(percent) for name, _, percent in pairs}
