"""Dagster's SQLite event log while many events are written: kept open, and not flushed to the disk after each of them.

Dagster opens and closes a connection for each event. When no other connection is open, SQLite then folds its write-ahead log
into the database each time, which is half of a backfill's time. A connection held meanwhile, which does nothing, prevents that.

SQLite also waits for the disk at each commit, several times per event. With a write-ahead log it need not: a killed process
loses nothing, a machine that loses power may lose the last events and is never left with a broken file. What is loaded is in
the warehouse's ledger, and events that are missing are told again from it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg


@contextmanager
def event_log_kept_open(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Holds the SQLite files of the event log open; does nothing where the event log is no SQLite of this machine."""
    folder = Path(instance.root_directory, "history", "runs")
    files = [folder / "index.db", folder / f"{run_id}.db"] if (folder / "index.db").exists() else []
    with ExitStack() as held:
        for file in files:
            connection = held.enter_context(closing(sqlite3.connect(file, timeout=60)))
            connection.execute("pragma journal_mode = wal").fetchall()
            connection.execute("select count(*) from sqlite_master").fetchall()
        if files:
            held.enter_context(_commits_without_waiting_for_the_disk(folder.parent))
        yield


@contextmanager
def _commits_without_waiting_for_the_disk(folder: Path) -> Iterator[None]:
    """Connections that SQLAlchemy opens meanwhile to files in `folder` with a write-ahead log flush when it is folded in."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def connect(dialect: Any, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        if dialect.name != "sqlite" or not Path(arguments[0]).is_relative_to(folder):
            return None
        connection = dialect.connect(*arguments, **options)
        if connection.execute("pragma journal_mode").fetchone() == ("wal",):
            connection.execute("pragma synchronous = normal")
        return connection

    event.listen(Engine, "do_connect", connect)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", connect)
