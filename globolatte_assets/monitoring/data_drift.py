"""The asset `monitoring/data_drift`: every new window of orders against the champion's snapshot, by Evidently."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from globolatte_assets import keys
from globolatte_assets.models.champion import Champion, champion_with_snapshot
from globolatte_assets.models.training_snapshot import EXAMPLES_FILE
from globolatte_assets.monitoring.accepted_changes import Criteria, acceptances_table, criteria_of
from globolatte_assets.monitoring.reports import StoredPages
from globolatte_assets.monitoring.standing import HISTORY, broken_data
from globolatte_assets.monitoring.windows import (
    DRIFT_TABLE,
    MARKS,
    NO_CHAMPION,
    Row,
    common_columns,
    evaluate_windows,
    examples_between,
    latest_windows,
    nothing_to_compare,
)
from globolatte_assets.pictures import png
from globolatte_ml.monitoring.verdicts import DriftVerdict, Status
from globolatte_ml.monitoring.windows import CHAIN, Window, WindowRules
from resources.clock import Clock
from resources.ml.ml_platform import MLPlatform
from resources.warehouse.warehouse import Warehouse

if TYPE_CHECKING:  # pandas comes with them
    import pandas as pd

    from globolatte_ml.monitoring.drift import MeasuredDrift

COLUMNS_NAMED = 2
NO_DRIFT = "no_drift"
DATA_ARE_SOUND = "data_are_sound"
OTHER_COLUMNS = "other_columns_as_before"
DRIFT_REMEDY = (
    "Nothing is to be done by hand: retraining_sensor retrains when drift lasts (see its ticks). The Evidently report shows "
    "each column's distribution then and now. If the change is meant: `globolatte monitoring accept`."
)
BROKEN_REMEDY = (
    "Correct the files and deliver them again under the same paths. No model is trained on broken data meanwhile. If a column is meant to "
    "be as it is now: `globolatte monitoring accept`."
)
NOTED_REMEDY = (
    "Nothing has to be done: neither the load nor the model needs these columns, and no model is trained for them. Ask the unit if its "
    "files should say so; if they are meant to be as they are now: `globolatte monitoring accept`, and this check passes."
)


def drift_rows(verdict: DriftVerdict, champion: Champion, clock: Clock, judged_by: str) -> pa.Table:
    """The rows of `monitoring.drift` for a window: one per column. `judged_by`: see `accepted_changes.Criteria.name`."""
    common = {
        **common_columns(verdict.window, champion, clock.timestamp()),
        "window_status": str(verdict.status),
        "faults": "; ".join(verdict.faults) or None,
        "reference": verdict.reference,
        "reference_orders": verdict.reference_orders,
        "judged_by": judged_by,
    }
    columns = [
        {
            **common,
            "column_name": column.column,
            "method": str(column.method),
            "statistic": column.statistic,
            "threshold": column.threshold,
            "status": str(column.status),
            "note": column.note or None,
        }
        for column in verdict.columns
    ]
    return pa.Table.from_pylist(columns)


def order_facts(warehouse: Warehouse, first: dt.date, last: dt.date) -> pa.Table:
    """order_key, payment_method and line_count of the orders of these business dates."""
    days = {"business_date": (first, last)}
    return warehouse.read("marts.fct_orders", ["order_key", "payment_method", "line_count"], between=days)


def snapshot_orders(champion: Champion, warehouse: Warehouse) -> "pd.DataFrame":
    """The orders of the champion's snapshot with the columns to compare; means of payment and baskets come from the mart."""
    from globolatte_ml.monitoring.orders import EXAMPLE_COLUMNS, order_columns

    examples = pq.read_table(champion.snapshot.folder / EXAMPLES_FILE, columns=list(EXAMPLE_COLUMNS))
    span = pc.min_max(examples["business_date"]).as_py()
    return order_columns(examples, order_facts(warehouse, span["min"], span["max"]))


def _orders_between(warehouse: Warehouse, scope: str, first: dt.date, last: dt.date) -> "pd.DataFrame":
    """The orders of a scope from `first` to `last` with the columns to compare."""
    from globolatte_ml.monitoring.orders import order_columns

    orders = order_columns(examples_between(warehouse, first, last), order_facts(warehouse, first, last))
    return orders if scope == CHAIN else orders[orders["business_unit"] == scope]


