"""A Dagster run from snapshot to deployment on Azure ML, in a process of its own that a test may kill: `python doomed.py FOLDER`.

GLOBOLATTE_TRAINING names the way to train; with `DOOMED_UNTIL=model` the run ends before the deployment.
"""

import os
import sys
from pathlib import Path

import dagster as dg

from resources.endpoint.azureml.endpoint import AzureMLEndpoint
from resources.endpoint.endpoint import Deployment, DesiredState
from resources.endpoint.serving_state import ServingStates
from resources.ml.azureml.platform import AzureMLPlatform
from resources.ml.training_method import MethodKind, training_method
from resources.settings.azureml import AzureMLSettings
from tests.endpoint_builders import QUESTION, ml_builders

ROOT = Path(sys.argv[1])
SETTINGS = AzureMLSettings.from_environment()
SMALL = """
[sweep]
sampling = "grid"
trials = 2
space = {penalty = {kind = "choice", values = [1e-6, 0.05]}}
[automl]
metric = "accuracy"
trials = 1
blocked = ["logistic_regression", "gradient_boosting"]
"""
(ROOT / "training.toml").write_text(SMALL)
METHOD = training_method(MethodKind(os.environ.get("GLOBOLATTE_TRAINING", "command")), ROOT / "training.toml")
PLATFORM = AzureMLPlatform(SETTINGS, ROOT / "copies", METHOD)
ENDPOINT = AzureMLEndpoint(SETTINGS, ROOT / "copies" / "models", ServingStates(folder=str(ROOT / "endpoints")))


@dg.asset
def snapshot(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    build = ml_builders()
    staging = PLATFORM.snapshot_staging(context.run.run_id)
    build.write_snapshot(build.chain(n_orders=300), staging)
    PLATFORM.keep_snapshot(staging, "one")
    return dg.MaterializeResult()


@dg.asset(deps=[snapshot])
def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    version = PLATFORM.register(PLATFORM.train(context, PLATFORM.latest_snapshot()))
    PLATFORM.promote(version, ["It is the first."])
    return dg.MaterializeResult()


@dg.asset(deps=[model])
def served() -> dg.MaterializeResult:
    champion = PLATFORM.model("champion")
    assert champion is not None
    ENDPOINT.deploy(
        DesiredState({"blue": Deployment(str(champion.folder), champion.version, champion.content_hash)}, {"blue": 100})
    )
    ENDPOINT.wait_healthy("blue")
    ENDPOINT.wait_until_converged()
    answer = ENDPOINT.score([QUESTION])
    print(f"answered by {answer['deployment']} with model {answer['model_version']}")
    return dg.MaterializeResult()


if __name__ == "__main__":
    until_model = os.environ.get("DOOMED_UNTIL") == "model"
    dg.materialize([snapshot, model] if until_model else [snapshot, model, served])
