"""Whole commands, each in a process of its own: loading definitions, first and later passes, the demo."""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.arrangement import GLOBOLATTE, family, run, start
from benchmarks.rows import Row, best_of, seconds
from resources.settings.settings import Settings

DEMO_SECONDS, DEMO_BYTES = 180.0, 2 * 1024**3
NEW_DAYS = 5


def definitions_rows(settings: Settings) -> Iterator[Row]:
    """Loading `definitions.py` against importing Dagster and its dbt integration alone."""
    reference = best_of(5, lambda: run([sys.executable, "-c", "import dagster, dagster_dbt"], settings.home))
    ours = best_of(5, lambda: run([sys.executable, "-c", "import definitions"], settings.home))
    yield Row("import definitions / import dagster, dagster_dbt", ours, reference, limit=1.5)


def pass_rows(settings: Settings) -> Iterator[Row]:
    """The first pass over two years; the passes after each of some new days, of which the median counts, since a shared machine runs
    now fast, now slowly; the pass over an untouched landing zone."""
    folder = settings.landing_folder / "sales"
    days = sorted({"/".join(day.relative_to(folder).parts[1:]) for day in folder.glob("*/*/*/*")})[-NEW_DAYS:]
    held = {day: list(folder.glob(f"*/{day}/*.csv")) for day in days}
    for file in (file for files in held.values() for file in files):
        file.rename(file.with_name(file.name + ".part"))

    def pass_after(files: list[Path]) -> float:
        for file in files:
            file.with_name(file.name + ".part").rename(file)
        return seconds(lambda: run([GLOBOLATTE, "run"], settings.home))

    first = pass_after([])
    day = statistics.median(pass_after(files) for files in held.values())
    yield Row("globolatte run after one new day / first run", day, first, limit=0.5)
    yield Row("globolatte run on an untouched landing zone / first run", pass_after([]), first)


def demo_rows(settings: Settings) -> Iterator[Row]:
    """The demo's time and peak memory against the promised limits."""
    started, peak = time.perf_counter(), 0
    with start([GLOBOLATTE, "demo"], settings.home / "demo") as process:
        while process.poll() is None:
            peak = max(peak, _resident_bytes(process.pid))
            time.sleep(0.1)
    yield Row("globolatte demo: time / allowed", time.perf_counter() - started, DEMO_SECONDS, limit=1.0)
    yield Row("globolatte demo: peak memory / allowed", peak / 1024**2, DEMO_BYTES / 1024**2, unit="MiB", limit=1.0)


def _resident_bytes(pid: int) -> int:
    """Memory of a process and everything it started; processes that ended meanwhile count for nothing."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for member in family(pid):
            with suppress(psutil.NoSuchProcess):
                total += member.memory_info().rss
    return total
