"""Where products are ranked: the place of what was bought, and how much of a basket stands at the top."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

BASKET_PLACES = 10


def ranks(scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The place of each order's product by its scores (n, K), 0 the first, shape (n,); equal scores rank in catalogue order."""
    own = scores[np.arange(len(chosen)), chosen][:, None]
    before = np.arange(scores.shape[1])[None, :] < chosen[:, None]
    place: np.ndarray = ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return place


def reciprocal_rank(scores: np.ndarray, chosen: np.ndarray) -> float:
    """Mean of 1 / place: 1 if every product bought stands first."""
    return float((1.0 / (ranks(scores, chosen) + 1.0)).mean())


@dataclass(frozen=True)
class BasketQuality:
    """How well whole baskets are predicted, means over orders.

    Attributes:
        recall, ndcg: of the first ten products, as in Li et al. 2023 ("A next basket recommendation reality check").
        loss: -log of the probability of a product of the basket, averaged over the basket, nats: the log loss if it were left to chance
            which product comes first. None for scores that are no probabilities.
    """

    recall: float
    ndcg: float
    loss: float | None


def basket_quality(scores: np.ndarray, baskets: csr_matrix, probabilities: bool) -> BasketQuality:
    """Of scores (n, K) for baskets (n, K) of 0 and 1, none of them empty."""
    contained = baskets.toarray() > 0
    size = contained.sum(axis=1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :BASKET_PLACES]
    found = np.take_along_axis(contained, best, axis=1)
    worth = 1.0 / np.log2(np.arange(2, BASKET_PLACES + 2))
    ideal = np.cumsum(worth)[np.minimum(size, BASKET_PLACES) - 1]
    loss = float((np.where(contained, -np.log(scores), 0.0).sum(axis=1) / size).mean()) if probabilities else None
    return BasketQuality(
        recall=float((found.sum(axis=1) / size).mean()),
        ndcg=float((found @ worth[: found.shape[1]] / ideal).mean()),
        loss=loss,
    )
