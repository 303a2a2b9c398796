"""From counts to ranked offers: cross-sell and upsell pairs of every region as one table."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from globolatte_ml.affinity.pairs import FEWEST_CUSTOMERS, Affinity, Pairs, affinity
from globolatte_ml.data import columns
from globolatte_ml.data.money import Money

CHAIN = "chain"
CROSS_SELL, UPSELL = "cross_sell", "upsell"
EVERY_PAIR_UP_TO = 100_000
"""Of more possible pairs only those are evaluated that enough customers of the chain made: no other could be significant."""


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


class Counts:
    """What was counted in a region: its anchors with their orders, its companions, and the pairs that were made."""

    def __init__(self, counts: pa.Table, region: str) -> None:
        here = counts.filter(pc.equal(counts["region"], region))
        of_anchor, made = here.filter(pc.is_null(here["companion"])), here.filter(pc.is_valid(here["companion"]))
        self.anchors = columns.strings(of_anchor, "anchor")
        self.companions = np.unique(columns.strings(made, "companion"))
        self._orders = columns.integers(of_anchor, "orders")
        self._orders_squared = columns.integers(of_anchor, "orders_squared")
        self._made = {name: columns.integers(made, column) for name, column in COUNTED.items()}
        anchors = pa.array(self.anchors.tolist(), pa.string())
        self._anchor = columns.positions(made["anchor"], anchors)
        self._companion = np.searchsorted(self.companions, columns.strings(made, "companion"))
        cells = self._anchor * len(self.companions) + self._companion
        self._in_order = np.argsort(cells, kind="stable")
        self._cells = cells[self._in_order]

    def __len__(self) -> int:
        return len(self.anchors) * len(self.companions)

    def pairs(self, cells: np.ndarray, possible: int | None = None) -> Pairs:
        """The pairs at `cells` of the table of anchors x companions but those of a product with itself."""
        anchor, companion = np.divmod(cells, max(len(self.companions), 1))
        itself = self.anchors[anchor] == self.companions[companion]
        cells, anchor, companion = cells[~itself], anchor[~itself], companion[~itself]
        at = np.searchsorted(self._cells, cells).clip(max=max(len(self._cells) - 1, 0))
        is_made = self._cells[at] == cells if len(self._cells) else np.zeros(len(cells), dtype=bool)
        counted = {name: np.zeros(len(cells), dtype=np.int64) for name in COUNTED}
        for name, values in self._made.items():
            counted[name][is_made] = values[self._in_order[at[is_made]]]
        own = dict(zip(self.anchors.tolist(), self._orders.tolist(), strict=True))
        orders_of = self._orders.sum() - np.array([own.get(one, 0) for one in self.companions.tolist()], dtype=np.int64)
        both_of = np.bincount(self._companion, self._made["both"], minlength=len(self.companions))
        return Pairs(
            anchor=self.anchors[anchor],
            companion=self.companions[companion],
            orders=self._orders[anchor],
            orders_squared=self._orders_squared[anchor],
            others=orders_of[companion] - self._orders[anchor],
            others_both=both_of[companion] - counted["both"],
            possible=possible,
            **counted,
        )

    def made_by(self, customers: int) -> tuple[np.ndarray, np.ndarray]:
        """Anchors and companions of the pairs that so many customers made at least."""
        often = np.flatnonzero(self._made["customers"] >= customers)
        return self.anchors[self._anchor[often]], self.companions[self._companion[often]]

    def cells_of(self, anchors: np.ndarray, companions: np.ndarray) -> np.ndarray:
        """The cells of pairs, in their sequence; those of products that are not here are left out."""
        anchor = columns.positions(
            pa.array(anchors.tolist(), pa.string()), pa.array(self.anchors.tolist(), pa.string())
        )
        companion = columns.positions(
            pa.array(companions.tolist(), pa.string()), pa.array(self.companions.tolist(), pa.string())
        )
        known = (anchor >= 0) & (companion >= 0)
        return np.sort(anchor[known] * len(self.companions) + companion[known])


def pairs_of(counts: pa.Table, region: str) -> Pairs:
    """All pairs of a region: each anchor with each companion that was ever taken there, but itself."""
    here = Counts(counts, region)
    return here.pairs(np.arange(len(here)))


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
        of_chain = Counts(counts, CHAIN)
        often = of_chain.made_by(FEWEST_CUSTOMERS) if len(of_chain) > EVERY_PAIR_UP_TO else None
        chain, found = _evaluated(of_chain, often, {})
        tables.append(_rows(CHAIN, kind, chain, found, products, money, as_of))
        lift = dict(zip(zip(chain.anchor, chain.companion, strict=True), found.shrunken_lift, strict=True))
        for region in sorted(set(counts["region"].to_pylist()) - {CHAIN}):
            pairs, found = _evaluated(Counts(counts, region), often, lift)
            tables.append(_rows(region, kind, pairs, found, products, money, as_of))
    return pa.concat_tables(tables)


def _evaluated(
    here: Counts, often: tuple[np.ndarray, np.ndarray] | None, lift: Mapping[tuple[str, str], float]
) -> tuple[Pairs, Affinity]:
    """The pairs of a region, all or those made `often` in the chain, and their estimates, shrunk towards the chain's `lift`."""
    if often is None:
        pairs, sample = here.pairs(np.arange(len(here))), None
    else:
        pairs = here.pairs(
            here.cells_of(*often), possible=len(here) - int(np.isin(here.anchors, here.companions).sum())
        )
        drawn = np.random.default_rng(0).choice(len(here), min(len(here), EVERY_PAIR_UP_TO), replace=False)
        sample = here.pairs(np.sort(drawn))
    around = np.array([lift[pair] for pair in zip(pairs.anchor, pairs.companion, strict=True)]) if lift else None
    return pairs, affinity(pairs, around, sample)


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
    value, extra = np.full(len(pairs), np.nan), found.extra_rate()
    for at, (anchor, companion) in enumerate(zip(pairs.anchor.tolist(), pairs.companion.tolist(), strict=True)):
        one, other = products.get(anchor), products.get(companion)
        if one is None or other is None:
            continue
        dearer = prices[companion] - prices[anchor]
        if kind == CROSS_SELL:
            value[at] = extra[at] * prices[companion]
        elif one.category is not None and one.category == other.category and dearer > 0:
            value[at] = found.expected[at] * found.shrunken_lift[at] * dearer
    return value


def _rank(anchor: np.ndarray, value: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """The place from 1 of each pair that is worth something among those of its anchor, the most valuable first; 0 for the others."""
    rank = np.zeros(len(value), dtype=np.int32)
    rows = np.flatnonzero(worth)
    rows = rows[np.lexsort((-value[rows], anchor[rows]))]
    first = np.append(True, anchor[rows][1:] != anchor[rows][:-1])[: len(rows)]
    places = np.arange(len(rows))
    rank[rows] = 1 + places - np.maximum.accumulate(np.where(first, places, 0))
    return rank
