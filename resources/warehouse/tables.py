"""What the tables that Python owns look like, read from the migrations that make them: columns are written down once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from resources.warehouse.schema import MIGRATIONS, statements
from resources.warehouse.warehouse import Warehouse

CREATE_TABLE = re.compile(r"create table (?:if not exists )?([\w.]+) \((.*)\)", re.DOTALL)
ADD_COLUMN = re.compile(r"alter table ([\w.]+) add column (?:if not exists )?(.*)", re.DOTALL)
OUTSIDE_PARENTHESES = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True)
class Column:
    """A column of a table, its type as SQL writes it."""

    name: str
    type: str
    nullable: bool


def owned_tables(migrations: Sequence[str] = MIGRATIONS) -> Mapping[str, tuple[Column, ...]]:
    """The columns of each table (`schema.table`) once all migrations ran, in the table's order."""
    tables: dict[str, tuple[Column, ...]] = {}
    for migration in migrations:
        for statement in statements(migration):
            if created := CREATE_TABLE.fullmatch(statement):
                name, body = created.groups()
                tables[name] = columns_in(body)
            elif added := ADD_COLUMN.fullmatch(statement):
                name, text = added.groups()
                tables[name] = (*tables[name], _column(text))
    return tables


def columns_in(body: str) -> tuple[Column, ...]:
    """The columns that a `create table` lists."""
    return tuple(_column(text) for text in OUTSIDE_PARENTHESES.split(body))


def _column(text: str) -> Column:
    name, _, rest = " ".join(text.split()).partition(" ")
    declared, not_null, _ = rest.partition(" not null")
    return Column(name, declared.partition(" default ")[0], not not_null)


def row_count(warehouse: Warehouse, table: str) -> int:
    """How many rows `table` has. Both engines answer from their catalogue, whatever the number."""
    if table not in owned_tables():
        raise ValueError(f"{table} is no table that Python owns; see resources/warehouse/schema.py")
    with warehouse.transaction() as transaction:
        return int(transaction.fetch(f"select count(*) as row_count from {table}").column(0)[0].as_py())
