"""What a killed supervisor left running, as far as its successor can go on with it.

That is what stands in the last record with its start and boot, what the kernel has working in the folder, what was started for the folder
under its present name, and what answers as what it is on record for. Everything else is dead or stale.
"""

import http.client
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from resources.endpoint.endpoint import WHOLE, Deployment, DesiredState
from resources.endpoint.local.files import EndpointFiles, read_json
from resources.endpoint.local.processes import Child, started_for
from resources.endpoint.local.slots import UNHEALTHY_SECONDS, get_json
from resources.processes import ProcessId, is_held

HANDOVER_SECONDS = 5.0
"""How long a living gateway has to start a successor of its own."""
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Survivor:
    """A process to go on with, as it is on record, and what it has just answered. `deployment`: none for the gateway."""

    name: str
    child: Child
    recorded: Mapping[str, Any]
    status: dict[str, Any]
    deployment: Deployment | None = None

    @property
    def is_draining(self) -> bool:
        """Whether it was to end as soon as it had nothing more to answer."""
        return self.recorded.get("phase") == "draining"


def survivors(files: EndpointFiles, log_seconds: float) -> list[Survivor]:
    """The gateway and the deployments to go on with; `log_seconds`: the option that deployments must have been started with."""
    try:
        document = read_json(files.observed)
        entries = [document["gateway"], *document["deployments"]]
        same_options = document["supervisor"]["log_seconds"] == log_seconds
        found = [_survivor(files, entry) for entry in entries if entry["process"] is not None]
    except (
        AttributeError,
        KeyError,
        OSError,
        TypeError,
        ValueError,
    ):  # no record, none that can be read, or one of another version
        return []
    return [one for one in found if one is not None and (one.deployment is None or same_options)]


def declared_by(found: Sequence[Survivor]) -> DesiredState:
    """What should run by what goes on running, for as long as the declaration itself cannot be read."""
    serving = {one.name: one for one in found if one.deployment is not None and not one.is_draining}
    deployments = {name: one.deployment for name, one in serving.items() if one.deployment is not None}
    traffic = {name: int(one.recorded["traffic"]) for name, one in serving.items()}
    if sum(traffic.values()) != WHOLE:  # what has the rest is not there any more
        live = max(traffic, key=lambda name: traffic[name], default=None)
        traffic = {} if live is None else {live: WHOLE}
    return DesiredState(deployments, traffic)


def _survivor(files: EndpointFiles, entry: Mapping[str, Any]) -> Survivor | None:
    process, declared = ProcessId(*entry["process"]), entry.get("deployment")
    deployment = Deployment(**declared) if declared else None
    if not started_for(files, process):
        return None
    child = Child(process, int(entry["port"]), time.monotonic())
    status = _answer(child, "/health" if deployment is None else "/score")
    if deployment is not None:
        expected = (entry["name"], deployment.model_version)
        if (status.get("deployment"), status.get("model_version")) != expected:
            return None
    return Survivor(entry["name"], child, entry, status, deployment) if status else None


def _answer(child: Child, path: str) -> dict[str, Any]:
    """What it says of itself; nothing if it does not answer for as long as makes a process unhealthy."""
    until = time.monotonic() + UNHEALTHY_SECONDS
    while child.alive and time.monotonic() < until:
        with suppress(OSError, http.client.HTTPException, ValueError):
            return get_json(child.port, path)
        time.sleep(POLL_SECONDS)
    return {}


def leave_to_gateway(files: EndpointFiles) -> None:
    """Waits for the successor that a living gateway starts, so that callers are not refused for another that has not its sockets."""
    document = read_json(files.observed) or {}
    recorded = document.get("gateway", {}).get("process")
    until = time.monotonic() + HANDOVER_SECONDS
    while recorded and time.monotonic() < until and not is_held(files.lock) and not files.stopped.exists():
        if not started_for(files, ProcessId(*recorded)):
            return
        time.sleep(POLL_SECONDS)
