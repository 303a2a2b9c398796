"""From counts to ranked offers: cross-sell and upsell pairs of every region as one table."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from globolatte_ml.affinity.pairs import Affinity, Pairs, affinity
from globolatte_ml.data import columns
from globolatte_ml.data.money import Money

CHAIN = "chain"
CROSS_SELL, UPSELL = "cross_sell", "upsell"


@dataclass(frozen=True)
class Product:
    """What an offer needs to know of a product. `category` is None where the catalogue has none."""

    name: str
    category: str | None
    price: float
    currency: str | None = None


def products_from(catalogue: pa.Table) -> dict[str, Product]:
    """Products by id, from columns product_id, product_name, category, price, currency; those without a price are left out."""
    rows = catalogue.select(["product_id", "product_name", "category", "price", "currency"]).to_pylist()
    return {
        row["product_id"]: Product(row["product_name"], row["category"], float(row["price"]), row["currency"])
        for row in rows
        if row["price"] is not None
    }


ESTIMATES = ("design_effect", "rate", "shrunken_lift", "lift_low", "p_value", "q_value")
"""What the table has of an `Affinity` as it is."""
COUNTED = {
    "both": "pair_orders",
    "customers": "customers",
    "both_squared": "pair_orders_squared",
    "both_orders": "pair_orders_by_orders",
}
"""The arrays of `Pairs` that rows with a companion hold, and the columns they stand in (int_basket_pairs)."""


def pairs_of(counts: pa.Table, region: str) -> Pairs:
    """All pairs of a region: each anchor with each companion that was ever taken there, but itself."""
    here = counts.filter(pa.compute.equal(counts["region"], region))
    with_companion = here.filter(pa.compute.is_valid(here["companion"]))
    of_anchor = here.filter(pa.compute.is_null(here["companion"]))
    anchors, companions = columns.strings(of_anchor, "anchor"), np.unique(columns.strings(with_companion, "companion"))
    rows, taken = np.divmod(np.arange(len(anchors) * len(companions)), max(len(companions), 1))
    possible = anchors[rows] != companions[taken]
    rows, taken = rows[possible], taken[possible]
    place = {
        (anchor, companion): i
        for i, (anchor, companion) in enumerate(zip(anchors[rows], companions[taken], strict=True))
    }
    made = list(
        zip(columns.strings(with_companion, "anchor"), columns.strings(with_companion, "companion"), strict=True)
    )
    counted = {}
    for name, column in COUNTED.items():
        counted[name] = np.zeros(len(rows), dtype=np.int64)
        counted[name][[place[pair] for pair in made]] = columns.integers(with_companion, column)
    return Pairs(
        anchor=anchors[rows],
        companion=companions[taken],
        orders=columns.integers(of_anchor, "orders")[rows],
        orders_squared=columns.integers(of_anchor, "orders_squared")[rows],
        **counted,
    )


def prices_in(region: str, products: Mapping[str, Product], money: Money) -> dict[str, float]:
    """By product the price to compare in a region; NaN where there is none."""
    prices = {product: (one.price, one.currency) for product, one in products.items()}
    return money.comparable(prices, None if region == CHAIN else region)


def affinity_table(
    baskets: pa.Table,
    next_orders: pa.Table,
    products: Mapping[str, Product],
    as_of: dt.date,
    money: Money | None = None,
) -> pa.Table:
    """One row per region, kind and pair; `rank` counts an anchor's significant pairs by value, and is empty for all others.

    `baskets` and `next_orders` are counts as `pairs_of` reads them, with the region "chain" among the regions. Upsell pairs are
    those of one category whose companion costs more. A product whose price cannot be compared in a region is not offered there.
    """
    money = money or Money()
    tables = []
    for kind, counts in ((CROSS_SELL, baskets), (UPSELL, next_orders)):
        chain = pairs_of(counts, CHAIN)
        of_chain = affinity(chain)
        tables.append(_rows(CHAIN, kind, chain, of_chain, products, money, as_of))
        lift = dict(zip(zip(chain.anchor, chain.companion, strict=True), of_chain.shrunken_lift, strict=True))
        for region in sorted(set(counts["region"].to_pylist()) - {CHAIN}):
            pairs = pairs_of(counts, region)
            around = np.array([lift[pair] for pair in zip(pairs.anchor, pairs.companion, strict=True)])
            tables.append(_rows(region, kind, pairs, affinity(pairs, around), products, money, as_of))
    return pa.concat_tables(tables)


def _rows(
    region: str,
    kind: str,
    pairs: Pairs,
    found: Affinity,
    products: Mapping[str, Product],
    money: Money,
    as_of: dt.date,
) -> pa.Table:
    value = 100.0 * _value(kind, pairs, found, products, prices_in(region, products, money))
    offered = ~np.isnan(value)
    worth = offered & found.significant & (value > 0)
    rank = _rank(pairs.anchor, value, worth)
    table = pa.table(
        {
            "region": pa.repeat(region, len(pairs)),
            "kind": pa.repeat(kind, len(pairs)),
            "anchor_product_id": pa.array(pairs.anchor.tolist(), pa.string()),
            "product_id": pa.array(pairs.companion.tolist(), pa.string()),
            "orders": pairs.orders,
            "orders_with_both": pairs.both,
            "customers": pairs.customers,
            "expected_rate": found.expected,
            "lift": pa.array(found.lift, from_pandas=True),
            **{name: getattr(found, name) for name in ESTIMATES},
            "is_significant": found.significant,
            "value_per_100_offers": value,
            "rank": pa.array(np.where(worth, rank, 0), pa.int32(), mask=~worth),
            "as_of_date": pa.repeat(pa.scalar(as_of, pa.date32()), len(pairs)),
        }
    )
    return table.filter(pa.array(offered))


def _value(
    kind: str, pairs: Pairs, found: Affinity, products: Mapping[str, Product], prices: Mapping[str, float]
) -> np.ndarray:
    """What one offer brings at the anchor, in money: NaN for what is no offer of that kind."""
    value = np.full(len(pairs), np.nan)
    for at, (anchor, companion) in enumerate(zip(pairs.anchor.tolist(), pairs.companion.tolist(), strict=True)):
        one, other = products.get(anchor), products.get(companion)
        if one is None or other is None:
            continue
        dearer = prices[companion] - prices[anchor]
        if kind == CROSS_SELL:
            value[at] = found.extra_rate()[at] * prices[companion]
        elif one.category is not None and one.category == other.category and dearer > 0:
            value[at] = found.expected[at] * found.shrunken_lift[at] * dearer
    return value


def _rank(anchor: np.ndarray, value: np.ndarray, worth: np.ndarray) -> np.ndarray:
    rank = np.zeros(len(value), dtype=np.int32)
    for one in np.unique(anchor):
        rows = np.flatnonzero((anchor == one) & worth)
        rank[rows[np.argsort(-value[rows], kind="stable")]] = np.arange(1, len(rows) + 1)
    return rank
