"""The storage of a headless pass: the same runs and events as in Dagster's own, with files that stay open."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import text

from globolatte_cli.instance import open_instance
from resources.pooled_sqlite import KEPT_RUNS, PooledSqliteEventLog
from resources.settings.settings import Settings

KEY = dg.AssetKey("counted")


@dg.asset(key=KEY)
def counted() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 7})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def _runs(settings: Settings) -> Path:
    return settings.dagster_folder / "history" / "runs"


def test_what_a_pass_writes_dagsters_own_event_log_reads(settings: Settings) -> None:
    with open_instance(settings) as instance:
        result = dg.materialize([counted], instance=instance)
        written = [entry.dagster_event_type for entry in instance.all_logs(result.run_id)]
    with dg.DagsterInstance.from_config(str(settings.dagster_folder)) as own:
        event = own.get_latest_materialization_event(KEY)
        assert event is not None
        assert event.run_id == result.run_id
        assert [entry.dagster_event_type for entry in own.all_logs(result.run_id)] == written
        run = own.get_run_by_id(result.run_id)
        assert run is not None
        assert run.is_success


def test_a_file_is_opened_once_and_folded_in_when_the_instance_is_done(settings: Settings) -> None:
    log = _runs(settings) / "index.db-wal"
    with open_instance(settings) as instance:
        dg.materialize([counted], instance=instance)
        assert log.exists()
    assert not log.exists()


def test_only_the_latest_runs_stay_open(settings: Settings) -> None:
    with open_instance(settings) as instance:
        for _ in range(KEPT_RUNS + 2):
            dg.materialize([counted], instance=instance)
        assert len(list(_runs(settings).glob("*-*.db-wal"))) == KEPT_RUNS
        assert len(list(_runs(settings).glob("*-*.db"))) == KEPT_RUNS + 2


def test_commits_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    pooled = PooledSqliteEventLog(str(tmp_path))
    with pooled.index_connection() as connection:
        assert connection.execute(text("pragma synchronous")).scalar_one() == 1
        assert connection.execute(text("pragma journal_mode")).scalar_one() == "wal"
    pooled.dispose()


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("", PooledSqliteEventLog),
        ("storage:\n  sqlite:\n    base_dir: elsewhere\n", SqliteEventLogStorage),
    ],
)
def test_a_storage_that_someone_chose_is_left_alone(settings: Settings, configured: str, expected: type) -> None:
    settings.dagster_folder.mkdir(parents=True)
    (settings.dagster_folder / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n" + configured.replace("elsewhere", str(settings.home / "elsewhere"))
    )
    with open_instance(settings) as instance:
        assert type(instance.event_log_storage) is expected
