"""The asset `monitoring/performance`: the champion's predictions for every new window of orders against what was bought."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from globolatte_assets import keys
from globolatte_assets.models.causes import said_of
from globolatte_assets.models.champion import Champion, champion_with_snapshot
from globolatte_assets.monitoring.standing import HISTORY
from globolatte_assets.monitoring.windows import (
    MARKS,
    NO_CHAMPION,
    PERFORMANCE_TABLE,
    Row,
    common_columns,
    evaluate_windows,
    examples_between,
    latest_windows,
    not_repeated,
    nothing_to_compare,
)
from globolatte_assets.pictures import png
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.monitoring.performance import holdout_outcomes, measure_performance
from globolatte_ml.monitoring.verdicts import PerformanceVerdict, Status
from globolatte_ml.monitoring.windows import CHAIN, Window, WindowRules
from globolatte_ml.scoring.scorer import resolve_model_folder
from resources.clock import Clock
from resources.ml.ml_platform import MLPlatform
from resources.warehouse.warehouse import Warehouse

WITHIN_BAND = "within_band"
EXAMPLE_PRODUCTS = "intermediate.int_training_example_products"
PRODUCT_STATE = ["order_key", "product_id", "main_orders", "addon_lines", "decayed_main_30d", "decayed_main_120d"]


def performance_row(verdict: PerformanceVerdict, champion: Champion, clock: Clock) -> pa.Table:
    """One row of `monitoring.performance`."""
    row = {
        **common_columns(verdict.window, champion, clock.timestamp()),
        "status": str(verdict.status),
        "log_loss": verdict.log_loss,
        "hit_rate_at_1": verdict.hit_rate_at_1,
        "highest_log_loss": verdict.highest_log_loss,
        "lowest_hit_rate": verdict.lowest_hit_rate,
    }
    return pa.Table.from_pylist([row])


def verdicts(windows: Sequence[Window], champion: Champion, warehouse: Warehouse) -> Iterator[PerformanceVerdict]:
    """Each window's verdict; none if the champion's snapshot was too short for a holdout."""
    if not windows:
        return
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
        f"| {row['scope']} | {row['window_to']} | {row['orders']:,} | {MARKS.get(row['status'], row['status'])} | {_numbers(row)} |"
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
        if row["status"] == Status.BELOW_BAND
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


def performance_asset(rules: WindowRules) -> dg.AssetsDefinition:
    """Builds the asset, with windows that are complete by `rules`."""

    @dg.asset(
        key=keys.PERFORMANCE,
        deps=[keys.TRAINING_EXAMPLES, keys.TRAINING_EXAMPLE_PRODUCTS, keys.DELIVERED_DAYS, keys.PROMOTION],
        pool=keys.WAREHOUSE_POOL,
        owners=[keys.OWNER_SCIENCE],
        kinds={"python", "table"},
        check_specs=[
            dg.AssetCheckSpec(
                WITHIN_BAND, asset=keys.PERFORMANCE, description="No scope's latest window is below the band."
            )
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

        def measure(windows: Sequence[Window]) -> Iterator[tuple[Window, pa.Table]]:
            for verdict in verdicts(windows, champion, warehouse):
                yield verdict.window, performance_row(verdict, champion, clock)

        rows, _, common = evaluate_windows(warehouse, PERFORMANCE_TABLE, champion, rules, measure)
        return dg.MaterializeResult(
            metadata={**_shown(rows, champion), **not_repeated(said_of(warehouse, champion)), **common},
            check_results=[_check(rows)],
        )

    return performance


def _shown(rows: Sequence[Row], champion: Champion) -> Mapping[str, dg.MetadataValue]:
    if not rows:
        return nothing_to_compare(f"no window is complete since {champion.learned_until}")
    from globolatte_ml.monitoring.plots import performance_over_time

    return {
        "latest_windows": dg.MetadataValue.md(_table(rows)),
        "performance_over_time": png(performance_over_time, rows),
        "all_windows": dg.MetadataValue.md(_table(rows, HISTORY)),
    }
