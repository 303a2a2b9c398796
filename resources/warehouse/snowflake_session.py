"""A session with Snowflake, and a transaction in it: statements, results as Arrow, relations that go with the session.

Snowflake commits an open transaction wherever something is defined, a temporary table too. So relations are defined first, and the
transaction begins with its first statement that writes. Writers take turns: the first statement of a transaction raises a counter,
for which Snowflake makes others wait; who has read before finds the counter raised by another, and gives up having written nothing.
"""

import io
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet, types

from resources.warehouse.dialect import Dialect, SnowflakeDialect, checked
from resources.warehouse.warehouse import DefinedTooLateError, WarehouseBusyError

COMMA_BETWEEN_COLUMNS = re.compile(r",(?![^(]*\))")
"""Not the one in `decimal(18, 2)`."""

STAGE = "sales_data.loading"
"""The internal stage for incoming rows; a file in it is removed once it is copied."""
TURN = "sales_data.writer_turn"


class Session:
    """One connection. Results have lower-case names, and the types that the columns are declared with."""

    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()

    def run(self, sql: str, parameters: Sequence[object] = (), **more: object) -> int:
        """Runs one statement; returns how many rows it changed."""
        self._cursor.execute(sql, tuple(parameters) or None, **more)
        return int(self._cursor.rowcount or 0)

    def value(self, sql: str) -> int:
        """The single whole number that a query gives."""
        return int(self.fetch(sql).column(0)[0].as_py())

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """All rows of a query."""

        schema, batches = self.fetch_batches(sql, parameters)
        return pa.concat_tables([schema.empty_table(), *batches])

    def fetch_batches(self, sql: str, parameters: Sequence[object] = ()) -> tuple[pa.Schema, Iterator[pa.Table]]:
        """The columns of a query's result, and its rows in pieces, fetched when they are needed."""

        self._cursor.execute(sql, tuple(parameters) or None)
        schema = pa.schema([(column.name.lower(), _type_of(column)) for column in self._cursor.description])
        names = schema.names
        pieces = (table.rename_columns(names).cast(schema, safe=False) for table in self._cursor.fetch_arrow_batches())
        return schema, pieces


WIDE_WHOLE_NUMBER = 37
"""Digits of whole numbers that a bigint cannot hold."""


def _type_of(column: Any) -> pa.DataType:
    """The Arrow type of a result's column, by Snowflake's description of it: what comes may be narrower.

    Whole numbers are bigint, which Snowflake calls NUMBER(38, 0), but for NUMBER(37, 0): wider ones (dbt_project/macros/decay.sql).
    """
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    kind = FIELD_ID_TO_NAME[column.type_code]
    if kind == "FIXED":
        is_whole = not column.scale and column.precision != WIDE_WHOLE_NUMBER
        return pa.int64() if is_whole else pa.decimal128(column.precision, column.scale)
    types = {
        "TEXT": pa.string(), "REAL": pa.float64(), "BOOLEAN": pa.bool_(), "DATE": pa.date32(), "TIMESTAMP_NTZ": pa.timestamp("us"),
    }  # fmt: skip
    if kind not in types:
        raise TypeError(f"column {column.name} is of Snowflake's type {kind}, which no table of ours has; cast it")
    return types[kind]


def sql_type(kind: pa.DataType) -> str:
    """How SQL calls an Arrow type. Raises `TypeError` for one that no table of ours has."""

    if types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    for is_kind, name in (
        (types.is_string, "varchar"), (types.is_large_string, "varchar"), (types.is_null, "varchar"), (types.is_integer, "bigint"),
        (types.is_floating, "double"), (types.is_boolean, "boolean"), (types.is_date, "date"), (types.is_timestamp, "timestamp"),
    ):  # fmt: skip
        if is_kind(kind):
            return name
    raise TypeError(f"{kind} is a type that no table of ours has; cast the column to another one")


def _as_text(data: pa.Table) -> bytes:
    """The table as a Parquet file, all values text: SQL converts them, the same way everywhere."""

    text = data.cast(pa.schema([(name, pa.string()) for name in data.column_names]))
    content = io.BytesIO()
    parquet.write_table(text, content)
    return content.getvalue()


class SnowflakeTransaction:
    """One transaction in a session of its own."""

    def __init__(self, session: Session, where: str) -> None:
        self._session = session
        self._where = where
        self._staged: dict[str, dict[str, str]] = {}
        self._scratch: dict[str, list[str]] = {}
        self._filled: set[str] = set()
        self._turn: int | None = None
        self._has_begun = False

    @property
    def dialect(self) -> Dialect:
        """Snowflake's."""
        return SnowflakeDialect()

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Runs one statement that writes; `?` marks a bound parameter."""
        if not self._has_begun:
            self._begin()
        self._session.run(sql, parameters)

    def _begin(self) -> None:
        self._session.run("begin")
        self._has_begun = True
        if self._turn is None:  # nothing was read that another writer could have changed
            self._session.run(f"update {TURN} set turn = turn + 1")
        elif not self._session.run(f"update {TURN} set turn = turn + 1 where turn = ?", [self._turn]):
            raise WarehouseBusyError(
                f"{self._where}: another transaction wrote while this one was looking, so nothing was written; run again"
            )

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Runs one query and returns all of its rows."""
        if self._turn is None and not self._has_begun:
            self._turn = self._session.value(f"select max(turn) as turn from {TURN}")
        return self._session.fetch(sql, parameters)

    def stage(self, name: str, data: pa.Table) -> None:
        """Puts `data` as a file into the stage and copies it from there into a temporary table called `name`."""
        columns = {column: sql_type(kind) for column, kind in zip(data.column_names, data.schema.types, strict=True)}
        checked(name, *columns)
        if columns != self._staged.get(name):  # in whatever order: they are copied by name
            self._define(name, ", ".join(f"{column} {kind}" for column, kind in columns.items()))
            self._staged[name] = columns
        self._empty(name)
        if not data.num_rows:
            return
        file = f"{uuid.uuid4().hex}.parquet"
        self._session.run(f"put 'file://{file}' @{STAGE} auto_compress = false", file_stream=io.BytesIO(_as_text(data)))
        values = ", ".join(f"$1:{column}::{kind}" for column, kind in columns.items())
        self._session.run(
            f"copy into {name} ({', '.join(columns)}) from (select {values} from @{STAGE}/{file}) "
            "file_format = (type = parquet) purge = true"
        )
        self._filled.add(name)

    def scratch(self, name: str, columns: str) -> None:
        """Makes an empty temporary table called `name`, unless there is one."""
        checked(name)
        if name not in self._scratch:
            self._define(name, columns)
            self._scratch[name] = [column.split()[0] for column in COMMA_BETWEEN_COLUMNS.split(columns)]

    def fill(self, name: str, query: str) -> None:
        """Makes the rows of `query` the rows of the scratch table `name`."""
        if name not in self._scratch:
            raise DefinedTooLateError(name)
        self._empty(name)
        columns = ", ".join(self._scratch[name])
        self._session.run(f"insert into {name} ({columns}) select {columns} from ({query})")
        self._filled.add(name)

    def _empty(self, name: str) -> None:
        if name in self._filled:
            self._session.run(f"delete from {name}")

    def _define(self, name: str, columns: str) -> None:
        """Makes the temporary table, in place of one with other columns."""
        if self._has_begun:
            raise DefinedTooLateError(name)
        self._session.run(f"create or replace temporary table {name} ({columns})")
        self._filled.discard(name)
