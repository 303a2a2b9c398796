"""dbt's views over tables that a test has made: the project's own SQL, without dbt."""

from pathlib import Path
from typing import Any

import jinja2

from resources.environment import DBT_PROJECT_FOLDER
from resources.warehouse.warehouse import Warehouse

BUILT_DAYS = (
    "create schema if not exists build_state",
    "create table if not exists build_state.built_days (business_unit varchar, business_date date, content_hash varchar)",
)
"""What a build notes of the days that it has built."""
MACROS = ("product_pairs", "load_parts")


def make_view(warehouse: Warehouse, name: str) -> None:
    """Makes the view of that name. What it reads has to be there."""
    file = _file(name)
    macros = "".join((DBT_PROJECT_FOLDER / "macros" / f"{macro}.sql").read_text() for macro in MACROS)
    sql = jinja2.Template(macros + file.read_text()).render(
        config=lambda **_: "",
        ref=lambda other: f"{_file(other).parent.name}.{other}",
        source=lambda schema, table: f"{schema}.{table}",
    )
    schema = file.parent.name
    with warehouse.transaction() as transaction:
        for statement in (*BUILT_DAYS, f"create schema if not exists {schema}"):
            transaction.execute(statement)
        transaction.execute(f"create view {schema}.{name} as {sql}")


def failures(warehouse: Warehouse, check: str) -> list[dict[str, Any]]:
    """The rows that the check of that name complains about."""
    sql = jinja2.Template((DBT_PROJECT_FOLDER / "tests" / f"{check}.sql").read_text()).render(
        config=lambda **_: "",
        ref=lambda other: f"{_file(other).parent.name}.{other}",
        var=lambda _, default: default,
    )
    with warehouse.transaction() as transaction:
        rows: list[dict[str, Any]] = transaction.fetch(sql).to_pylist()
    return rows


def _file(name: str) -> Path:
    [file] = (DBT_PROJECT_FOLDER / "models").glob(f"*/{name}.sql")
    return file
