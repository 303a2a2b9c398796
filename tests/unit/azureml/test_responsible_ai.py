"""The pipeline with Azure's Responsible AI components; the stand-in checks what they are given, and computes nothing of theirs."""

from pathlib import Path

import dagster as dg
import pytest

from resources.ml.azureml import responsible_ai
from resources.ml.training_method import MethodKind, PipelineMethod
from tests.azureml_builders import platform_on
from tests.emulators.azureml import StandIn
from tests.emulators.azureml.responsible_ai import NOTHING
from tests.unit.azureml.test_training import train_by

METHOD = PipelineMethod(responsible_ai=True)


@pytest.mark.slow
def test_the_pipeline_hands_model_and_orders_to_azures_components(azureml: StandIn, tmp_path: Path) -> None:
    platform = platform_on(azureml, "responsible-ai", tmp_path, METHOD, compute="cluster")
    trained = train_by(platform)
    assert (trained.method, trained.metrics["log_loss"] > 0) == (MethodKind.PIPELINE, True)
    assert platform.register(trained).content_hash == trained.content_hash
    client = azureml.ml_client(workspace_name="responsible-ai")
    (job,) = client.jobs.list()
    steps = {step.display_name: client.jobs.get(step.name) for step in client.jobs.list(parent_job_name=job.name)}
    assert {step.status for step in steps.values()} == {"Completed"}
    assert set(steps) >= set(responsible_ai.COMPONENTS), "each of Azure's components is a step"
    ours = {f"globolatte_{step}" for step in ("prepare", "train", "evaluate")}
    assert {one.name for one in client.components.list()} >= ours, "ours stay for other pipelines"
    assert [(one.name, one.min_instances, one.max_instances) for one in client.compute.list()] == [
        ("globolatte-cpu", 0, 4)
    ]

    (config,) = client.data.list(name=responsible_ai.SCORECARD_CONFIG)
    assert (config.type, len(config.version)) == ("uri_file", 12)
    (model,) = client.models.list(name=responsible_ai.MODEL)
    assert model.type == "mlflow_model"
    assert steps["constructor"].inputs["model_info"]._data == f"{model.name}:{model.version}"

    client.jobs.download(job.name, download_path=tmp_path / "got", output_name="scorecard")
    left = [file.name for file in (tmp_path / "got").rglob("*") if file.is_file()]
    assert left == [NOTHING], "what the stand-in cannot compute, it says"


def test_a_component_that_is_given_something_else_fails_its_step(
    azureml: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responsible_ai, "COMPONENTS", {**responsible_ai.COMPONENTS, "gather": "rai_tabular_no_such"})
    with pytest.raises(dg.Failure, match="components of the registry azureml"):
        train_by(platform_on(azureml, "no-components", tmp_path, METHOD))
