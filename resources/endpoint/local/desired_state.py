"""The desired state as a file: read, checked, and replaced whole."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from resources.endpoint.endpoint import Deployment, DesiredState, Mirror
from resources.endpoint.local.files import EndpointFiles, read_json, write_json


def as_document(desired: DesiredState) -> dict[str, Any]:
    """The desired state as JSON values."""
    return {
        "deployments": {name: asdict(deployment) for name, deployment in desired.deployments.items()},
        "traffic": dict(desired.traffic),
        "mirror": asdict(desired.mirror) if desired.mirror is not None else None,
    }


def from_document(document: Any) -> DesiredState:
    """The inverse. Raises `ValueError` for anything else."""
    try:
        mirror = document.get("mirror")
        return DesiredState(
            {name: Deployment(**fields) for name, fields in document["deployments"].items()},
            {name: int(percent) for name, percent in document["traffic"].items()},
            Mirror(**mirror) if mirror else None,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"is no desired state ({error!r})") from error


def version_of(desired: DesiredState) -> str:
    """A name for this content."""
    return hashlib.sha256(json.dumps(as_document(desired), sort_keys=True).encode()).hexdigest()[:16]


def read(files: EndpointFiles) -> DesiredState:
    """What should run; nothing if nothing was ever declared. Raises `ValueError` naming the file."""
    try:
        document = read_json(files.desired)
        return from_document(document) if document is not None else DesiredState()
    except ValueError as error:
        raise ValueError(
            f"{files.desired}: {error}; what runs goes on running; deploy again with `globolatte endpoints deploy`"
        ) from error


def write(files: EndpointFiles, desired: DesiredState) -> None:
    """Declares what should run."""
    write_json(files.desired, as_document(desired))
