"""Law 8 without loss: whatever is loaded, corrected, retracted or killed, following the changes gives what building anew gives.

Belongs here: comparisons of whole warehouses. What a full build must be is held by test_states_equal_a_naive_replay.py.
"""

import shutil

import duckdb
import pytest

from tests.table_comparison import Tables, assert_same, tables
from tests.unit.dbt.changing_chain import ChangingChain
from tests.unit.dbt.dbt_process import DbtProcess

RUN = ("run", "--quiet")
BUILT = ("intermediate", "marts", "features")
PARTIAL_BUILDS = (
    ("--select", "int_sales_days", "fct_order_lines"),
    ("--select", "fct_orders"),
    ("--select", "int_customer_state_history", "int_customer_sales"),
    ("--select", "int_customer_product_state_history"),
    ("--exclude", "fct_orders"),
    ("--select", "marts"),
)
"""What a person may build alone, and what a build that was killed may have built: dbt commits model by model."""


def built_anew(dbt: DbtProcess) -> Tables:
    """What a full refresh makes of the same raw tables; the warehouse is afterwards as it was before."""
    aside = dbt.warehouse.with_suffix(".aside")
    shutil.copy(dbt.warehouse, aside)
    dbt.run(*RUN, "--full-refresh")
    anew = tables(dbt.warehouse, BUILT)
    aside.replace(dbt.warehouse)
    return anew


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, pytest.param(6, marks=pytest.mark.depth)])
def test_any_sequence_of_changes_and_partial_builds(dbt: DbtProcess, steps: int) -> None:
    changing = ChangingChain(seed=1)
    dbt.warehouse.unlink(missing_ok=True)
    changing.write(dbt.warehouse)
    dbt.run(*RUN)
    for step in range(steps):
        for _ in range(changing.rng.choice([1, 3, 8])):
            changing.change()
        changing.write(dbt.warehouse)
        dbt.run(*RUN, *changing.rng.choice(PARTIAL_BUILDS))
        changing.change()
        changing.write(dbt.warehouse)
        dbt.run(*RUN)
        if step % 2:
            assert_same(tables(dbt.warehouse, BUILT), built_anew(dbt))


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["int_customer_state_history", pytest.param("fct_order_lines", marks=pytest.mark.depth)]
)
def test_a_build_that_was_killed_is_completed_by_the_next_one(dbt: DbtProcess, model: str) -> None:
    changing = ChangingChain(seed=3)
    dbt.warehouse.unlink(missing_ok=True)
    changing.write(dbt.warehouse)
    dbt.run(*RUN)
    for change in (changing.new_day, changing.correct, changing.retract, changing.declare_a_currency):
        change()
    changing.write(dbt.warehouse)
    dbt.kill_after(f"marts.{model}" if model.startswith("fct") else f"intermediate.{model}", "run", "--threads", "1")
    changing.retract()
    changing.write(dbt.warehouse)
    dbt.run(*RUN)
    assert_same(tables(dbt.warehouse, BUILT), built_anew(dbt))


def test_a_build_replaces_nothing_without_news_and_of_customers_nothing_before_a_new_day(dbt: DbtProcess) -> None:
    changing = ChangingChain(seed=4)
    dbt.warehouse.unlink(missing_ok=True)
    changing.write(dbt.warehouse)
    dbt.run(*RUN)
    before = tables(dbt.warehouse, BUILT)
    dbt.run(*RUN)
    assert_same(tables(dbt.warehouse, BUILT), before)
    with duckdb.connect(str(dbt.warehouse), read_only=True) as connection:
        assert connection.execute("select count(*) from build_state.day_changes").fetchall() == [(0,)]
        assert connection.execute("select count(*) from build_state.customer_changes").fetchall() == [(0,)]
        took_back = connection.execute("select count(distinct customer_id) from marts.fct_refunds").fetchall()[0][0]
    assert took_back > 20, "too few customers whose refunds of before could be followed once more"
    changing.new_day()
    changing.write(dbt.warehouse)
    dbt.run(*RUN)
    with duckdb.connect(str(dbt.warehouse), read_only=True) as connection:
        [(since,)] = connection.execute("select min(from_date) from build_state.customer_changes").fetchall()
    assert since == changing.last_day