def measured_windows(
    windows: Sequence[Window], champion: Champion, warehouse: Warehouse, criteria: Criteria
) -> "Iterator[MeasuredDrift]":
    """Each window's drift; without windows nothing is read."""
    if not windows:
        return
    from globolatte_ml.monitoring.drift import measure_drift

    reference = snapshot_orders(champion, warehouse)
    for window in windows:
        accepted = criteria.accepted_for(window.scope, window.last)
        since = None
        if accepted:
            first = max(champion.learned_until + dt.timedelta(days=1), min(one.since for one in accepted))
            since = _orders_between(warehouse, window.scope, first, window.first - dt.timedelta(days=1))
        yield measure_drift(
            window,
            _orders_between(warehouse, window.scope, window.first, window.last),
            reference,
            fresh_from=champion.fresh_from,
            required=criteria.required_of(window.scope),
            accepted=accepted,
            since_snapshot=since,
        )


def _moved(rows: Sequence[Row], window_id: str) -> str:
    """The columns of a window that drifted, the farthest first."""
    mine = [row for row in rows if row["window_id"] == window_id and row["status"] == Status.DRIFTED]
    moved = sorted(mine, key=lambda row: -row["statistic"] / row["threshold"])
    named = [f"{row['column_name']} {row['statistic']:.2f} > {row['threshold']:.2f}" for row in moved]
    others = [f"and {len(named) - COLUMNS_NAMED} more"] if len(named) > COLUMNS_NAMED else []
    return ", ".join([*named[:COLUMNS_NAMED], *others])


def noted_columns(rows: Sequence[Row], window_id: str) -> dict[str, str]:
    """The columns of a window that changed although nobody needs them, with what was found."""
    return {
        row["column_name"]: row["note"]
        for row in rows
        if row["window_id"] == window_id and row["status"] == Status.NOTED
    }


def why_noted(rows: Sequence[Row]) -> list[str]:
    """For each scope whose latest window has columns that changed although nobody needs them: one sentence."""
    latest = (windows[-1] for windows in latest_windows(rows, 1).values())
    found = ((row, noted_columns(rows, row["window_id"])) for row in latest)
    return [
        f"{row['scope']} from {row['window_from']} to {row['window_to']}: "
        + ", ".join(f"{name} ({note})" for name, note in noted.items())
        for row, noted in found
        if noted
    ]


def windows_table(rows: Sequence[Row], reports: StoredPages, how_many: int = 1) -> str:
    """The latest windows of each scope as Markdown; the verdict links to the report if there still is one.

    The UI shows texts of less than 1,000 characters at once; the latest windows of a chain of four units are that short.
    """
    lines = ["| scope | until | orders | verdict | what moved, or is broken |", "|---|---|---:|---|---|"]
    for windows in latest_windows(rows, how_many).values():
        for window in windows:
            noted = ", ".join(noted_columns(rows, window["window_id"]))
            what = window["faults"] or _moved(rows, window["window_id"]) or (noted and f"noted: {noted}")
            verdict = MARKS.get(window["window_status"], window["window_status"])
            if reports.path(window["window_id"]).exists():
                verdict = f"[{verdict}]({reports.url(window['window_id'])})"
            lines.append(f"| {window['scope']} | {window['window_to']} | {window['orders']:,} | {verdict} | {what} |")
    return "\n".join(lines)


def drifted_windows(rows: Sequence[Row]) -> list[Row]:
    """The latest window of each scope in which it drifted; the chain first."""
    latest = (windows[-1] for windows in latest_windows(rows, 1).values())
    return [row for row in latest if row["window_status"] == Status.DRIFTED]


def why_drifted(rows: Sequence[Row]) -> str:
    """For each scope whose latest window drifted, which columns moved how far over their limit: one sentence each."""
    sentences = (
        f"{row['scope']} drifted from {row['window_from']} to {row['window_to']}: {_moved(rows, row['window_id'])}."
        for row in drifted_windows(rows)
    )
    return " ".join(sentences)


def _report_links(window: Row, reports: StoredPages) -> dict[str, dg.MetadataValue]:
    """A window's page as address and file; nothing if it is no longer stored."""
    page = reports.path(window["window_id"])
    links: dict[str, dg.MetadataValue] = {
        "report": dg.MetadataValue.url(reports.url(window["window_id"])),
        "report_file": dg.MetadataValue.path(str(page)),
    }
    return links if page.exists() else {}


def _what_to_do(rows: Sequence[Row], reports: StoredPages) -> Mapping[str, dg.MetadataValue]:
    return {
        **_report_links(drifted_windows(rows)[0], reports),
        "remedy": dg.MetadataValue.text(DRIFT_REMEDY),
        "windows": dg.MetadataValue.md(windows_table(rows, reports)),
    }


