"""Dagster's SQLite event log, kept open: what is written meanwhile is not folded into the database at every close."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
from sqlalchemy import create_engine, text

from resources.event_log import event_log_kept_open


def write(file: Path) -> None:
    """One event, as Dagster writes it: a connection of its own."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table if not exists events (id integer)")
        connection.execute("insert into events values (1)")
        connection.commit()


def test_the_write_ahead_log_lives_as_long_as_the_event_log_is_kept_open(instance: dg.DagsterInstance) -> None:
    index = Path(instance.root_directory, "history", "runs", "index.db")
    index.parent.mkdir(parents=True)
    log = index.with_name("index.db-wal")
    write(index)
    assert not log.exists()
    with event_log_kept_open(instance, "run"):
        write(index)
        assert log.exists()
    assert not log.exists()
    with closing(sqlite3.connect(index)) as connection:
        assert connection.execute("select count(*) from events").fetchall() == [(2,)]


def synchronous(file: Path) -> int:
    """How a connection of Dagster's waits for the disk: 1 when the write-ahead log is folded in, 2 at each commit."""
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        return connection.execute(text("pragma synchronous")).scalar_one()


def test_commits_wait_for_the_disk_only_outside(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    index = Path(instance.root_directory, "history", "runs", "index.db")
    index.parent.mkdir(parents=True)
    write(index)
    elsewhere = tmp_path / "elsewhere.db"
    write(elsewhere)
    with closing(sqlite3.connect(index.with_name("old.db"))) as connection:
        connection.execute("create table without_a_write_ahead_log (id integer)")
    with event_log_kept_open(instance, "run"):
        assert synchronous(index) == 1
        assert synchronous(index.with_name("old.db")) == synchronous(elsewhere) == 2
    assert synchronous(index) == 2


def test_where_the_event_log_is_no_sqlite_file_nothing_is_made(instance: dg.DagsterInstance) -> None:
    before = sorted(Path(instance.root_directory).rglob("*"))
    with event_log_kept_open(instance, "run"):
        pass
    assert sorted(Path(instance.root_directory).rglob("*")) == before
