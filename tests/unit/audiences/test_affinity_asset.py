"""The asset `models/product_affinity`: what SQL counts is what a naive walk through the orders counts."""

from collections import Counter
from pathlib import Path

from globolatte_assets.models.product_affinity import BASKETS, NEXT_ORDERS, product_affinity
from tests.builders import fetch
from tests.unit.audiences.audience_builders import materialize, small_chain, stocked_warehouse


def test_pairs_are_counted_and_stored(tmp_path: Path) -> None:
    sold = small_chain(n_orders=400)
    warehouse = stocked_warehouse(tmp_path, sold)
    baskets, anchors, following = Counter(), Counter(), Counter()
    last: dict[str, str] = {}
    by_customer: Counter = Counter()
    for order in sold.orders:
        anchors[order.product_id] += 1
        for companion in set(order.addons) - {order.product_id}:
            baskets[order.product_id, companion] += 1
            by_customer[order.product_id, companion, order.customer_id] += 1
        before = last.get(order.customer_id)
        if before is not None and before != order.product_id:
            following[before, order.product_id] += 1
        last[order.customer_id] = order.product_id

    with warehouse.keep_open():
        chain = [row for row in warehouse.read(BASKETS).to_pylist() if row["region"] == "chain"]
        assert {row["anchor"]: row["orders"] for row in chain if row["companion"] is None} == anchors
        counted = {(row["anchor"], row["companion"]): row for row in chain if row["companion"] is not None}
        assert {pair: row["pair_orders"] for pair, row in counted.items()} == baskets
        squares: Counter = Counter()
        for (anchor, companion, _), hits in by_customer.items():
            squares[anchor, companion] += hits**2
        assert {pair: row["pair_orders_squared"] for pair, row in counted.items()} == squares
        regional = [row for row in warehouse.read(BASKETS).to_pylist() if row["region"] != "chain" and row["companion"]]
        assert sum(row["pair_orders"] for row in regional) == baskets.total()

        ordered = [
            row for row in warehouse.read(NEXT_ORDERS).to_pylist() if row["region"] == "chain" and row["companion"]
        ]
        assert {(row["anchor"], row["companion"]): row["pair_orders"] for row in ordered} == following

        metadata = materialize(product_affinity, warehouse=warehouse)
        assert fetch(warehouse, "select count(*) from ml.product_affinity") == [(metadata["dagster/row_count"],)]
        assert fetch(
            warehouse, "select count(*) from ml.product_affinity where kind = 'upsell' and region = 'chain'"
        ) == [(6,)]
