"""States and contexts as plain numbers: words become positions, dates become days, months and ages.

Belongs here: everything that numbers alone cannot say, done once. What follows (`features.py`, `taste_inputs.py`, `taste.py`) is
arithmetic on an `Encoded`, the same in numpy and as an ONNX graph (`onnx_graph.py`).
Does not belong here: features.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from globolatte_ml.contexts import Contexts
from globolatte_ml.states import CustomerStates
from globolatte_ml.vocabulary import DAYPARTS, SEASONS, Vocabulary, encode, months, one_hot, season_codes

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Encoded:
    """n orders over K products.

    Attributes:
        unit, weather, daypart: int64, (n,): positions in the vocabulary, -1 for a word never seen. month: 0..11. season: 0..3.
        is_holiday, trend: float64, (n,); the trend runs from 0 to 1 over the training span and stays there outside.
        age: float64, (n,): days since the customer's last order, 0 without one.
        past_trend: float64, (n,): mean trend of the first and the last order. past_seasons: (n, 4), see `season_mix`.
        order_count, line_count: float64, (n,). daypart_orders: (n, 4). recent: int64, (n, 3), -1 for none.
        mains, addons, mains_30d, mains_120d: float64, (n, K); the last two as of the last order.
    """

    unit: np.ndarray
    weather: np.ndarray
    daypart: np.ndarray
    month: np.ndarray
    season: np.ndarray
    is_holiday: np.ndarray
    trend: np.ndarray
    age: np.ndarray
    past_trend: np.ndarray
    past_seasons: np.ndarray
    order_count: np.ndarray
    line_count: np.ndarray
    daypart_orders: np.ndarray
    recent: np.ndarray
    mains: np.ndarray
    addons: np.ndarray
    mains_30d: np.ndarray
    mains_120d: np.ndarray

    def __len__(self) -> int:
        return len(self.unit)

    def take(self, rows: np.ndarray | slice) -> Encoded:
        """The orders at `rows`."""
        return Encoded(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class EncodedStates:
    """The part of `Encoded` that a state gives whatever is asked of it, with the last order's date; arrays of n customers."""

    last_order_date: np.ndarray
    past_trend: np.ndarray
    past_seasons: np.ndarray
    order_count: np.ndarray
    line_count: np.ndarray
    daypart_orders: np.ndarray
    recent: np.ndarray
    mains: np.ndarray
    addons: np.ndarray
    mains_30d: np.ndarray
    mains_120d: np.ndarray

    def take(self, rows: np.ndarray) -> EncodedStates:
        """The customers at `rows`; -1 is the last one, which a caller may make a stranger."""
        return EncodedStates(*[getattr(self, name)[rows] for name in STATE_FIELDS])


STATE_FIELDS = tuple(field.name for field in fields(EncodedStates))
_KEPT_FIELDS = STATE_FIELDS[1:]


def trend(dates: np.ndarray, first_date: np.datetime64, last_date: np.datetime64) -> np.ndarray:
    """0 on the first day of a span, 1 on the last, constant outside; 0 for no date."""
    days = (np.where(np.isnat(dates), first_date, dates) - first_date).astype("timedelta64[D]").astype(np.float64)
    moved: np.ndarray = (days / max(int((last_date - first_date) / _DAY), 1)).clip(0.0, 1.0)
    return moved


def encoded_states(
    states: CustomerStates, vocabulary: Vocabulary, first_date: np.datetime64, last_date: np.datetime64
) -> EncodedStates:
    """States as numbers; they may come from any catalogue. The dates are those of the training span."""
    states = states.for_products(vocabulary.products)
    orders = states.order_count.astype(np.float64)
    first, last = states.first_order_date, states.last_order_date
    return EncodedStates(
        last_order_date=last,
        past_trend=(trend(first, first_date, last_date) + trend(last, first_date, last_date)) / 2,
        past_seasons=season_mix(first, last, orders),
        order_count=orders,
        line_count=states.line_count.astype(np.float64),
        daypart_orders=states.daypart_orders.astype(np.float64),
        recent=states.recent_products,
        mains=states.main_orders,
        addons=states.addon_lines,
        mains_30d=states.decayed_main_30d,
        mains_120d=states.decayed_main_120d,
    )


def encoded(
    states: EncodedStates,
    contexts: Contexts,
    vocabulary: Vocabulary,
    first_date: np.datetime64,
    last_date: np.datetime64,
) -> Encoded:
    """n states and n contexts as numbers. The dates are those of the training span."""
    age = (contexts.date - states.last_order_date).astype("timedelta64[D]").astype(np.float64)  # NaN without an order
    month, season, passed = _calendar(contexts.date, first_date, last_date)
    return Encoded(
        unit=encode(contexts.business_unit, vocabulary.business_units),
        weather=encode(contexts.weather, vocabulary.weathers),
        daypart=encode(contexts.daypart, DAYPARTS),
        month=month,
        season=season,
        is_holiday=contexts.is_holiday.astype(np.float64),
        trend=passed,
        age=np.fmax(age, 0.0),
        **{name: getattr(states, name) for name in _KEPT_FIELDS},
    )


def _calendar(
    dates: np.ndarray, first_date: np.datetime64, last_date: np.datetime64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Month 0..11, season 0..3 and trend of each date."""
    if len(dates) == 1:
        return _calendar_of_a_day(dates[0], first_date, last_date)
    month = months(dates) - 1
    return month, (month + 1) % 12 // 3, trend(dates, first_date, last_date)


@lru_cache(maxsize=366)
def _calendar_of_a_day(
    date: np.datetime64, first_date: np.datetime64, last_date: np.datetime64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kept, for whoever asks for one customer after another asks about the same few days."""
    month = months(np.array([date])) - 1
    found = month, (month + 1) % 12 // 3, trend(np.array([date]), first_date, last_date)
    for column in found:
        column.setflags(write=False)
    return found


def season_mix(first: np.ndarray, last: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Expected shares of seasons among a customer's orders, (n, 4): rows sum to 1, or are 0 without orders.

    first, last: datetime64[D], (n,), NaT without orders. The first and the last order have their own season, the others the
    mixture of the days from first to last.
    """
    known = ~np.isnat(first)
    if not known.any():
        return np.zeros((len(orders), len(SEASONS)))
    epoch = first[known].min()
    days = epoch + np.arange(int((last[known].max() - epoch) / np.timedelta64(1, "D")) + 1)
    by_day = one_hot(season_codes(days), len(SEASONS))
    passed = np.vstack([np.zeros(len(SEASONS)), np.cumsum(by_day, axis=0)])
    start, stop = (np.where(known, (dates - epoch).astype(np.int64), 0) for dates in (first, last))
    between = (passed[stop + 1] - passed[start]) / (stop - start + 1)[:, None]
    count = orders[:, None]
    mixed = (by_day[start] + by_day[stop] + (count - 2) * between) / count.clip(min=1)
    return np.where(known[:, None], np.where(count >= 2, mixed, by_day[stop]), 0.0)
