"""Work in a process of its own: what it gave, and what it took in time and memory, of which nothing else has a part."""

import multiprocessing
import pickle
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.rows import peak_memory

GIGABYTE = 10**9


class UnfinishedError(Exception):
    """The work ended without a result; says why."""


@dataclass(frozen=True)
class Done:
    """`seconds` are processor time of the work alone; `gigabytes` the most memory that the process had, its libraries and data included."""

    result: Any
    seconds: float
    gigabytes: float


def run_apart(work: Callable[..., Any], *arguments: Any, most_gigabytes: float, most_minutes: float) -> Done:
    """What `work`, a function of a module, gives in a new process within these limits; raises `UnfinishedError`."""
    with tempfile.TemporaryDirectory() as folder:
        # not through the pipe by which a process is started: were it to die before it has read it all, the start would never end
        given = Path(folder, "work")
        given.write_bytes(pickle.dumps((work, arguments)))
        return _run(given, most_gigabytes, most_minutes)


def _run(given: Path, most_gigabytes: float, most_minutes: float) -> Done:
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=_work, args=(there, most_gigabytes, given), daemon=True)
    process.start()
    there.close()
    try:
        answered = here.poll(60.0 * most_minutes)
        outcome = here.recv() if answered else UnfinishedError(f"not done after {most_minutes:g} minutes")
    except EOFError:
        process.join()
        outcome = UnfinishedError(
            f"the process ended with {process.exitcode}; -9 means that the system had too little memory"
        )
    finally:
        process.kill()
        process.join()
    if isinstance(outcome, UnfinishedError):
        raise outcome
    return outcome


def _work(there: Connection, most_gigabytes: float, given: Path) -> None:
    work, arguments = pickle.loads(given.read_bytes())  # noqa: S301 - written by the process that started this one
    limit = int(most_gigabytes * GIGABYTE)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    started = time.process_time()
    try:
        result = work(*arguments)
    except MemoryError:
        there.send(UnfinishedError(f"it needs more than {most_gigabytes:g} GB of memory"))
        return
    seconds = time.process_time() - started
    there.send(Done(result, seconds, peak_memory() / GIGABYTE))
