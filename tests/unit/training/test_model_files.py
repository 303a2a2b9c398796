"""Models are found below the home, never where a record says that they were: the old place may be another home's, or a trap."""

import json
import os
import shutil
from pathlib import Path

import pytest

from resources.endpoint.endpoint import Deployment, DesiredState
from resources.endpoint.local.files import EndpointFiles, read_desired, version_of, write_desired, write_json
from resources.ml.local.model_files import model_below
from resources.ml.local.platform import LocalMLPlatform
from resources.ml.ml_platform import CHAMPION, TrainedModel


def home_with_model(folder: Path, job: str = "run-1", content: str = "abc") -> Path:
    model = folder / "mlflow" / "jobs" / job / "model"
    model.mkdir(parents=True)
    (model / "MLmodel").write_text(content)
    model.with_name("parameters.json").write_text(json.dumps({"content_hash": content}))
    return model


def spring_traps(home: Path, kind: str) -> None:
    """What lies where the home was."""
    shutil.rmtree(home)
    if kind == "a file":
        home.write_text("not a home")
    elif kind == "a locked folder":
        home.mkdir(mode=0)
    elif kind == "another home":
        home_with_model(home, content="another")


TRAPS = ["nothing", "a file", "a locked folder", "another home"]


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("job", ["run-1", "run-1/trial-3"])
def test_a_model_is_found_in_the_home_whatever_lies_where_the_home_was(tmp_path: Path, trap: str, job: str) -> None:
    old, new = tmp_path / "old" / "home", tmp_path / "new"
    model = home_with_model(old, job)
    shutil.copytree(old, new)
    spring_traps(old, trap)
    expected = new / model.relative_to(old)
    assert model_below(new, str(model), "abc") == expected
    assert model_below(new / "mlflow", str(model), "abc") == expected


def test_a_model_whose_folder_got_another_name_is_found_by_its_content(tmp_path: Path) -> None:
    model = home_with_model(tmp_path)
    home_with_model(tmp_path, "run-2", "another")
    renamed = model.parent.rename(model.parent.with_name("renamed")) / "model"
    assert model_below(tmp_path, str(model), "abc") == renamed
    assert not model_below(tmp_path, str(model), "nowhere").exists()


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("earlier_version", [False, True])
def test_a_declared_model_is_served_from_the_home_that_declares_it(
    tmp_path: Path, trap: str, *, earlier_version: bool
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    model = home_with_model(old)
    files, declared = (
        EndpointFiles(old / "endpoints"),
        DesiredState({"blue": Deployment(str(model), "1", "abc")}, {"blue": 100}),
    )
    write_desired(files, declared)
    if earlier_version:  # it wrote where the model was
        write_json(
            files.desired,
            {"deployments": {"blue": vars(declared.deployments["blue"])}, "traffic": {"blue": 100}, "mirror": None},
        )
    else:
        assert str(tmp_path) not in files.desired.read_text()
    shutil.copytree(old, new)
    spring_traps(old, trap)
    found = read_desired(EndpointFiles(new / "endpoints"))
    assert found == declared
    assert version_of(found) == version_of(declared)
    assert Path(found.deployments["blue"].model_folder) == new / model.relative_to(old)


def test_what_was_declared_from_outside_of_any_home_is_left_where_it_is(tmp_path: Path) -> None:
    model, files = tmp_path / "elsewhere" / "model", EndpointFiles(tmp_path / "home" / "endpoints")
    model.mkdir(parents=True)
    write_desired(files, DesiredState({"blue": Deployment(str(model), "1", "abc")}, {"blue": 100}))
    assert read_desired(files).deployments["blue"].model_folder == str(model)


def test_a_model_that_was_trained_elsewhere_is_registered_with_its_files(tmp_path: Path) -> None:
    elsewhere, ml = tmp_path / "elsewhere", LocalMLPlatform(folder=str(tmp_path / "home" / "mlflow"))
    elsewhere.mkdir()
    (elsewhere / "MLmodel").write_text("it")
    ml.promote(ml.register(TrainedModel(elsewhere, "abc", "snapshot", "job", {})), ["The first."])
    shutil.rmtree(elsewhere)
    champion = ml.model(CHAMPION)
    assert (champion.folder / "MLmodel").read_text() == "it"
    assert champion.folder.is_relative_to(tmp_path / "home")
    assert os.access(champion.folder, os.R_OK)


def test_a_model_that_is_nowhere_is_looked_for_once_per_change_and_a_damaged_training_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = home_with_model(tmp_path, "run-2")
    damaged = home_with_model(tmp_path, "run-1", "another").with_name("parameters.json")
    damaged.write_text("{")
    shutil.rmtree(model.parent)
    for _ in range(50):  # as a supervisor's ticks do
        assert not model_below(tmp_path, str(model), "abc").exists()
    assert [record.message for record in caplog.records] == [
        f"{damaged} cannot be read (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)) and is passed over; "
        "restore it, or remove the training's folder"
    ]
    restored = home_with_model(tmp_path, "run-3")
    assert model_below(tmp_path, str(model), "abc") == restored, "a training that is added is looked at at once"


def test_a_damaged_training_does_not_keep_the_registry_from_answering(tmp_path: Path) -> None:
    home, ml = tmp_path / "home", LocalMLPlatform(folder=str(tmp_path / "home" / "mlflow"))
    model = home_with_model(home)
    ml.promote(ml.register(TrainedModel(model, "abc", "snapshot", "run-1", {})), ["The first."])
    home_with_model(home, "run-2", "another").with_name("parameters.json").write_text("[1]")
    model.parent.rename(model.parent.with_name("a-renamed-one"))
    assert ml.model(CHAMPION).folder.parent.name == "a-renamed-one"
    shutil.rmtree(model.parent.with_name("a-renamed-one"))
    assert not ml.model(CHAMPION).folder.exists()
