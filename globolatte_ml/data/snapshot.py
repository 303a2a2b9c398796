"""Reading a training snapshot: the exported orders that a model learns from and is evaluated on."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.orders import CONTEXT_COLUMNS, Contexts, time_split
from globolatte_ml.data.states import CUSTOMER_LEVEL_COLUMNS, PRODUCT_LEVEL_COLUMNS, CustomerStates

SPLIT_FILE = "split.json"
"""Says from which date on the orders are new to the champion: `{"fresh_from": "2024-01-01"}`. A first snapshot has none."""

REFUNDS_FILE = "example_refunds.parquet"
"""Which orders are no examples since their main product was refunded. A snapshot without any such order has none."""

LEARNED_COLUMNS = ("main_product_id", *CONTEXT_COLUMNS, *CUSTOMER_LEVEL_COLUMNS)
"""What a model learns from an order: what was bought, its circumstances, and its customer's state. Monitoring takes from here which
columns matter."""

EXAMPLE_COLUMNS = ("order_key", "order_id", "customer_id", "ordered_at", *LEARNED_COLUMNS)


@dataclass(frozen=True)
class PastOrders:
    """m orders as they are part of their customers' states, which know a refund from the day after on.

    Attributes:
        customer_ids, order_keys, dayparts: str; dates: datetime64[D]; ordered_at: datetime64[us]; chosen: positions in the catalogue of
            the main products as sold. All of shape (m,).
        refunded, refunded_on, left: r refunds of main products, by date: position of the order, datetime64[D], and the position in the
            catalogue of what then took the main product's place, or -1 if the order counts no more. Shape (r,).
    """

    customer_ids: np.ndarray
    order_keys: np.ndarray
    dayparts: np.ndarray
    dates: np.ndarray
    ordered_at: np.ndarray
    chosen: np.ndarray
    refunded: np.ndarray
    refunded_on: np.ndarray
    left: np.ndarray

    def __len__(self) -> int:
        return len(self.chosen)

    def take(self, rows: np.ndarray) -> "PastOrders":
        """The orders at `rows`, positions, with their refunds."""
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        theirs = place[self.refunded] >= 0
        return PastOrders(
            customer_ids=self.customer_ids[rows],
            order_keys=self.order_keys[rows],
            dayparts=self.dayparts[rows],
            dates=self.dates[rows],
            ordered_at=self.ordered_at[rows],
            chosen=self.chosen[rows],
            refunded=place[self.refunded[theirs]],
            refunded_on=self.refunded_on[theirs],
            left=self.left[theirs],
        )

    def chosen_before(self, date: np.datetime64) -> np.ndarray:
        """The main products as they are known on `date`, shape (m,): -1 for an order that counts no more."""
        known, earlier = self.chosen.copy(), self.refunded_on < date
        for order, left in zip(self.refunded[earlier].tolist(), self.left[earlier].tolist(), strict=True):
            known[order] = left
        return known


@dataclass(frozen=True)
class SnapshotOrders:
    """n orders in time order, each with its customer's state as of the order's business date.

    Attributes:
        products: the K ids of the catalogue and of everything ever chosen, sorted.
        y: main product ids, str, shape (n,). chosen: their positions in `products`, int64, shape (n,).
        order_keys, order_ids, customer_ids: str, shape (n,); only the key is unique.
        ordered_at: datetime64[us], shape (n,), local time of the business unit.
        fresh_from: the first date that the champion of the time of the export knows nothing of; None without a champion.
        taken_back: the orders of the snapshot that are no examples, since their main product was refunded; None without any.
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
    taken_back: PastOrders | None = None

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
    def past(self) -> PastOrders:
        """The examples and, after them, what was taken back: all that the states are made of."""
        none = np.empty(0, dtype=np.int64)
        examples = PastOrders(
            self.customer_ids, self.order_keys, self.contexts.daypart, self.contexts.date, self.ordered_at, self.chosen,
            none, none.astype("datetime64[D]"), none,
        )  # fmt: skip
        back = self.taken_back
        if back is None:
            return examples
        joined = {name: np.concatenate((of, getattr(back, name))) for name, of in vars(examples).items()}
        return PastOrders(**joined | {"refunded": back.refunded + len(examples)})

    @property
    def holdout(self) -> np.ndarray:
        """Which orders no model of this snapshot learns from: bool of shape (n,)."""
        return time_split(self.ordered_at, self.fresh_from, self.contexts.date)


def read_snapshot(folder: Path) -> SnapshotOrders:
    """Read examples.parquet, example_products.parquet, products.parquet and, if there are any, the refunds and split.json of `folder`.

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
    refunds = _refunds(folder)
    seen = {*np.unique(y).tolist(), *columns.strings(refunds, "main_product_id").tolist()} - {""}
    products = tuple(sorted({*columns.strings(catalogue, "product_id").tolist(), *seen}))
    orders = SnapshotOrders(
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
    return _without_refunded(orders, refunds) if refunds.num_rows else orders


def _refunds(folder: Path) -> pa.Table:
    """order_key, refunded_on, main_product_id, by date; empty if the folder has none."""
    file, names = folder / REFUNDS_FILE, ("order_key", "refunded_on", "main_product_id")
    if not file.is_file():
        return pa.table({name: pa.array([], pa.string()) for name in names})
    return columns.read_table(file, names).sort_by([("refunded_on", "ascending"), ("order_key", "ascending")])


def _without_refunded(orders: SnapshotOrders, refunds: pa.Table) -> SnapshotOrders:
    """The orders whose main product was kept, the others as `taken_back`."""
    keys, left = columns.strings(refunds, "order_key"), columns.strings(refunds, "main_product_id")
    is_refunded = np.isin(orders.order_keys, keys)
    back = orders.take(is_refunded).past
    in_order = np.argsort(back.order_keys, kind="stable")
    place = in_order[np.searchsorted(back.order_keys, keys, sorter=in_order).clip(max=len(back) - 1)]
    here = back.order_keys[place] == keys
    taken_back = replace(
        back,
        refunded=place[here],
        refunded_on=columns.dates(refunds, "refunded_on")[here],
        left=np.where(left == "", -1, np.searchsorted(np.array(orders.products), left))[here],
    )
    return replace(orders.take(~is_refunded), taken_back=taken_back)


def fresh_from(folder: Path) -> np.datetime64 | None:
    """The first date of a snapshot folder that is new to the champion; None if the folder does not say."""
    file = folder / SPLIT_FILE
    if not file.is_file():
        return None
    return np.datetime64(json.loads(file.read_text(encoding="utf-8"))["fresh_from"], "D")
