"""The orders that the benchmark builds are such as a load would have left: counted in the ledger, with ids of their own."""

from pathlib import Path

import duckdb

from benchmarks.dbt_builds import DAYS, ORDERS_OF_A_DAY, Build, Chain, day_rows

UNBALANCED = """
select ledger.load_id
from sales_data.load_ledger as ledger
full outer join (select load_id, count(*) as lines from sales_data.sales_transactions group by load_id) as sales
    on ledger.load_id = sales.load_id
where ledger.rows_loaded is distinct from sales.lines
"""
COUNTS = "select count(*), count(distinct transaction_id), count(distinct order_id), max(business_date) from sales_data.sales_transactions"


def test_the_benchmark_s_chain_is_in_balance(tmp_path: Path) -> None:
    chain = Chain(tmp_path / "warehouse.duckdb", orders=3000)
    chain.fill()
    chain.one_more_day(0)
    with duckdb.connect(str(chain.warehouse)) as connection:
        assert connection.execute(UNBALANCED).fetchall() == []
        lines, ids, orders, last = connection.execute(COUNTS).fetchone()
        days = connection.execute("select count(distinct business_date) from sales_data.load_ledger").fetchone()
    assert lines == ids > orders == 3000 + ORDERS_OF_A_DAY
    assert days == (DAYS + 1,)
    assert str(last) == "2024-01-01"


def test_what_is_covered_is_listed_and_what_grows_is_over_the_limit() -> None:
    large = Build(9.0, {"model.globolatte.fct_orders": 2.0, "test.globolatte.unique_x.1": 1.0, "operation.hook": 1.0})
    small = Build(3.0, {"model.globolatte.fct_orders": 2.0, "test.globolatte.unique_x.1": 0.5, "operation.hook": 1.5})
    rows = {row.name: row for row in day_rows([(large, small), (small, small)], "a day")}
    assert list(rows) == [
        "dbt build, a day",
        "all 1 models, 1 tests and the hooks, one after the other, a day",
        "- 1 tests",
        "- fct_orders",
    ]
    assert all(row.within_limit for row in rows.values())
    grown = next(day_rows([(large, small)], "a day"))
    assert (grown.ratio, grown.within_limit) == (3.0, False)
