"""Two lines of arithmetic: a customer's own shares, shrunk to popularity, and these mixed with the last product.

Their constants, the strength of popularity in orders and the weight of the last product, are those of the highest likelihood in
training.
"""

from collections.abc import Sequence

import numpy as np

from globolatte_ml.data.shares import shrunken_shares
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.vocabulary import one_hot
from globolatte_ml.model.priors import CONCENTRATIONS, chain_popularity

OWN_SHARES, LAST_AND_SHARES = "own shares, shrunk", "last product and own shares"
LAST_WEIGHTS = np.arange(0.0, 1.0, 0.05)


def habits(snapshot: SnapshotOrders, holdout: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities (holdout orders, K) by peer, fitted on the other orders."""
    popularity = chain_popularity(snapshot.chosen[~holdout], len(snapshot.products))
    states, last = snapshot.states.take(holdout), snapshot.states.recent_products[holdout, :1]
    found = {}
    for name, weights in ((OWN_SHARES, LAST_WEIGHTS[:1]), (LAST_AND_SHARES, LAST_WEIGHTS)):
        strength, weight = fitted_habit(snapshot, ~holdout, popularity, weights)
        shares = shrunken_shares(states.main_orders, popularity[None, :], strength)
        repeated = np.where(last >= 0, one_hot(last[:, 0], len(popularity)), shares)
        found[name] = (1.0 - weight) * shares + weight * repeated
    return found


def fitted_habit(
    snapshot: SnapshotOrders, past: np.ndarray, popularity: np.ndarray, weights: Sequence[float] | np.ndarray
) -> tuple[float, float]:
    """The strength of popularity and the weight of the last product, of `weights`, that make the choices at `past` most likely."""
    chosen, counts = snapshot.chosen[past], snapshot.states.main_orders[past]
    last = snapshot.states.recent_products[past, 0]
    own, total = counts[np.arange(len(chosen)), chosen], counts.sum(axis=1)
    strengths = CONCENTRATIONS[:, None]
    shares = (own + strengths * popularity[chosen]) / (total + strengths)
    repeated = np.where(last >= 0, last == chosen, shares)
    fits = [np.log((1.0 - weight) * shares + weight * repeated).mean(axis=1) for weight in weights]
    weight, strength = np.unravel_index(np.argmax(fits), np.shape(fits))
    return float(CONCENTRATIONS[strength]), float(weights[weight])
