"""Law 8 without blindness: a daily build tests what was touched since a test last passed, and no fault gets lost by that.

Belongs here: which rows data tests look at. Does not belong here: what each test holds.
"""

from pathlib import Path

import duckdb
import pytest

from tests.unit.dbt.changing_chain import ChangingChain
from tests.unit.dbt.dbt_process import DbtProcess

DAILY = ("build", "--quiet", "--exclude-resource-type", "unit_test")
UP_TO_ORDERS = (*DAILY, "--select", "+fct_orders", "--indirect-selection", "cautious")
ALL_ROWS = ("build", "--quiet", "--resource-type", "test", "--full-refresh")
WEATHER = "accepted_values_fct_orders_weather___var_weather_types_"
COVERED_BY_CHANGES = {
    "unique_fct_order_lines_order_line_key": "insert into marts.fct_order_lines from marts.fct_order_lines",
    "assert_orders_add_up_to_their_lines": "update marts.fct_orders set quantity = quantity + 1",
    "assert_loaded_lines_match_the_ledger": "delete from marts.fct_order_lines",
    "assert_ledger_counts_add_up": "delete from sales_data.quarantine",
    "assert_marts_add_up_to_raw": "update intermediate.int_daily_sales set total_price = total_price + 0.01",
    "assert_customer_states_add_up": "update intermediate.int_customer_sales set main_orders = main_orders + 1",
    "assert_histories_go_on_from_day_to_day": "update intermediate.int_customer_state_history set order_count = order_count + 1",
    "assert_training_examples_know_only_the_past": "update intermediate.int_customer_state_history set last_order_date = valid_to",
    "assert_decayed_counts_are_within_bounds":
    "update intermediate.int_customer_product_state_history set decayed_main_30d = 2 * main_orders + 1",
    "int_customer_product_state_history_is_well_formed":
    "update intermediate.int_customer_product_state_history set addon_lines = null",
    "feat_customer_state_is_well_formed": "insert into marts.dim_customer from marts.dim_customer",
    "mart_customer_preferences_is_well_formed": "insert into marts.mart_customer_preferences from marts.mart_customer_preferences",
    "int_customer_sales_is_well_formed": "insert into intermediate.int_customer_sales from intermediate.int_customer_sales",
    "feat_training_examples_is_well_formed": "insert into marts.fct_orders from marts.fct_orders",
    "relationships_fct_orders_customer_id__customer_id__ref_dim_customer_": "delete from marts.dim_customer",
}  # fmt: skip
"""Tests that look at changes only, and what makes each fail."""


def execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(statement).fetchall()


def built(dbt: DbtProcess, seed: int, *selected: str) -> ChangingChain:
    changing = ChangingChain(seed)
    dbt.warehouse.unlink(missing_ok=True)
    changing.write(dbt.warehouse)
    dbt.run(*(selected or DAILY))
    return changing


def test_a_fault_stays_found_until_it_is_mended(dbt: DbtProcess) -> None:
    changing = built(dbt, 5, *UP_TO_ORDERS)
    changing.new_day()
    day = changing.chain.load_ledger[-1]
    for row in changing.chain.sales_transactions:
        if row["load_id"] == day["load_id"]:
            row["weather"] = "Hail"
    changing.write(dbt.warehouse)
    assert dbt.failures(*UP_TO_ORDERS) == {WEATHER}
    changing.new_day()
    changing.write(dbt.warehouse)
    assert dbt.failures(*UP_TO_ORDERS) == {WEATHER}, "the day of the fault was not touched again"
    changing._take_out(day, "retracted")
    changing.write(dbt.warehouse)
    dbt.run(*UP_TO_ORDERS)
    assert execute(dbt.warehouse, "select * from build_state.day_changes") != []
    dbt.run(*UP_TO_ORDERS)
    assert execute(dbt.warehouse, "select * from build_state.day_changes") == []


def test_old_rows_are_looked_at_again_by_a_full_refresh_and_after_one(dbt: DbtProcess) -> None:
    built(dbt, 6)
    execute(dbt.warehouse, "update marts.fct_orders set weather = 'Hail' where business_date < '2022-02-01'")
    assert dbt.failures("test", "--quiet", "--select", "fct_orders") == set()
    assert dbt.failures(*ALL_ROWS, "--select", "fct_orders") == {WEATHER}
    dbt.run("run", "--quiet", "--full-refresh", "--select", "fct_orders")
    execute(dbt.warehouse, "update marts.fct_orders set weather = 'Hail' where business_date < '2022-02-01'")
    assert dbt.failures("test", "--quiet", "--select", "fct_orders") == {WEATHER}


@pytest.mark.slow
def test_every_test_of_changes_fails_on_a_fault_among_them(dbt: DbtProcess) -> None:
    """Each with what only it has to notice, in the rows that one new day has touched."""
    changing = built(dbt, 7)
    changing.new_day()
    changing.write(dbt.warehouse)
    dbt.run("run", "--quiet")
    sound = dbt.warehouse.read_bytes()
    unnoticed = {}
    for test, fault in COVERED_BY_CHANGES.items():
        dbt.warehouse.write_bytes(sound)
        execute(dbt.warehouse, fault)
        failed = dbt.failures("test", "--quiet", "--select", test)
        if failed != {test}:
            unnoticed[test] = failed
    assert unnoticed == {}
