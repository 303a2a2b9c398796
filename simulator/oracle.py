"""The history oracle: the best possible prediction for one who knows the chain but must infer each customer's taste.

A customer's segment and taste are drawn from the prior many times (the particles, common to all customers). Every order
weighs the particles by the likelihood of what it shows: main product, add-ons, basket size, daypart. The prediction for an
order is the particles' choice probabilities under the weights of what was known before it (importance sampling: Gordon,
Salmond, Smith 1993, without resampling, since a taste never moves). Orders of equal customers and particles cost the same,
so time grows with orders x particles; memory is bounded by `ORDERS_AT_ONCE` x particles.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from simulator.chain import Simulation
from simulator.choice import NEVER
from simulator.parameters import ChainParameters, FloatArray, IntArray

Float32Array = npt.NDArray[np.float32]

PARTICLES = 20_000
ORDERS_AT_ONCE = 64
NO_ADD_ON = -1


def history_oracle(
    simulation: Simulation,
    particles: int = PARTICLES,
    seed: int = 1,
    customers: Collection[int] | None = None,
    *,
    as_orders_come: bool = False,
) -> FloatArray:
    """Predictive probabilities of every order's main product, (orders, products), rows in the order of `simulation.orders`.

    Only what a platform that gets files at the end of the day can know is used: orders of earlier business dates, and of
    the order itself its circumstances, daypart included. `as_orders_come` lifts that: every earlier order then counts, those
    of the same day too.

    customers: codes of those to predict for; rows of all others are NaN. Default: everyone.

    Raises `ValueError` for a continued chain, whose beginning `simulation` does not hold, and for less than 1 particle.
    """
    if simulation.earlier_orders:
        raise ValueError("the simulation continues another one; the oracle needs a chain from its first order on")
    if particles < 1:
        raise ValueError(f"particles is {particles}; give at least 1")
    prior = _Prior.draw(simulation.parameters, particles, np.random.default_rng(seed))
    evidence = _Evidence.of(simulation)
    probabilities = np.full(simulation.probabilities.shape, np.nan)
    for customer, rows in simulation.orders.groupby("customer").indices.items():
        if customers is None or customer in customers:
            probabilities[rows] = _filtered(
                prior, evidence.take(np.asarray(rows)), simulation.parameters, as_orders_come
            )
    return probabilities


@dataclass(frozen=True)
class _Prior:
    """M particles of segment and taste, and what of them does not depend on the order."""

    taste_weight: Float32Array  # (K, M) exp(taste), tastes centred
    add_on_weight: Float32Array  # (K, M) exp(add_on_utility_weight * taste)
    log_daypart: Float32Array  # (4, M)
    log_basket: Float32Array  # (3, M) number of add-ons wanted

    @classmethod
    def draw(cls, parameters: ChainParameters, particles: int, rng: np.random.Generator) -> "_Prior":
        segment = rng.choice(len(parameters.segments), particles, p=parameters.segment_share)
        deviation = rng.standard_normal((particles, len(parameters.products)))
        taste = parameters.segment_taste[segment] + parameters.taste_deviation * deviation
        taste -= taste.mean(axis=1, keepdims=True)  # a taste for everything changes no choice
        add_on = parameters.segment_add_on[segment]
        most = min(2, len(parameters.products) - 1)
        basket = np.stack([(1 - add_on) ** 2, 2 * add_on * (1 - add_on), add_on**2])
        basket[most] = basket[most:].sum(axis=0)  # what a short catalogue cuts off
        return cls(
            np.exp(taste).T.astype(np.float32).copy(),
            np.exp(parameters.add_on_utility_weight * taste).T.astype(np.float32).copy(),
            np.log(parameters.segment_daypart[segment]).T.astype(np.float32).copy(),
            np.log(basket).astype(np.float32),
        )


@dataclass(frozen=True)
class _Evidence:
    """What n orders show, in time order per customer."""

    day: IntArray
    daypart: IntArray
    main: IntArray
    add_ons: IntArray  # (n, 2), NO_ADD_ON where there is none
    utility: FloatArray  # (n, K) without taste, with the habit as it truly was

    @classmethod
    def of(cls, simulation: Simulation) -> "_Evidence":
        orders, lines = simulation.orders, simulation.lines
        add_ons = np.full((len(orders), 2), NO_ADD_ON)
        for place in (1, 2):
            of_place = lines[lines["line"] == place]
            add_ons[of_place["order"], place - 1] = of_place["product"]
        day, daypart, main = (orders[name].to_numpy() for name in ("day", "daypart", "main_product"))
        return cls(day, daypart, main, add_ons, simulation.utility_without_taste)

    def take(self, rows: IntArray | slice) -> "_Evidence":
        return _Evidence(self.day[rows], self.daypart[rows], self.main[rows], self.add_ons[rows], self.utility[rows])


def _filtered(prior: _Prior, orders: _Evidence, parameters: ChainParameters, as_orders_come: bool) -> FloatArray:
    """Predictive probabilities (n, K) of one customer's n orders."""
    known = np.arange(len(orders.day)) if as_orders_come else np.searchsorted(orders.day, orders.day)
    predicted = np.empty(orders.utility.shape)
    weight = np.zeros(prior.taste_weight.shape[1])  # log weights of the particles after the blocks so far
    for start, stop in _blocks(known):
        block = orders.take(slice(start, stop))
        after = np.cumsum(_log_likelihood(prior, block, parameters), axis=0, dtype=np.float64) + weight
        before = np.vstack([weight, after])[known[start:stop] - start]
        predicted[start:stop] = _predictive(prior, block, before)
        _without_the_days_own_habit(predicted[start:stop], prior, block, before, parameters, known[start:stop] - start)
        weight = after[-1] - after[-1].max()
    return predicted


