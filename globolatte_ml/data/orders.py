"""Orders to learn from: their contexts, their canonical sequence, their weights, and which of them are the holdout."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns
from globolatte_ml.data.states import CustomerStates

CONTEXT_COLUMNS = ("business_unit", "business_date", "weather", "daypart", "is_holiday")
HOLDOUT_FRACTION = 8
FLOOR_OF_WEIGHTS = 0.1
"""What the oldest order still counts: seasons come back."""
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Contexts:
    """n requests. Dates are business dates, dayparts local time of the business unit.

    Attributes:
        business_unit, weather, daypart: str, shape (n,).
        date: datetime64[D], shape (n,).
        is_holiday: bool, shape (n,).
    """

    business_unit: np.ndarray
    date: np.ndarray
    weather: np.ndarray
    daypart: np.ndarray
    is_holiday: np.ndarray

    def __len__(self) -> int:
        return len(self.date)

    @classmethod
    def from_table(cls, table: pa.Table) -> "Contexts":
        """The context columns of training examples."""
        return cls(
            business_unit=columns.strings(table, "business_unit"),
            date=columns.dates(table, "business_date"),
            weather=columns.strings(table, "weather"),
            daypart=columns.strings(table, "daypart"),
            is_holiday=columns.booleans(table, "is_holiday"),
        )

    def take(self, rows: np.ndarray) -> "Contexts":
        """The contexts at `rows` (positions or a boolean mask)."""
        return Contexts(
            self.business_unit[rows], self.date[rows], self.weather[rows], self.daypart[rows], self.is_holiday[rows]
        )


@dataclass(frozen=True)
class Orders:
    """n orders to learn from. chosen: (n,) positions of the main products in the sorted catalogue."""

    states: CustomerStates
    contexts: Contexts
    chosen: np.ndarray

    def __len__(self) -> int:
        return len(self.chosen)

    def take(self, rows: np.ndarray) -> "Orders":
        """The orders at `rows` (positions or a boolean mask)."""
        return Orders(self.states.take(rows), self.contexts.take(rows), self.chosen[rows])


def thinned(chosen: np.ndarray, most: int) -> np.ndarray:
    """Positions of every n-th order, about `most` of them, and of one order of each product: all where there are no more."""
    every = np.arange(0, len(chosen), max(1, -(-len(chosen) // most)))
    return np.union1d(every, np.unique(chosen, return_index=True)[1])


def canonical_order(states: CustomerStates, contexts: Contexts, chosen: np.ndarray) -> np.ndarray:
    """Positions that put n orders into one sequence, whatever sequence they came in: equal orders give equal numbers.

    By date, circumstances and history, of which the last product weighs most; orders that agree in all of these are the same to a model.
    """
    units, weathers, dayparts = (
        np.unique(words, return_inverse=True)[1]
        for words in (contexts.business_unit, contexts.weather, contexts.daypart)
    )
    date, first, last = (_days(of) for of in (contexts.date, states.first_order_date, states.last_order_date))
    rank = _ranks(states.order_count, chosen, dayparts, weathers, units, date)
    rank = states.bought.ranks(("addon_lines", "main_orders"), rank)
    rank = _ranks(first, last, states.line_count, *states.recent_products.T, *states.daypart_orders.T, rank)
    return np.argsort(states.bought.ranks(("decayed_main_30d",), rank), kind="stable")


def _days(dates: np.ndarray) -> np.ndarray:
    """Days since 1970, int64; NaT after all others, where sorting puts it."""
    return np.where(np.isnat(dates), np.iinfo(np.int64).max, dates.astype("datetime64[D]").astype(np.int64))


def _ranks(*keys: np.ndarray) -> np.ndarray:
    """The place of each row in the sequence of `np.lexsort(keys)`, equal for rows that agree in all keys."""
    order = np.lexsort(keys)
    other = np.any([np.append(True, key[order][1:] != key[order][:-1]) for key in keys], axis=0)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.flatnonzero(other)[np.cumsum(other) - 1]
    return rank


def recency_weights(dates: np.ndarray, half_life: float | None) -> np.ndarray | None:
    """What each order counts: 1 on the last date, halving its part above `FLOOR_OF_WEIGHTS` every `half_life` days.

    `dates` is datetime64[D] of shape (n,); so is the answer, float64. None for equal weights.
    """
    if half_life is None:
        return None
    age = (dates.max() - dates).astype(np.int64)
    weights: np.ndarray = FLOOR_OF_WEIGHTS + (1.0 - FLOOR_OF_WEIGHTS) * np.exp2(-age / half_life)
    return weights


def time_split(
    ordered_at: np.ndarray, fresh_from: np.datetime64 | None = None, business_dates: np.ndarray | None = None
) -> np.ndarray:
    """Which of n orders are holdout: bool of shape (n,).

    The holdout is the last eighth of the span from the first to the last order. From 8 days on it consists of whole
    business dates (at least one; where a unit's day ends after midnight, a sale of the small hours stands on the side of
    the evening before); below, the cut falls at a point of time. The first order is always training. When all orders have
    the same time (a single order, for instance) no holdout is possible and the mask is all False.

    Where a champion learned from orders before `fresh_from`, the holdout is the later half of the dates from then on, or the
    last eighth if that is shorter: the challenger learns from the earlier half what changed since, which it could not if the
    whole change were in the holdout, and neither model has seen the later half. How few orders are too few to evaluate by is
    not decided here (`promotion.Gates`).

    Args:
        ordered_at: datetime64 of any unit, shape (n,), local time of the business unit.
        fresh_from: the first date that the champion knows nothing of; none for a first model.
        business_dates: datetime64[D], shape (n,); none if they are the dates of `ordered_at`.
    """
    if len(ordered_at) == 0:
        return np.zeros(0, bool)
    dates = ordered_at.astype("datetime64[D]") if business_dates is None else business_dates
    days = int((dates.max() - dates.min()) / _DAY) + 1
    if days >= HOLDOUT_FRACTION:
        holdout: np.ndarray = dates > dates.max() - (days // HOLDOUT_FRACTION) * _DAY
        fresh = _later_half(dates, fresh_from)
        return holdout if fresh is None else holdout & fresh
    times = ordered_at.astype("datetime64[us]").astype(np.int64)
    elapsed = times - times.min()
    late: np.ndarray = elapsed * HOLDOUT_FRACTION > elapsed.max() * (HOLDOUT_FRACTION - 1)
    return late


def _later_half(dates: np.ndarray, fresh_from: np.datetime64 | None) -> np.ndarray | None:
    """The later half of the fresh dates, at least the last of them; none if nothing is fresh."""
    if fresh_from is None or fresh_from > dates.max():
        return None
    fresh_days = int((dates.max() - fresh_from.astype("datetime64[D]")) / _DAY) + 1
    later: np.ndarray = dates > dates.max() - max(1, fresh_days // 2) * _DAY
    return later
