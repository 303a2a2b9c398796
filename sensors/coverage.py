"""Which dates of which unit runs are at, or wait to be at: what lies there need not be asked for again.

A run lists its dates when it starts. So a run that waits will take up every file that is there by now, whatever it was asked for;
one that has started may have looked before the file came, and leaves it to the next.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import dagster as dg

from globolatte_assets.jobs import INGEST_SALES
from globolatte_ingest.pending import LoadRange, coalesce
from sensors.backlog import Backlog
from sensors.requests import BATCH_TAG, RANGE_END, RANGE_START
from sensors.run_health import UNFINISHED

PARTITION = "dagster/partition"

WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING)
"""Runs that have not looked yet."""
AT_WORK = (dg.DagsterRunStatus.QUEUED, *UNFINISHED)
"""Runs that wait, and those that have looked, and are not done."""

RUNS_LOOKED_AT = 500


@dataclass(frozen=True)
class Coverage:
    """Ranges of dates, each of one unit's landing folder, first and last included."""

    ranges: tuple[tuple[str, dt.date, dt.date], ...] = ()

    @property
    def folders(self) -> frozenset[str]:
        """The units of which anything is covered."""
        return frozenset(folder for folder, _, _ in self.ranges)

    def covers(self, folder: str, first: dt.date, last: dt.date) -> bool:
        """Whether one of the ranges has all of these dates."""
        return any(of == folder and begin <= first and last <= end for of, begin, end in self.ranges)


def range_of(tags: Mapping[str, str]) -> tuple[str, dt.date, dt.date] | None:
    """The landing folder and the dates that a run loads; none for runs of another kind."""
    start, end = (tags.get(name, tags.get(PARTITION, "")).partition("|") for name in (RANGE_START, RANGE_END))
    if not start[2] or not end[2]:
        return None
    return start[0], dt.date.fromisoformat(start[2]), dt.date.fromisoformat(end[2])


def unit_of(tags: Mapping[str, str]) -> str | None:
    """The landing folder of the unit that a run loads; none for runs of another kind."""
    dates = range_of(tags)
    return dates[0] if dates is not None else None


def coverage_of(
    instance: dg.DagsterInstance, statuses: Iterable[dg.DagsterRunStatus], *, asked_by_sensors: bool = False
) -> Coverage:
    """What the ingest runs in these states load.

    With `asked_by_sensors`, of those runs alone that are asked for again when they fail: where nothing else remembers a file.
    """
    runs = instance.get_runs(
        dg.RunsFilter(job_name=INGEST_SALES, statuses=list(statuses)),
        limit=RUNS_LOOKED_AT,
    )
    found = (range_of(run.tags) for run in runs if BATCH_TAG in run.tags or not asked_by_sensors)
    return Coverage(tuple(sorted({dates for dates in found if dates is not None})))


def left_by(backlog: Backlog, covered: Coverage) -> Backlog:
    """The backlog without the sales files, and the ranges to report, that lie in covered dates."""
    if not covered.ranges:
        return backlog
    files = [item for load in backlog.pending.ranges for item in load.files]
    left = coalesce([item for item in files if not covered.covers(item.folder, item.date, item.date)])
    return replace(
        backlog,
        pending=replace(backlog.pending, ranges=left),
        unreported=tuple(load for load in backlog.unreported if not _is_covered(load, covered)),
    )


def _is_covered(load: LoadRange, covered: Coverage) -> bool:
    return covered.covers(load.folder, load.first, load.last)
