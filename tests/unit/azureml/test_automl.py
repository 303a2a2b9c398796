"""AutoML on Azure ML: tables as assets, a search, and a model around what it found; against the stand-in."""

from pathlib import Path

import pytest

from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import resolve_model_folder
from resources.ml.azureml.automl import TRAINING_TABLE, VALIDATION_TABLE
from resources.ml.training_method import Algorithm, AutoMLMethod, MethodKind, Metric
from tests.azureml_builders import platform_on
from tests.emulators.azureml import StandIn
from tests.unit.azureml.test_training import train_by

METHOD = AutoMLMethod(
    metric=Metric.ACCURACY, trials=2, concurrent=1, blocked=(Algorithm.LOGISTIC_REGRESSION, Algorithm.GRADIENT_BOOSTING)
)


@pytest.mark.slow
def test_automl_searches_tables_and_its_model_is_one_of_ours(azureml: StandIn, tmp_path: Path) -> None:
    platform = platform_on(azureml, "automl", tmp_path, METHOD)
    trained = train_by(platform)
    client = azureml.ml_client(workspace_name="automl")
    jobs = {job.type: job for job in client.jobs.list()}
    assert {kind: job.status for kind, job in jobs.items()} == {"automl": "Completed", "command": "Completed"}
    assert trained.method is MethodKind.AUTOML
    assert trained.parameters["tabular_algorithm"] in ("RandomForest", "ExtremeRandomTrees")
    for table in (TRAINING_TABLE, VALIDATION_TABLE):
        (version,) = client.data.list(name=table)
        assert (version.type, len(version.version)) == ("mltable", 12)
    search = jobs["automl"]
    assert {one.value if hasattr(one, "value") else one for one in search.training.blocked_training_algorithms} == {
        "LogisticRegression", "GradientBoosting",
    }  # fmt: skip
    version = platform.register(trained)
    model = PreferenceModel.load(resolve_model_folder(version.folder))
    assert model.tabular is not None
    assert model.content_hash() == trained.content_hash
