"""An alias is remembered exactly as long as the registry's file is the same."""

from pathlib import Path

from resources.ml.ml_platform import ModelVersion
from resources.ml.remembered_aliases import remembered

ONE = ModelVersion("1", "aa", "snap", "job", Path("models/one"))
TWO = ModelVersion("2", "bb", "snap", "job", Path("models/two"))


def never() -> ModelVersion:
    raise AssertionError("the registry was asked although nothing changed")


def test_the_registry_is_asked_once_while_its_file_is_the_same(tmp_path: Path) -> None:
    registry = tmp_path / "mlflow.db"
    registry.write_text("state one")
    assert remembered(registry, "champion", lambda: ONE) == ONE
    assert remembered(registry, "champion", never) == ONE


def test_a_changed_registry_is_asked_again(tmp_path: Path) -> None:
    registry = tmp_path / "mlflow.db"
    registry.write_text("state one")
    remembered(registry, "champion", lambda: ONE)
    registry.write_text("another state")
    assert remembered(registry, "champion", lambda: TWO) == TWO


def test_that_there_is_no_champion_is_remembered_too(tmp_path: Path) -> None:
    registry = tmp_path / "mlflow.db"
    registry.write_text("state one")
    assert remembered(registry, "champion", lambda: None) is None
    assert remembered(registry, "champion", never) is None


def test_an_answer_read_while_the_registry_changed_is_not_kept(tmp_path: Path) -> None:
    registry = tmp_path / "mlflow.db"
    registry.write_text("state one")

    def ask() -> ModelVersion:
        registry.write_text("changed meanwhile")
        return ONE

    assert remembered(registry, "champion", ask) == ONE
    assert remembered(registry, "champion", lambda: TWO) == TWO
