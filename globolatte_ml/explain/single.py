"""One recommendation, explained: what moved its first choice, and what would turn it."""

from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.explain.counterfactuals import Turned, turning_changes
from globolatte_ml.explain.explanations import PLAYERS, Situations, explain
from globolatte_ml.model.encoding import daypart_preference
from globolatte_ml.scoring.recommendations import Recommendation, Request
from globolatte_ml.scoring.scorer import Scorer

BACKGROUND = 100


@dataclass(frozen=True)
class Explained:
    """A recommendation, and why its first product is first. base: the probability of that product for the average order; values: what
    each of PLAYERS adds, their sum with base is the probability."""

    recommendation: Recommendation
    base: float
    values: dict[str, float]
    turned: tuple[Turned, ...]


def explain_request(scorer: Scorer, request: Request, snapshot: SnapshotOrders, seed: int = 0) -> Explained:
    """Answer a request and explain the answer against a hundred orders of `snapshot`. Raises ValueError as `Scorer.recommend` does.

    Without a daypart it is the mean over the hours at which the customer comes, as the answer is.
    """
    answer = scorer.recommend([request])[0]
    row = scorer.bundle.rows(np.array([answer.customer_id]))
    state = scorer.bundle.states(scorer.model.space_.vocabulary.products).take(row)
    dayparts = [answer.daypart] if answer.daypart else list(DAYPARTS)
    weights = np.ones(1) if answer.daypart else daypart_preference(state.daypart_orders, scorer.model.space_)[0]
    day = np.datetime64(answer.date, "D")
    contexts = Contexts(
        business_unit=np.full(len(dayparts), answer.business_unit),
        date=np.full(len(dayparts), day),
        weather=np.full(len(dayparts), answer.weather),
        daypart=np.array(dayparts),
        is_holiday=np.full(len(dayparts), scorer.bundle.is_holiday(answer.business_unit, day)),
    )
    requests = Situations(state.take(np.zeros(len(dayparts), dtype=np.int64)), contexts)
    rows = np.random.default_rng(seed).choice(len(snapshot), min(BACKGROUND, len(snapshot)), replace=False)
    states = snapshot.states.for_products(state.products).take(rows)
    found = explain(scorer.model, requests, Situations(states, snapshot.contexts.take(rows)), scorer.products)
    first = scorer.products.index(answer.ranked[0].product_id)
    values = weights @ found.values[:, :, first]
    likeliest = requests.take(np.array([int(weights.argmax())]))
    units = list(scorer.bundle.business_units)
    turned = turning_changes(
        scorer.model, likeliest, scorer.products, scorer.weathers, units, dict(scorer.bundle.products)
    )
    named = tuple(Turned(one.text, scorer.bundle.products[one.product], one.probability) for one in turned)
    return Explained(answer, float(found.base[first]), dict(zip(PLAYERS, values.tolist(), strict=True)), named)
