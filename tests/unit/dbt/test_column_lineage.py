"""Where a column comes from is read from compiled SQL, through CTEs, to the tables of other models and sources."""

from typing import Any

import dagster as dg

from globolatte_assets.features.column_lineage import as_dagster, lineage_of

SQL = """
with sales as (select * from "memory"."staging"."sales"),
totals as (select order_key, sum(quantity * price) as total_price, count(*) as line_count from sales group by order_key)
select order_key, total_price, line_count, 'chain' as scope from totals
"""


def node(kind: str, name: str, columns: list[str], **more: Any) -> dict[str, Any]:
    return {
        "unique_id": f"{kind}.{name}",
        "resource_type": kind,
        "database": "memory",
        "schema": "staging",
        "name": name,
        "columns": {column: {"name": column} for column in columns},
        **more,
    }


MANIFEST = {
    "sources": {"source.sales": node("source", "sales", ["order_key", "quantity", "price"])},
    "nodes": {
        "model.orders": node("model", "orders", ["order_key", "total_price", "line_count", "scope"], compiled_code=SQL)
    },
}


def test_every_column_knows_the_columns_it_is_made_from() -> None:
    assert lineage_of(MANIFEST) == {
        "model.orders": {
            "order_key": [("source.sales", "order_key")],
            "total_price": [("source.sales", "price"), ("source.sales", "quantity")],
            "line_count": [],
            "scope": [],
        }
    }


def test_lineage_is_given_to_dagster_by_asset_key() -> None:
    key = dg.AssetKey(["raw", "sales"])
    lineage = as_dagster(lineage_of(MANIFEST), {"source.sales": key})
    assert lineage["model.orders"].deps_by_column["order_key"] == [
        dg.TableColumnDep(asset_key=key, column_name="order_key")
    ]
