"""The asset `models/backtest`: the model's performance at several past dates. Made only on request: it trains a model for each date."""

from collections.abc import Sequence

import dagster as dg

from globolatte_assets.keys import BACKTEST, OWNER_SCIENCE, TRAINING_SNAPSHOT
from globolatte_assets.pictures import png
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.training.backtest import Fold, rolling_origin
from globolatte_ml.training.plots import backtest_chart
from resources.ml.ml_platform import MLPlatform


def folds_table(folds: Sequence[Fold]) -> str:
    """The folds as a Markdown table, oldest first; the gain is over the customer's favourite."""
    head = "| trained before | evaluated until | orders | log loss | customer favourite | popularity | gain over it (95 %) | hit@1 | ECE |"
    lines = [
        f"| {fold.origin} | {fold.last} | {fold.orders:,} | {fold.model.log_loss:.4f} | {fold.favourite.log_loss:.4f} | "
        f"{fold.popularity.log_loss:.4f} | {fold.gain.low:+.4f} to {fold.gain.high:+.4f} | {fold.model.hit_rate_at_1:.1%} | "
        f"{fold.model.expected_calibration_error:.4f} |"
        for fold in folds
    ]
    return "\n".join([head, "|---|---|---:|---:|---:|---:|---|---:|---:|", *lines])


@dg.asset(
    key=BACKTEST,
    deps=[TRAINING_SNAPSHOT],
    owners=[OWNER_SCIENCE],
    kinds={"python"},
    description="Rolling-origin backtest on the latest snapshot: models trained before each of several past dates, evaluated on what came "
    "next. Takes as long as that many trainings; nothing waits for it.",
)
def backtest(context: dg.AssetExecutionContext, ml: dg.ResourceParam[MLPlatform]) -> dg.MaterializeResult:
    """Train and evaluate at each origin."""
    snapshot = ml.latest_snapshot()
    folds = []
    for fold in rolling_origin(read_snapshot(snapshot.folder)):
        context.log.info(f"{fold.origin} to {fold.last}: log loss {fold.model.log_loss:.4f} on {fold.orders} orders")
        folds.append(fold)
    return dg.MaterializeResult(
        metadata={
            "snapshot": snapshot.name,
            "folds": len(folds),
            "results": dg.MetadataValue.md(folds_table(folds)),
            "log_loss": png(backtest_chart, folds),
        }
    )
