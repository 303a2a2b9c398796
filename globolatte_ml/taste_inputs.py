"""What the taste model sees of an order: its circumstances, and those of the customer's past orders as the state tells them.

Belongs here: the second half of the one feature definition, state + context -> `TasteInputs`, in training, batch and online alike.
Does not belong here: the regression's features (`features.py`), learning and predicting (`taste_fit.py`, `taste.py`).

The state does not keep the circumstances of single past orders. Their means are enough (see `taste.py`), and follow from what
it keeps: dayparts are counted; seasons are those of the first and the last order and, for the orders between them, of the days
between them; weather and holidays are what the unit's seasons have on average; the unit is the one of the request.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globolatte_ml.contexts import Contexts
from globolatte_ml.features import FeatureSpace
from globolatte_ml.states import CustomerStates
from globolatte_ml.vocabulary import DAYPARTS, SEASONS, encode, one_hot, season_codes

REST_HALF_WEIGHT_ORDERS = 2.0
"""So many older orders bring the habit of them to half of its full weight."""
HABITS = 4
"""The last three main products, and those before them."""


@dataclass(frozen=True)
class TasteInputs:
    """n orders, p columns of circumstances, K products.

    Attributes:
        now, past: shape (n, p): circumstances of the order, and their mean over the customer's earlier orders; the first column
            is 1, the last R x 4 are business unit by season.
        habit_now, habit_past: shape (HABITS, n, K): what of each product is in the customer's habit at the order, and was on
            average at the earlier orders.
        mains, addons: shape (n, K): earlier main products and add-ons.
        orders, addon_lines: shape (n,): how many earlier orders, and add-ons over all products.
        dayparts, daypart: shape (n, 4): dayparts of the earlier orders counted, and the order's own as an indicator.
    """

    now: np.ndarray
    past: np.ndarray
    habit_now: np.ndarray
    habit_past: np.ndarray
    mains: np.ndarray
    addons: np.ndarray
    orders: np.ndarray
    addon_lines: np.ndarray
    dayparts: np.ndarray
    daypart: np.ndarray

    def __len__(self) -> int:
        return len(self.orders)

    def take(self, rows: np.ndarray | slice) -> TasteInputs:
        """The orders at `rows`."""
        return TasteInputs(
            self.now[rows],
            self.past[rows],
            self.habit_now[:, rows],
            self.habit_past[:, rows],
            self.mains[rows],
            self.addons[rows],
            self.orders[rows],
            self.addon_lines[rows],
            self.dayparts[rows],
            self.daypart[rows],
        )


def circumstance_names(space: FeatureSpace) -> tuple[str, ...]:
    """Names of the p columns of `TasteInputs.now`."""
    words = space.vocabulary
    unit_seasons = [f"business_unit_season={unit} {season}" for unit in words.business_units for season in SEASONS]
    return (
        "always",
        *(f"business_unit={unit}" for unit in words.business_units),
        *(f"season={season}" for season in SEASONS),
        *(f"weather={weather}" for weather in words.weathers),
        *(f"daypart={daypart}" for daypart in DAYPARTS),
        "holiday",
        "trend",
        *unit_seasons,
    )


def taste_inputs(states: CustomerStates, contexts: Contexts, space: FeatureSpace, sold: np.ndarray) -> TasteInputs:
    """The inputs over the products at the positions `sold` of the space's catalogue.

    `states` may come from any catalogue: they are moved to the one of `space`.
    """
    states = states.for_products(space.vocabulary.products)
    unit = encode(contexts.business_unit, space.vocabulary.business_units)
    mains, orders = states.main_orders[:, sold], states.order_count.astype(np.float64)
    habit_now, habit_past = _habits(states.recent_products, states.main_orders, orders)
    addons = states.addon_lines[:, sold]
    return TasteInputs(
        now=_now(unit, contexts, space),
        past=_past(unit, states, orders, space),
        habit_now=habit_now[:, :, sold],
        habit_past=habit_past[:, :, sold],
        mains=mains,
        addons=addons,
        orders=orders,
        addon_lines=addons.sum(axis=1),
        dayparts=states.daypart_orders.astype(np.float64),
        daypart=one_hot(encode(contexts.daypart, DAYPARTS), len(DAYPARTS)),
    )


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


def _now(unit: np.ndarray, contexts: Contexts, space: FeatureSpace) -> np.ndarray:
    words = space.vocabulary
    seasons = one_hot(season_codes(contexts.date), len(SEASONS))
    rest = (
        one_hot(encode(contexts.weather, words.weathers), len(words.weathers)),
        one_hot(encode(contexts.daypart, DAYPARTS), len(DAYPARTS)),
        contexts.is_holiday.astype(np.float64),
        _trend(contexts.date, space),
    )
    return _columns(unit, seasons, rest, space)


def _past(unit: np.ndarray, states: CustomerStates, orders: np.ndarray, space: FeatureSpace) -> np.ndarray:
    seasons = season_mix(states.first_order_date, states.last_order_date, orders)
    rest = (
        np.einsum("ns,nsw->nw", seasons, space.weather_mix[unit]),
        states.daypart_orders / orders.clip(min=1)[:, None],
        np.full(len(orders), space.holiday_share),
        (_trend(states.first_order_date, space) + _trend(states.last_order_date, space)) / 2,
    )
    return _columns(unit, seasons, rest, space)


def _columns(
    unit: np.ndarray,
    seasons: np.ndarray,
    rest: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    space: FeatureSpace,
) -> np.ndarray:
    """The columns as `circumstance_names` has them; `rest` is weathers, dayparts, holiday, trend."""
    weathers, dayparts, holiday, trend = rest
    units = one_hot(unit, len(space.vocabulary.business_units))
    unit_seasons = (units[:, :, None] * seasons[:, None, :]).reshape(len(unit), -1)
    always = np.ones((len(unit), 1))
    return np.hstack([always, units, seasons, weathers, dayparts, holiday[:, None], trend[:, None], unit_seasons])


def _trend(dates: np.ndarray, space: FeatureSpace) -> np.ndarray:
    """0 on the first day of the training span, 1 on the last, constant outside; 0 for no date."""
    span = int((space.last_date - space.first_date) / np.timedelta64(1, "D"))
    days = np.where(np.isnat(dates), space.first_date, dates) - space.first_date
    trend: np.ndarray = (days.astype("timedelta64[D]").astype(np.float64) / max(span, 1)).clip(0.0, 1.0)
    return trend


def _habits(recent: np.ndarray, mains: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Habit at the order, and its mean over the earlier orders: an order counts in the habits of all orders after it.

    Over n earlier orders the last one was in nobody's habit yet, the one before it only as a last product, and so on: summed
    over those orders, "last product" counted every main product but the latest one.
    """
    last, second, third = (one_hot(recent[:, back], mains.shape[1]) for back in range(3))
    rest = (mains - last - second - third).clip(min=0.0)
    weight = rest.sum(axis=1, keepdims=True) + REST_HALF_WEIGHT_ORDERS
    now = np.stack([last, second, third, rest / weight])
    past = np.stack([mains - last, mains - last - second, rest, rest]).clip(min=0.0)
    return now, past / orders.clip(min=1)[:, None]
