"""The one definition of a feature: customer state + request context -> model inputs, in training, batch and online alike.

Belongs here: the learnt constants that the transformation needs (`FeatureSpace`), the transformation, its column names.
Does not belong here: how the constants are learnt (`priors.py`), and the model on top (`model.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from globolatte_ml.contexts import Contexts
from globolatte_ml.encoding import Encoded, EncodedStates, encoded, encoded_states
from globolatte_ml.states import RECENT_COLUMNS, CustomerStates
from globolatte_ml.vocabulary import DAYPARTS, SEASONS, Vocabulary, encode, look_up, one_hot, season_codes

__all__ = ["Contexts", "CustomerStates", "FeatureSpace", "daypart_preference", "feature_names", "features"]

HALF_LIVES = {"decayed_main_30d": 30.0, "decayed_main_120d": 120.0}
DAYPART_PRIOR_ORDERS = 4.0
BASKET_PRIOR_ORDERS = 4.0
ADDON_PRIOR_ORDERS = 4.0
ADDON_PRIOR_LINES = 2.0
ADDON_WEIGHT = 0.4  # an add-on tells less of a customer's taste than a main product
SHARE_SCALE = 3.0  # one penalty serves all columns, so that the telling ones are given the larger unit
ADDON_SCALE = 2.0
_MONTHS = tuple(f"{month:02d}" for month in range(1, 13))
RECENT_ORDERS = len(RECENT_COLUMNS)
_NOBODY = np.empty(0, np.str_)


@dataclass(frozen=True)
class FeatureSpace:
    """Everything learnt at fit that features need. R business units, K products.

    Attributes:
        vocabulary: the known words.
        popularity: shape (R + 1, 4, K): shares of main products by business unit and season, all positive, rows summing
            to 1; the last business unit stands for one never seen (the whole chain).
        concentration: strength of the Dirichlet prior around `popularity`, in orders; keys `main_orders`
            and `decayed_main_120d`.
        daypart_mix: shape (4,): the chain's shares of orders by daypart.
        lines_per_order: the chain's mean basket size.
        weather_mix: shape (R + 1, 4, W): shares of weather types among the orders of a business unit and season, smoothed like
            `popularity`.
        holiday_share: share of orders on public holidays.
        first_date, last_date: the training span; the trend runs from 0 to 1 over it and stays there outside.
    """

    vocabulary: Vocabulary
    popularity: np.ndarray
    concentration: dict[str, float]
    daypart_mix: np.ndarray
    lines_per_order: float
    weather_mix: np.ndarray
    holiday_share: float
    first_date: np.datetime64
    last_date: np.datetime64


@dataclass(frozen=True)
class Block:
    """Neighbouring feature columns of one kind: `values` has shape (n, max(1, number of labels))."""

    name: str
    labels: Sequence[str]
    values: np.ndarray

    def column_names(self) -> list[str]:
        """`name=label` for each column, or the bare name of a single number."""
        return [f"{self.name}={label}" for label in self.labels] if self.labels else [self.name]


def features(states: CustomerStates, contexts: Contexts, space: FeatureSpace) -> np.ndarray:
    """Model inputs, float64 of shape (n, d), columns as in `feature_names(space)`.

    `states` may come from any catalogue: they are moved to the one of `space`.
    """
    return encoded_features(encode_for(states, contexts, space), space)


def encode_for(states: CustomerStates, contexts: Contexts, space: FeatureSpace) -> Encoded:
    """States and contexts as numbers, in the words and over the span of `space`."""
    return encode_asked(encode_states(states, space), contexts, space)


def encode_states(states: CustomerStates, space: FeatureSpace) -> EncodedStates:
    """States as numbers: what an endpoint does once for all customers."""
    return encoded_states(states, space.vocabulary, space.first_date, space.last_date)


def encode_asked(states: EncodedStates, contexts: Contexts, space: FeatureSpace) -> Encoded:
    """What is asked, as numbers, of n states that are numbers already."""
    return encoded(states, contexts, space.vocabulary, space.first_date, space.last_date)


def encoded_features(orders: Encoded, space: FeatureSpace) -> np.ndarray:
    """`features` of orders that are numbers already."""
    return np.hstack([block.values for block in _blocks(orders, space)])


def feature_names(space: FeatureSpace) -> tuple[str, ...]:
    """Names of the d feature columns."""
    states = CustomerStates.empty(0, space.vocabulary.products)
    contexts = Contexts(_NOBODY, np.empty(0, "datetime64[D]"), _NOBODY, _NOBODY, np.empty(0, bool))
    orders = encode_for(states, contexts, space)
    return tuple(name for block in _blocks(orders, space) for name in block.column_names())


def decayed_to(states: CustomerStates, dates: np.ndarray, column: str) -> np.ndarray:
    """A decayed sum of the state, brought from the customer's last order to `dates`; shape (n, K).

    Without orders, or for a date before the last order, nothing decays.
    """
    age = (dates - states.last_order_date).astype("timedelta64[D]")
    days = np.where(np.isnat(age), 0, age.astype(np.int64)).clip(min=0)
    return decayed(getattr(states, column), days, HALF_LIVES[column])


def decayed(sums: np.ndarray, days: np.ndarray, half_life: float) -> np.ndarray:
    """Decayed sums (n, K) after so many more days (n,)."""
    later: np.ndarray = sums * np.exp2(-days / half_life)[:, None]
    return later


def expected_shares(contexts: Contexts, space: FeatureSpace) -> np.ndarray:
    """Popularity in each context's business unit and season, shape (n, K); the answer for one without history."""
    unit = encode(contexts.business_unit, space.vocabulary.business_units)
    return _popularity(unit, season_codes(contexts.date), space)


