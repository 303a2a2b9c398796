"""The orders that are compared: their columns, alike for a window and for the champion's snapshot; and which orders of the snapshot a
window is compared with."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from globolatte_ml.data.vocabulary import UNKNOWN_WEATHER
from globolatte_ml.monitoring.accepted import AcceptedChange
from globolatte_ml.monitoring.drift_columns import ColumnPolicy, Reference
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
    """One row per example, in its order, with every column that `policies.POLICIES` names. A weather that nobody told is none.

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
        weather=orders["weather"].where(orders["weather"] != UNKNOWN_WEATHER, None),
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

    def rows(self, reference: Reference) -> pd.DataFrame:
        """The rows that a column of this policy is compared with."""
        return self.seasonal if reference is Reference.SEASON else self.recent


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


@dataclass(frozen=True)
class NewNormal:
    """How a column is compared after its change was accepted: which orders with which.

    Attributes:
        now: orders of the window. normal: orders before the window that they are compared with; none if those are the usual ones, `kept`.
        kept: the units whose orders are compared as usual, where not all have changed.
    """

    now: pd.DataFrame
    normal: pd.DataFrame | None
    kept: frozenset[str]
    note: str


def new_normal(
    policy: ColumnPolicy, window: Window, orders: pd.DataFrame, before: pd.DataFrame, accepted: Sequence[AcceptedChange]
) -> NewNormal | None:
    """How a column of a window is compared, or none if nothing about it was accepted.

    A unit whose change was accepted is left to its own windows: the chain's are compared without it, on both sides. Where every unit of
    the window has changed, its orders since then are compared with the ones since then that came before the window.

    Args:
        before: all orders before the window, of the snapshot and since, in time order.
    """
    changes = [one for one in accepted if one.column == policy.column and one.concerns(window.scope, window.last)]
    if not changes:
        return None
    units = frozenset(orders["business_unit"].unique())
    since = {unit: max(dates) for unit in units if (dates := _dates(changes, unit))}
    said = f"accepted as the new normal since {max(one.since for one in changes)}"
    if kept := units - since.keys():
        without = ", ".join(sorted(since)) or "others"
        return NewNormal(orders[orders["business_unit"].isin(kept)], None, kept, f"without {without}: {said}")
    return NewNormal(_since(orders, since), _since(before, since), frozenset(), said)


def _dates(changes: Iterable[AcceptedChange], unit: str) -> list[dt.date]:
    return [one.since for one in changes if one.unit in (None, unit)]


def _since(orders: pd.DataFrame, since: dict[str, dt.date]) -> pd.DataFrame:
    """The orders of the units of `since`, each from its date on."""
    first = pd.to_datetime(orders["business_unit"].map(since))
    return orders[orders["business_date"] >= first]


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
