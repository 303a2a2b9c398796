"""What a supervisor that was killed left running: found and ended before another one starts."""

import os
from pathlib import Path
from typing import Any

import psutil

from resources.endpoint.local.files import MARK_VARIABLE, EndpointFiles, read_json
from resources.endpoint.local.processes import ProcessId, end_all


def recorded(files: EndpointFiles) -> tuple[ProcessId | None, list[ProcessId]]:
    """The supervisor, as its lock names it, and its children, as last written down."""
    supervisor = _read(files.lock)
    observed: dict[str, Any] = _read(files.observed) or {}
    entries = [observed.get("gateway"), *observed.get("deployments", [])]
    children = [ProcessId(*entry["process"]) for entry in entries if entry and entry.get("process")]
    return (ProcessId(*supervisor) if supervisor else None), children


def _read(file: Path) -> Any:
    """A file's JSON; none if it is missing or damaged."""
    try:
        return read_json(file)
    except ValueError:
        return None


def marked(files: EndpointFiles) -> list[ProcessId]:
    """The living processes that carry this endpoint's mark in their environment: all children, and what they started.

    A process that was started an instant before its supervisor was killed is in no record, but it has the mark.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK_VARIABLE) == str(files.folder) and process.pid != os.getpid():
                found.append(ProcessId.of(process.pid))
        except (psutil.Error, OSError):
            continue
    return [process for process in found if process is not None]


def orphans(files: EndpointFiles) -> list[ProcessId]:
    """The living processes of an earlier supervisor. An id that was recorded counts only together with its start time."""
    _, children = recorded(files)
    found = {child.pid: child for child in children if child.alive} | {child.pid: child for child in marked(files)}
    return sorted(found.values(), key=lambda process: process.started)


def end_orphans(files: EndpointFiles) -> int:
    """Ends them; returns how many there were."""
    found = orphans(files)
    end_all(found)
    return len(found)
