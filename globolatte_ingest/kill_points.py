"""Named instants at which tests end the process, to prove that nothing is half done and that the next run completes the work.

A load that is killed at any of them leaves the tables either as they were before it or as they are after it. In production no hook is
set and a point does nothing. The module is separate because the load, the retraction, the asset and the sensors all have points.
"""

from collections.abc import Callable

LOAD_POINTS = (
    "looking for crashed loads",
    "announcing",
    "noting the attempt",
    "attempt noted, not committed",
    "attempt noted",
    "files read, load not begun",
    "batch staged",
    "bad rows found",
    "rows half written",
    "rows written",
    "duplicates found",
    "deciding who is held",
    "replaced rows deleted",
    "ownership decided",
    "owners moved",
    "quarantining",
    "quarantined",
    "files kept",
    "ledger written",
    "counted",
    "steps marked done",
    "events appended",
    "before the commit",
    "committed",
)
"""The points reached by a load that replaces rows, quarantines some, and does requested steps."""

RETRACTION_POINTS = (
    "retraction begun",
    "retracted rows deleted",
    "retracted, ownership not decided",
    "retracted, not committed",
)

RUN_POINTS = ("run started", "run reported")
SENSOR_POINTS = (
    "event tick: before receiving",
    "event tick: received",
    "event tick: requests made",
    "acknowledging: done, cursor not written",
    "reconciliation: listed",
    "reconciliation: requests made",
)

POINTS = (*LOAD_POINTS, *RETRACTION_POINTS, *RUN_POINTS, *SENSOR_POINTS)

hook: Callable[[str], None] | None = None
"""What a test does at each point."""


def point(name: str) -> None:
    """Marks that this instant is reached; calls the hook if a test has set one."""
    if hook is not None:
        hook(name)
