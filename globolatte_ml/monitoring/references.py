"""The orders of the champion's snapshot that a window is compared with.

Belongs here: the choice of reference rows. Does not belong here: the comparison.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from globolatte_ml.monitoring.windows import CHAIN, Window

MARGINS_IN_DAYS = (15, 45)
"""How far a reference may reach beyond the window's days of the year: first the near ones, then about a season."""
FEWEST_ORDERS = 300
MOST_ORDERS = 20_000
"""More reference orders cost time and tell nothing new; of longer snapshots every k-th order is taken."""
RECENT_ORDERS = 1_000
YEAR = 365.25


@dataclass(frozen=True)
class ReferenceOrders:
    """Rows of the snapshot: of the window's time of year, the last ones, and those that were new when the champion learned.

    `description` says which rows `seasonal` holds; `is_comparable` is false when they are of another time of year.
    """

    seasonal: pd.DataFrame
    recent: pd.DataFrame
    fresh: pd.DataFrame
    description: str
    is_comparable: bool


def reference_orders(snapshot: pd.DataFrame, window: Window, fresh_from: dt.date | None = None) -> ReferenceOrders:
    """The snapshot's orders of the window's scope and time of year (any year), and its last `RECENT_ORDERS`.

    With fewer than `FEWEST_ORDERS` of them within 15 days of the window's days of the year, those within 45 days are taken; with
    fewer still, all orders of the scope: a champion that never saw such a season is then rightly told to have drifted.

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
            return ReferenceOrders(_thinned(near), recent, fresh, f"same time of year, {margin} days around", True)
    return ReferenceOrders(
        _thinned(scope), recent, fresh, "the whole snapshot: it holds too little of this season", False
    )


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
