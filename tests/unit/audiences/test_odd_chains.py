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
