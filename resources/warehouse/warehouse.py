"""The warehouse: where tables are stored. The protocol of every implementation.

SQL belongs in dbt. Python sends SQL to the warehouse in two places only: here in `resources.warehouse`, and in `globolatte_ingest`, which
loads files inside one transaction. Everything else reads and replaces whole tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from resources.warehouse.dialect import Dialect


class WarehouseBusyError(RuntimeError):
    """Another process used the warehouse for longer than the wait is allowed to last."""


class WarehouseUnusableError(RuntimeError):
    """The warehouse cannot be written: no permission, no space, a fault of its storage. Nothing of the transaction is in it."""


class DefinedTooLateError(RuntimeError):
    """A relation was defined after the transaction had begun to write: Snowflake would commit what was written before."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: is defined after the first statement that writes; define it before (`scratch`, or `stage` with no rows)"
        )


class Transaction(Protocol):
    """One warehouse transaction: all of it or none.

    Relations of its own (`scratch`, `stage`) are gone with it. They are defined before the first `execute`, since Snowflake
    commits a transaction wherever something is defined; `DefinedTooLateError` says so on every engine.
    """

    @property
    def dialect(self) -> Dialect:
        """The expressions that differ between engines, for this one."""

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Runs one statement that writes; `?` marks a bound parameter."""

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Runs one query and returns all of its rows."""

    def stage(self, name: str, data: pa.Table) -> None:
        """Makes `data` a relation called `name`, to be read only. Staged again under its name, it has the same columns."""

    def scratch(self, name: str, columns: str) -> None:
        """Makes an empty table called `name`, unless there is one; `columns` are names and types as SQL writes them."""

    def fill(self, name: str, query: str) -> None:
        """Makes the rows of `query` the rows of the scratch table `name`. Columns are matched by name."""


class Warehouse(Protocol):
    """Where tables are stored. Implementations: `DuckDBWarehouse`, `SnowflakeWarehouse`.

    Tables are named `schema.table`. On every connection, the tables that Python owns exist at the current schema version.
    """

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commits on leaving, rolls back on an exception. Raises `WarehouseBusyError` if it cannot be had in time."""

    def keep_open(self) -> AbstractContextManager[None]:
        """Shares one connection among the calls within the block, which is faster. Keep it short: other processes wait meanwhile."""

    def read(
        self,
        table: str,
        columns: Sequence[str] = (),
        where: Mapping[str, object] | None = None,
        order_by: Sequence[str] = (),
        between: Mapping[str, tuple[object, object]] | None = None,
    ) -> pa.Table:
        """The rows of `table` in which each column of `where` equals its value and each of `between` lies between two values.

        Both ends belong to `between`. All columns unless named.
        """

    def replace(
        self, table: str, data: pa.Table | Iterator[pa.Table], where: Mapping[str, object] | None = None
    ) -> int:
        """Replaces the rows that match `where` (all rows without it) by `data`, atomically; returns the rows written.

        Columns are matched by name. `data` may come in pieces of the same columns, at least one, of which one at a time is held.
        """

    def unload(self, table: str, file: Path, order_by: Sequence[str]) -> None:
        """Writes `table` as one Parquet file, rows in `order_by`: the same rows always give the same bytes."""

    def has(self, table: str) -> bool:
        """Whether `table` exists."""

    def describe(self) -> str:
        """Where this warehouse is, for people; no secret in it."""
