"""Fits the taste model: penalised maximum likelihood of the choices, each predicted from the state before it.

The likelihood is that of main product and daypart together, given the state, so that the dayparts of each group are learned with
it. Each order is predicted from earlier ones only, so that the fit is to exactly what will be served. The priors (normal, around
a chain without groups' habits) keep rare circumstances quiet. L-BFGS from k-means centres of past shares.
"""

import numpy as np

from globolatte_ml.data.shares import centred_log, shrunken_shares, softmax
from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.model.taste import (
    ROWS_AT_ONCE,
    Population,
    TasteParameters,
    free_occasions,
    log_weights,
    utilities,
)
from globolatte_ml.model.taste_inputs import HABITS, PAST_HABITS, TasteInputs

MOST_DIMENSIONS = 6
"""In which tastes vary within a group; a catalogue of more products gets factors."""
START_HABIT, START_SPREAD, START_ADDON_WEIGHT = 0.15, 0.6, 0.5
SHARE_PRIOR_ORDERS = 3.0
STRETCH = 1.3
"""Shrunken shares lie closer together than tastes."""
INFORMATIVE_ORDERS = 3
MOST_ROWS_FOR_CENTRES = 5_000
CORRECTIONS = 20

PRIOR_DEVIATION = {
    "circumstances": 0.5,
    "habit": 1.0,
    "group_logits": 2.0,
    "group_means": 1.0,
    "spread": 1.0,
    "certainty": 0.5,
    "addon_weight": 0.5,
    "addon_utility": 1.0,
    "daypart_logits": 0.5,
    "basket_logits": 0.5,
}
LEVEL_DEVIATION, INTERACTION_DEVIATION = 2.0, 0.15
"""Of `circumstances`: the first column, and the last ones, business unit by season."""


def quasi_normal_draws(count: int, dimensions: int) -> np.ndarray:
    """Standard normal points (count, dimensions) that fill space evenly, with mean 0: a scrambled Sobol sequence, always the same."""
    from scipy.stats import norm, qmc

    points = norm.ppf(qmc.Sobol(dimensions, rng=np.random.default_rng(0)).random(count))
    centred: np.ndarray = points - points.mean(axis=0)
    return centred


def start(inputs: TasteInputs, chosen: np.ndarray, groups: int) -> TasteParameters:
    """Where the search begins; `chosen`: (n,) positions among the K products."""
    n_products, columns = inputs.mains.shape[1], inputs.now.shape[1]
    counts = np.bincount(chosen, minlength=n_products) + 1.0
    level = np.log(counts / counts.sum())
    circumstances = np.zeros((n_products, columns))
    circumstances[:, 0] = level - level.mean()
    dayparts = np.log((inputs.daypart.sum(axis=0) + 1.0) / (inputs.daypart.sum() + len(DAYPARTS)))
    basket = np.log((inputs.addon_lines.sum() + 1.0) / (free_occasions(inputs).sum() + 1.0))
    dimensions = min(n_products, MOST_DIMENSIONS)
    return TasteParameters(
        circumstances=circumstances,
        habit=np.full(HABITS, START_HABIT),
        group_logits=np.zeros(groups),
        group_means=_centres(inputs, counts / counts.sum(), groups),
        spread=START_SPREAD * np.eye(n_products)[:, :dimensions],
        certainty=np.zeros(1),
        addon_weight=np.full(1, START_ADDON_WEIGHT),
        addon_utility=np.zeros(n_products),
        daypart_logits=np.tile(dayparts, (groups, 1)),
        basket_logits=np.full(groups, basket),
    )


