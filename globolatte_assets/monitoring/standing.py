"""The champion's standing, read from monitoring's tables and the ledger: the basis of the retraining decision and the checks."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from globolatte_assets.models.champion import Champion
from globolatte_assets.monitoring.accepted_changes import criteria_of
from globolatte_assets.monitoring.windows import (
    DRIFT_TABLE,
    PERFORMANCE_TABLE,
    Delivered,
    Row,
    delivered_since,
    latest_windows,
    stored_rows,
)
from globolatte_ml.monitoring.delivery import SILENT_DAYS
from globolatte_ml.monitoring.verdicts import Status
from resources.warehouse.warehouse import Warehouse

HISTORY = 10
"""How many of a scope's latest windows are considered and shown."""


@dataclass(frozen=True)
class Standing:
    """How the champion stands.

    Attributes:
        data_until: the last date delivered since its snapshot; none if nothing was.
        broken: why the latest data are broken, one sentence each; empty if they are sound.
        drift, performance: statuses of its windows by scope, oldest first.
        is_outdated: windows were judged by what does not hold any more, such as an acceptance that was undone.
    """

    data_until: dt.date | None
    broken: Sequence[str]
    drift: Mapping[str, Sequence[str]]
    performance: Mapping[str, Sequence[str]]
    is_outdated: bool = False


NOTHING_KNOWN = Standing(None, (), {}, {})


def standing_of(warehouse: Warehouse, champion: Champion) -> Standing:
    """Reads how the champion stands; windows of earlier champions do not count."""
    with warehouse.keep_open():
        seen = delivered_since(warehouse, champion.learned_until)
        drift = stored_rows(
            warehouse,
            DRIFT_TABLE,
            champion,
            ["window_id", "scope", "window_to", "window_status", "faults", "judged_by"],
        )
        criteria = criteria_of(warehouse)
        performance = stored_rows(warehouse, PERFORMANCE_TABLE, champion, ["window_id", "scope", "window_to", "status"])
    return Standing(
        seen.data_until,
        broken_data(drift, seen),
        _statuses(drift, "window_status"),
        _statuses(performance, "status"),
        any(row["judged_by"] not in (None, criteria.name(row["scope"], row["window_to"])) for row in drift),
    )


def broken_data(rows: Sequence[Row], seen: Delivered) -> list[str]:
    """Why the latest data are broken: the latest days of each unit, and each scope's latest window (rows of `monitoring.drift`)."""
    windows = [of_scope[-1] for of_scope in latest_windows(rows, 1).values()]
    broken = [row for row in windows if row["window_status"] == Status.BROKEN and not _is_closed(row, seen)]
    return [
        *(f"{unit}: {fault}" for unit, fault in seen.faults.items()),
        *(f"{row['scope']} until {row['window_to']}: {row['faults']}" for row in broken),
    ]


def _statuses(rows: Sequence[Row], column: str) -> dict[str, list[str]]:
    return {scope: [row[column] for row in windows] for scope, windows in latest_windows(rows, HISTORY).items()}


def _is_closed(window: Row, seen: Delivered) -> bool:
    """Whether the window's unit has sent nothing for so long that it is taken as closed."""
    latest = seen.latest_by_unit.get(window["scope"])
    return bool(latest and seen.data_until and (seen.data_until - latest).days > SILENT_DAYS)
