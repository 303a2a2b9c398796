"""The asset `monitoring/data_drift`: every new window of orders against the champion's snapshot, by Evidently."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from globolatte_assets.keys import (
    DATA_DRIFT,
    DELIVERED_DAYS,
    ORDERS,
    OWNER_SCIENCE,
    PROMOTION,
    TRAINING_EXAMPLES,
    WAREHOUSE_POOL,
)
from globolatte_assets.models.champion import Champion, champion_with_snapshot
from globolatte_assets.models.training_snapshot import EXAMPLES_FILE
from globolatte_assets.monitoring.drift_in_words import drifted_windows, why_drifted, windows_table
from globolatte_assets.monitoring.reports import KeptPages
from globolatte_assets.monitoring.standing import HISTORY, broken_data
from globolatte_assets.monitoring.windows import (
    DRIFT_TABLE,
    NO_CHAMPION,
    drop_obsolete,
    examples_between,
    kept_rows,
    latest_windows,
    nothing_to_compare,
    rules_of,
    watch,
)
from globolatte_assets.pictures import png
from resources.clock import Clock
from resources.ml.ml_platform import MLPlatform
from resources.warehouse.tables import row_count
from resources.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas as pd

    from globolatte_ml.monitoring.drift import MeasuredDrift
    from globolatte_ml.monitoring.verdicts import DriftVerdict
    from globolatte_ml.monitoring.windows import Window

Row = Mapping[str, Any]

NO_DRIFT = "no_drift"
DATA_ARE_SOUND = "data_are_sound"
DRIFT_REMEDY = (
    "Nothing is to be done by hand: retraining_sensor retrains when drift lasts (see its ticks). The Evidently report shows "
    "each column's distribution then and now."
)
BROKEN_REMEDY = (
    "Correct the files and deliver them again under the same paths. No model is trained on broken data meanwhile."
)


def drift_rows(verdict: "DriftVerdict", champion: Champion, clock: Clock) -> "pa.Table":
    """The rows of `monitoring.drift` for a window: one per column."""
    window = verdict.window
    common = {
        "window_id": window.window_id,
        "scope": window.scope,
        "window_from": window.first,
        "window_to": window.last,
        "orders": window.orders,
        "model_version": champion.version.version,
        "snapshot": champion.snapshot.name,
        "window_status": str(verdict.status),
        "faults": "; ".join(verdict.faults) or None,
        "reference": verdict.reference,
        "reference_orders": verdict.reference_orders,
        "recorded_at": clock.timestamp(),
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
    table = pa.Table.from_pylist(columns)
    for name in ("faults", "note"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
    place = table.column_names.index("statistic")
    return table.set_column(place, "statistic", table["statistic"].cast(pa.float64()))


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


def measured_windows(
    windows: "Sequence[Window]", champion: Champion, warehouse: Warehouse
) -> "Iterator[MeasuredDrift]":
    """Each window's drift, measured; nothing is read for no windows."""
    if not windows:
        return
    from globolatte_ml.monitoring.drift import measure_drift
    from globolatte_ml.monitoring.orders import order_columns
    from globolatte_ml.monitoring.windows import CHAIN

    reference = snapshot_orders(champion, warehouse)
    for window in windows:
        examples = examples_between(warehouse, window.first, window.last)
        orders = order_columns(examples, order_facts(warehouse, window.first, window.last))
        if window.scope != CHAIN:
            orders = orders[orders["business_unit"] == window.scope]
        yield measure_drift(window, orders, reference, fresh_from=champion.fresh_from)


def _report_links(window: Row, reports: KeptPages) -> dict[str, dg.MetadataValue]:
    """A window's page, by address and as a file; nothing if it is no longer kept."""
    page = reports.path(window["window_id"])
    links: dict[str, dg.MetadataValue] = {
        "report": dg.MetadataValue.url(reports.url(window["window_id"])),
        "report_file": dg.MetadataValue.path(str(page)),
    }
    return links if page.exists() else {}


def _what_to_do(rows: Sequence[Row], reports: KeptPages) -> Mapping[str, dg.MetadataValue]:
    return {
        **_report_links(drifted_windows(rows)[0], reports),
        "remedy": dg.MetadataValue.text(DRIFT_REMEDY),
        "windows": dg.MetadataValue.md(windows_table(rows, reports)),
    }


def _checks(rows: Sequence[Row], broken: Sequence[str], reports: KeptPages) -> Iterator[dg.AssetCheckResult]:
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


def _measure(
    windows: "Sequence[Window]", champion: Champion, warehouse: Warehouse, reports: KeptPages, clock: Clock
) -> None:
    """Measures windows and stores each verdict as soon as it is there; pages are made for the latest windows alone."""
    shown = {window.window_id for window in sorted(windows, key=lambda window: window.last)[-reports.kept :]}
    for measured in measured_windows(windows, champion, warehouse):
        window_id = measured.verdict.window.window_id
        html = measured.html() if window_id in shown else None
        if html is not None:
            reports.keep(window_id, html)
        where = {"window_id": window_id, "model_version": champion.version.version}
        warehouse.replace(DRIFT_TABLE, drift_rows(measured.verdict, champion, clock), where)


def data_drift_asset(reports: KeptPages, window_orders: int, window_days: int) -> dg.AssetsDefinition:
    """Builds the asset. Windows hold at least `window_orders` orders and `window_days` days."""

    @dg.asset(
        key=DATA_DRIFT,
        deps=[TRAINING_EXAMPLES, ORDERS, DELIVERED_DAYS, PROMOTION],
        pool=WAREHOUSE_POOL,
        group_name="monitoring",
        owners=[OWNER_SCIENCE],
        kinds={"evidently", "python", "table"},
        check_specs=[
            dg.AssetCheckSpec(NO_DRIFT, asset=DATA_DRIFT, description="No scope's latest window drifted."),
            dg.AssetCheckSpec(
                DATA_ARE_SOUND,
                asset=DATA_DRIFT,
                description="What was delivered lately is fit to be compared and learned from.",
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
        with warehouse.kept_open():
            seen = watch(warehouse, DRIFT_TABLE, champion, rules_of(window_orders, window_days))
            drop_obsolete(warehouse, DRIFT_TABLE, champion, seen)
        _measure(seen.windows, champion, warehouse, reports, clock)
        with warehouse.kept_open():
            rows, count = kept_rows(warehouse, DRIFT_TABLE, champion, []), row_count(warehouse, DRIFT_TABLE)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": dg.MetadataValue.int(count),
                **_metadata(rows, champion, len(seen.windows), reports),
            },
            check_results=list(_checks(rows, broken_data(rows, seen), reports)),
        )

    return data_drift


def _metadata(
    rows: Sequence[Row], champion: Champion, measured: int, reports: KeptPages
) -> Mapping[str, dg.MetadataValue]:
    common: dict[str, dg.MetadataValue] = {
        "model_version": dg.MetadataValue.text(champion.version.version),
        "windows_judged": dg.MetadataValue.int(measured),
    }
    if not rows:
        return {**common, **nothing_to_compare(f"no window is complete since {champion.learned_until}")}
    from globolatte_ml.monitoring.plots import drift_over_time

    first = next(iter(latest_windows(rows, 1).values()))[-1]
    return {
        "latest_windows": dg.MetadataValue.md(windows_table(rows, reports)),
        "drift_over_time": png(drift_over_time(rows, first["scope"])),
        **_report_links(first, reports),
        "all_windows": dg.MetadataValue.md(windows_table(rows, reports, HISTORY)),
        **common,
    }
