"""What both monitoring assets share: the champion, and the complete windows that were not evaluated yet."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from globolatte_assets.models.champion import Champion
from globolatte_ml.monitoring.delivery import SILENT_DAYS, Delivery
from globolatte_ml.monitoring.verdicts import Status
from globolatte_ml.monitoring.windows import (
    CHAIN,
    Window,
    WindowRules,
    complete_windows,
    days_by_scope,
    window_between,
)
from resources.warehouse.tables import row_count
from resources.warehouse.warehouse import Warehouse

Row = Mapping[str, Any]
JudgedBy = Callable[[str, dt.date], str]
"""Names what a window of a scope that ends on a date is judged by."""

DRIFT_TABLE = "monitoring.drift"
PERFORMANCE_TABLE = "monitoring.performance"
STATUS_COLUMN = {DRIFT_TABLE: "window_status", PERFORMANCE_TABLE: "status"}
NO_CHAMPION = "there is no champion, or its snapshot is gone; the job train_model makes a new one"
NEVER = "never evaluated"
MARKS = {
    Status.OK: "✅ ok",
    Status.DRIFTED: "⚠️ drifted",
    Status.BELOW_BAND: "⚠️ below",
    Status.BROKEN: "❌ broken",
}
"""A verdict as shown in a table for people."""
RECENT_DAYS = 14
"""The latest days whose delivery is looked at by itself, so that broken data are noticed before a window is complete."""


@dataclass(frozen=True)
class Delivered:
    """What was delivered since a date.

    data_until: the last date that was delivered. faults: why the delivery of the latest days is broken, by unit; empty if it is
    sound. latest_by_unit: the last date that each unit delivered.
    """

    data_until: dt.date | None
    faults: Mapping[str, str]
    latest_by_unit: Mapping[str, dt.date]


@dataclass(frozen=True)
class Watch(Delivered):
    """The windows to evaluate.

    windows: complete, and not in the table or to be evaluated again. obsolete: ids of stored windows that do not exist any more,
    because files were corrected.
    """

    windows: list[Window]
    obsolete: list[str]


def delivered_since(warehouse: Warehouse, after: dt.date) -> Delivered:
    """What was delivered for dates later than `after`."""
    return _delivered(_deliveries(warehouse, after))


def watch(
    warehouse: Warehouse, table: str, champion: Champion, rules: WindowRules, judged_by: JudgedBy | None = None
) -> Watch:
    """Compares what was delivered since the champion's snapshot with what `table` has of it already.

    A scope's last windows that were broken are evaluated again when other files were delivered for them, or the marts were built from
    other ones; all others are evaluated once. Where `judged_by` is given, every window that was judged by anything else is judged again,
    within its own dates.
    """
    status = STATUS_COLUMN[table]
    names = ["window_id", "scope", "window_from", "window_to", "delivered", status]
    stored = stored_rows(warehouse, table, champion, [*names, "judged_by"] if judged_by else names)
    outdated = {
        row["window_id"]: row
        for row in stored
        if judged_by and row["judged_by"] != judged_by(row["scope"], row["window_to"])
    }
    evaluated: dict[str, dt.date] = {}
    for row in stored:
        if row[status] != Status.BROKEN:
            evaluated[row["scope"]] = max(row["window_to"], evaluated.get(row["scope"], row["window_to"]))
    broken = {
        row["window_id"]: row["delivered"]
        for row in stored
        if row["window_to"] > evaluated.get(row["scope"], dt.date.min)
    }
    days = _deliveries(warehouse, champion.learned_until)
    complete = complete_windows(days, champion.learned_until, rules, evaluated_until=evaluated)
    windows = [
        one for one in complete if one.window_id in outdated or broken.get(one.window_id, NEVER) != one.delivery.content
    ]
    scopes = days_by_scope(days, champion.learned_until) if outdated else {}
    windows += [
        window_between(row["scope"], row["window_from"], row["window_to"], scopes[row["scope"]])
        for window_id, row in outdated.items()
        if window_id not in broken and row["scope"] in scopes
    ]
    obsolete = sorted(broken.keys() - {window.window_id for window in complete})
    return Watch(**vars(_delivered(days)), windows=windows, obsolete=obsolete)


def _delivered(days: list[Delivery]) -> Delivered:
    latest = {day.unit: day.date for day in days}  # sorted by unit and date
    return Delivered(max(latest.values(), default=None), _recent_faults(days, latest), latest)


def drop_obsolete(warehouse: Warehouse, table: str, champion: Champion, seen: Watch) -> None:
    """Removes the rows of windows that do not exist any more."""
    for window_id in seen.obsolete:
        where = {"window_id": window_id, "model_version": champion.version.version}
        warehouse.replace(table, warehouse.read(table, where={"window_id": ""}), where)


def stored_rows(warehouse: Warehouse, table: str, champion: Champion, columns: list[str]) -> list[dict[str, Any]]:
    """The rows of the champion's windows, in no particular order."""
    rows: list[dict[str, Any]] = warehouse.read(table, columns, {"model_version": champion.version.version}).to_pylist()
    return rows


