"""Purchases of any origin as a training snapshot would hold them: with each customer's state as of the order, without warehouse and dbt."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.product_rows import ProductRows
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS, encode, one_hot

EPOCH = np.datetime64("2020-01-01")
NOTHING = -1


@dataclass(frozen=True)
class Purchases:
    """n orders in time order, of K products and their customers.

    Attributes:
        products: the K ids, sorted.
        customers: ids, str, shape (n,).
        mains: positions of the main products in `products`, shape (n,).
        contexts: of the n orders.
        ordered_at: datetime64, shape (n,).
        pieces: how many pieces an order has, shape (n,).
        addon_order, addon_product: of each line beside the main one its order's position and its product's, shape (m,).
    """

    products: tuple[str, ...]
    customers: np.ndarray
    mains: np.ndarray
    contexts: Contexts
    ordered_at: np.ndarray
    pieces: np.ndarray
    addon_order: np.ndarray
    addon_product: np.ndarray

    def __len__(self) -> int:
        return len(self.mains)

    @property
    def addons(self) -> np.ndarray:
        """How many lines beside the main one each order has of each product, float64, shape (n, K)."""
        counts = np.zeros((len(self), len(self.products)))
        np.add.at(counts, (self.addon_order, self.addon_product), 1.0)
        return counts

    @property
    def baskets(self) -> csr_matrix:
        """Which products each order contains, 0 or 1, shape (n, K)."""
        order = np.concatenate((np.arange(len(self)), self.addon_order))
        product = np.concatenate((self.mains, self.addon_product))
        lines = csr_matrix((np.ones(len(order)), (order, product)), shape=(len(self), len(self.products)))
        return lines.sign()

    def snapshot(self) -> SnapshotOrders:
        """The orders with their customers' states."""
        numbers = np.arange(1, len(self) + 1).astype(str)
        return SnapshotOrders(
            products=self.products,
            states=self._states(),
            contexts=self.contexts,
            y=np.array(self.products)[self.mains],
            order_keys=numbers,
            order_ids=numbers,
            customer_ids=self.customers,
            ordered_at=self.ordered_at.astype("datetime64[us]"),
        )

    def _states(self) -> CustomerStates:
        dates = self.contexts.date
        past = _Past(self.customers, dates)
        bought = one_hot(self.mains, len(self.products))
        last = past.value_of_order(dates, back=1)
        dayparts = one_hot(encode(self.contexts.daypart, DAYPARTS), len(DAYPARTS))
        return CustomerStates(
            products=self.products,
            order_count=past.count,
            line_count=past.total(self.pieces[:, None]).astype(np.int64)[:, 0],
            first_order_date=past.value_of_first(dates),
            last_order_date=last,
            daypart_orders=past.total(dayparts).astype(np.int64),
            recent_products=np.stack([past.value_of_order(self.mains, back, NOTHING) for back in (1, 2, 3)], axis=1),
            bought=ProductRows.of_dense(
                len(self),
                main_orders=past.total(bought),
                addon_lines=past.total(self.addons),
                decayed_main_30d=_decayed(past, bought, dates, last, 30.0),
                decayed_main_120d=_decayed(past, bought, dates, last, 120.0),
            ),
        )


def _decayed(past: "_Past", bought: np.ndarray, dates: np.ndarray, last: np.ndarray, half_life: float) -> np.ndarray:
    growth = np.exp2((dates - EPOCH).astype(np.float64) / half_life)
    seen = np.exp2(-(np.where(np.isnat(last), EPOCH, last) - EPOCH).astype(np.float64) / half_life)
    decayed: np.ndarray = past.total(bought * growth[:, None]) * seen[:, None]
    return decayed


class _Past:
    """For each of n orders in time order the same customer's orders of earlier dates."""

    def __init__(self, customer: np.ndarray, dates: np.ndarray) -> None:
        self._customer = customer
        self._first_of_date = pd.Series(range(len(dates))).groupby([customer, dates]).transform("min").to_numpy()
        self.count = self._by_customer(dates).cumcount().to_numpy()[self._first_of_date]

    def _by_customer(self, values: np.ndarray) -> Any:
        return pd.DataFrame(values).groupby(self._customer)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums of `values` (n, m) over the past; each customer's are added up alone, for decayed values grow fast."""
        sums = self._by_customer(values).cumsum().to_numpy()
        before: np.ndarray = self._by_customer(sums).shift(fill_value=0).to_numpy()
        return before[self._first_of_date]

    def value_of_order(self, values: np.ndarray, back: int, nothing: object = np.datetime64("NaT")) -> np.ndarray:
        """`values` (n,) of the last (back = 1), second last, … order of the past, `nothing` without one."""
        earlier: np.ndarray = self._by_customer(values).shift(back, fill_value=nothing)[0].to_numpy()
        return earlier[self._first_of_date].astype(values.dtype)

    def value_of_first(self, values: np.ndarray) -> np.ndarray:
        """`values` (n,) of the first order of the past, NaT without one."""
        found = self._by_customer(values).transform("first")[0].to_numpy()
        return np.where(self.count > 0, found, np.datetime64("NaT")).astype(values.dtype)