def _checks(rows: Sequence[Row], broken: Sequence[str], reports: StoredPages) -> Iterator[dg.AssetCheckResult]:
    drifted = drifted_windows(rows)
    yield dg.AssetCheckResult(
        check_name=NO_DRIFT,
        passed=not drifted,
        severity=dg.AssetCheckSeverity.WARN,
        description=why_drifted(rows) if drifted else "No scope drifted in its latest window.",
        metadata={"drifted_scopes": len(drifted), **(_what_to_do(rows, reports) if drifted else {})},
    )
    yield dg.AssetCheckResult(
        check_name=DATA_ARE_SOUND,
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(broken)[:1000] if broken else "The latest deliveries are sound.",
        metadata={"faults": len(broken), **({"remedy": BROKEN_REMEDY} if broken else {})},
    )
    noted = why_noted(rows)
    yield dg.AssetCheckResult(
        check_name=OTHER_COLUMNS,
        passed=not noted,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(noted)[:1000] if noted else "Columns that nobody needs are as they were.",
        metadata={"noted_scopes": len(noted), **({"remedy": NOTED_REMEDY} if noted else {})},
    )


def _measure(
    windows: Sequence[Window],
    champion: Champion,
    warehouse: Warehouse,
    reports: StoredPages,
    clock: Clock,
    criteria: Criteria,
) -> Iterator[tuple[Window, pa.Table]]:
    """Each window with its rows; pages are made only for the latest windows."""
    shown = sorted(windows, key=lambda window: window.last)[-reports.most :]
    for measured in measured_windows(windows, champion, warehouse, criteria):
        window = measured.verdict.window
        html = measured.html() if window in shown else None
        if html is not None:
            reports.store(window.window_id, html)
        yield window, drift_rows(measured.verdict, champion, clock, criteria.name(window.scope, window.last))


def data_drift_asset(reports: StoredPages, rules: WindowRules) -> dg.AssetsDefinition:
    """Builds the asset, with windows that are complete by `rules`."""

    @dg.asset(
        key=keys.DATA_DRIFT,
        deps=[keys.TRAINING_EXAMPLES, keys.ORDERS, keys.DELIVERED_DAYS, keys.PROMOTION],
        pool=keys.WAREHOUSE_POOL,
        owners=[keys.OWNER_SCIENCE],
        kinds={"evidently", "python", "table"},
        check_specs=[
            dg.AssetCheckSpec(NO_DRIFT, asset=keys.DATA_DRIFT, description="No scope's latest window drifted."),
            dg.AssetCheckSpec(
                DATA_ARE_SOUND,
                asset=keys.DATA_DRIFT,
                description="The latest deliveries can be compared and learned from.",
            ),
            dg.AssetCheckSpec(
                OTHER_COLUMNS,
                asset=keys.DATA_DRIFT,
                description="The columns that neither the load nor the model needs are as they were.",
            ),
        ],
        description="The last orders, window by window, for the chain and for each unit, against the champion's snapshot at the "
        "same time of year. Each complete window is measured once per champion.",
    )
    def data_drift(
        warehouse: dg.ResourceParam[Warehouse], ml: dg.ResourceParam[MLPlatform], clock: Clock
    ) -> dg.MaterializeResult:
        champion = champion_with_snapshot(ml)
        if champion is None:
            metadata = nothing_to_compare(NO_CHAMPION)
            return dg.MaterializeResult(metadata=metadata, check_results=list(_checks([], [], reports)))
        criteria = criteria_of(warehouse)
        rows, seen, common = evaluate_windows(
            warehouse,
            DRIFT_TABLE,
            champion,
            rules,
            lambda windows: _measure(windows, champion, warehouse, reports, clock, criteria),
            criteria.name,
        )
        return dg.MaterializeResult(
            metadata={**_shown(rows, champion, reports), **_accepted(criteria), **common},
            check_results=list(_checks(rows, broken_data(rows, seen), reports)),
        )

    return data_drift


def _shown(rows: Sequence[Row], champion: Champion, reports: StoredPages) -> Mapping[str, dg.MetadataValue]:
    if not rows:
        return nothing_to_compare(f"no window is complete since {champion.learned_until}")
    from globolatte_ml.monitoring.plots import drift_over_time

    first = next(iter(latest_windows(rows, 1).values()))[-1]
    return {
        "latest_windows": dg.MetadataValue.md(windows_table(rows, reports)),
        "drift_over_time": png(drift_over_time, rows, first["scope"]),
        **_report_links(first, reports),
        "all_windows": dg.MetadataValue.md(windows_table(rows, reports, HISTORY)),
    }


def _accepted(criteria: Criteria) -> Mapping[str, dg.MetadataValue]:
    """The changes that people accepted, by which windows are judged."""
    if not criteria.acceptances:
        return {}
    return {"accepted_changes": dg.MetadataValue.md(acceptances_table(criteria.acceptances))}