def _popularity(unit: np.ndarray, season: np.ndarray, space: FeatureSpace) -> np.ndarray:
    table = space.popularity.reshape(-1, space.popularity.shape[2])
    known = np.where(unit < 0, len(space.vocabulary.business_units), unit)
    return look_up(table, known * len(SEASONS) + season)


def shrunken_shares(counts: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    """Posterior mean of a Dirichlet-multinomial: shape (n, K), all positive, rows summing to 1.

    `prior` (n, K) sums to 1 by row and counts like `strength` orders (empirical Bayes: Minka, "Estimating a Dirichlet
    distribution", 2000).
    """
    return (counts + strength * prior) / (counts.sum(axis=1, keepdims=True) + strength)


def daypart_preference(daypart_orders: np.ndarray, space: FeatureSpace) -> np.ndarray:
    """When each customer comes: smoothed shares of dayparts, shape (n, 4), rows summing to 1, of orders by daypart (n, 4)."""
    return shrunken_shares(daypart_orders, space.daypart_mix[None, :], DAYPART_PRIOR_ORDERS)


def _blocks(orders: Encoded, space: FeatureSpace) -> list[Block]:
    return [*_context_blocks(orders, space), *_taste_blocks(orders, space), *_habit_blocks(orders, space)]


def _context_blocks(orders: Encoded, space: FeatureSpace) -> list[Block]:
    words = space.vocabulary
    unit_season = np.where(orders.unit < 0, -1, orders.unit * len(SEASONS) + orders.season)
    unit_seasons = [f"{unit} {season}" for unit in words.business_units for season in SEASONS]
    return [
        Block("business_unit", words.business_units, one_hot(orders.unit, len(words.business_units))),
        Block("season", SEASONS, one_hot(orders.season, len(SEASONS))),
        Block("business_unit_season", unit_seasons, one_hot(unit_season, len(unit_seasons))),
        Block("month", _MONTHS, one_hot(orders.month, len(_MONTHS))),
        Block("weather", words.weathers, one_hot(orders.weather, len(words.weathers))),
        Block("daypart", DAYPARTS, one_hot(orders.daypart, len(DAYPARTS))),
        Block("holiday", (), orders.is_holiday[:, None]),
        Block("trend", (), orders.trend[:, None]),
    ]


def _taste_blocks(orders: Encoded, space: FeatureSpace) -> list[Block]:
    """What the customer chose so far, against what people choose here and now."""
    products, prior = space.vocabulary.products, _popularity(orders.unit, orders.season, space)
    main, addons, strength = orders.mains, orders.addons, space.concentration["main_orders"]
    last_months = decayed(orders.mains_120d, orders.age, HALF_LIVES["decayed_main_120d"])
    last_month = decayed(orders.mains_30d, orders.age, HALF_LIVES["decayed_main_30d"])
    count = orders.order_count[:, None]
    share = shrunken_shares(main, prior, strength)
    share_120d = shrunken_shares(last_months, prior, space.concentration["decayed_main_120d"])
    log_share = _centred_log(shrunken_shares(main + ADDON_WEIGHT * addons, prior, strength))
    return [
        Block("log_share", products, log_share),
        Block("share", products, SHARE_SCALE * share),
        Block("share_120d", products, SHARE_SCALE * share_120d),
        Block("recent_share_30d", products, last_month / (last_month.sum(axis=1, keepdims=True) + 1.0)),
        Block("addon_rate", products, ADDON_SCALE * addons / (count + ADDON_PRIOR_ORDERS)),
        Block("addon_share", products, addons / (addons.sum(axis=1, keepdims=True) + ADDON_PRIOR_LINES)),
    ]


def _habit_blocks(orders: Encoded, space: FeatureSpace) -> list[Block]:
    """The last orders, the hours, the size of the basket, the length of the history."""
    products = space.vocabulary.products
    last = [
        Block(f"recent_product_{back + 1}", products, one_hot(orders.recent[:, back], len(products)))
        for back in range(RECENT_ORDERS)
    ]
    count = orders.order_count
    expected_lines = BASKET_PRIOR_ORDERS * space.lines_per_order
    basket = (orders.line_count + expected_lines) / (count + BASKET_PRIOR_ORDERS) - space.lines_per_order
    preference = daypart_preference(orders.daypart_orders, space)
    return [
        *last,
        Block("daypart_history", DAYPARTS, preference - space.daypart_mix[None, :]),
        Block("basket_size", (), basket[:, None]),
        Block("history_length", (), np.log1p(count)[:, None]),
    ]


def _centred_log(shares: np.ndarray) -> np.ndarray:
    """Centred log-ratio (Aitchison 1982): log shares with row means of zero."""
    logs = np.log(shares)
    centred: np.ndarray = logs - logs.mean(axis=1, keepdims=True)
    return centred
