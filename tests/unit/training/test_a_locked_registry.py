"""The registry's file is locked by another program: whoever writes waits, and a finished training is never lost."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.models.preference_model import preference_model
from resources.ml.local.platform import OUTSTANDING, LocalMLPlatform
from resources.ml.ml_platform import CHALLENGER
from tests.endpoint_builders import ml_builders


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


def test_whoever_promotes_waits_for_the_lock_as_long_as_for_the_warehouse(platform: LocalMLPlatform) -> None:
    patient = LocalMLPlatform(folder=platform.folder, wait_seconds=30)
    with locked(platform) as connection:
        began = time.monotonic()
        threading.Timer(1.0, lambda: connection.execute("rollback")).start()
        patient._wait_for_registry("")
        assert time.monotonic() - began > 0.9
