"""The asset `monitoring/performance`: the champion's predictions for every new window of orders against what was bought."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from globolatte_assets.keys import (
    DELIVERED_DAYS,
    OWNER_SCIENCE,
    PERFORMANCE,
    PROMOTION,
    TRAINING_EXAMPLE_PRODUCTS,
    TRAINING_EXAMPLES,
    WAREHOUSE_POOL,
)
from globolatte_assets.models.champion import Champion, champion_with_snapshot
from globolatte_assets.monitoring.standing import HISTORY
from globolatte_assets.monitoring.windows import (
    NO_CHAMPION,
    PERFORMANCE_TABLE,
    drop_obsolete,
    examples_between,
    kept_rows,
    latest_windows,
    marked,
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
    from globolatte_ml.monitoring.verdicts import PerformanceVerdict
    from globolatte_ml.monitoring.windows import Window

Row = Mapping[str, Any]

WITHIN_BAND = "within_band"
EXAMPLE_PRODUCTS = "intermediate.int_training_example_products"
PRODUCT_STATE = ["order_key", "product_id", "main_orders", "addon_lines", "decayed_main_30d", "decayed_main_120d"]


def performance_row(verdict: "PerformanceVerdict", champion: Champion, clock: Clock) -> pa.Table:
    """One row of `monitoring.performance`."""

    window = verdict.window
    return pa.table(
        {
            "window_id": [window.window_id],
            "scope": [window.scope],
            "window_from": [window.first],
            "window_to": [window.last],
            "orders": [window.orders],
            "model_version": [champion.version.version],
            "snapshot": [champion.snapshot.name],
            "status": [str(verdict.status)],
            "log_loss": pa.array([verdict.log_loss], pa.float64()),
            "hit_rate_at_1": pa.array([verdict.hit_rate_at_1], pa.float64()),
            "highest_log_loss": [verdict.highest_log_loss],
            "lowest_hit_rate": [verdict.lowest_hit_rate],
            "recorded_at": pa.array([clock.timestamp()], pa.timestamp("us")),
        }
    )


def verdicts(windows: "Sequence[Window]", champion: Champion, warehouse: Warehouse) -> "Iterator[PerformanceVerdict]":
    """Each window's verdict; none if the champion's snapshot was too short for a holdout."""
    if not windows:
        return

    from globolatte_ml.data.columns import InvalidDataError
    from globolatte_ml.data.snapshot import read_snapshot
    from globolatte_ml.model.model import PreferenceModel
    from globolatte_ml.monitoring.performance import holdout_outcomes, measure_performance
    from globolatte_ml.monitoring.windows import CHAIN
    from globolatte_ml.scoring.scorer import resolve_model_folder

    try:
        model = PreferenceModel.load(resolve_model_folder(champion.version.folder))
    except InvalidDataError as error:
        raise dg.Failure(
            description=f"the champion cannot be read: {error}; the job train_model makes a new one",
            allow_retries=False,
        ) from error
    holdout = holdout_outcomes(model, read_snapshot(champion.snapshot.folder))
    if holdout is None:
        return
    for window in windows:
        examples = examples_between(warehouse, window.first, window.last)
        if window.scope != CHAIN:
            examples = examples.filter(pc.equal(examples["business_unit"], window.scope))
        yield measure_performance(
            window,
            examples,
            warehouse.read(EXAMPLE_PRODUCTS, PRODUCT_STATE, between={"business_date": (window.first, window.last)}),
            model,
            holdout,
            model_version=champion.version.version,
            is_broken=bool(window.delivery.faults()),
        )


def _numbers(row: Row) -> str:
    if row["log_loss"] is None or row["hit_rate_at_1"] is None:
        return "– | | – |"
    return f"{row['log_loss']:.3f} | {row['highest_log_loss']:.3f} | {row['hit_rate_at_1']:.1%} | {row['lowest_hit_rate']:.1%}"


def _table(rows: Sequence[Row], how_many: int = 1) -> str:
    lines = [
        "| scope | until | orders | verdict | log loss | at most | hit@1 | at least |",
        "|---|---|---:|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['scope']} | {row['window_to']} | {row['orders']:,} | {marked(row['status'])} | {_numbers(row)} |"
        for windows in latest_windows(rows, how_many).values()
        for row in windows
    ]
    return "\n".join(lines)


def _check(rows: Sequence[Row]) -> dg.AssetCheckResult:
    latest = [windows[-1] for windows in latest_windows(rows, 1).values()]
    below = [
        f"{row['scope']} from {row['window_from']} to {row['window_to']}: log loss {row['log_loss']:.3f} (at most "
        f"{row['highest_log_loss']:.3f}), hit@1 {row['hit_rate_at_1']:.1%} (at least {row['lowest_hit_rate']:.1%})."
        for row in latest
        if row["status"] == "below_band"
    ]
    return dg.AssetCheckResult(
        check_name=WITHIN_BAND,
        passed=not below,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"The champion is below its band: {' '.join(below)}"
        if below
        else "The champion keeps within its band.",
        metadata={"scopes_below": len(below), **({"windows": dg.MetadataValue.md(_table(rows))} if below else {})},
    )


def performance_asset(window_orders: int, window_days: int) -> dg.AssetsDefinition:
    """Builds the asset. Windows hold at least `window_orders` orders and `window_days` days."""

    @dg.asset(
        key=PERFORMANCE,
        deps=[TRAINING_EXAMPLES, TRAINING_EXAMPLE_PRODUCTS, DELIVERED_DAYS, PROMOTION],
        pool=WAREHOUSE_POOL,
        group_name="monitoring",
        owners=[OWNER_SCIENCE],
        kinds={"python", "table"},
        check_specs=[
            dg.AssetCheckSpec(WITHIN_BAND, asset=PERFORMANCE, description="No scope's latest window is below the band.")
        ],
        description="The champion's predictions, each as of its order, against what was bought, window by window, with the band "
        "that the champion's own holdout gives.",
    )
    def performance(
        warehouse: dg.ResourceParam[Warehouse], ml: dg.ResourceParam[MLPlatform], clock: Clock
    ) -> dg.MaterializeResult:
        champion = champion_with_snapshot(ml)
        if champion is None:
            return dg.MaterializeResult(metadata=nothing_to_compare(NO_CHAMPION), check_results=[_check([])])
        with warehouse.kept_open():
            seen = watch(warehouse, PERFORMANCE_TABLE, champion, rules_of(window_orders, window_days))
            drop_obsolete(warehouse, PERFORMANCE_TABLE, champion, seen)
        measured = 0
        for verdict in verdicts(seen.windows, champion, warehouse):
            where = {"window_id": verdict.window.window_id, "model_version": champion.version.version}
            measured += warehouse.replace(PERFORMANCE_TABLE, performance_row(verdict, champion, clock), where)
        with warehouse.kept_open():
            rows, count = kept_rows(warehouse, PERFORMANCE_TABLE, champion, []), row_count(warehouse, PERFORMANCE_TABLE)
        metadata = {"dagster/row_count": dg.MetadataValue.int(count), **_metadata(rows, champion, measured)}
        return dg.MaterializeResult(metadata=metadata, check_results=[_check(rows)])

    return performance


def _metadata(rows: Sequence[Row], champion: Champion, measured: int) -> Mapping[str, dg.MetadataValue]:
    common: dict[str, dg.MetadataValue] = {
        "model_version": dg.MetadataValue.text(champion.version.version),
        "windows_judged": dg.MetadataValue.int(measured),
    }
    if not rows:
        return {**common, **nothing_to_compare(f"no window is complete since {champion.learned_until}")}
    from globolatte_ml.monitoring.plots import performance_over_time

    return {
        "latest_windows": dg.MetadataValue.md(_table(rows)),
        "performance_over_time": png(performance_over_time(rows)),
        "all_windows": dg.MetadataValue.md(_table(rows, HISTORY)),
        **common,
    }
