"""The registry's file is locked, damaged, full or read-only: each is said with its remedy, and a finished training is never lost."""

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.models.preference_model import preference_model
from globolatte_ml.model.model import PreferenceModel
from resources.ml.local.platform import OUTSTANDING, LocalMLPlatform
from resources.ml.local.registry_faults import RegistryError, faults_of_registry
from resources.ml.ml_platform import CHALLENGER
from tests.endpoint_builders import ml_builders, train_into


@pytest.fixture
def platform(tmp_path: Path) -> LocalMLPlatform:
    """With a snapshot, and a registry that exists and waits for less than a second."""
    platform = LocalMLPlatform(folder=str(tmp_path / "mlflow"), wait_seconds=0.5)
    build, staging = ml_builders(), platform.snapshot_staging("one")
    build.write_snapshot(build.chain(n_orders=120, seed=0), staging)
    platform.keep_snapshot(staging, "one")
    platform._client().search_registered_models()
    return platform


@contextmanager
def locked(platform: LocalMLPlatform) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(Path(platform.folder, "mlflow.db"), isolation_level=None, check_same_thread=False)
    connection.execute("begin exclusive")
    try:
        yield connection
    finally:
        connection.close()


def trains(platform: LocalMLPlatform) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([preference_model], resources={"ml": platform}, instance=instance, raise_on_error=False)


def test_a_training_that_finished_while_the_registry_was_locked_is_registered_by_the_next_and_not_repeated(
    platform: LocalMLPlatform,
) -> None:
    with locked(platform):
        first = trains(platform)
    [failure] = first.get_step_failure_events()
    said = str(failure.step_failure_data.error)
    assert "mlflow.db: database is locked, for 0.5 seconds; the model in" in said
    assert "is finished, and the next training registers it" in said
    jobs = list(Path(platform.folder, "jobs").iterdir())
    second = trains(platform)
    assert second.success
    challenger = platform.model(CHALLENGER)
    assert challenger is not None
    assert challenger.job_id == first.run_id
    assert list(Path(platform.folder, "jobs").iterdir()) == jobs
    assert list(Path(platform.folder, OUTSTANDING).iterdir()) == []


def test_of_several_that_could_not_be_registered_the_latest_is_the_challenger(
    platform: LocalMLPlatform, tmp_path: Path
) -> None:
    """Whatever their runs are called: ids are random."""
    model = train_into(tmp_path / "trained")
    content_hash = PreferenceModel.load(model).content_hash()
    for place, job in ((1, "zz first"), (3, "aa third"), (2, "mm second")):
        shutil.copytree(model, Path(platform.folder, "jobs", job, "model"))
        document = {
            "folder": f"jobs/{job}/model",
            "content_hash": content_hash,
            "snapshot": job,
            "job_id": job,
            "place": place,
        }
        file = Path(platform.folder, OUTSTANDING, f"{job}.json")
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({**document, "metrics": {}, "parameters": {}, "method": "command"}))
    assert [trained.job_id for trained in platform._register_outstanding()] == ["zz first", "mm second", "aa third"]
    challenger = platform.model(CHALLENGER)
    assert challenger is not None
    assert challenger.job_id == "aa third"


def failing(code: int, words: str) -> Exception:
    """A fault of SQLite's as MLflow passes it on."""
    fault = sqlite3.OperationalError(words)
    fault.sqlite_errorcode = code
    wrapped = RuntimeError("(sqlite3.OperationalError) of SQLAlchemy")
    wrapped.__cause__ = fault
    return wrapped


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (sqlite3.SQLITE_BUSY, "for 300 seconds; the model stays; end the program that has the file open"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "for 300 seconds; the model stays; end the program that has the file open"),
        (sqlite3.SQLITE_FULL, "the model stays; make room on the disk"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "the model stays; make the file and its folder writable"),
        (sqlite3.SQLITE_CORRUPT, "the model stays; put the file from a backup in its place"),
        (sqlite3.SQLITE_IOERR_WRITE, "the model stays; the disk or network file system refuses"),
        (sqlite3.SQLITE_MISMATCH, "the model stays; correct what the message names"),
    ],
)
def test_each_fault_of_the_registry_has_its_own_remedy(code: int, remedy: str) -> None:
    with pytest.raises(RegistryError) as said, faults_of_registry(Path("mlflow.db"), 300, "the model stays"):
        raise failing(code, "a fault")
    assert str(said.value).startswith("mlflow.db: a fault")
    assert remedy in str(said.value)
    assert ("for 300 seconds" in str(said.value)) == (code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT))


def test_what_is_no_fault_of_the_file_is_left_as_it_is() -> None:
    with pytest.raises(KeyError), faults_of_registry(Path("mlflow.db"), 300):
        raise KeyError


def test_a_registry_that_is_damaged_is_not_said_to_be_locked(platform: LocalMLPlatform) -> None:
    file = Path(platform.folder, "mlflow.db")
    file.write_bytes(b"no database at all " * 1000)
    with pytest.raises(
        RegistryError, match=r"mlflow\.db: file is not a database; .* put the file from a backup"
    ) as said:
        platform._wait_for_registry("the model stays")
    assert "for 0.5 seconds" not in str(said.value)
    with pytest.raises(RegistryError, match="file is not a database; put the file from a backup"):
        platform.model(CHALLENGER)


def test_a_registry_on_a_full_disk_says_so(platform: LocalMLPlatform) -> None:
    with closing(sqlite3.connect(Path(platform.folder, "mlflow.db"))) as registry:
        [pages] = registry.execute("pragma page_count").fetchone()
        registry.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(RegistryError, match="database or disk is full; make room"), platform._faults():
            registry.execute("create table much as select zeroblob(1000000) as one")


def test_whoever_promotes_waits_for_the_lock_as_long_as_for_the_warehouse(platform: LocalMLPlatform) -> None:
    patient = LocalMLPlatform(folder=platform.folder, wait_seconds=30)
    with locked(platform) as connection:
        began = time.monotonic()
        threading.Timer(1.0, lambda: connection.execute("rollback")).start()
        patient._wait_for_registry("")
        assert time.monotonic() - began > 0.9
