"""Reading a training snapshot: the exported orders that a model learns from and is evaluated on."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from globolatte_ml.data import columns
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.orders import CONTEXT_COLUMNS, Contexts, time_split
from globolatte_ml.data.states import CUSTOMER_LEVEL_COLUMNS, PRODUCT_LEVEL_COLUMNS, CustomerStates

SPLIT_FILE = "split.json"
"""Says from which date on the orders are new to the champion: `{"fresh_from": "2024-01-01"}`. A first snapshot has none."""

EXAMPLE_COLUMNS = (
    "order_key",
    "order_id",
    "customer_id",
    "ordered_at",
    "main_product_id",
    *CONTEXT_COLUMNS,
    *CUSTOMER_LEVEL_COLUMNS,
)


@dataclass(frozen=True)
class SnapshotOrders:
    """n orders in time order, each with its customer's state as of the order's business date.

    Attributes:
        products: the K ids of the catalogue and of everything ever chosen, sorted.
        y: main product ids, str, shape (n,). chosen: their positions in `products`, int64, shape (n,).
        order_keys, order_ids, customer_ids: str, shape (n,); only the key is unique.
        ordered_at: datetime64[us], shape (n,), local time of the business unit.
        fresh_from: the first date that the champion of the time of the export knows nothing of; None without a champion.
    """

    products: tuple[str, ...]
    states: CustomerStates
    contexts: Contexts
    y: np.ndarray
    order_keys: np.ndarray
    order_ids: np.ndarray
    customer_ids: np.ndarray
    ordered_at: np.ndarray
    fresh_from: np.datetime64 | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> "SnapshotOrders":
        """The orders at `rows` (positions or a boolean mask), over the same catalogue."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        arrays: dict[str, Any] = {name: of[rows] for name, of in vars(self).items() if isinstance(of, np.ndarray)}
        return replace(self, states=self.states.take(rows), contexts=self.contexts.take(rows), **arrays)

    @property
    def chosen(self) -> np.ndarray:
        """Positions of `y` in `products`."""
        return np.searchsorted(np.array(self.products), self.y)

    @property
    def holdout(self) -> np.ndarray:
        """Which orders no model of this snapshot learns from: bool of shape (n,)."""
        return time_split(self.ordered_at, self.fresh_from)


def read_snapshot(folder: Path) -> SnapshotOrders:
    """Read examples.parquet, example_products.parquet, products.parquet and, if there is one, split.json of `folder`.

    Raises:
        InvalidDataError: a file or column is missing, there are no orders, or an order lacks its product or time.
    """
    examples = columns.read_table(folder / "examples.parquet", EXAMPLE_COLUMNS)
    pairs = columns.read_table(folder / "example_products.parquet", ("order_key", "product_id", *PRODUCT_LEVEL_COLUMNS))
    catalogue = columns.read_table(folder / "products.parquet", ("product_id",))
    if examples.num_rows == 0:
        raise InvalidDataError(f"{folder / 'examples.parquet'}: no orders; load sales and export the snapshot again")
    for name in ("main_product_id", "ordered_at", "business_date"):
        if examples.column(name).null_count:
            raise InvalidDataError(f"{folder / 'examples.parquet'}: column {name!r} has empty values; export it again")
    y = columns.strings(examples, "main_product_id")
    products = tuple(sorted({*columns.strings(catalogue, "product_id").tolist(), *np.unique(y).tolist()}))
    return SnapshotOrders(
        products=products,
        states=CustomerStates.from_tables(examples, pairs, "order_key", products),
        contexts=Contexts.from_table(examples),
        y=y,
        order_keys=columns.strings(examples, "order_key"),
        order_ids=columns.strings(examples, "order_id"),
        customer_ids=columns.strings(examples, "customer_id"),
        ordered_at=columns.timestamps(examples, "ordered_at"),
        fresh_from=fresh_from(folder),
    )


def fresh_from(folder: Path) -> np.datetime64 | None:
    """The first date of a snapshot folder that is new to the champion; None if the folder does not say."""
    file = folder / SPLIT_FILE
    if not file.is_file():
        return None
    return np.datetime64(json.loads(file.read_text(encoding="utf-8"))["fresh_from"], "D")
