"""The asset `models/preference_model`: a model trained on the latest snapshot, registered as challenger."""

import dagster as dg

from globolatte_assets.keys import OWNER_SCIENCE, PREFERENCE_MODEL, TRAINING_SNAPSHOT
from resources.ml import MLPlatform


@dg.asset(
    key=PREFERENCE_MODEL,
    deps=[TRAINING_SNAPSHOT],
    group_name="models",
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
            **dict(trained.metrics),
        },
        data_version=dg.DataVersion(version.content_hash[:16]),
    )
