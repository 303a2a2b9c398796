"""Named instants at which tests end the process, to prove that nothing is half done and that what follows makes it good.

Killed at any of them, a load leaves the tables as they were, or as they are after it. In production no hook is set and a point does
nothing. It is a module of its own since the load, the retraction, the asset and the sensors all have points.
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
    "ledger written",
    "counted",
    "steps marked done",
    "before the commit",
    "committed",
)
"""Passed by a load that replaces rows, quarantines some, and does what people requested."""

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
    """Says that this instant has come."""
    if hook is not None:
        hook(name)
