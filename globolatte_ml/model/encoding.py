"""Encodes states and contexts as numbers: words become indicators, dates become months, seasons, trends and ages.

Whatever depends only on the state, or only on the context, is computed once for each and then combined: an endpoint encodes all states
when it loads them, and each kind of context once. Features that depend on both are in `features.py` and `taste_inputs.py`; the position
of each column is in `column_places.py`.
"""

from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.product_rows import ProductRows
from globolatte_ml.data.shares import shrunken_shares
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS, SEASONS, UNKNOWN_WEATHER, encode, months, one_hot, season_codes
from globolatte_ml.model.column_places import COUNTS, Places
from globolatte_ml.model.feature_space import FeatureSpace

DAYPART_PRIOR_ORDERS, BASKET_PRIOR_ORDERS, ADDON_PRIOR_ORDERS = 4.0, 4.0, 4.0
ADDON_SCALE = 2.0
MOST_CACHED_CONTEXTS = 4_096
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Encoded:
    """n orders as numbers.

    Attributes:
        columns: float64, (n, `places.width`). places: what they are.
        bought: what the customers had bought, n rows in the catalogue of the space.
    """

    columns: np.ndarray
    places: Places
    bought: ProductRows

    def __getitem__(self, name: str) -> np.ndarray:
        """The columns of that name, (n, width)."""
        return self.columns[:, self.places[name]]


@dataclass(frozen=True)
class EncodedStates:
    """What is known of n customers whatever the context: the last columns of an `Encoded`, and its `bought`."""

    columns: np.ndarray
    places: Places
    bought: ProductRows

    def __getitem__(self, name: str) -> np.ndarray:
        """The columns of that name, (n, width)."""
        return self.columns[:, self.places.within("last_day", name)]

    def take(self, rows: np.ndarray) -> "EncodedStates":
        """The customers at `rows`, positions."""
        return EncodedStates(self.columns.take(rows, axis=0), self.places, self.bought.take(rows))


def encode_for(states: CustomerStates, contexts: Contexts, space: FeatureSpace) -> Encoded:
    """States and contexts as numbers, in the words and over the span of `space`."""
    return encode_orders(encode_states(states, space), contexts, space)


def encode_orders(states: EncodedStates, contexts: Contexts, space: FeatureSpace) -> Encoded:
    """Contexts and n states that are numbers already, come together."""
    columns = np.concatenate((encode_contexts(contexts, space), states.columns), axis=1)
    return Encoded(columns, space.places, states.bought)


def encode_states(states: CustomerStates, space: FeatureSpace) -> EncodedStates:
    """States as numbers: what an endpoint does once for all customers. They may come from any catalogue."""
    states = states.for_products(space.vocabulary.products)
    first, last, count = states.first_order_date, states.last_order_date, states.order_count.astype(np.float64)
    orders, dayparts = count[:, None], states.daypart_orders.astype(np.float64)
    expected_lines = BASKET_PRIOR_ORDERS * space.lines_per_order
    basket = (states.line_count + expected_lines) / (count + BASKET_PRIOR_ORDERS) - space.lines_per_order
    parts = {
        "last_day": np.where(np.isnat(last), np.inf, last.astype("datetime64[D]").astype(np.float64)),
        "past_trend": (_trend(first, space) + _trend(last, space)) / 2,
        "past_seasons": season_mix(first, last, count),
        "past_dayparts": dayparts / orders.clip(min=1.0),
        "daypart_history": daypart_preference(dayparts, space) - space.daypart_mix[None, :],
        "basket_size": basket,
        "history_length": np.log1p(count),
        "order_count": count,
        "per_order": 1.0 / count.clip(min=1.0),
        "addon_rate": ADDON_SCALE / (count + ADDON_PRIOR_ORDERS),
        "daypart_orders": dayparts,
        "recent": states.recent_products,
    }
    places = space.places
    if space.has_counts:
        amounts = "main_orders", "decayed_main_120d", "decayed_main_30d", "addon_lines"
        parts |= {name: states.table(amount) for name, amount in zip(COUNTS, amounts, strict=True)}
    columns = np.empty((len(states), places.width - places.context_width))
    for name, values in parts.items():
        columns[:, places.within("last_day", name)] = values if values.ndim == columns.ndim else values[:, None]
    return EncodedStates(columns, places, states.bought)


