"""`globolatte azureml …` against the stand-in, in this process."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from globolatte_cli.main import cli
from globolatte_ml.model.model import PreferenceModel
from resources.endpoint.endpoint import Deployment
from resources.ml.azureml import models, schedules
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import TrainedModel
from tests.azureml_builders import platform_on, settings_of, unique
from tests.emulators.azureml import StandIn
from tests.endpoint_builders import QUESTION, publish_state


@pytest.fixture
def workspace(azureml: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace of its own, which the environment names."""
    chosen: dict[str, Any] = {"compute": "cluster", "batch_endpoint": unique("batch"), "poll_seconds": 0.3}
    settings = settings_of(azureml, unique("told"), **chosen)
    given = {name: getattr(settings, name) for name in ("subscription", "resource_group", "workspace")}
    for name, value in {**given, **chosen}.items():
        monkeypatch.setenv(f"GLOBOLATTE_AZUREML_{name.upper()}", str(value))
    monkeypatch.setenv("GLOBOLATTE_ML", "azureml")
    monkeypatch.setenv("GLOBOLATTE_HOME", str(tmp_path / "home"))
    return Workspace(settings)


def command(*words: str) -> Result:
    return CliRunner().invoke(cli, ["azureml", *words])


@pytest.mark.slow
def test_a_schedule_is_made_and_switched_off(azureml: StandIn, workspace: Workspace, tmp_path: Path) -> None:
    assert "materialize models/training_snapshot" in str(command("schedule").exception)
    platform = platform_on(azureml, workspace.settings.workspace, tmp_path / "copies", compute="cluster")
    staging = platform.snapshot_staging("one")
    (staging / "examples.parquet").write_bytes(b"orders")
    platform.keep_snapshot(staging, "one")
    result = command("schedule")
    assert result.exit_code == 0, result.output
    assert "every Monday" in result.output
    assert schedules.find(workspace, schedules.RETRAINING).is_enabled
    assert "is off" in command("schedule", "--off").output
    assert not schedules.find(workspace, schedules.RETRAINING).is_enabled
    assert "is not there" in str(command("monitor", "--off").exception)


@pytest.mark.slow
def test_questions_are_answered_in_a_batch(workspace: Workspace, tmp_path: Path, trained: list[Deployment]) -> None:
    questions = tmp_path / "questions"
    questions.mkdir()
    (questions / "monday.jsonl").write_text(json.dumps(QUESTION) + "\n")
    out = tmp_path / "answers.csv"
    refused = command("score", str(questions), str(out))
    assert "run `globolatte run`" in refused.output + str(refused.exception)
    folder = Path(trained[0].model_folder)
    content = PreferenceModel.load(folder).content_hash()
    made = models.create(workspace, TrainedModel(folder, content, "snapshot", "job", {}), str(folder))
    models.tag(workspace, made, {models.since("champion"): models.now()})
    publish_state(tmp_path / "home" / "endpoints", "state-1")
    result = command("score", str(questions), str(out))
    assert result.exit_code == 0, (result.output, result.exception)
    assert "with model version 1" in result.output
    assert len(out.read_text().splitlines()) == 1 + 5, "a header, and each product"
    again = command("score", str(questions), str(out))
    assert "is there already" in again.output + str(again.exception)
