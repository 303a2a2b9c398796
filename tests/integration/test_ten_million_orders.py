"""dbt over ten million orders: every data test passes on all of them, and a day more is followed without loss."""

from pathlib import Path

import duckdb
import pytest

from benchmarks.dbt_builds import ORDERS_OF_A_DAY, Chain

pytestmark = [pytest.mark.slow, pytest.mark.depth, pytest.mark.timeout(3600)]

ORDERS = 10_000_000


def counted(warehouse: Path) -> tuple[int, int, int]:
    """Orders, order lines, and lines that were loaded."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        orders, lines, loaded = (
            connection.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("marts.fct_orders", "marts.fct_order_lines", "sales_data.sales_transactions")
        )
    return orders, lines, loaded


def test_ten_million_orders_are_built_and_tested_and_so_is_the_day_after(tmp_path: Path) -> None:
    chain = Chain(tmp_path / "warehouse.duckdb", ORDERS)
    chain.fill()
    chain.build()  # fails with any of dbt's data tests
    orders, lines, loaded = counted(chain.warehouse)
    assert orders == ORDERS
    assert lines == loaded
    chain.one_more_day(0)
    chain.build()
    orders, lines, loaded = counted(chain.warehouse)
    assert orders == ORDERS + ORDERS_OF_A_DAY
    assert lines == loaded
