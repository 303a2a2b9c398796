"""The warehouse as one DuckDB file: the embedded default.

DuckDB lets one process at a time use a file, readers included. So connections are short and opened late, and waiting for one is
limited in time. A process that keeps one open (`keep_open`) blocks all others, so meanwhile it must not wait for anything that
another process may hold, such as a slot of a pool.
"""

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from resources.warehouse.dialect import Dialect, checked
from resources.warehouse.schema import MIGRATIONS
from resources.warehouse.tables import TableWarehouse, outstanding_migrations
from resources.warehouse.warehouse import (
    DefinedTooLateError,
    Transaction,
    WarehouseBusyError,
    WarehouseUnusableError,
)

FIRST_WAIT_SECONDS = 0.02
LONGEST_WAIT_SECONDS = 1.0
ROWS_SCANNED_AT_ONCE = 122_880


class Staged:
    """A replaceable table under a fixed name, since DuckDB holds a registered object until the transaction ends."""

    def __init__(self, data: pa.Table) -> None:
        self.data = data

    def __arrow_c_schema__(self) -> object:
        return self.data.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.data.__arrow_c_stream__(requested_schema)


class DuckDBTransaction:
    """One transaction on an open DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._staged: dict[str, Staged] = {}
        self._scratch: set[str] = set()
        self._has_written = False

    @property
    def dialect(self) -> Dialect:
        """DuckDB's."""
        return Dialect()

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Runs one statement that writes; `?` marks a bound parameter."""
        self._has_written = True
        self._connection.execute(sql, list(parameters))

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Runs one query and returns all of its rows."""
        return self._connection.sql(sql, params=list(parameters)).to_arrow_table()

    def stage(self, name: str, data: pa.Table) -> None:
        """Makes `data` readable under `name` on this connection, without copying it once it is in few pieces."""
        checked(name)
        # A piece is scanned by one thread, and costs something: neither one nor thousands of them.
        pieces = data.combine_chunks().to_batches(max_chunksize=ROWS_SCANNED_AT_ONCE)
        table = pa.Table.from_batches(pieces, data.schema)
        if name in self._staged:
            if set(self._staged[name].data.column_names) != set(table.column_names):
                self._define(name)
            self._staged[name].data = table
        else:
            self._define(name)
            self._staged[name] = Staged(table)
            self._connection.register(name, self._staged[name])

    def scratch(self, name: str, columns: str) -> None:
        """Makes an empty table called `name`, unless there is one."""
        checked(name)
        if name not in self._scratch:
            self._define(name)
            self._connection.execute(f"create temp table {name} ({columns})")
            self._scratch.add(name)

    def fill(self, name: str, query: str) -> None:
        """Makes the rows of `query` the rows of the scratch table `name`."""
        if name not in self._scratch:
            raise DefinedTooLateError(name)
        self._connection.execute(f"create or replace temp table {name} as {query}")

    def _define(self, name: str) -> None:
        if self._has_written:  # harmless here: what works on one engine is to work on all
            raise DefinedTooLateError(name)


def _schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The schema version of an open file; a new file gets its version table, at 0."""
    try:
        return int(connection.execute("select max(version) from sales_data.schema_versions").fetchall()[0][0] or 0)
    except duckdb.CatalogException:
        connection.execute("create schema if not exists sales_data")
        connection.execute("create table sales_data.schema_versions (version integer not null)")
        return 0


class DuckDBWarehouse(TableWarehouse):
    """One DuckDB file. `wait_seconds` bounds the wait for another process that has the file open.

    `memory_mb` bounds what DuckDB holds in memory; beyond that it works on disk, beside the file. `read_only`: the file is neither made
    nor migrated nor written.
    """

    file: str
    wait_seconds: float = 300.0
    memory_mb: int = 384
    read_only: bool = False

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self.read_only:
            Path(self.file).parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        try:
            connection.execute(f"set memory_limit = '{self.memory_mb}MiB'")
            # the progress bar would be drawn into the output of commands
            connection.execute("set enable_progress_bar = false")
            if not self.read_only:
                self._migrate(connection)
            yield connection
        except (
            duckdb.OutOfMemoryException,
            duckdb.IOException,
            duckdb.FatalException,
            duckdb.TransactionException,
        ) as fault:
            raise self._unusable(fault) from fault
        finally:
            connection.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.wait_seconds
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                return duckdb.connect(self.file, read_only=self.read_only)
            except duckdb.IOException as error:
                if "lock" not in str(error).lower():
                    raise self._unusable(error) from error
                if time.monotonic() + wait > deadline:
                    raise WarehouseBusyError(self._busy_message(str(error))) from error
            time.sleep(wait)
            wait = min(wait * 1.5, LONGEST_WAIT_SECONDS)

    def _unusable(self, fault: Exception) -> WarehouseUnusableError:
        if self.read_only:
            return WarehouseUnusableError(f"{self.file}: cannot be read ({fault})")
        return WarehouseUnusableError(
            f"{self.file}: cannot be written ({fault}); give it memory, disk space and the permission to write, then run again. "
            "What was committed before is still there"
        )

    def _busy_message(self, error: str) -> str:
        holder = re.search(r"PID (\d+)", error)
        who = f"process {holder[1]}" if holder else "another process"
        return (
            f"{self.file}: {who} has had the warehouse file open for {self.wait_seconds:g} seconds. DuckDB allows one process "
            "at a time: let it finish or end it, then run again (GLOBOLATTE_WAREHOUSE_WAIT_SECONDS sets the wait)"
        )

    def _migrate(self, connection: duckdb.DuckDBPyConnection) -> None:
        version = _schema_version(connection)
        if version == len(MIGRATIONS):  # as at nearly every opening
            return
        for number, statements in outstanding_migrations(version, self.file, "point GLOBOLATTE_HOME elsewhere"):
            connection.execute("begin")
            for statement in statements:
                connection.execute(statement)
            connection.execute("insert into sales_data.schema_versions values (?)", [number])
            connection.execute("commit")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits on leaving, rolls back on an exception. Raises `WarehouseBusyError` if the file cannot be had in time."""
        with self._connection() as connection:
            connection.execute("begin")
            try:
                yield DuckDBTransaction(connection)
            except BaseException:
                self._roll_back(connection)
                raise
            connection.execute("commit")

    def _roll_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            connection.execute("rollback")
        except duckdb.Error as error:
            # a fault of the storage has ended the transaction; the file is opened anew next time
            logging.getLogger(__name__).warning("%s: the transaction was ended by a fault before: %s", self.file, error)

    @contextmanager
    def keep_open(self) -> Iterator[None]:
        """Keeps the file open meanwhile: further connections of this process then cost next to nothing."""
        with self._connection():
            yield

    def _query(self, sql: str, parameters: Sequence[object]) -> pa.Table:
        with self._connection() as connection:
            return connection.sql(sql, params=list(parameters)).to_arrow_table()

    def unload(self, table: str, file: Path, order_by: Sequence[str]) -> None:
        """Writes `table` as one Parquet file, rows in `order_by`: the same rows always give the same bytes."""
        checked(table, *order_by)
        target = str(file).replace("'", "''")
        with self._connection() as connection:
            connection.execute("set threads = 1")  # one writer: row groups fall the same way every time
            connection.execute(
                f"copy (select * from {table} order by {', '.join(order_by)}) to '{target}' (format parquet, compression zstd)"
            )
            connection.execute("reset threads")

    def describe(self) -> str:
        """The file's path."""
        return f"DuckDB file {self.file}"
