"""The project on the smallest raw tables it can meet, and its alarms on broken ones. Each costs seconds, so a new kind needs a reason."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random

import pytest
import yaml

from tests.unit.dbt.built_warehouse import BuiltWarehouse
from tests.unit.dbt.random_chain import Chain, add_file, business_unit, customer, product

WITHOUT_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
MODELS = Path(__file__).parents[3] / "dbt_project" / "models"
COLUMNS = "select table_schema || '.' || table_name as model, column_name, lower(data_type) as type from information_schema.columns"
TABLES = "select table_schema || '.' || table_name as name from information_schema.tables"

NO_MODELS = {"sales_data", "ml", "serving", "monitoring", "lineage", "build_state"}
"""Schemas whose tables Python owns, and that in which builds note what they have done."""


def one_sale(units: tuple[str, ...]) -> Chain:
    """One product, one customer, one day: every unit sells one piece under the same order id."""
    chain = Chain(
        business_units=[business_unit(unit, unit) for unit in units],
        products=[product("P001")],
        customers=[customer("C0001", Random(1))],
    )
    for unit in units:
        add_file(chain, unit, date(2024, 2, 29), [("C0001", ["P001"])], Random(15))
    return chain


@pytest.fixture(scope="module")
def empty(build_warehouse: Callable[..., BuiltWarehouse]) -> BuiltWarehouse:
    """A chain to which nothing was delivered yet."""
    return build_warehouse(Chain(), *WITHOUT_UNIT_TESTS)


def declared_columns() -> dict[str, dict[str, str]]:
    """Of each model with its schema, the columns and types that its YAML declares."""
    files = [file for file in MODELS.glob("*/*.yml") if file.with_suffix(".sql").exists()]
    models = {file: yaml.safe_load(file.read_text())["models"][0] for file in files}
    return {
        f"{file.parent.name}.{model['name']}": {
            column["name"]: column["data_type"].replace(" ", "") for column in model["columns"]
        }
        for file, model in models.items()
    }


def test_every_column_is_declared_with_its_type(empty: BuiltWarehouse) -> None:
    rows = empty.read(COLUMNS).itertuples()
    real: dict[str, dict[str, str]] = {}
    for row in rows:
        real.setdefault(row.model, {})[row.column_name] = row.type
    of_dbt = {model: columns for model, columns in real.items() if model.split(".")[0] not in NO_MODELS}
    assert declared_columns() == of_dbt


def test_empty_raw_tables_build(empty: BuiltWarehouse) -> None:
    warehouse = empty
    assert warehouse.failed == set()
    names = [name for name in warehouse.read(TABLES).name if name.split(".")[0] not in NO_MODELS]
    counts = {name: warehouse.read(f"select count(*) as rows from {name}").rows[0] for name in names}
    assert {"features.feat_customer_state", "marts.mart_monthly_weather", "staging.stg_quarantine"} <= counts.keys()
    assert set(counts.values()) == {0}


def test_one_day_with_one_product_in_two_units_builds(build_warehouse: Callable[..., BuiltWarehouse]) -> None:
    warehouse = build_warehouse(one_sale(("BU_MX", "BU_US")), *WITHOUT_UNIT_TESTS)
    assert warehouse.failed == set()
    orders = warehouse.read("select order_key from marts.fct_orders order by order_key")
    assert list(orders.order_key) == ["BU_MX|2024-02-29|O1", "BU_US|2024-02-29|O1"]
    examples = warehouse.read("select order_count, season from features.feat_training_examples")
    assert list(examples.itertuples(index=False, name=None)) == [(0, "winter")] * 2
    state = warehouse.read("select order_count, recent_product_1, recent_product_3 from features.feat_customer_state")
    assert list(state.itertuples(index=False, name=None)) == [(2, "P001", None)]
    products = warehouse.read("select * exclude (addon_lines) from features.feat_customer_product_state")
    assert list(products.itertuples(index=False, name=None)) == [("C0001", "P001", 2, 2.0, 2.0)]
    assert warehouse.read("select * from features.feat_training_example_products").empty


def test_broken_references_and_counts_raise_alarms(build_warehouse: Callable[..., BuiltWarehouse]) -> None:
    chain = one_sale(("BU_MX", "BU_US"))
    chain.business_units.pop()
    chain.sales_transactions[0]["weather"] = "Hail"
    chain.products.append(product("P001"))
    chain.load_ledger[0]["rows_loaded"] += 1
    warehouse = build_warehouse(chain, *WITHOUT_UNIT_TESTS)
    assert {
        "assert_ledger_counts_add_up",
        "accepted_values_fct_orders_weather___var_weather_types_",
        "relationships_int_sales_days_business_unit__business_unit_id__ref_dim_business_unit_",
        "unique_dim_product_product_id",
    } <= warehouse.failed


def test_broken_conservation_raises_an_alarm_and_stops_nothing(build_warehouse: Callable[..., BuiltWarehouse]) -> None:
    chain = one_sale(("BU_MX", "BU_US"))
    for column in ("rows_loaded", "rows_in_file"):
        chain.load_ledger[0][column] += 1
    warehouse = build_warehouse(chain, *WITHOUT_UNIT_TESTS)
    assert "assert_loaded_lines_match_the_ledger" in warehouse.failed
    assert "features.feat_customer_state" in set(warehouse.read(TABLES).name)
