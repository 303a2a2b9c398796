"""What is known about each customer: `CustomerStates`, the arrays of the state columns that dbt produces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns
from globolatte_ml.data.product_rows import AMOUNTS, ProductRows
from globolatte_ml.data.vocabulary import DAYPARTS

DAYPART_COLUMNS = tuple(f"{daypart}_orders" for daypart in DAYPARTS)
RECENT_COLUMNS = ("recent_product_1", "recent_product_2", "recent_product_3")
CUSTOMER_LEVEL_COLUMNS = (
    "order_count",
    "line_count",
    "first_order_date",
    "last_order_date",
    *DAYPART_COLUMNS,
    *RECENT_COLUMNS,
)
HALF_LIVES = {"decayed_main_30d": 30.0, "decayed_main_120d": 120.0}
"""Days, of the decayed sums that dbt makes."""
PRODUCT_LEVEL_COLUMNS = AMOUNTS
_NEVER = np.datetime64("NaT")
_NOTHING: dict[str, object] = {"first_order_date": _NEVER, "last_order_date": _NEVER, "recent_products": -1}


@dataclass(frozen=True)
class CustomerStates:
    """The state of n customers (or of n orders' customers at the time of the order) over a catalogue of K products.

    Memory and time of all here grow with n and with the products that were bought, not with n x K; only the properties that are tables
    (n, K) do, which are made anew at each call, for small catalogues and few rows.

    Attributes:
        products: the K product ids, the order of every last axis below.
        order_count, line_count: int64, shape (n,).
        first_order_date, last_order_date: datetime64[D], shape (n,); NaT without orders.
        daypart_orders: int64, shape (n, 4), in the order of `vocabulary.DAYPARTS`.
        recent_products: int64, shape (n, 3): positions in `products`, most recent first; -1 for none.
        bought: what was bought, by product: n sparse rows with the amounts
            main_orders, addon_lines: how many orders with the product as the main one, how many lines beside it;
            decayed_main_30d, decayed_main_120d: main orders weighted by 2^(-age / half-life), age in days before `last_order_date`.
    """

    products: tuple[str, ...]
    order_count: np.ndarray
    line_count: np.ndarray
    first_order_date: np.ndarray
    last_order_date: np.ndarray
    daypart_orders: np.ndarray
    recent_products: np.ndarray
    bought: ProductRows

    def __len__(self) -> int:
        return len(self.order_count)

    @property
    def main_orders(self) -> np.ndarray:
        """float64, shape (n, K)."""
        return self.table("main_orders")

    @property
    def addon_lines(self) -> np.ndarray:
        """float64, shape (n, K)."""
        return self.table("addon_lines")

    @property
    def decayed_main_30d(self) -> np.ndarray:
        """float64, shape (n, K)."""
        return self.table("decayed_main_30d")

    @property
    def decayed_main_120d(self) -> np.ndarray:
        """float64, shape (n, K)."""
        return self.table("decayed_main_120d")

    def table(self, name: str) -> np.ndarray:
        """An amount of `bought`, float64 of shape (n, K)."""
        return self.bought.dense(name, len(self.products))

    @classmethod
    def from_tables(
        cls,
        customer_level: pa.Table,
        product_level: pa.Table | Iterable[pa.Table],
        key: Literal["customer_id", "order_key"],
        products: Sequence[str],
    ) -> "CustomerStates":
        """One row per row of `customer_level`, in its order; pairs of unknown products or keys are left out.

        `product_level` may come in pieces, of which one at a time is held.
        """
        catalogue, keys = pa.array(list(products), pa.string()), customer_level.column(key)
        pieces = [product_level] if isinstance(product_level, pa.Table) else product_level
        pairs = [_pairs(piece, key, keys, catalogue) for piece in pieces]
        row, product, *amounts = (np.concatenate(parts) for parts in zip(_no_pairs(), *pairs, strict=True))
        recent = [columns.positions(customer_level.column(name), catalogue) for name in RECENT_COLUMNS]
        dayparts = [columns.integers(customer_level, name) for name in DAYPART_COLUMNS]
        return cls(
            products=tuple(products),
            order_count=columns.integers(customer_level, "order_count"),
            line_count=columns.integers(customer_level, "line_count"),
            first_order_date=columns.dates(customer_level, "first_order_date"),
            last_order_date=columns.dates(customer_level, "last_order_date"),
            daypart_orders=np.stack(dayparts, axis=1),
            recent_products=np.stack(recent, axis=1),
            bought=ProductRows.of_pairs(
                customer_level.num_rows, row, product, dict(zip(AMOUNTS, amounts, strict=True))
            ),
        )

    @classmethod
    def empty(cls, n: int, products: Sequence[str]) -> "CustomerStates":
        """The states of n customers about whom nothing is known."""
        return cls(
            products=tuple(products),
            order_count=np.zeros(n, np.int64),
            line_count=np.zeros(n, np.int64),
            first_order_date=np.full(n, "NaT", "datetime64[D]"),
            last_order_date=np.full(n, "NaT", "datetime64[D]"),
            daypart_orders=np.zeros((n, len(DAYPARTS)), np.int64),
            recent_products=np.full((n, len(RECENT_COLUMNS)), -1, np.int64),
            bought=ProductRows.empty(n),
        )

    @classmethod
    def one_after_the_other(cls, many: Sequence["CustomerStates"]) -> "CustomerStates":
        """The states of all, which have one catalogue, in one piece."""
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(states, name) for states in many]) for name in many[0]._arrays()
        }
        bought = ProductRows.one_after_the_other([states.bought for states in many])
        return replace(many[0], bought=bought, **joined)

    def with_tables(self, **amounts: np.ndarray) -> "CustomerStates":
        """The same with other amounts: tables (n, K) by name of the amount; the amounts not named stay."""
        return replace(
            self, bought=self.bought.with_amounts_of(ProductRows.of_dense(len(self), **amounts), list(amounts))
        )

    def take(self, rows: np.ndarray) -> "CustomerStates":
        """The states at `rows` (positions or a boolean mask); a position of -1 gives the empty state."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        nobody = rows < 0
        if len(self) == 0 and nobody.any():
            return CustomerStates.empty(len(rows), self.products)
        taken: dict[str, Any] = {name: values[rows] for name, values in self._arrays().items()}
        if nobody.any():
            for name, values in taken.items():
                values[nobody] = _NOTHING.get(name, 0)
        return replace(self, bought=self.bought.take(rows), **taken)

    def for_products(self, products: Sequence[str]) -> "CustomerStates":
        """The same states over another catalogue: products it lacks are dropped, new ones have no history."""
        if tuple(products) == self.products:
            return self
        target = {product: position for position, product in enumerate(products)}
        moved = np.array([target.get(product, -1) for product in self.products] + [-1], dtype=np.int64)
        return replace(
            self,
            products=tuple(products),
            recent_products=moved[self.recent_products],
            bought=self.bought.moved(moved),
        )

    def _arrays(self) -> dict[str, np.ndarray]:
        """What is known beside what was bought, by name, n rows each."""
        return {name: values for name, values in vars(self).items() if isinstance(values, np.ndarray)}


def _pairs(piece: pa.Table, key: str, keys: pa.ChunkedArray, catalogue: pa.Array) -> tuple[np.ndarray, ...]:
    """Row, product and the amounts of the pairs of a piece of the product level."""
    row, product = columns.positions(piece.column(key), keys), columns.positions(piece.column("product_id"), catalogue)
    known = (row >= 0) & (product >= 0)
    amounts = (columns.floats(piece, name)[known] for name in AMOUNTS)
    return row[known], product[known].astype(np.int32), *amounts


def _no_pairs() -> tuple[np.ndarray, ...]:
    return np.empty(0, np.int64), np.empty(0, np.int32), *(np.empty(0) for _ in AMOUNTS)
