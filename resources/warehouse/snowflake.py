"""The warehouse on Snowflake, by dagster-snowflake. Imported only if it is chosen; Snowflake's libraries only when it connects.

This module has connections and the protocol's methods. Transactions are in `snowflake_session`; authentication and the translation of
Snowflake's errors are in `snowflake_account`.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from pydantic import PrivateAttr

from resources.warehouse.dialect import checked, selection
from resources.warehouse.snowflake_account import SnowflakeAccount, in_plain_words, snowflake_error
from resources.warehouse.snowflake_session import STAGE, TURN, Session, SnowflakeTransaction
from resources.warehouse.tables import TableWarehouse, outstanding_migrations
from resources.warehouse.warehouse import Transaction

DEFINES = re.compile(r"\b(create table|create schema|add column) (?!if not exists)")
STAGED_FILE = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*(/[A-Za-z0-9_-]+)*/[A-Za-z0-9_-]+\.parquet")
LARGEST_UNLOADED_BYTES = 5 * 1024**3
"""The most bytes that Snowflake writes into one file."""

PREPARED: set[tuple[str, str, str]] = set()
"""The databases (account, host, name) whose tables this process has created or migrated."""

BOOKKEEPING = (
    "create schema if not exists sales_data",
    f"create stage if not exists {STAGE}",
    "create table if not exists sales_data.schema_versions (version integer not null)",
    f"create table if not exists {TURN} (turn bigint not null)",
)


def repeatable(statement: str) -> str:
    """A migration's statement in a repeatable form: Snowflake commits after each, so a migration can end half way."""
    return DEFINES.sub(r"\1 if not exists ", statement, count=1)


class SnowflakeWarehouse(SnowflakeAccount, TableWarehouse):
    """One database of a Snowflake account."""

    _shared_session: Any = PrivateAttr(default=None)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A new session in a database whose tables exist. Snowflake's errors are raised with clear messages."""
        faults = snowflake_error()
        try:
            with self.connected() as connection:
                session = Session(connection)
                self._prepare(session)
                yield session
        except faults as fault:
            raise in_plain_words(fault, self.describe()) from fault

    def _prepare(self, session: Session) -> None:
        """Makes the tables that Python owns, once per process."""
        key = (self.account, f"{self.host}:{self.port}", self.database)
        if key in PREPARED:
            session.run("use schema sales_data")
            return
        for statement in BOOKKEEPING:
            session.run(statement)
        session.run("use schema sales_data")
        session.run(f"insert into {TURN} select 0 where not exists (select 1 from {TURN})")
        self._migrate(session)
        PREPARED.add(key)

    def _migrate(self, session: Session) -> None:
        version = session.value("select coalesce(max(version), 0) as version from sales_data.schema_versions")
        remedy = "set GLOBOLATTE_SNOWFLAKE_DATABASE to another database"
        for number, statements in outstanding_migrations(version, self.describe(), remedy):
            for statement in statements:
                session.run(repeatable(statement))
            session.run("insert into sales_data.schema_versions values (?)", [number])

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits on leaving, rolls back on an exception. Raises `WarehouseBusyError` if another one wrote meanwhile."""
        with self._session() as session:
            transaction = SnowflakeTransaction(session, self.describe())
            try:
                yield transaction
            except BaseException:
                self._roll_back(session)
                raise
            session.run("commit")

    def _roll_back(self, session: Session) -> None:
        try:
            session.run("rollback")
        except snowflake_error() as error:  # no connection: Snowflake rolls back what its session left open
            logging.getLogger(__name__).warning("%s: could not roll back: %s", self.describe(), error)

    @contextmanager
    def keep_open(self) -> Iterator[None]:
        """Reads within the block share one session. Transactions have sessions of their own, since their relations end with the session."""
        if self._shared_session is not None:
            yield
            return
        with self._session() as session:
            self._shared_session = session
            try:
                yield
            finally:
                self._shared_session = None

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        if self._shared_session is None:
            with self._session() as session:
                yield session
            return
        try:
            yield self._shared_session
        except snowflake_error() as fault:
            raise in_plain_words(fault, self.describe()) from fault

    def _query(self, sql: str, parameters: Sequence[object]) -> pa.Table:
        with self._reading() as session:
            return session.fetch(sql, parameters)

    def unload(self, table: str, file: Path, order_by: Sequence[str]) -> None:
        """Writes `table` as one Parquet file, rows in `order_by`: the same rows always give the same bytes.

        Batch by batch: the table may be larger than this machine's memory.
        """
        checked(*order_by)
        sql, _ = selection(table, order_by=order_by)
        with self._reading() as session:
            schema, batches = session.fetch_batches(sql)
            write_in_equal_groups(file, schema, batches)

    def fingerprint(self, table: str) -> str:
        """A fingerprint of the rows of `table`, independent of their order. Snowflake computes it; no row is transferred."""
        checked(table)
        found = self._query(f"select count(*) as n, hash_agg(*) as content from {table}", []).to_pylist()[0]
        return f"{found['n']} rows {found['content']}"

    def unload_to_stage(self, table: str, place: str, order_by: Sequence[str]) -> None:
        """Writes `table` as one Parquet file at `place` (such as `ml.snapshots/name/examples.parquet`) in a stage of Snowflake's.

        Rows in `order_by`, columns by their lower-case names. Nothing passes through this machine. Raises `ValueError` for a place
        that is none.
        """
        if not STAGED_FILE.fullmatch(place):
            raise ValueError(f"{place!r} is no file in a stage; write it like ml.snapshots/name/examples.parquet")
        checked(*order_by)
        sql, _ = selection(table)
        with self._reading() as session:
            names = session.fetch_batches(f"{sql} limit 0")[0].names
            columns = ", ".join(f'{name} as "{name}"' for name in names)
            session.run(
                f"copy into @{place} from (select {columns} from {table} order by {', '.join(order_by)}) "
                "file_format = (type = parquet) header = true single = true overwrite = true "
                f"max_file_size = {LARGEST_UNLOADED_BYTES}"
            )

    def describe(self) -> str:
        """Account, database and user."""
        return f"Snowflake database {self.database} of {self.account} (user {self.user})"


ROWS_IN_A_GROUP = 122_880


def write_in_equal_groups(file: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Writes the tables as one file, one after the other, in groups of `ROWS_IN_A_GROUP` rows."""
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        waiting = schema.empty_table()
        for table in tables:
            waiting = pa.concat_tables([waiting, table])
            while waiting.num_rows >= ROWS_IN_A_GROUP:
                writer.write_table(waiting.slice(0, ROWS_IN_A_GROUP).combine_chunks(), ROWS_IN_A_GROUP)
                waiting = waiting.slice(ROWS_IN_A_GROUP)
        if waiting.num_rows:
            writer.write_table(waiting.combine_chunks(), ROWS_IN_A_GROUP)
