"""The orders that are compared: their columns, alike for a window and for the champion's snapshot; and which orders of the snapshot a
window is compared with."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from globolatte_ml.monitoring.windows import CHAIN, Window

EXAMPLE_COLUMNS = (
    "order_key",
    "business_unit",
    "business_date",
    "main_product_id",
    "weather",
    "daypart",
    "order_count",
    "last_order_date",
)
FACT_COLUMNS = ("order_key", "payment_method", "line_count")
LARGEST_BASKET = 5
MARGINS_IN_DAYS = (15, 45)
"""How far a reference may reach beyond the window's days of the year: first the near ones, then about a season."""
FEWEST_ORDERS = 300
MOST_ORDERS = 20_000
"""More reference orders cost time and add no information; of longer snapshots every k-th order is taken."""
RECENT_ORDERS = 1_000
YEAR = 365.25


def order_columns(examples: pa.Table, facts: pa.Table) -> pd.DataFrame:
    """One row per example, in its order, with every column that `policies.POLICIES` names.

    Args:
        examples: rows of training examples with `EXAMPLE_COLUMNS`.
        facts: means of payment and number of lines per order, `FACT_COLUMNS`; orders that are missing get nulls.
    """
    orders = examples.select(list(EXAMPLE_COLUMNS)).to_pandas(date_as_object=False)
    known = facts.select(list(FACT_COLUMNS)).to_pandas()
    orders = orders.merge(known, on="order_key", how="left", validate="one_to_one")
    dates, last = pd.to_datetime(orders["business_date"]), pd.to_datetime(orders["last_order_date"])
    size = orders["line_count"].clip(upper=LARGEST_BASKET)
    basket = size.map(lambda lines: None if pd.isna(lines) else str(int(lines)))
    new = orders["order_count"].fillna(0) == 0
    return orders.drop(columns=["order_count", "last_order_date", "line_count"]).assign(
        business_date=dates,
        basket_size=basket,
        is_new_customer=new.map({True: "new", False: "known"}),
        days_since_last_order=(dates - last).dt.days.astype("float64"),
    )


@dataclass(frozen=True)
class ReferenceOrders:
    """Rows of the snapshot: of the window's time of year, the last ones, and those that were new when the champion learned.

    `description` says which rows `seasonal` holds.
    """

    seasonal: pd.DataFrame
    recent: pd.DataFrame
    fresh: pd.DataFrame
    description: str


def reference_orders(snapshot: pd.DataFrame, window: Window, fresh_from: dt.date | None = None) -> ReferenceOrders:
    """The snapshot's orders of the window's scope and time of year (any year), and its last `RECENT_ORDERS`.

    With fewer than `FEWEST_ORDERS` of them within 15 days of the window's days of the year, those within 45 days are taken; with
    fewer still, all orders of the scope: for a champion that never saw such a season, drift is then rightly reported.

    Args:
        snapshot: orders in time order, with columns business_unit and business_date (datetime64).
        fresh_from: from which date on the orders were new when the champion learned; none for a first champion.
    """
    scope = snapshot if window.scope == CHAIN else snapshot[snapshot["business_unit"] == window.scope]
    recent = scope.tail(RECENT_ORDERS)
    fresh = scope[scope["business_date"] >= pd.Timestamp(fresh_from)] if fresh_from else scope.iloc[:0]
    for margin in MARGINS_IN_DAYS:
        near = scope[_within(scope["business_date"], window, margin)]
        if len(near) >= FEWEST_ORDERS:
            return ReferenceOrders(_thinned(near), recent, fresh, f"same time of year, {margin} days around")
    return ReferenceOrders(_thinned(scope), recent, fresh, "the whole snapshot: it holds too little of this season")


def _within(dates: pd.Series, window: Window, margin: int) -> np.ndarray:
    """Whether each date's day of the year lies in the window, widened by `margin` days on both sides; cyclic."""
    first = np.datetime64(window.first, "D")
    length = (np.datetime64(window.last, "D") - first).astype(int)
    days = dates.to_numpy().astype("datetime64[D]")
    offset = np.mod((days - first).astype(np.int64) + margin, YEAR)
    return np.asarray(offset <= length + 2 * margin)


def _thinned(orders: pd.DataFrame) -> pd.DataFrame:
    step = -(-len(orders) // MOST_ORDERS) if len(orders) else 1
    return orders.iloc[::step]