def fit_taste(
    inputs: TasteInputs,
    chosen: np.ndarray,
    begin: TasteParameters,
    draws: np.ndarray,
    iterations: int,
    interactions: int,
    weights: np.ndarray | None = None,
    warm: TasteParameters | None = None,
) -> TasteParameters:
    """The most probable parameters after at most `iterations` steps from `begin`, around which the priors lie.

    Args:
        inputs: n orders.
        chosen: (n,) positions among the K products.
        begin: see `start`.
        draws: (R, r), see `quasi_normal_draws`.
        iterations: of L-BFGS.
        interactions: how many of the last circumstances are interactions of others.
        weights: (n,) what each order counts; default 1.
        warm: parameters to step from in place of `begin`.
    """
    from scipy.optimize import minimize

    counted = np.ones(len(chosen)) if weights is None else weights
    precision, centre = _prior(begin, interactions)

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        likelihood, gradient = log_likelihood(begin.from_vector(vector), draws, inputs, chosen, counted)
        away = vector - centre
        return 0.5 * float(precision @ away**2) - likelihood, precision * away - gradient

    options = {"maxiter": iterations, "maxcor": CORRECTIONS}
    found = minimize(objective, (warm or begin).vector(), jac=True, method="L-BFGS-B", options=options)
    return begin.from_vector(found.x)


