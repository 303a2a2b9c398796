"""dbt's views over tables that a test has made: the project's own SQL, without dbt."""

from pathlib import Path

import jinja2

from resources.environment import DBT_PROJECT_FOLDER
from resources.warehouse.warehouse import Warehouse

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
        transaction.execute(f"create schema if not exists {schema}")
        transaction.execute(f"create view {schema}.{name} as {sql}")


def _file(name: str) -> Path:
    [file] = (DBT_PROJECT_FOLDER / "models").glob(f"*/{name}.sql")
    return file
