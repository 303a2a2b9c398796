"""Who a process is: whether a process that is on record is still that process, and locks that processes really hold.

A process is known by when the kernel started it: in clock ticks since the boot, together with the boot's id and the process id space
(a container has its own). No clock that can be set is asked, so that a step of the time changes nothing.
"""

import fcntl
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil

ZOMBIE, START_FIELD = "Z", 19
"""A process that has ended and was not waited for; where /proc/PID/stat has the start, counted behind the program's name."""
WALL_CLOCK_TOLERANCE = 0.05
POLL_SECONDS = 0.05


class Standing(Enum):
    """What can be said of a process that is on record."""

    RUNS = "runs"
    ENDED = "ended"
    UNSEEN = "unseen"
    """It belongs to another machine or to another process id space, and nothing can be said of it from here."""


class ProcessId(NamedTuple):
    """Identifies one process, also across restarts of the machine. On disk it is a list.

    `started`: ticks since the boot on Linux, elsewhere what the kernel noted when it started the process. Records of earlier versions
    have a number, the start in seconds since 1970, and nothing more.
    """

    pid: int
    started: str | float
    boot: str = ""
    space: str = ""
    host: str = ""

    @property
    def standing(self) -> Standing:
        """What can be said of it from here."""
        return HERE.standing(self)

    @property
    def alive(self) -> bool:
        """Whether exactly this process still runs, as far as can be seen from here."""
        return self.standing is Standing.RUNS


@dataclass(frozen=True)
class ProcessTable:
    """The processes that can be seen from here. `proc`: the kernel's view of them; where there is none, psutil is asked."""

    proc: Path = Path("/proc")
    host: str = field(default_factory=socket.gethostname)

    def find(self, pid: int) -> ProcessId | None:
        """The running process `pid`, or none. `started` distinguishes processes that get the same id one after the other."""
        started = self._started(pid) if self._is_linux else _started_without_proc(pid)
        return None if started is None else ProcessId(pid, started, self.boot, self.space, self.host)

    def standing(self, process: ProcessId) -> Standing:
        """Whether a recorded process is still that process."""
        if process.boot and self.boot and process.boot != self.boot:
            return Standing.ENDED if process.host == self.host else Standing.UNSEEN
        same_kernel = bool(process.boot and self.boot)
        if process.host not in ("", self.host) and not same_kernel:
            return Standing.UNSEEN
        if process.space and self.space and process.space != self.space:
            return Standing.UNSEEN
        found = self.find(process.pid)
        runs = found is not None and self._is_same(process, found)
        return Standing.RUNS if runs else Standing.ENDED

    @property
    def boot(self) -> str:
        """The id of the machine's boot; empty if it gives none."""
        return _text(self.proc / "sys/kernel/random/boot_id") if self._is_linux else _boot_session()

    @property
    def space(self) -> str:
        """The space that process ids are of; empty if the system has but one."""
        return self.space_of("self")

    def space_of(self, pid: int | str) -> str:
        """The space of another process; empty if that cannot be seen."""
        try:
            return str((self.proc / str(pid) / "ns" / "pid").readlink())
        except OSError:
            return ""

    def working_folder(self, pid: int) -> Path:
        """The folder in which a process works, as the kernel knows it: under its present name, whatever it was when the process began."""
        return self.proc / str(pid) / "cwd" if self._is_linux else Path(psutil.Process(pid).cwd())

    @property
    def _is_linux(self) -> bool:
        return (self.proc / "self" / "stat").exists()

    def _started(self, pid: int) -> str | None:
        fields = _text(self.proc / str(pid) / "stat").rpartition(")")[2].split()
        return None if not fields or fields[0] == ZOMBIE else fields[START_FIELD]

    def _is_same(self, process: ProcessId, found: ProcessId) -> bool:
        if isinstance(process.started, str):
            return process.started == found.started
        try:
            return abs(psutil.Process(process.pid).create_time() - process.started) < WALL_CLOCK_TOLERANCE
        except psutil.NoSuchProcess:
            return False


def _text(path: Path) -> str:
    """A file of the kernel's; empty if what it tells of is gone."""
    try:
        return path.read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _started_without_proc(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.NoSuchProcess:
        return None


@cache
def _boot_session() -> str:
    """macOS' id of the boot; the time of the boot, which it has too, moves with the clock."""
    if sys.platform != "darwin":
        return ""
    command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


HERE = ProcessTable()
"""This machine's processes, as this process sees them."""


def find_process(pid: int) -> ProcessId | None:
    """The running process `pid`, or none."""
    return HERE.find(pid)


def this_process() -> ProcessId:
    """The current process."""
    process = HERE.find(os.getpid())
    if process is None:
        raise RuntimeError("this process cannot see itself in the process table; run on Linux or macOS")
    return process


# Locks -----------------------------------------------------------------------------------------------------------------


class HeldError(RuntimeError):
    """Another process holds the lock."""


def take(path: Path, seconds: float = 1.0) -> IO[str]:
    """Takes the lock on a file; it is held until the stream is closed or the process ends, however it does.

    Raises `HeldError` if another process has it for longer than `seconds`: one that only looks has it for an instant.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+", encoding="utf-8")
    deadline = time.monotonic() + seconds
    try:
        while not (taken := _lock(stream, fcntl.LOCK_EX)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    except BaseException:
        stream.close()
        raise
    if not taken:
        stream.close()
        raise HeldError(f"another process holds {path}")
    return stream


def _lock(stream: IO[Any], kind: int) -> bool:
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether a process holds the lock on this very file. A copy of it, or a file without a process, is not held."""
    try:
        with path.open("rb") as stream:
            return not _lock(stream, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False