def _blocks(known: IntArray) -> list[tuple[int, int]]:
    """Ranges [start, stop) of about `ORDERS_AT_ONCE` orders that never part the orders of a day; known: (n,)."""
    beginnings = np.flatnonzero(known == np.arange(len(known)))
    starts = [0]
    for beginning in beginnings.tolist():
        if beginning - starts[-1] >= ORDERS_AT_ONCE:
            starts.append(beginning)
    return list(zip(starts, [*starts[1:], len(known)], strict=True))


def _log_likelihood(prior: _Prior, orders: _Evidence, parameters: ChainParameters) -> Float32Array:
    """Log likelihood (n, M) of what each order shows under each particle, up to a constant per order."""
    row = np.arange(len(orders.main))
    likelihood: Float32Array = np.log(prior.taste_weight[orders.main])
    likelihood -= np.log(_scaled(orders.utility) @ prior.taste_weight)
    likelihood += prior.log_daypart[orders.daypart] + prior.log_basket[(orders.add_ons != NO_ADD_ON).sum(axis=1)]
    attraction = parameters.add_on_utility_weight * orders.utility
    attraction = attraction + parameters.add_on_affinity_weight * parameters.add_on_affinity[orders.main]
    attraction[row, orders.main] = NEVER
    for place in (0, 1):
        bought = orders.add_ons[:, place]
        has = np.flatnonzero(bought != NO_ADD_ON)
        if len(has):
            among = _scaled(attraction[has]) @ prior.add_on_weight
            likelihood[has] += np.log(prior.add_on_weight[bought[has]]) - np.log(among)
            attraction[has, bought[has]] = NEVER
    return likelihood


def _predictive(prior: _Prior, orders: _Evidence, log_weight: FloatArray) -> FloatArray:
    """Choice probabilities (n, K), averaged over the particles; log_weight: (n, M) before each order."""
    weight = log_weight + prior.log_daypart[orders.daypart]
    share = np.exp((weight - weight.max(axis=1, keepdims=True)).astype(np.float32))
    utility = _scaled(orders.utility)
    share /= utility @ prior.taste_weight
    probability = utility.astype(np.float64) * (share @ prior.taste_weight.T)
    normalised: FloatArray = probability / probability.sum(axis=1, keepdims=True)
    return normalised


def _without_the_days_own_habit(
    predicted: FloatArray,
    prior: _Prior,
    orders: _Evidence,
    log_weight: FloatArray,
    parameters: ChainParameters,
    known: IntArray,
) -> None:
    """Predict anew, in place, the orders that follow others of their day: `utility` holds a habit that nobody knows yet.

    What the day's earlier orders did to the habit is replaced by what it was expected to do. known: (n,) orders of the block
    before each order's day.
    """
    surprise = np.zeros(orders.utility.shape[1])  # true habit minus the expected one
    for row in range(1, len(known)):
        if known[row] == row:
            surprise[:] = 0.0
            continue
        bought = np.eye(len(surprise))[orders.main[row - 1]]
        surprise = parameters.habit_decay * surprise + (1 - parameters.habit_decay) * (bought - predicted[row - 1])
        order = orders.take(slice(row, row + 1))
        expected = replace(order, utility=order.utility - parameters.habit_strength * surprise)
        predicted[row] = _predictive(prior, expected, log_weight[row : row + 1])[0]


def _scaled(utility: FloatArray) -> Float32Array:
    """exp(utility), the highest of each row being 1."""
    return np.exp(utility - utility.max(axis=1, keepdims=True)).astype(np.float32)
