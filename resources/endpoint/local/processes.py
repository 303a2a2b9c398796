"""Processes by id and start time: who lives, who belongs to whom, and ending them.

A process id alone names nobody: it may be another's by now.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

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
