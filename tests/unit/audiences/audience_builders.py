"""A warehouse with what dbt would have built of a small chain, for the assets that read it. Not here: what a test expects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import warehouse_in
from tests.dbt_views import make_view
from tests.unit.ml.ml_builders import Chain, chain, write_state

PRICE = 3.5


def small_chain(**changes: Any) -> Chain:
    """Sixty customers of strong tastes with some twenty orders each."""
    return chain(**{"n_orders": 1200, "n_customers": 60, "n_products": 4, "strength": 2.5, **changes})


def stocked_warehouse(
    folder: Path, sold: Chain, opted_out: tuple[str, ...] = (), currencies: Mapping[str, str] | None = None
) -> DuckDBWarehouse:
    """The tables and views of dbt that segments, affinities and campaigns read. Without exchange rates; `currencies` by unit."""
    states = write_state(sold, folder / "state")
    warehouse = warehouse_in(folder)
    marts = {
        "fct_orders": _orders(sold),
        "fct_order_lines": _lines(sold),
        "dim_product": _products(sold),
        "dim_customer": _customers(sold, opted_out),
        "dim_business_unit": [
            {"business_unit_id": unit, "currency": (currencies or {}).get(unit)}
            for unit in sorted({order.business_unit for order in sold.orders})
        ],
    }
    with warehouse.transaction() as transaction:
        for name, rows in marts.items():
            transaction.stage(f"staged_{name}", _without_null_type(pa.Table.from_pylist(rows)))
        for schema in ("marts", "features"):
            transaction.execute(f"create schema if not exists {schema}")
        for table in ("customer_state", "customer_product_state"):
            file = str(states / f"{table}.parquet")
            transaction.execute(f"create table features.feat_{table} as select * from read_parquet('{file}')")
        file = str(states / "monthly_weather.parquet")
        transaction.execute(f"create table marts.mart_monthly_weather as select * from read_parquet('{file}')")
        for name in marts:
            transaction.execute(f"create table marts.{name} as select * from staged_{name}")
        transaction.execute(
            "create table marts.mart_customer_rfm as "
            "select customer_id, sum(total_price) as total_price from marts.fct_orders group by customer_id"
        )
        transaction.execute("create schema intermediate")
        transaction.execute(
            "create table intermediate.int_daily_sales as select business_unit, business_date, count(main_product_id) as main_orders "
            "from marts.fct_orders group by business_unit, business_date"
        )
        transaction.execute(
            "create table intermediate.int_exchange_rates (currency varchar, rate double, valid_from date, valid_before date)"
        )
    for view in ("int_basket_pairs", "int_next_order_pairs"):
        make_view(warehouse, view)
    return warehouse


def _without_null_type(table: pa.Table) -> pa.Table:
    """Columns without any value as texts."""
    fields = [pa.field(one.name, pa.string() if pa.types.is_null(one.type) else one.type) for one in table.schema]
    return table.cast(pa.schema(fields))


def materialize(asset: dg.AssetsDefinition, config: dict[str, Any] | None = None, **resources: Any) -> dict[str, Any]:
    """Materializes one asset in this process; its metadata as plain values."""
    name = asset.op.name
    run_config = {"ops": {name: {"config": config}}} if config is not None else None
    result = dg.materialize([asset], resources=resources, run_config=run_config)
    [event] = result.asset_materializations_for_node(name)
    return {key: value.value for key, value in event.metadata.items()}


def _orders(sold: Chain) -> list[dict[str, Any]]:
    return [
        {
            "order_key": order.key,
            "order_id": order.order_id,
            "customer_id": order.customer_id,
            "business_unit": order.business_unit,
            "business_date": order.date,
            "ordered_at": order.ordered_at,
            "main_product_id": order.product_id,
            "total_price": PRICE * (1 + len(order.addons)),
        }
        for order in sold.orders
    ]


def _lines(sold: Chain) -> list[dict[str, Any]]:
    return [
        {
            "order_key": order.key,
            "customer_id": order.customer_id,
            "business_unit": order.business_unit,
            "business_date": order.date,
            "line_number": number,
            "booking": "sold",
            "product_id": product,
            "quantity": 1,
            "total_price": PRICE,
        }
        for order in sold.orders
        for number, product in enumerate((order.product_id, *order.addons), start=1)
    ]


def _products(sold: Chain) -> list[dict[str, Any]]:
    return [
        {
            "product_id": product,
            "product_name": f"Drink {product}",
            "category": "Coffee",
            "price": 3.0 + number,
            "currency": None,
            "is_in_reference": True,
        }
        for number, product in enumerate(sold.products)
    ]


def _customers(sold: Chain, opted_out: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"customer_id": customer, "marketing_opt_out": customer in opted_out}
        for customer in sorted({order.customer_id for order in sold.orders})
    ]
