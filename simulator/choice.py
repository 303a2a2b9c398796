"""How customers choose: a multinomial logit with latent taste, context and habit, and add-ons by affinity.

Utility of product k for an order (McFadden 1974): context_k + habit_strength * habit_k + taste_k + Gumbel noise; the
product with the highest one is bought, so its probability is the softmax of the utilities. Habit is an exponential
moving average of the customer's earlier main products: habit <- decay * habit + (1 - decay) * chosen.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from simulator.parameters import ChainParameters, FloatArray, IntArray

NEVER = -1e9
"""Utility of what must not be chosen."""


def softmax(utility: FloatArray) -> FloatArray:
    """Choice probabilities along the last axis."""
    weight: FloatArray = np.exp(utility - utility.max(axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Contexts:
    """The circumstances of n orders; codes index the parameters' business units, SEASONS, WEATHERS and DAYPARTS."""

    unit: IntArray
    season: IntArray
    weather: IntArray
    daypart: IntArray
    is_holiday: npt.NDArray[np.bool_]
    trend: FloatArray
    """Part of the span that has passed, 0 to 1."""


def context_utility(parameters: ChainParameters, contexts: Contexts) -> FloatArray:
    """Utility (n, products) that the circumstances alone give, without habit and taste."""
    return (
        parameters.base
        + parameters.unit_effect[contexts.unit]
        + parameters.season_effect[contexts.season] * parameters.season_strength[contexts.unit][:, None]
        + parameters.weather_effect[contexts.weather]
        + parameters.daypart_effect[contexts.daypart]
        + contexts.is_holiday[:, None] * parameters.holiday_effect
        + contexts.trend[:, None] * parameters.trend_effect
    )


@dataclass(frozen=True)
class MainChoices:
    """The main products of n orders."""

    product: IntArray
    probability: FloatArray
    """P(main product | taste, context, habit), (n, products)."""
    utility_without_taste: FloatArray
    """Context and habit, (n, products)."""
    habit: FloatArray
    """Habit of every customer after the last order, (customers, products)."""


def draw_main_products(
    parameters: ChainParameters,
    customer: IntArray,
    visit: IntArray,
    utility: FloatArray,
    taste: FloatArray,
    earlier_habit: FloatArray,
    rng: np.random.Generator,
) -> MainChoices:
    """Draw every order's main product; the loop runs over visit numbers, all customers at once.

    customer, visit: (n,) who orders and how many of these orders that customer placed before. utility: (n, products) of
    the context; it becomes `utility_without_taste`. taste: (customers, products). earlier_habit: (customers, products)
    habit before the first of these orders.
    """
    noise = rng.gumbel(size=utility.shape)
    product = np.zeros(len(customer), dtype=np.int64)
    probability = np.zeros(utility.shape)
    habit = earlier_habit.copy()
    by_visit = np.argsort(visit, kind="stable")
    bounds = np.searchsorted(visit[by_visit], np.arange(visit.max() + 2))
    for first, last in pairwise(bounds):
        rows = by_visit[first:last]
        who = customer[rows]
        utility[rows] += parameters.habit_strength * habit[who]
        total = utility[rows] + taste[who]
        probability[rows] = softmax(total)
        product[rows] = (total + noise[rows]).argmax(axis=1)
        habit[who] *= parameters.habit_decay
        habit[who, product[rows]] += 1 - parameters.habit_decay
    return MainChoices(product, probability, utility, habit)


def draw_add_ons(
    parameters: ChainParameters, main: IntArray, utility: FloatArray, count: IntArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw `count` (0 to 2) different add-ons for each of n orders, never the main product itself.

    utility: (n, products) with taste. Returns add-ons (n, 2), of which the first `count` hold, and the count, which is
    smaller than requested when the catalogue runs out of products.
    """
    attraction = parameters.add_on_utility_weight * utility
    attraction += parameters.add_on_affinity_weight * parameters.add_on_affinity[main]
    attraction[np.arange(len(main)), main] = NEVER
    ranked = np.argsort(-(attraction + rng.gumbel(size=attraction.shape)), axis=1)[:, :2]
    missing = np.zeros((len(main), 2 - ranked.shape[1]), dtype=np.int64)
    return np.hstack([ranked, missing]), np.minimum(count, len(parameters.products) - 1)