def log_likelihood(
    parameters: TasteParameters, draws: np.ndarray, inputs: TasteInputs, chosen: np.ndarray, counted: np.ndarray
) -> tuple[float, np.ndarray]:
    """Of main product and daypart of each order, given its state; and its gradient, as a vector of parameters."""
    population = Population.of(parameters, draws)
    total, gradient = 0.0, _Gradient(parameters, population, draws)
    for first in range(0, len(inputs), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        total += gradient.add(inputs.take(rows), chosen[rows], counted[rows])
    return total, gradient.vector()


class _Gradient:
    """Sums the gradient over pieces of the orders. Of a mixture's log likelihood it is that of its parts, each weighed by what
    the choice makes of it (Fisher's identity)."""

    def __init__(self, parameters: TasteParameters, population: Population, draws: np.ndarray) -> None:
        self._parameters, self._population, self._draws = parameters, population, draws
        self._sums = parameters.from_vector(np.zeros_like(parameters.vector()))
        self._tastes = np.zeros_like(population.tastes)

    def add(self, inputs: TasteInputs, chosen: np.ndarray, counted: np.ndarray) -> float:
        """Takes orders in; their log likelihood."""
        population, n = self._population, len(chosen)
        now, past = map(softmax, utilities(self._parameters, inputs))
        before, sums = log_weights(population, inputs, past, inputs.dayparts)
        before -= before.max(axis=1, keepdims=True)
        before = np.exp(before, out=before)
        before /= before.sum(axis=1, keepdims=True)
        choice = now @ population.appeal.T
        daypart = np.exp(inputs.daypart @ population.log_dayparts.T)
        after = before * population.appeal[:, chosen].T / choice
        after *= np.repeat(daypart, population.draws_per_group, axis=1)
        likelihood = after.sum(axis=1, keepdims=True)
        value = float(counted @ (np.log(likelihood[:, 0]) + np.log(now[np.arange(n), chosen])))
        after *= counted[:, None] / likelihood
        learned = after - before * counted[:, None]
        self._choices(inputs, chosen, after, choice, now, counted)
        self._main_products(inputs, learned, past, sums)
        self._groups(inputs, learned, after)
        return value

    def _choices(
        self,
        inputs: TasteInputs,
        chosen: np.ndarray,
        after: np.ndarray,
        choice: np.ndarray,
        now: np.ndarray,
        counted: np.ndarray,
    ) -> None:
        """The gradient by utilities and tastes from the orders' own choices."""
        appeal, happened = self._population.appeal, np.zeros_like(now)
        happened[np.arange(len(chosen)), chosen] = 1.0
        per_appeal = after / choice
        utility = happened * counted[:, None] - now * (per_appeal @ appeal)
        self._tastes += after.T @ happened - appeal * (per_appeal.T @ now)
        self._sums.circumstances[:] += utility.T @ inputs.now
        self._sums.habit[:] += [*_sum_by_habit(inputs.last, utility), np.vdot(inputs.older, utility)]

    def _main_products(self, inputs: TasteInputs, learned: np.ndarray, past: np.ndarray, sums: np.ndarray) -> None:
        """The gradient through the weights of tastes: past main products and add-ons."""
        population, parameters = self._population, self._sums
        certainty, addon_weight = population.certainty, population.addon_weight
        share = learned * (certainty * inputs.orders) / sums
        utility = -past * (share @ population.appeal)
        parameters.circumstances[:] += utility.T @ inputs.past
        parameters.habit[:] += _sum_by_habit(inputs.earlier, utility * inputs.per_order) @ PAST_HABITS
        mains, addons = learned.T @ inputs.mains, learned.T @ inputs.addons
        self._tastes += certainty * mains + addon_weight * addons - population.appeal * (share.T @ past)
        evidence = (mains * population.tastes).sum() - (learned * inputs.orders * np.log(sums)).sum()
        parameters.certainty[:] += certainty * evidence
        expected = population.addon_appeal / population.addon_appeal.sum(axis=1, keepdims=True)
        lines = learned.T @ inputs.addon_lines[:, 0]
        self._tastes -= addon_weight * lines[:, None] * expected
        parameters.addon_utility[:] -= lines @ expected
        parameters.addon_weight[:] += ((addons - lines[:, None] * expected) * population.tastes).sum()

    def _groups(self, inputs: TasteInputs, learned: np.ndarray, after: np.ndarray) -> None:
        """The gradient through the weights of groups: dayparts, baskets and shares."""
        population, parameters = self._population, self._sums
        shape = (len(learned), len(population.log_addon), population.draws_per_group)
        by_group, after_group = learned.reshape(shape).sum(axis=2), after.reshape(shape).sum(axis=2)
        dayparts = by_group.T @ inputs.dayparts + after_group.T @ inputs.daypart
        parameters.daypart_logits[:] += dayparts - np.exp(population.log_dayparts) * dayparts.sum(axis=1, keepdims=True)
        addon = np.exp(population.log_addon)
        parameters.basket_logits[:] += (by_group.T @ inputs.addon_lines[:, 0]) * (1.0 - addon)
        parameters.basket_logits[:] -= (by_group.T @ free_occasions(inputs)[:, 0]) * addon
        parameters.group_logits[:] += by_group.sum(axis=0)

    def vector(self) -> np.ndarray:
        """The gradient of everything taken in so far."""
        tastes = self._tastes - self._tastes.mean(axis=1, keepdims=True)
        by_draw = tastes.reshape(*self._sums.group_means.shape[:1], len(self._draws), -1)
        self._sums.group_means[:] = by_draw.sum(axis=1)
        self._sums.spread[:] = np.einsum("grk,rj->kj", by_draw, self._draws)
        return self._sums.vector()


def _sum_by_habit(habits: np.ndarray, utility: np.ndarray) -> np.ndarray:
    """Of habits (n, h, K) times utilities (n, K): (h,)."""
    return np.array([np.vdot(habits[:, place], utility) for place in range(habits.shape[1])])


def _prior(begin: TasteParameters, interactions: int) -> tuple[np.ndarray, np.ndarray]:
    """Precisions and centres of the normal priors, as vectors of parameters."""
    deviation = {name: np.full(getattr(begin, name).shape, width) for name, width in PRIOR_DEVIATION.items()}
    deviation["circumstances"][:, 0] = LEVEL_DEVIATION
    deviation["circumstances"][:, begin.circumstances.shape[1] - interactions :] = INTERACTION_DEVIATION
    nothing = {name: np.zeros_like(getattr(begin, name)) for name in PRIOR_DEVIATION}
    held = (
        "addon_weight",
        "daypart_logits",
        "basket_logits",
    )  # without evidence in the data, all groups are alike in these
    centre = TasteParameters(**{**nothing, **{name: getattr(begin, name) for name in held}})
    return TasteParameters(**deviation).vector() ** -2.0, centre.vector()


def _centres(inputs: TasteInputs, popularity: np.ndarray, groups: int) -> np.ndarray:
    """Group means (G, K) to begin with: centres of the customers' log shares against the chain's."""
    from sklearn.cluster import KMeans

    informative = np.flatnonzero(inputs.orders[:, 0] >= INFORMATIVE_ORDERS)
    step = max(1, len(informative) // MOST_ROWS_FOR_CENTRES)
    mains = inputs.mains[informative[::step]]
    if len(mains) <= groups:
        return np.zeros((groups, len(popularity)))
    shares = shrunken_shares(mains, np.broadcast_to(popularity, mains.shape), SHARE_PRIOR_ORDERS)
    tastes = centred_log(shares / popularity)
    centres: np.ndarray = STRETCH * KMeans(groups, n_init=4, random_state=0).fit(tastes).cluster_centers_
    return centres
