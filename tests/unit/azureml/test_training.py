"""Training on Azure ML beyond the one command job of the contract: other methods, failures, what is left behind."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import resolve_model_folder
from resources.ml.azureml.platform import AzureMLPlatform
from resources.ml.ml_platform import TrainedModel
from resources.ml.training_method import (
    LOG_LOSS,
    CommandMethod,
    MethodKind,
    PipelineMethod,
    Sampling,
    SweepMethod,
    TrainingMethod,
    choice,
)
from tests.azureml_builders import platform_on
from tests.emulators.azureml import StandIn
from tests.endpoint_builders import ml_builders


def train(standin: StandIn, workspace: str, folder: Path, method: TrainingMethod, **more: Any) -> TrainedModel:
    """Keeps a snapshot and trains on it in a run."""
    return train_by(platform_on(standin, workspace, folder, method, **more))


def train_by(platform: AzureMLPlatform) -> TrainedModel:
    build = ml_builders()
    staging = platform.snapshot_staging("run")
    build.write_snapshot(build.chain(n_orders=300), staging)
    snapshot, results = platform.keep_snapshot(staging, "one"), []

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        results.append(platform.train(context, snapshot))
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([model], instance=instance)
    return results[0]


@pytest.mark.slow
def test_a_sweep_gives_its_best_trial_and_registers_that(azureml: StandIn, tmp_path: Path) -> None:
    method = SweepMethod({"penalty": choice(1e-6, 0.05)}, Sampling.GRID, trials=2)
    platform = platform_on(azureml, "sweep", tmp_path, method)
    trained = train_by(platform)
    assert trained.method is MethodKind.SWEEP
    assert trained.parameters["penalty"] == 0.05
    client = azureml.ml_client(workspace_name="sweep")
    sweep = next(job for job in client.jobs.list() if job.name in trained.links["azure_ml_job"])
    assert sweep.status == "Completed"
    assert trained.job_id != sweep.name, "the job of a trial, whose output is the model"
    assert LOG_LOSS in trained.metrics
    version = platform.register(trained)
    assert PreferenceModel.load(resolve_model_folder(version.folder)).content_hash() == trained.content_hash


@pytest.mark.slow
@pytest.mark.depth
def test_a_pipeline_trains_by_components_that_stay(azureml: StandIn, tmp_path: Path) -> None:
    trained = train(azureml, "pipeline", tmp_path, PipelineMethod(), compute="cluster")
    assert trained.method is MethodKind.PIPELINE
    assert trained.metrics["log_loss"] > 0
    client = azureml.ml_client(workspace_name="pipeline")
    assert {one.name for one in client.components.list()} >= {
        f"globolatte_{s}" for s in ("prepare", "train", "evaluate")
    }
    assert [(one.name, one.min_instances, one.max_instances) for one in client.compute.list()] == [
        ("globolatte-cpu", 0, 4)
    ]


def test_the_regression_is_autologged_beside_what_we_log(azureml: StandIn, tmp_path: Path) -> None:
    trained = train(azureml, "autolog", tmp_path, CommandMethod())
    job = azureml.ml_client(workspace_name="autolog").jobs.get(trained.job_id)
    run = azureml.world.runs.get(job.id.rpartition("/jobs/")[0], trained.job_id)
    assert float(run.parameters["C"]) == trained.parameters["penalty"]
    assert run.parameters["max_iter"] == "500"
    assert 0 < run.metric("training_accuracy_score") <= 1
    assert run.metric("training_log_loss") > 0
    assert len(run.metrics["training_log_loss"]) == 1, "the fit that gives the model, no candidate and no proof"
    assert run.metric("log_loss") == pytest.approx(trained.metrics["log_loss"])
    assert run.parameters["model.content_hash"] == trained.content_hash
    assert run.properties["tags"]["estimator_name"] == "LogisticRegression"


def test_a_failed_job_says_why_and_where_and_the_next_run_begins_another(azureml: StandIn, tmp_path: Path) -> None:
    azureml.faults.fail_job(message="The node was lost")
    azureml.faults.throttle("/jobs/", method="PUT")
    with pytest.raises(dg.Failure, match="The node was lost") as failed:
        train(azureml, "failing-job", tmp_path, CommandMethod())
    metadata = failed.value.metadata
    assert metadata["resource"].value.startswith("job globolatte-command-one-")
    assert metadata["studio"].value.startswith("https://ml.azure.com/runs/globolatte-command-one-")
    assert "a new attempt begins" in metadata["remedy"].value
    azureml.faults.cancel_job()
    with pytest.raises(dg.Failure, match="ended as Canceled"):
        train(azureml, "failing-job", tmp_path, CommandMethod())
    jobs = list(azureml.ml_client(workspace_name="failing-job").jobs.list())
    assert sorted(job.status for job in jobs) == ["Canceled", "Failed"]
    assert sorted(job.name[-2:] == "-2" for job in jobs) == [False, True]
    assert all(job.tags["dagster_run_id"] and job.tags["git_commit"] for job in jobs)


def test_the_last_lines_of_a_jobs_log_are_in_the_error(azureml: StandIn, tmp_path: Path) -> None:
    platform = platform_on(azureml, "broken", tmp_path)
    staging = platform.snapshot_staging("run")
    (staging / "examples.parquet").write_bytes(b"no parquet")
    snapshot = platform.keep_snapshot(staging, "one")

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        platform.train(context, snapshot)
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(dg.Failure, match=r"examples\.parquet"):
        dg.materialize([model], instance=instance)
