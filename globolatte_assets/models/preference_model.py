"""The asset `models/preference_model`: a model trained on the latest snapshot, registered as challenger."""

from collections.abc import Mapping

import dagster as dg

from globolatte_assets.keys import OWNER_SCIENCE, PREFERENCE_MODEL, TRAINING_SNAPSHOT
from resources.ml.ml_platform import MLPlatform

BASELINE = "baseline_log_loss_"


def metrics_as_metadata(metrics: Mapping[str, float]) -> dict[str, dg.MetadataValue]:
    """The model's own metrics as numbers, which the UI plots over versions, and the baselines' log loss as one table."""
    own: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.float(round(value, 4))
        for name, value in metrics.items()
        if not name.startswith(BASELINE)
    }
    baselines = sorted((value, name) for name, value in metrics.items() if name.startswith(BASELINE))
    lines = [f"| {name.removeprefix(BASELINE).replace('_', ' ')} | {value:.4f} |" for value, name in baselines]
    return {**own, "baselines": dg.MetadataValue.md("\n".join(["| baseline | log loss |", "|---|---:|", *lines]))}


@dg.asset(
    key=PREFERENCE_MODEL,
    deps=[TRAINING_SNAPSHOT],
    owners=[OWNER_SCIENCE],
    kinds={"scikitlearn", "mlflow"},
    description="P(next main product | customer, place, time, weather), trained on the latest snapshot by a job of its own "
    "and registered as challenger.",
)
def preference_model(context: dg.AssetExecutionContext, ml: dg.ResourceParam[MLPlatform]) -> dg.MaterializeResult:
    """Train on the latest snapshot; the same snapshot gives the same version again."""
    trained = ml.train(context, ml.latest_snapshot())
    version = ml.register(trained)
    return dg.MaterializeResult(
        metadata={
            "model_version": version.version,
            "content_hash": version.content_hash,
            "snapshot": version.snapshot,
            "model_folder": dg.MetadataValue.path(str(version.folder)),
            "method": trained.method.value,
            **{name: dg.MetadataValue.url(page) for name, page in trained.links.items()},
            **metrics_as_metadata(trained.metrics),
        },
        data_version=dg.DataVersion(version.content_hash[:16]),
    )
