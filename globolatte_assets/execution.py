"""How runs are executed: one after the other in one process, which says in the run's tags who it is and holds a lock meanwhile.

By these others tell a run that goes on from one whose process was killed, whatever the clock says.
"""

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg

from resources.processes import ProcessId, take, this_process

PROCESS_TAG = "globolatte/process"
"""Which process executes a run: `host/pid/start@boot@space`. Runs of other code name theirs in one of Dagster's engine events."""
MARK = "@"


def as_tag(process: ProcessId) -> str:
    """A process as the value of a tag."""
    return f"{process.host}/{process.pid}/{MARK.join([str(process.started), process.boot, process.space])}"


def from_tag(text: str) -> ProcessId:
    """The process that a tag names. Those of earlier versions have no boot and no space."""
    host, pid, rest = text.rsplit("/", 2)
    started, boot, space = [*rest.split(MARK), "", ""][:3]
    return ProcessId(int(pid), started, boot, space, host)


def run_lock(instance: dg.DagsterInstance, run_id: str) -> Path:
    """The file that the process of a run holds locked."""
    return Path(instance.root_directory) / "run_locks" / run_id


BEAT_SECONDS = 20.0
"""How often a run gives a sign of life. Those that see neither its process nor its lock, on another machine, wait for the next one."""


def run_beat(instance: dg.DagsterInstance, run_id: str) -> Path:
    """The file with a run's sign of life: a number that grows for as long as the run goes on."""
    return run_lock(instance, run_id).with_suffix(".beat")


@contextmanager
def held(instance: dg.DagsterInstance, run_id: str, beat_seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Holds the lock of a run, and gives signs of life. Where a file cannot be locked there is none, and the others count alone."""
    path = run_lock(instance, run_id)
    with _beating(run_beat(instance, run_id), beat_seconds):
        try:
            lock = take(path)
        except OSError:
            path.unlink(missing_ok=True)
            yield
            return
        with lock:
            try:
                yield
            finally:
                path.unlink(missing_ok=True)


@contextmanager
def _beating(file: Path, seconds: float) -> Iterator[None]:
    """Counts in a file, in place, so that a full disk takes it too. Where none can be made, nothing is known from afar."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield
        return
    ended = threading.Event()

    def beat() -> None:
        for number in itertools.count():
            with suppress(OSError):  # a file system that takes nothing for a while: the next one may be taken
                os.pwrite(descriptor, f"{number:012d}".encode(), 0)
            if ended.wait(seconds):
                return

    thread = threading.Thread(target=beat, name="run-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        os.close(descriptor)
        file.unlink(missing_ok=True)


class NamingExecutor(dg.Executor):
    """Executes as another executor does; the run has the name of its process among its tags, and its lock is held."""

    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> Any:
        """The other executor's."""
        return self._executor.retries

    @property
    def step_dependency_config(self) -> Any:
        """The other executor's."""
        return self._executor.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """Executes a run's steps."""
        instance, run_id = plan_context.instance, plan_context.run_id
        with held(instance, run_id):
            instance.add_run_tags(run_id, {PROCESS_TAG: as_tag(this_process())})
            yield from self._executor.execute(plan_context, execution_plan)


def _create(context: dg.InitExecutorContext) -> dg.Executor:
    create = dg.in_process_executor.executor_creation_fn
    if create is None:
        raise RuntimeError("this version of Dagster cannot create its in-process executor; install the locked version")
    return NamingExecutor(create(context))


executor = dg.ExecutorDefinition(
    name=dg.in_process_executor.name,
    config_schema=dg.in_process_executor.config_schema.as_field(),
    executor_creation_fn=_create,
    description="One step after the other, in the run's own process.",
)
