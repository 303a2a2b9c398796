"""What is known about each customer: `CustomerStates`, the arrays of the state columns that dbt produces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns
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
PRODUCT_LEVEL_COLUMNS = ("main_orders", "addon_lines", *HALF_LIVES)
_NEVER = np.datetime64("NaT")
_NOTHING: dict[str, object] = {"first_order_date": _NEVER, "last_order_date": _NEVER, "recent_products": -1}


@dataclass(frozen=True)
class CustomerStates:
    """The state of n customers (or of n orders' customers at the time of the order) over a catalogue of K products.

    Attributes:
        products: the K product ids, the order of every last axis below.
        order_count, line_count: int64, shape (n,).
        first_order_date, last_order_date: datetime64[D], shape (n,); NaT without orders.
        daypart_orders: int64, shape (n, 4), in the order of `vocabulary.DAYPARTS`.
        recent_products: int64, shape (n, 3): positions in `products`, most recent first; -1 for none.
        main_orders, addon_lines: float64, shape (n, K).
        decayed_main_30d, decayed_main_120d: float64, shape (n, K): orders weighted by 2^(-age / half-life), age in days
            before `last_order_date`.
    """

    products: tuple[str, ...]
    order_count: np.ndarray
    line_count: np.ndarray
    first_order_date: np.ndarray
    last_order_date: np.ndarray
    daypart_orders: np.ndarray
    recent_products: np.ndarray
    main_orders: np.ndarray
    addon_lines: np.ndarray
    decayed_main_30d: np.ndarray
    decayed_main_120d: np.ndarray

    def __len__(self) -> int:
        return len(self.order_count)

    @classmethod
    def from_tables(
        cls,
        customer_level: pa.Table,
        product_level: pa.Table,
        key: Literal["customer_id", "order_key"],
        products: Sequence[str],
    ) -> "CustomerStates":
        """One row per row of `customer_level`, in its order; pairs of unknown products or keys are left out."""
        catalogue = pa.array(list(products), pa.string())
        n, k = customer_level.num_rows, len(products)
        row = columns.positions(product_level.column(key), customer_level.column(key))
        product = columns.positions(product_level.column("product_id"), catalogue)
        known = (row >= 0) & (product >= 0)
        per_product = {}
        for name in PRODUCT_LEVEL_COLUMNS:
            per_product[name] = np.zeros((n, k))
            per_product[name][row[known], product[known]] = columns.floats(product_level, name)[known]
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
            **per_product,
        )

    @classmethod
    def empty(cls, n: int, products: Sequence[str]) -> "CustomerStates":
        """The states of n customers about whom nothing is known."""
        k = len(products)
        return cls(
            products=tuple(products),
            order_count=np.zeros(n, np.int64),
            line_count=np.zeros(n, np.int64),
            first_order_date=np.full(n, "NaT", "datetime64[D]"),
            last_order_date=np.full(n, "NaT", "datetime64[D]"),
            daypart_orders=np.zeros((n, len(DAYPARTS)), np.int64),
            recent_products=np.full((n, len(RECENT_COLUMNS)), -1, np.int64),
            **{name: np.zeros((n, k)) for name in PRODUCT_LEVEL_COLUMNS},
        )

    def take(self, rows: np.ndarray) -> "CustomerStates":
        """The states at `rows` (positions or a boolean mask); a position of -1 gives the empty state."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        nobody = rows < 0
        if len(self) == 0 and nobody.any():
            return CustomerStates.empty(len(rows), self.products)
        taken: dict[str, Any] = {name: values[rows] for name, values in vars(self).items() if name != "products"}
        if nobody.any():
            for name, values in taken.items():
                values[nobody] = _NOTHING.get(name, 0)
        return replace(self, **taken)

    def for_products(self, products: Sequence[str]) -> "CustomerStates":
        """The same states over another catalogue: products it lacks are dropped, new ones have no history."""
        if tuple(products) == self.products:
            return self
        source = {product: position for position, product in enumerate(self.products)}
        origin = np.array([source.get(product, -1) for product in products], dtype=np.int64)
        target = {product: position for position, product in enumerate(products)}
        moved = np.array([target.get(product, -1) for product in self.products] + [-1], dtype=np.int64)
        per_product = {}
        for name in PRODUCT_LEVEL_COLUMNS:
            padded = np.hstack([getattr(self, name), np.zeros((len(self), 1))])
            per_product[name] = padded[:, origin]
        return replace(self, products=tuple(products), recent_products=moved[self.recent_products], **per_product)
