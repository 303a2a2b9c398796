"""What a model must beat: simple answers fitted on the training part.

Belongs here: each baseline as a function of the split data.
Does not belong here: metrics, and the model itself.
"""

from __future__ import annotations

import numpy as np

from globolatte_ml.data.snapshot import Snapshot
from globolatte_ml.model.features import expected_shares
from globolatte_ml.model.metrics import log_loss
from globolatte_ml.model.priors import chain_popularity, learn_feature_space

UNIFORM = "uniform"
POPULARITY = "popularity"
REGIONAL_POPULARITY = "popularity by business unit and season"
FAVOURITE = "customer favourite"
_WEIGHTS = np.arange(0.0, 1.0, 0.05)


def baseline_probabilities(snapshot: Snapshot, holdout: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities for the holdout orders by baseline, each of shape (holdout orders, K).

    Fitted on the orders outside `holdout` (bool, shape (n,)); like the model, they see each customer's state at the time.
    """
    training, n_products = ~holdout, len(snapshot.products)
    shape = (int(holdout.sum()), n_products)
    popularity = chain_popularity(snapshot.chosen[training], n_products)
    space = learn_feature_space(
        snapshot.states.take(training), snapshot.contexts.take(training), snapshot.chosen[training], snapshot.products
    )
    return {
        UNIFORM: np.full(shape, 1.0 / n_products),
        POPULARITY: np.broadcast_to(popularity, shape),
        REGIONAL_POPULARITY: expected_shares(snapshot.contexts.take(holdout), space),
        FAVOURITE: _favourite(snapshot, holdout, popularity),
    }


def _favourite(snapshot: Snapshot, holdout: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """The product the customer had most often, mixed with popularity; the weight is the best one in training."""
    main_orders, chosen = snapshot.states.main_orders, snapshot.chosen
    favourite = np.zeros(main_orders.shape)
    favourite[np.arange(len(favourite)), main_orders.argmax(axis=1)] = 1.0
    favourite[main_orders.sum(axis=1) == 0] = popularity
    fits = [log_loss((1 - weight) * popularity + weight * favourite[~holdout], chosen[~holdout]) for weight in _WEIGHTS]
    weight = _WEIGHTS[int(np.argmin(fits))]
    mixed: np.ndarray = (1 - weight) * popularity + weight * favourite[holdout]
    return mixed
