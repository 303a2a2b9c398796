"""What the workers of one test session share: things made once, servers started once, and that nothing of it is left running.

The controller owns the session: it makes the folder, ends the servers and looks for survivors when all workers are done.
"""

import json
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock

MARK = "TESTS_OF_SESSION"
"""The environment variable that whatever a session starts inherits."""
FOLDER = "FOLDER_OF_TESTS"
SECONDS_TO_END = 15
PREFIX = "globolatte-tests-"
"""Of a session's folder; its process's id follows."""
MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's file system in memory
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Linear algebra of one thread: the workers share the cores, and threads that find none wait for each other at full speed."""
BYTES_OF_A_SESSION = 4 * 2**30
"""What all temporary files of `make test` take, and twice as much again."""


def use_memory_for_temporary_files() -> None:
    """Puts what is temporary in memory where there is plenty of it: nothing of a session need survive the machine, and waiting for the

    disk takes half of a run's time. Whoever has chosen a place by `TMPDIR` keeps it.
    """
    for left in MEMORY.glob(
        f"{PREFIX}*"
    ):  # of sessions that were killed: there it would take room until the machine is started anew
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK) or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return
    if min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available // 2) >= BYTES_OF_A_SESSION:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@dataclass(frozen=True)
class Shared:
    """A folder that all workers of a session see. `mark` tells the session's processes from all others."""

    folder: Path
    mark: str

    @classmethod
    def new(cls, *, in_memory: bool) -> "Shared":
        """The controller's; from now on what this process starts carries the mark. `in_memory`: whether memory will hold its files."""
        if in_memory:
            use_memory_for_temporary_files()
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
        mark = os.environ[MARK] = uuid.uuid4().hex
        folder = os.environ[FOLDER] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        return cls(Path(folder), mark)

    @classmethod
    def of_this_process(cls) -> "Shared | None":
        """The session that has started this process, if there is one."""
        return cls(Path(os.environ[FOLDER]), os.environ[MARK]) if FOLDER in os.environ else None

    def once(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder `name`, filled by `make` for whichever worker comes first; the others wait for it.

        A failure is everybody's: it is raised again by each who asks, and not tried again.
        """
        place, failed = self.folder / name, self.folder / f"{name}.failed"
        with FileLock(self.folder / f"{name}.lock"):
            if failed.exists():
                raise AssertionError(f"{name} could not be made before in this session:\n{failed.read_text()}")
            if not place.exists():
                place.mkdir()
                try:
                    make(place)
                except BaseException as error:
                    failed.write_text(repr(error))
                    raise
        return place

    def serve(self, name: str, start: Callable[[Path], tuple[int, dict[str, object]]]) -> dict[str, object]:
        """What is to be known of the server `name`, which runs in a process group of its own until the session ends.

        `start` is given a folder, starts it, and returns the group's id beside what is to be known.
        """

        def make(folder: Path) -> None:
            group, known = start(folder)
            (folder / "group").write_text(str(group))
            (folder / "known.json").write_text(json.dumps(known))

        known: dict[str, object] = json.loads((self.once(name, make) / "known.json").read_text())
        return known

    def end_servers(self) -> None:
        """Ends what `serve` has started."""
        for file in self.folder.glob("*/group"):
            with suppress(ProcessLookupError):
                os.killpg(int(file.read_text()), signal.SIGKILL)

    def survivors(self) -> list[psutil.Process]:
        """Processes of this session that do not end by themselves, whoever asks apart."""
        deadline = time.monotonic() + SECONDS_TO_END
        while (found := self._running()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return found

    def _running(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                carries_mark = process.pid != os.getpid() and process.environ().get(MARK) == self.mark
                if carries_mark and process.status() != psutil.STATUS_ZOMBIE and not _is_pythons_own(process):
                    found.append(process)
        return found

    def remove(self) -> None:
        """Frees the disk."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_pythons_own(process: psutil.Process) -> bool:
    """Whether it is a helper of `multiprocessing` that ends with this process."""
    return process.ppid() == os.getpid() and any("from multiprocessing." in part for part in process.cmdline())
