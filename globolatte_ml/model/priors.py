"""What fitting learns before the regression: vocabulary, popularity, Dirichlet prior strengths, the chain's habits."""

from collections.abc import Sequence

import numpy as np

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.shares import shrunken_shares
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS, SEASONS, Vocabulary, encode, season_codes
from globolatte_ml.model.feature_space import FeatureSpace
from globolatte_ml.model.features import fading

POPULARITY_PRIOR_ORDERS = 20.0
CONCENTRATIONS = np.geomspace(0.5, 200.0, 25)
DAYPART_PRIOR_ORDERS = 1.0
CONCENTRATED = ("main_orders", "decayed_main_120d")


def learn_feature_space(
    states: CustomerStates, contexts: Contexts, chosen: np.ndarray, products: Sequence[str]
) -> FeatureSpace:
    """Learn from n orders; `chosen` are positions in the sorted `products`, shape (n,), n >= 1."""
    vocabulary = Vocabulary.learn(products, contexts.business_unit, contexts.weather)
    states = states.for_products(vocabulary.products)
    unit, season = encode(contexts.business_unit, vocabulary.business_units), season_codes(contexts.date)
    popularity = learn_popularity(chosen, unit, season, len(vocabulary.business_units), len(vocabulary.products))
    prior = popularity[unit, season, chosen]
    weather = encode(contexts.weather, vocabulary.weathers)
    known = weather >= 0
    weather_mix = learn_popularity(
        weather[known], unit[known], season[known], len(vocabulary.business_units), len(vocabulary.weathers)
    )
    seen = np.bincount(encode(contexts.daypart, DAYPARTS).clip(min=0), minlength=len(DAYPARTS))
    lines, orders = states.line_count.sum(), states.order_count.sum()
    return FeatureSpace(
        vocabulary=vocabulary,
        popularity=popularity,
        concentration={column: _concentration(column, states, contexts.date, prior, chosen) for column in CONCENTRATED},
        daypart_mix=(seen + DAYPART_PRIOR_ORDERS) / (seen.sum() + DAYPART_PRIOR_ORDERS * len(DAYPARTS)),
        lines_per_order=float(lines / orders) if orders else 1.0,
        weather_mix=weather_mix,
        holiday_share=float(contexts.is_holiday.mean()),
        first_date=contexts.date.min(),
        last_date=contexts.date.max(),
    )


def chain_popularity(chosen: np.ndarray, n_products: int) -> np.ndarray:
    """Shares of main products with one order added to each (Laplace), shape (K,): never zero."""
    return (np.bincount(chosen, minlength=n_products) + 1.0) / (len(chosen) + n_products)


def learn_popularity(
    chosen: np.ndarray, unit: np.ndarray, season: np.ndarray, n_units: int, n_products: int
) -> np.ndarray:
    """Shares of main products by business unit and season, shape (R + 1, 4, K); the last unit is the whole chain.

    Thin cells shrink towards what their unit and their season suggest together (unit share x season share / chain share),
    those in turn towards the chain.
    """
    chain = chain_popularity(chosen, n_products)
    by_season = _cell_shares(chosen, season, len(SEASONS), chain[None, :])
    by_unit = _cell_shares(chosen, unit, n_units, chain[None, :])
    suggested = by_unit[:, None, :] * by_season[None, :, :] / chain
    suggested /= suggested.sum(axis=2, keepdims=True)
    n_cells = n_units * len(SEASONS)
    cells = _cell_shares(chosen, unit * len(SEASONS) + season, n_cells, suggested.reshape(n_cells, n_products))
    return np.concatenate([cells.reshape(n_units, len(SEASONS), n_products), by_season[None]])


def learn_concentration(own: np.ndarray, total: np.ndarray, prior: np.ndarray) -> float:
    """The prior strength, in orders, under which past counts best predict the choice made (highest likelihood on a grid).

    own, total, prior: (n,) the count of the chosen product, of all products, and the prior share of the chosen one. Only orders with a
    past can tell; without any the middle of the grid is taken.
    """
    informed = total > 0
    if not informed.any():
        return float(CONCENTRATIONS[len(CONCENTRATIONS) // 2])
    own, total, prior = own[informed], total[informed], prior[informed]
    fit = [np.log((own + strength * prior) / (total + strength)).mean() for strength in CONCENTRATIONS]
    return float(CONCENTRATIONS[int(np.argmax(fit))])


def _concentration(
    column: str, states: CustomerStates, dates: np.ndarray, prior: np.ndarray, chosen: np.ndarray
) -> float:
    """By an amount of the state, as of `dates`; prior: (n,) of the products chosen."""
    later = fading(states, dates, column)
    return learn_concentration(
        states.bought.amount_of(column, chosen) * later, states.bought.total(column) * later, prior
    )


def _cell_shares(chosen: np.ndarray, cell: np.ndarray, n_cells: int, prior: np.ndarray) -> np.ndarray:
    n_products = prior.shape[1]
    counts = np.bincount(cell * n_products + chosen, minlength=n_cells * n_products).reshape(n_cells, n_products)
    return shrunken_shares(counts, np.broadcast_to(prior, counts.shape), POPULARITY_PRIOR_ORDERS)
