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


def tick(instance: dg.DagsterInstance, folder: Path, cursor: str | None = None, days: int | None = None) -> object:
    predictions = PredictionFiles(folder=str(folder), days=days)
    context = dg.build_sensor_context(instance, cursor, resources={"predictions": predictions})
    return prediction_log_sensor(jobs())(context)


def test_without_a_finished_file_nothing_is_requested(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert isinstance(tick(instance, tmp_path), dg.SkipReason)


def test_finished_files_are_requested_together(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}{FINISHED}").write_text("")
    result = tick(instance, tmp_path)
    assert isinstance(result, dg.SensorResult)
    [request] = result.run_requests or []
    assert request.tags["globolatte/files"] == "2"


def test_answers_are_forgotten_once_a_day_without_new_files_too(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = tick(instance, tmp_path, "2024-01-31", days=30)
    assert isinstance(result, dg.SensorResult)
    assert len(result.run_requests or []) == 1
    assert isinstance(tick(instance, tmp_path, result.cursor, days=30), dg.SkipReason)
    assert isinstance(tick(instance, tmp_path, "2024-01-31"), dg.SkipReason), "answers are kept for ever"


def test_one_ingestion_at_a_time(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    (tmp_path / f"a{FINISHED}").write_text("")
    instance.add_run(
        dg.DagsterRun(job_name=INGEST_PREDICTION_LOG, run_id="running", status=dg.DagsterRunStatus.STARTED)
    )
    found = tick(instance, tmp_path)
    assert isinstance(found, dg.SkipReason)
    assert "under way" in str(found.skip_message)
