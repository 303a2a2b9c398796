"""The effect of weather on choices: an average effect, with the assumptions under which it is causal.

Assumptions, stated on the page: (1) within a unit and a month of the year it is chance which weather a day has; (2) who comes in
does not depend on the weather beyond what is known of them; (3) both weathers were seen there (strata without overlap are left
out); (4) one order's weather does not act on another order. The estimator is augmented inverse probability weighting (Robins et al.
1994): consistent if either the shares of weathers within strata or the model are right. Standard errors are clustered by
customer and by unit and day, the larger counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from globolatte_ml.data.vocabulary import UNKNOWN_WEATHER, encode, months
from globolatte_ml.explain.explanations import Predictor, Situations

FEWEST_IN_STRATUM = 5
NORMAL_95 = 1.96
MOST_ORDERS = 20_000


@dataclass(frozen=True)
class WeatherEffect:
    """How much more often each of K products is chosen under `treatment` than under `control`, in probability, with 95 % intervals.

    orders: compared. left_out: share of the orders of either weather whose unit and month had too few of the other.
    placebo: the same difference in what customers chose the time before, which weather cannot have caused, in standard errors; the
    largest over the products.
    """

    treatment: str
    control: str
    orders: int
    left_out: float
    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    placebo: float


def weather_effects(
    model: Predictor, orders: Situations, chosen: np.ndarray, customers: np.ndarray, products: Sequence[str]
) -> list[WeatherEffect]:
    """The effect of every weather against the most common one; `chosen`, shape (n,), are positions in `products`.

    Orders of unknown weather are left out. Above 20,000 orders the last ones are taken.
    """
    known = np.flatnonzero(orders.contexts.weather != UNKNOWN_WEATHER)
    recent = known[np.sort(np.argsort(orders.contexts.date[known], kind="stable")[-MOST_ORDERS:])]
    orders, chosen, customers = orders.take(recent), chosen[recent], customers[recent]
    words, counts = np.unique(orders.contexts.weather, return_counts=True)
    if not len(words):
        return []
    control = str(words[counts.argmax()])
    found = [
        _effect(model, orders, chosen, customers, products, (str(word), control)) for word in words if word != control
    ]
    return [one for one in found if one is not None]


def _effect(
    model: Predictor,
    orders: Situations,
    chosen: np.ndarray,
    customers: np.ndarray,
    products: Sequence[str],
    pair: tuple[str, str],
) -> WeatherEffect | None:
    either = np.isin(orders.contexts.weather, pair)
    treated, stratum = orders.contexts.weather == pair[0], _strata(orders)
    counts = np.stack(
        [np.bincount(stratum[either & (treated == arm)], minlength=stratum.max() + 1) for arm in (False, True)]
    )
    overlap = counts.min(axis=0) >= FEWEST_IN_STRATUM
    rows = np.flatnonzero(either & overlap[stratum])
    if not len(rows):
        return None
    here, treated, stratum = orders.take(rows), treated[rows], stratum[rows]
    share = (counts[1] / np.maximum(counts.sum(axis=0), 1))[stratum]
    outcome = np.zeros((len(rows), len(products)))
    outcome[np.arange(len(rows)), chosen[rows]] = 1.0
    models = [_under(model, here, weather, products) for weather in (pair[1], pair[0])]
    scores = _scores(outcome, models[0], models[1], treated, share)
    clusters = [customers[rows], np.char.add(here.contexts.business_unit, here.contexts.date.astype(str))]
    effect, error = scores.mean(axis=0), _clustered_error(scores, clusters)
    before, placebo = _before(here, products), 0.0
    informative = before.sum(axis=1) > 0
    if informative.any():
        nothing = np.zeros_like(before)
        earlier = _scores(before, nothing, nothing, treated, share)[informative]
        earlier_error = _clustered_error(earlier, [one[informative] for one in clusters])
        placebo = float((np.abs(earlier.mean(axis=0)) / np.maximum(earlier_error, 1e-12)).max())
    return WeatherEffect(
        *pair,
        len(rows),
        float(1.0 - len(rows) / either.sum()),
        effect,
        effect - NORMAL_95 * error,
        effect + NORMAL_95 * error,
        placebo,
    )


def _strata(orders: Situations) -> np.ndarray:
    units = tuple(np.unique(orders.contexts.business_unit).tolist())
    return encode(orders.contexts.business_unit, units) * 12 + months(orders.contexts.date) - 1


def _under(model: Predictor, orders: Situations, weather: str, products: Sequence[str]) -> np.ndarray:
    return model.predict_proba(orders.states, replace(orders.contexts, weather=np.full(len(orders), weather)), products)


def _scores(
    outcome: np.ndarray, without: np.ndarray, with_it: np.ndarray, treated: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Each order's contribution, shape (n, K); their mean is the effect."""
    up = (treated / share)[:, None] * (outcome - with_it)
    down = (~treated / (1.0 - share))[:, None] * (outcome - without)
    contribution: np.ndarray = with_it - without + up - down
    return contribution


def _before(orders: Situations, products: Sequence[str]) -> np.ndarray:
    """One-hot of the customers' choices the time before, shape (n, K); zeros for those without."""
    states = orders.states.for_products(tuple(products))
    last = states.recent_products[:, 0]
    return (last[:, None] == np.arange(len(products))).astype(np.float64)


def _clustered_error(scores: np.ndarray, clusters: Sequence[np.ndarray]) -> np.ndarray:
    centred, errors = scores - scores.mean(axis=0), []
    for cluster in clusters:
        _, code = np.unique(cluster, return_inverse=True)
        sums = np.zeros((int(code.max()) + 1, scores.shape[1]))
        np.add.at(sums, code, centred)
        errors.append(np.sqrt((sums**2).sum(axis=0)) / len(scores))
    largest: np.ndarray = np.max(errors, axis=0)
    return largest
