"""Whole tables: the columns of those that Python owns, and how every engine reads and replaces them."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import dagster as dg
import duckdb
import pyarrow as pa

from resources.warehouse.dialect import checked, replacement, selection
from resources.warehouse.schema import MIGRATIONS, statements
from resources.warehouse.warehouse import Transaction, Warehouse


@dataclass(frozen=True)
class Column:
    """A column of a table, its type as SQL writes it."""

    name: str
    type: str
    nullable: bool


@functools.cache
def owned_tables(migrations: tuple[str, ...] = MIGRATIONS) -> Mapping[str, tuple[Column, ...]]:
    """The columns of each table (`schema.table`) once all migrations ran, in the table's order."""
    tables: dict[str, tuple[Column, ...]] = {}
    with duckdb.connect() as connection:
        for statement in (statement for migration in migrations for statement in statements(migration)):
            connection.execute(statement)
        found = connection.execute(
            "select schema_name || '.' || table_name, column_name, replace(lower(data_type), ',', ', '), is_nullable "
            "from duckdb_columns() where not internal order by table_oid, column_index"
        ).fetchall()
    for table, *column in found:
        tables[table] = (*tables.get(table, ()), Column(*column))
    return tables


ARROW_TYPES = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


def arrow_schema(table: str) -> pa.Schema:
    """The columns of a table that Python owns, as those of an Arrow table."""
    return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in owned_tables()[table]])


def row_count(warehouse: Warehouse, table: str) -> int:
    """The number of rows of `table`. Both engines read it from their catalogue, so the size does not matter."""
    if table not in owned_tables():
        raise ValueError(f"{table} is no table that Python owns; see resources/warehouse/schema.py")
    with warehouse.transaction() as transaction:
        return int(transaction.fetch(f"select count(*) as row_count from {table}").column(0)[0].as_py())


def outstanding_migrations(version: int, where: str, remedy: str) -> Iterator[tuple[int, list[str]]]:
    """Number and statements of each migration that a warehouse at this schema version lacks.

    Raises `RuntimeError` if the warehouse is of a newer release; `remedy`: what can be done besides upgrading.
    """
    if version > len(MIGRATIONS):
        raise RuntimeError(
            f"{where}: was written by a newer release (schema version {version}, this one knows {len(MIGRATIONS)}); "
            f"upgrade GloboLatte or {remedy}"
        )
    for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
        yield number, statements(migration)


def replace_rows(
    transaction: Transaction, table: str, columns: Sequence[str], where: Mapping[str, object], staged: str
) -> None:
    """Within a transaction, replaces the rows that match `where` by those of the relation `staged`."""
    deletion, insertion, parameters = replacement(table, columns, where, staged)
    transaction.execute(deletion, parameters)
    transaction.execute(insertion)


class TableWarehouse(dg.ConfigurableResource):
    """The part of `Warehouse` with the same SQL on every engine; an engine adds `transaction`, `unload` and other queries."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """See `Warehouse`."""
        raise NotImplementedError

    def _query(self, sql: str, parameters: Sequence[object]) -> pa.Table:
        raise NotImplementedError

    def read(
        self,
        table: str,
        columns: Sequence[str] = (),
        where: Mapping[str, object] | None = None,
        order_by: Sequence[str] = (),
        between: Mapping[str, tuple[object, object]] | None = None,
    ) -> pa.Table:
        """The rows of `table` whose columns equal the values of `where` and lie `between` two values; all columns unless named."""
        return self._query(*selection(table, columns, where, order_by, between))

    def replace(
        self, table: str, data: pa.Table | Iterator[pa.Table], where: Mapping[str, object] | None = None
    ) -> int:
        """Replaces the rows that match `where` (all rows without it) by `data`, atomically; returns the rows written.

        `data` may come in pieces of the same columns, at least one, of which one at a time is held. The table is read nowhere: so on
        Snowflake it can wait for another writer, where other transactions give up and begin again.
        """
        pieces = iter((data,)) if isinstance(data, pa.Table) else data
        first = next(pieces)
        rows = first.num_rows
        with self.transaction() as transaction:
            transaction.stage("replacement", first)
            replace_rows(transaction, table, first.column_names, where or {}, "replacement")
            for piece in pieces:
                transaction.stage("replacement", piece)
                transaction.execute(replacement(table, first.column_names, {}, "replacement")[1])
                rows += piece.num_rows
        return rows

    def has(self, table: str) -> bool:
        """Whether `table` exists."""
        checked(table)
        found = self._query(
            "select 1 as found from information_schema.tables where lower(table_schema || '.' || table_name) = ?",
            [table],
        )
        return bool(found.num_rows)
