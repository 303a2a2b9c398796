"""The warehouse on Snowflake, by dagster-snowflake. Imported only where it is chosen; Snowflake's libraries when it is connected to.

Here: connections, and what the protocol offers on them. One transaction is `snowflake_session`; who connects, and Snowflake's errors in
plain words, is `snowflake_account`.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from pyarrow import parquet
from pydantic import PrivateAttr

from resources.settings.choices import SnowflakeAuthentication
from resources.warehouse.dialect import checked
from resources.warehouse.schema import MIGRATIONS, statements
from resources.warehouse.snowflake_account import SnowflakeConnection, connected, in_plain_words, snowflake_error
from resources.warehouse.snowflake_session import STAGE, TURN, Session, SnowflakeTransaction
from resources.warehouse.statements import replacement, selection
from resources.warehouse.warehouse import Transaction

DEFINES = re.compile(r"\b(create table|create schema|add column) (?!if not exists)")
STAGED_FILE = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*(/[A-Za-z0-9_-]+)*/[A-Za-z0-9_-]+\.parquet")
LARGEST_UNLOADED_BYTES = 5 * 1024**3
"""As much as Snowflake writes into one file."""

PREPARED: set[tuple[str, str, str]] = set()
"""The databases (account, host, name) whose tables this process has seen to."""

BOOKKEEPING = (
    "create schema if not exists sales_data",
    f"create stage if not exists {STAGE}",
    "create table if not exists sales_data.schema_versions (version integer not null)",
    f"create table if not exists {TURN} (turn bigint not null)",
)


def repeatable(statement: str) -> str:
    """A statement of a migration so that it may run again: Snowflake commits at each, so a migration can end half way."""
    return DEFINES.sub(r"\1 if not exists ", statement, count=1)


class SnowflakeWarehouse(dg.ConfigurableResource):
    """One database of a Snowflake account. `compute` is the virtual warehouse. Secrets are in the environment alone.

    `wait_seconds` bounds the wait for another transaction that writes, `network_seconds` that for an answer.
    """

    account: str
    user: str
    database: str
    compute: str
    role: str | None = None
    authentication: SnowflakeAuthentication = SnowflakeAuthentication.KEY
    private_key_path: str | None = None
    host: str | None = None
    port: int | None = None
    protocol: str = "https"
    wait_seconds: float = 300.0
    network_seconds: int = 60

    _kept: Any = PrivateAttr(default=None)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A session of its own, in a database whose tables are there. Faults of Snowflake are told in plain words."""
        faults = snowflake_error()
        try:
            with connected(self._who()) as connection:
                session = Session(connection)
                self._prepare(session)
                yield session
        except faults as fault:
            raise in_plain_words(fault, self.describe()) from fault

    def _who(self) -> SnowflakeConnection:
        return SnowflakeConnection(
            account=self.account, user=self.user, database=self.database, compute=self.compute, role=self.role,
            authentication=self.authentication, private_key_path=self.private_key_path, host=self.host, port=self.port,
            protocol=self.protocol, lock_seconds=max(1, round(self.wait_seconds)), network_seconds=self.network_seconds,
        )  # fmt: skip

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
        if version > len(MIGRATIONS):
            raise RuntimeError(
                f"{self.describe()}: was written by a newer release (schema version {version}, this one knows {len(MIGRATIONS)}); "
                "upgrade GloboLatte or set GLOBOLATTE_SNOWFLAKE_DATABASE to another database"
            )
        for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements(migration):
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
    def kept_open(self) -> Iterator[None]:
        """Reads within it share one session. Transactions keep sessions of their own, with which their relations go."""
        if self._kept is not None:
            yield
            return
        with self._session() as session:
            self._kept = session
            try:
                yield
            finally:
                self._kept = None

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        if self._kept is None:
            with self._session() as session:
                yield session
            return
        try:
            yield self._kept
        except snowflake_error() as fault:
            raise in_plain_words(fault, self.describe()) from fault

    def read(
        self,
        table: str,
        columns: Sequence[str] = (),
        where: Mapping[str, object] | None = None,
        order_by: Sequence[str] = (),
        between: Mapping[str, tuple[object, object]] | None = None,
    ) -> pa.Table:
        """The rows of `table` whose columns equal the values of `where` and lie `between` two values; all columns unless named."""
        sql, parameters = selection(table, columns, where, order_by, between)
        with self._reading() as session:
            return session.fetch(sql, parameters)

    def replace(self, table: str, data: pa.Table, where: Mapping[str, object] | None = None) -> int:
        """Replaces the rows that match `where` (all rows without it) by `data`, atomically; returns the rows written.

        It reads nothing, so it waits for another writer where other transactions give up and begin anew.
        """
        deletion, insertion, parameters = replacement(table, data.column_names, where or {})
        with self.transaction() as transaction:
            transaction.stage("replacement", data)
            transaction.execute(deletion, parameters)
            transaction.execute(insertion)
        return data.num_rows

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
        """What `table` holds, as text: the same for the same rows in whatever order. Snowflake computes it; no row comes here."""
        checked(table)
        with self._reading() as session:
            found = session.fetch(f"select count(*) as n, hash_agg(*) as content from {table}").to_pylist()[0]
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

    def has(self, table: str) -> bool:
        """Whether `table` exists."""
        checked(table)
        schema, _, name = table.upper().partition(".")
        with self._reading() as session:
            found = session.fetch(
                "select 1 as found from information_schema.tables where table_schema = ? and table_name = ?",
                [schema, name],
            )
            return bool(found.num_rows)

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
