"""The asset `models/product_affinity`: what to offer with a product (cross-sell) or instead of it (upsell), by unit and chain."""

import datetime as dt
from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.keys import (
    BASKET_PAIRS,
    CATALOGUE,
    DAILY_SALES,
    DIM_BUSINESS_UNIT,
    EXCHANGE_RATES_IN_FORCE,
    NEXT_ORDER_PAIRS,
    OWNER_SCIENCE,
    PRODUCT_AFFINITY,
    WAREHOUSE_POOL,
)
from globolatte_assets.pictures import png
from globolatte_assets.tables import last_business_date, money_at, prices_not_compared
from globolatte_ml.affinity.plots import cross_sell_map
from globolatte_ml.affinity.table import CHAIN, CROSS_SELL, UPSELL, affinity_table, prices_in, products_from
from resources.warehouse.warehouse import Warehouse

AFFINITY_TABLE = "ml.product_affinity"
BASKETS, NEXT_ORDERS = "intermediate.int_basket_pairs", "intermediate.int_next_order_pairs"
PAIR = ("region", "anchor", "companion")
OFFERS_SHOWN = 12


def offers_in_words(table: pa.Table, kind: str, names: Mapping[str, str]) -> str:
    """The chain's best offers of a kind as a Markdown table, with the expected value of an offer at each anchor."""
    offers = [row for row in table.to_pylist() if row["region"] == CHAIN and row["kind"] == kind and row["rank"]]
    if not offers:
        return "No pair is significant yet."
    lines = [
        "| with | offer | orders | rate | elsewhere | lift (at least) | q | worth per 100 offers |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {names.get(row['anchor_product_id'], row['anchor_product_id'])} | **{names.get(row['product_id'], row['product_id'])}** "
        f"| {row['orders']:,} | {row['rate']:.1%} | {row['expected_rate']:.1%} | {row['shrunken_lift']:.2f} ({row['lift_low']:.2f}) "
        f"| {row['q_value']:.1g} | {row['value_per_100_offers']:.2f} |"
        for row in sorted(offers, key=lambda row: -row["value_per_100_offers"])[:OFFERS_SHOWN]
    ]
    return "\n".join(lines)


def regional_differences(table: pa.Table, names: Mapping[str, str]) -> str:
    """The first offer at each anchor by region, as Markdown, where regions differ."""
    first = [row for row in table.to_pylist() if row["rank"] == 1]
    regions = sorted({row["region"] for row in first})
    best = {(row["kind"], row["anchor_product_id"], row["region"]): row["product_id"] for row in first}
    lines = [f"| | with | {' | '.join(regions)} |", f"|---|---|{'---|' * len(regions)}"]
    for kind, anchor in sorted({key[:2] for key in best}):
        offers = [best.get((kind, anchor, region)) for region in regions]
        words = " | ".join("–" if offer is None else names.get(offer, offer) for offer in offers)
        lines.append(f"| {kind.replace('_', '-')} | {names.get(anchor, anchor)} | {words} |")
    return "\n".join(lines)


@dg.asset(
    key=PRODUCT_AFFINITY,
    deps=[BASKET_PAIRS, NEXT_ORDER_PAIRS, DAILY_SALES, CATALOGUE, DIM_BUSINESS_UNIT, EXCHANGE_RATES_IN_FORCE],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"python", "table"},
    retry_policy=RETRY_AFTER_A_FAULT,
    description="Pairs of products with significance and shrinkage, by unit and for the chain: add-ons to offer with a main product, "
    "and dearer products of its category to offer in its place, ranked by what an offer would bring.",
)
def product_affinity(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:
    """Count pairs, test them, and rank what to offer."""
    with warehouse.keep_open():
        products = products_from(warehouse.read("marts.dim_product"))
        baskets, next_orders = (warehouse.read(pairs, order_by=PAIR) for pairs in (BASKETS, NEXT_ORDERS))
        as_of = last_business_date(warehouse) or dt.date.min
        money = money_at(warehouse, as_of)
    names = {product_id: product.name for product_id, product in products.items()}
    table = affinity_table(baskets, next_orders, products, as_of, money)
    rows = warehouse.replace(AFFINITY_TABLE, table)
    regions = set(baskets["region"].to_pylist())
    prices = {region: prices_in(region, products, money) for region in regions}
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows,
            "significant_pairs": sum(table["is_significant"].to_pylist()),
            "cross_sell": dg.MetadataValue.md(offers_in_words(table, CROSS_SELL, names)),
            "upsell": dg.MetadataValue.md(offers_in_words(table, UPSELL, names)),
            "first_offers_by_region": dg.MetadataValue.md(regional_differences(table, names)),
            "what_goes_together": png(cross_sell_map, table, names),
            **prices_not_compared(prices, {id_: product.currency for id_, product in products.items()}, money),
        }
    )
