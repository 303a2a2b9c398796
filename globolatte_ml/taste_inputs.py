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

from globolatte_ml.encoding import Encoded
from globolatte_ml.features import FeatureSpace
from globolatte_ml.vocabulary import DAYPARTS, SEASONS, look_up, one_hot

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
        habit_now, habit_past: HABITS arrays of shape (n, K): what of each product is in the customer's habit at the order, and
            was on average at the earlier orders.
        mains, addons: shape (n, K): earlier main products and add-ons.
        orders, addon_lines: shape (n,): how many earlier orders, and add-ons over all products.
        dayparts, daypart: shape (n, 4): dayparts of the earlier orders counted, and the order's own as an indicator.
    """

    now: np.ndarray
    past: np.ndarray
    habit_now: tuple[np.ndarray, ...]
    habit_past: tuple[np.ndarray, ...]
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
            tuple(habit[rows] for habit in self.habit_now),
            tuple(habit[rows] for habit in self.habit_past),
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


def taste_inputs(orders: Encoded, space: FeatureSpace, sold: np.ndarray) -> TasteInputs:
    """The inputs over the products at the positions `sold` of the space's catalogue."""
    n_products = len(space.vocabulary.products)
    habit_now, habit_past = _habits(orders, n_products)

    def of_sold(values: np.ndarray) -> np.ndarray:
        return values if len(sold) == n_products else values[:, sold]

    addons = of_sold(orders.addons)
    return TasteInputs(
        now=_now(orders, space),
        past=_past(orders, space),
        habit_now=tuple(map(of_sold, habit_now)),
        habit_past=tuple(map(of_sold, habit_past)),
        mains=of_sold(orders.mains),
        addons=addons,
        orders=orders.order_count,
        addon_lines=addons.sum(axis=1),
        dayparts=orders.daypart_orders,
        daypart=one_hot(orders.daypart, len(DAYPARTS)),
    )


def _now(orders: Encoded, space: FeatureSpace) -> np.ndarray:
    rest = (
        one_hot(orders.weather, len(space.vocabulary.weathers)),
        one_hot(orders.daypart, len(DAYPARTS)),
        orders.is_holiday,
        orders.trend,
    )
    return _columns(orders, one_hot(orders.season, len(SEASONS)), rest, space)


def _past(orders: Encoded, space: FeatureSpace) -> np.ndarray:
    seasons = orders.past_seasons
    weather = look_up(space.weather_mix, orders.unit)
    rest = (
        (seasons[:, :, None] * weather).sum(axis=1),
        orders.daypart_orders / orders.order_count.clip(min=1.0)[:, None],
        orders.trend * 0.0 + space.holiday_share,
        orders.past_trend,
    )
    return _columns(orders, seasons, rest, space)


def _columns(
    orders: Encoded,
    seasons: np.ndarray,
    rest: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    space: FeatureSpace,
) -> np.ndarray:
    """The columns as `circumstance_names` has them; `rest` is weathers, dayparts, holiday, trend."""
    weathers, dayparts, holiday, trend = rest
    n_units = len(space.vocabulary.business_units)
    units = one_hot(orders.unit, n_units)
    unit_seasons = (units[:, :, None] * seasons[:, None, :]).reshape(-1, n_units * len(SEASONS))
    always = orders.trend[:, None] * 0.0 + 1.0
    return np.hstack([always, units, seasons, weathers, dayparts, holiday[:, None], trend[:, None], unit_seasons])


def _habits(orders: Encoded, n_products: int) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Habit at the order, and its mean over the earlier orders: an order counts in the habits of all orders after it.

    Over n earlier orders the last one was in nobody's habit yet, the one before it only as a last product, and so on: summed
    over those orders, "last product" counted every main product but the latest one.
    """
    mains = orders.mains
    last, second, third = (one_hot(orders.recent[:, back], n_products) for back in range(3))
    rest = (mains - last - second - third).clip(min=0.0)
    weight = rest.sum(axis=1, keepdims=True) + REST_HALF_WEIGHT_ORDERS
    past = ((mains - last).clip(min=0.0), (mains - last - second).clip(min=0.0), rest, rest)
    count = orders.order_count.clip(min=1.0)[:, None]
    return (last, second, third, rest / weight), tuple(habit / count for habit in past)
