"""Segments and affinities of chains at the edge: they come out small, not broken."""

from pathlib import Path
from typing import Any

import pytest

from globolatte_assets.models.product_affinity import product_affinity
from globolatte_assets.models.segments import segments
from resources.clock import Clock
from tests.builders import fetch
from tests.unit.audiences.audience_builders import materialize, small_chain, stocked_warehouse


@pytest.mark.parametrize(
    "shape",
    [{"n_orders": 1}, {"n_orders": 40, "days": 1}, {"n_orders": 120, "n_products": 1}],
    ids=["one order", "a single day", "one product"],
)
def test_every_customer_has_a_segment_and_every_table_is_written(tmp_path: Path, shape: dict[str, Any]) -> None:
    sold = small_chain(**shape)
    warehouse = stocked_warehouse(tmp_path, sold)
    with warehouse.keep_open():
        made = materialize(segments, warehouse=warehouse, clock=Clock())
        assert made["dagster/row_count"] == len({order.customer_id for order in sold.orders})
        pairs = materialize(product_affinity, warehouse=warehouse)
        assert fetch(warehouse, "select count(*) from ml.product_affinity") == [(pairs["dagster/row_count"],)]


def test_amounts_and_prices_that_cannot_be_compared_are_left_out_and_said(tmp_path: Path) -> None:
    sold = small_chain(n_orders=400)
    warehouse = stocked_warehouse(tmp_path, sold)
    with warehouse.keep_open():
        with warehouse.transaction() as transaction:
            transaction.execute("update marts.mart_customer_rfm set total_price = null where customer_id like '%1'")
            transaction.execute(
                "update marts.dim_product set currency = case when product_id = ? then 'MXN' else 'USD' end",
                [sold.products[-1]],
            )
            transaction.execute("insert into intermediate.int_exchange_rates values ('USD', 1, '2000-01-01', null)")
        made = materialize(segments, warehouse=warehouse, clock=Clock())
        assert "customers paid cannot be said in one currency" in made["amounts_not_compared"]
        assert "| – |" in made["segments"]
        assert fetch(warehouse, "select count(share_of_sales) from ml.segment_profiles") == [(0,)]
        pairs = materialize(product_affinity, warehouse=warehouse)
        assert f"chain: {sold.products[-1]}; " in pairs["prices_not_compared"]
        assert pairs["prices_not_compared"].endswith("; name the rates of MXN in reference/exchange_rates.csv")
        offered = f"select count(*) from ml.product_affinity where product_id = '{sold.products[-1]}'"
        assert fetch(warehouse, offered) == [(0,)]
        with warehouse.transaction() as transaction:
            transaction.execute("update marts.dim_product set currency = null where currency = 'MXN'")
        said = materialize(product_affinity, warehouse=warehouse)["prices_not_compared"]
        assert said.endswith(f"; name the currency of {sold.products[-1]} in reference/products.csv")
        upsells = "select count(*) from ml.product_affinity where kind = 'upsell' and region = 'chain'"
        assert fetch(warehouse, upsells) == [(3,)]
