"""Processes by id and start time: who lives, who belongs to whom, and ending them.

A process id alone names nobody: it may be another's by now.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from resources.endpoint.local.files import MARK_VARIABLE, EndpointFiles, read_json

GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class ProcessId:
    """One process of this machine, for good. `started` is its start time in seconds since 1970, as psutil tells it."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The running process `pid`, or none."""
        try:
            process = psutil.Process(pid)
            return cls(pid, process.create_time()) if process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        now = ProcessId.of(self.pid)
        return now is not None and abs(now.started - self.started) < 0.05


def members_of_group(group: int) -> list[ProcessId]:
    """The living processes of a process group."""
    return _living(pid for pid in psutil.pids() if _group_of(pid) == group)


def members_of_session(session: int) -> list[ProcessId]:
    """The living processes of a session."""
    return _living(pid for pid in psutil.pids() if _session_of(pid) == session)


def send(target: ProcessId, number: signal.Signals) -> None:
    """Signals a process if it is still this one."""
    if target.alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(target.pid, number)


def end_all(targets: Iterable[ProcessId], grace: float = GRACE_SECONDS) -> None:
    """Asks processes to end, and ends those that did not within `grace` seconds."""
    left = list(targets)
    for target in left:
        send(target, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while (left := [target for target in left if target.alive]) and time.monotonic() < deadline:
        time.sleep(0.02)
    for target in left:
        send(target, signal.SIGKILL)
    while any(target.alive for target in left):
        time.sleep(0.02)


def _living(pids: Iterable[int]) -> list[ProcessId]:
    found = (ProcessId.of(pid) for pid in pids)
    return [process for process in found if process is not None]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


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
