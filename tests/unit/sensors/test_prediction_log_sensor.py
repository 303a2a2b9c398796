"""When the endpoint's log is taken in: as soon as a file is finished, one run at a time."""

from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.jobs import INGEST_PREDICTION_LOG, jobs
from globolatte_ml.scoring.prediction_log import FINISHED
from resources.endpoint.prediction_files import PredictionFiles
from sensors.prediction_log import prediction_log_sensor


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def tick(instance: dg.DagsterInstance, folder: Path) -> object:
    context = dg.build_sensor_context(instance, resources={"predictions": PredictionFiles(folder=str(folder))})
    return prediction_log_sensor(jobs())(context)


def test_without_a_finished_file_nothing_is_requested(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert isinstance(tick(instance, tmp_path), dg.SkipReason)


def test_finished_files_are_requested_together(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}{FINISHED}").write_text("")
    request = tick(instance, tmp_path)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["globolatte/files"] == "2"


def test_one_ingestion_at_a_time(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    (tmp_path / f"a{FINISHED}").write_text("")
    instance.add_run(
        dg.DagsterRun(job_name=INGEST_PREDICTION_LOG, run_id="running", status=dg.DagsterRunStatus.STARTED)
    )
    found = tick(instance, tmp_path)
    assert isinstance(found, dg.SkipReason)
    assert "under way" in str(found.skip_message)
