"""What a benchmark gives: one row per measurement."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """Ours against the reference, in `unit`; `limit` is the highest ratio that we allow ourselves, if there is one."""

    name: str
    ours: float
    reference: float
    unit: str = "s"
    limit: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over the reference."""
        return self.ours / self.reference if self.reference else float("nan")

    @property
    def within_limit(self) -> bool:
        """Whether the ratio is allowed."""
        return self.limit is None or self.ratio <= self.limit


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long `work` takes by `clock`, the wall's unless another is given."""
    started = clock()
    work()
    return clock() - started


def cpu_seconds(work: Callable[[], object]) -> float:
    """How much processor time `work` takes in this process: what other processes do meanwhile does not count."""
    return seconds(work, time.process_time)


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """The shortest of several rounds: what the work costs when nothing disturbs it."""
    return min(seconds(work) for _ in range(rounds))


def peak_memory() -> int:
    """The most bytes of memory that this process had so far. (Linux counts in `ru_maxrss` what its starter had, too.)"""
    status = Path("/proc/self/status")
    if status.exists():
        return next(
            1024 * int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:")
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