def daypart_preference(daypart_orders: np.ndarray, space: FeatureSpace) -> np.ndarray:
    """When each customer comes: smoothed shares of dayparts, shape (n, 4), rows summing to 1, of orders by daypart (n, 4)."""
    return shrunken_shares(daypart_orders, space.daypart_mix[None, :], DAYPART_PRIOR_ORDERS)


def encode_contexts(contexts: Contexts, space: FeatureSpace) -> np.ndarray:
    """Contexts as numbers: the first columns of an `Encoded`."""
    if len(contexts) != 1:
        return _columns_of(contexts, space)
    cached = space.encoded_contexts  # requests for one customer after another come in the same few contexts
    where, when, weather = contexts.business_unit.item(), contexts.date.item(), contexts.weather.item()
    context = where, when, weather, contexts.daypart.item(), contexts.is_holiday.item()
    columns = cached.get(context)
    if columns is None:
        if len(cached) >= MOST_CACHED_CONTEXTS:
            cached.clear()
        columns = cached[context] = _columns_of(contexts, space)
        columns.setflags(write=False)
    return columns


def _columns_of(contexts: Contexts, space: FeatureSpace) -> np.ndarray:
    places, words, day = space.places, space.vocabulary, space.places["day"]
    unit, month = encode(contexts.business_unit, words.business_units), months(contexts.date) - 1
    season = season_codes(contexts.date)
    codes = {
        "business_unit": unit,
        "season": season,
        "business_unit_season": np.where(unit < 0, -1, unit * len(SEASONS) + season),
        "month": month,
        "weather": encode(contexts.weather, words.weathers),
        "daypart": encode(contexts.daypart, DAYPARTS),
    }
    columns, rows = np.zeros((len(contexts), places.context_width)), np.arange(len(contexts))
    for name, code in codes.items():
        place = np.where(code < 0, day.start, places[name].start + code)  # what is not known goes where the day will be
        columns[rows, place] = 1.0
    unknown = np.flatnonzero(contexts.weather == UNKNOWN_WEATHER)
    columns[unknown, places["weather"]] = space.weather_mix[unit[unknown], season[unknown]]
    columns[:, places["holiday"]] = contexts.is_holiday[:, None]
    columns[:, places["trend"]] = _trend(contexts.date, space)[:, None]
    columns[:, day] = contexts.date.astype("datetime64[D]").astype(np.float64)[:, None]
    return columns


def _trend(dates: np.ndarray, space: FeatureSpace) -> np.ndarray:
    """0 on the first day of the training span, 1 on its last, constant outside; 0 for no date."""
    first, last = space.first_date, space.last_date
    days = (np.where(np.isnat(dates), first, dates) - first).astype("timedelta64[D]").astype(np.float64)
    moved: np.ndarray = (days / max(int((last - first) / _DAY), 1)).clip(0.0, 1.0)
    return moved


def season_mix(first: np.ndarray, last: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Expected shares of seasons among a customer's orders, (n, 4): rows sum to 1, or are 0 without orders.

    first, last: datetime64[D], (n,), NaT without orders; of a pair in the wrong sequence the last counts twice. The first and the
    last order have their own season, the others the mixture of the days from first to last.
    """
    known, first = ~np.isnat(first) & ~np.isnat(last), np.minimum(first, last)
    if not known.any():
        return np.zeros((len(orders), len(SEASONS)))
    epoch = first[known].min()
    days = epoch + np.arange(int((last[known].max() - epoch) / _DAY) + 1)
    by_day = one_hot(season_codes(days), len(SEASONS))
    passed = np.vstack([np.zeros(len(SEASONS)), np.cumsum(by_day, axis=0)])
    start, stop = (np.where(known, (dates - epoch).astype(np.int64), 0) for dates in (first, last))
    between = (passed[stop + 1] - passed[start]) / (stop - start + 1)[:, None]
    count = orders[:, None]
    mixed = (by_day[start] + by_day[stop] + (count - 2) * between) / count.clip(min=1)
    return np.where(known[:, None], np.where(count >= 2, mixed, by_day[stop]), 0.0)
