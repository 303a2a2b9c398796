"""What the UI says of assets, checks, jobs and sensors: nothing is left without a word, and no word is wrong."""

from typing import Any

import dagster as dg
import pytest
from dagster_dbt import DbtProject

from globolatte_assets.documentation import COLUMN_SCHEMA, TABLE_KIND, TABLE_NAME, TABLES
from globolatte_assets.features.checks import meaning_of_test
from globolatte_assets.features.dbt_project import manifest_of
from resources.environment import DBT_PROJECT_FOLDER
from resources.warehouse.duckdb_file import DuckDBWarehouse
from resources.warehouse.tables import Column, owned_tables, row_count
from tests.builders import Deployment

WAREHOUSE_KINDS = {"duckdb", "snowflake", TABLE_KIND}


def table_assets(deployed: Deployment) -> dict[str, dg.AssetSpec]:
    specs = deployed.definitions.resolve_all_asset_specs()
    return {spec.key.to_user_string(): spec for spec in specs if spec.kinds & WAREHOUSE_KINDS or spec.key in TABLES}


# The definitions -------------------------------------------------------------------------------------------------------


def test_every_table_asset_names_its_table_and_describes_its_columns(deployed: Deployment) -> None:
    tables = table_assets(deployed)
    assert {"raw/sales_transactions", "marts/fct_orders", "models/evaluation", "monitoring/data_drift"} <= set(tables)
    assert [name for name, spec in tables.items() if not {COLUMN_SCHEMA, TABLE_NAME} <= set(spec.metadata)] == []
    wordless = [
        f"{name}.{column.name}"
        for name, spec in tables.items()
        for column in spec.metadata[COLUMN_SCHEMA].columns
        if not column.description or column.type in ("", "?")
    ]
    assert wordless == []


def test_tables_say_which_warehouse_holds_them(deployed: Deployment) -> None:
    of_ours = {name: spec.kinds for name, spec in table_assets(deployed).items() if "dbt" not in spec.kinds}
    assert {name for name, kinds in of_ours.items() if TABLE_KIND in kinds} == set()
    assert "duckdb" in of_ours["raw/products"]


def test_columns_that_tell_who_a_customer_is_are_tagged(deployed: Deployment) -> None:
    for name in ("raw/customers", "staging/stg_customers", "marts/dim_customer"):
        columns = table_assets(deployed)[name].metadata[COLUMN_SCHEMA].columns
        assert {"customer_name", "email"} <= {column.name for column in columns if "pii" in column.tags}, name


def test_every_check_says_what_it_holds(deployed: Deployment) -> None:
    graph = deployed.definitions.resolve_asset_graph()
    checks = {key: graph.get_check_spec(key).description for key in graph.asset_check_keys}
    assert len(checks) > 20
    assert [key.to_user_string() for key, description in checks.items() if not description] == []


def test_every_job_and_sensor_says_what_it_does(deployed: Deployment) -> None:
    jobs = [job for job in deployed.definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    sensors = deployed.definitions.get_repository_def().sensor_defs
    assert len(jobs) > 5
    assert len(sensors) > 3
    assert [one.name for one in [*jobs, *sensors] if not one.description] == []


# Where the words come from ---------------------------------------------------------------------------------------------


def test_later_migrations_add_columns() -> None:
    first = "create schema a; create table a.b (\n  id varchar not null,\n  price decimal(18, 2) default 0 not null\n)"
    assert owned_tables((first, "alter table a.b add column note varchar"))["a.b"] == (
        Column("id", "varchar", False),
        Column("price", "decimal(18, 2)", False),
        Column("note", "varchar", True),
    )


def test_what_yaml_describes_is_there() -> None:
    manifest = manifest_of(DbtProject(project_dir=DBT_PROJECT_FOLDER))
    described = {f"{one['schema']}.{one['name']}": set(one["columns"]) for one in manifest["sources"].values()}
    owned = {table: {column.name for column in columns} for table, columns in owned_tables().items()}
    assert {table: columns - owned.get(table, set()) for table, columns in described.items()} == {
        table: set() for table in described
    }


def test_rows_are_counted(warehouse: DuckDBWarehouse) -> None:
    assert row_count(warehouse, "sales_data.products") == 3
    with pytest.raises(ValueError, match="no table that Python owns"):
        row_count(warehouse, "marts.fct_orders")


def generic(name: str, **arguments: Any) -> dict[str, Any]:
    return {"test_metadata": {"name": name, "kwargs": arguments}, "raw_code": "{{ test_x() }}"}


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        (generic("unique", column_name="id"), "No value of id stands twice."),
        (generic("not_null", column_name="id"), "No row is without id."),
        (generic("accepted_values", column_name="x", values=["a", "b"]), "Every x is one of: a, b."),
        (
            generic("accepted_values", column_name="x", values="{{ var('weather_types') }}"),
            "Every x is one of: the weather_types of dbt_project.yml.",
        ),
        (
            generic("relationships", column_name="x_id", to="ref('dim_x')", field="id"),
            "Every x_id stands in dim_x as id.",
        ),
        (
            generic("well_formed", key=["a", "b"], complete=["c"]),
            "No two rows share the values of a, b. No row is without a, b, c.",
        ),
        ({**generic("unique", column_name="id"), "description": "Said in YAML."}, "Said in YAML."),
        ({"raw_code": "-- Sums add up,\n-- always.\nselect 1"}, "Sums add up, always."),
    ],
    ids=["unique", "not_null", "accepted", "accepted_variable", "relationships", "well_formed", "yaml", "comment"],
)
def test_a_dbt_test_says_what_it_holds(test: dict[str, Any], sentence: str) -> None:
    assert meaning_of_test(test) == sentence


def test_a_dbt_test_without_a_description_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"tests/a\.sql does not say what it holds"):
        meaning_of_test({"raw_code": "select 1", "original_file_path": "tests/a.sql"})