def evaluate_windows(
    warehouse: Warehouse,
    table: str,
    champion: Champion,
    rules: WindowRules,
    measure: Callable[[Sequence[Window]], Iterable[tuple[Window, pa.Table]]],
    judged_by: JudgedBy | None = None,
) -> tuple[list[dict[str, Any]], Watch, dict[str, dg.MetadataValue]]:
    """Stores what `measure` makes of each new window as soon as it is there. Returns the rows of all of the champion's windows, what
    was there to be evaluated, and the metadata that drift and performance share."""
    with warehouse.keep_open():
        seen = watch(warehouse, table, champion, rules, judged_by)
        drop_obsolete(warehouse, table, champion, seen)
    measured = 0
    for window, data in measure(seen.windows):
        where = {"window_id": window.window_id, "model_version": champion.version.version}
        warehouse.replace(table, data, where)
        measured += 1
    with warehouse.keep_open():
        rows, count = stored_rows(warehouse, table, champion, []), row_count(warehouse, table)
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(count),
        "model_version": dg.MetadataValue.text(champion.version.version),
        "windows_judged": dg.MetadataValue.int(measured),
    }
    return rows, seen, metadata


def common_columns(window: Window, champion: Champion, recorded_at: dt.datetime) -> dict[str, Any]:
    """The first values of a row of drift and of one of performance."""
    return {
        "window_id": window.window_id,
        "scope": window.scope,
        "window_from": window.first,
        "window_to": window.last,
        "orders": window.orders,
        "delivered": window.delivery.content,
        "model_version": champion.version.version,
        "snapshot": champion.snapshot.name,
        "recorded_at": recorded_at,
    }


def latest_windows(rows: Sequence[Row], how_many: int) -> dict[str, list[Row]]:
    """Of each scope the latest windows, oldest first, one row each."""
    by_scope: dict[str, dict[str, Row]] = {}
    for row in sorted(rows, key=lambda row: (row["scope"] != CHAIN, row["scope"], row["window_to"])):
        by_scope.setdefault(row["scope"], {})[row["window_id"]] = row
    return {scope: list(windows.values())[-how_many:] for scope, windows in by_scope.items()}


def nothing_to_compare(reason: str) -> dict[str, dg.MetadataValue]:
    """The metadata of a run without a champion or without a complete window."""
    return {"note": dg.MetadataValue.text(f"Nothing to compare yet: {reason}")}


def examples_between(warehouse: Warehouse, first: dt.date, last: dt.date) -> pa.Table:
    """The training examples of the business dates from `first` to `last`, in time order."""
    days = {"business_date": (first, last)}
    return warehouse.read("features.feat_training_examples", between=days, order_by=["ordered_at", "order_key"])


def _deliveries(warehouse: Warehouse, after: dt.date) -> list[Delivery]:
    return [
        Delivery(
            unit=row["business_unit"],
            date=row["business_date"],
            orders=row["orders"],
            rows_loaded=row["rows_loaded"],
            rows_quarantined=row["rows_quarantined"],
            days_refused=int(row["files_refused"] > row["files_loaded"]),
            content="{latest_load}:{rows_loaded}:{rows_quarantined}:{files_refused}:{built_content}".format_map(row),
        )
        for row in warehouse.read(
            "intermediate.int_delivered_days",
            between={"business_date": (after + dt.timedelta(days=1), dt.date.max)},
            order_by=["business_unit", "business_date"],
        ).to_pylist()
    ]


def _recent_faults(days: list[Delivery], latest: Mapping[str, dt.date]) -> dict[str, str]:
    """By unit what is wrong with its latest days. A unit that has not delivered for long counts as closed and is not expected to."""
    newest = max(latest.values(), default=dt.date.min)
    days = [day for day in days if (newest - latest[day.unit]).days <= SILENT_DAYS]
    recent: dict[str, Delivery] = {}
    for day in days:
        if (latest[day.unit] - day.date).days < RECENT_DAYS:
            recent[day.unit] = recent.get(day.unit, Delivery.nothing(day.unit, day.date)).plus(day)
    return {unit: "; ".join(total.faults()) for unit, total in sorted(recent.items()) if total.faults()}
