"""Dagster's SQLite storage for a headless pass: connections and compiled statements are kept instead of made anew for each query.

Dagster's own makes an engine, opens the file and compiles its SQL at each of the seven queries that an event costs. Its webserver is
told of new events by the closing of files, which no one waits for in a headless pass; runs of the daemon keep Dagster's own.

Commits don't wait for the disk: a killed process loses nothing, a machine that loses power may lose the last events, and never gets a
broken file.

What it extends is Dagster's own and not public, for there is no other way in: the lock names the version, and the tests of this module
notice what another one does differently.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine

BUSY_SECONDS = 60
KEPT_RUNS = 4
"""Each run has a file of its own; so many stay open beside the index of all runs."""


def _engine(address: str) -> Engine:
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _commit_without_waiting_for_the_disk)
    return engine


def _commit_without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")


class PooledSqliteRunStorage(SqliteRunStorage):
    """`SqliteRunStorage` with one engine. Named in a `dagster.yaml` under `run_storage`."""

    _engine: Engine | None = None

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PooledSqliteRunStorage":
        """Dagster's way to make it: `config_value` has `base_dir`."""
        return cls.from_local(inst_data=inst_data, **config_value)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in a transaction."""
        self._engine = self._engine or _engine(self._conn_string)
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        """Closes the file, which folds its write-ahead log in."""
        if self._engine is not None:
            self._engine.dispose()
        super().dispose()


class PooledSqliteEventLog(SqliteEventLogStorage):
    """`SqliteEventLogStorage` with one engine per file. Named in a `dagster.yaml` under `event_log_storage`.

    Like Dagster's own it lets one thread at a time in.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PooledSqliteEventLog":
        """Dagster's way to make it: `config_value` has `base_dir`."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.get(shard)
        if engine is None:
            engine = _engine(self.conn_string_for_shard(shard))
            self._initdb(engine)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        runs = [known for known in self._engines if known != INDEX_SHARD_NAME]
        for old in runs[:-KEPT_RUNS]:
            self._engines.pop(old).dispose()
        return engine

    def dispose(self) -> None:
        """Closes the files, which folds their write-ahead logs in."""
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()
