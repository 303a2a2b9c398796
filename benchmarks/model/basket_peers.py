"""Peers from next basket recommendation: they rank products by the baskets of a customer and of others, and give no probabilities.

Each sees an order's customer as of the order, and the others as they were at the end of training. Constants are those that rank best
on the later part of the training orders (mean reciprocal rank), with the others as they were before it. Whether an order contributes
its main product or its whole basket is such a constant, too. Equal scores are ranked by popularity.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.sparse import csr_matrix, diags

from benchmarks.model.ranks import reciprocal_rank
from globolatte_ml.data.orders import time_split
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.vocabulary import one_hot
from globolatte_ml.model.priors import chain_popularity

GP_TOPFREQ, TIFU_KNN, UP_CF = "GP-TopFreq", "TIFU-KNN", "UP-CF"
AT_ONCE = 1_000
TIE = 1e-9
GROUP_SIZES, WITHIN, BETWEEN, NEIGHBOURS, OWN_WEIGHTS = (
    (3, 7),
    (0.9, 1.0),
    (0.6, 0.8, 1.0),
    (100, 300),
    (0.3, 0.5, 0.7, 0.9),
)
RECENT, ASYMMETRIES, LOCALITIES = (1, 5, 100), (0.25, 0.5, 0.75), (1.0, 5.0, 10.0, 50.0)


class Histories:
    """The past baskets of customers, as one matrix that weights of baskets are multiplied with.

    Args:
        customers: of n orders in time order, positions from 0, shape (n,).
        baskets: of the n orders, (n, K).
    """

    def __init__(self, customers: np.ndarray, baskets: csr_matrix) -> None:
        by_customer = np.argsort(customers, kind="stable")
        self._first = np.searchsorted(customers[by_customer], np.arange(customers.max() + 1))
        self._baskets = baskets[by_customer]

    def vectors(
        self, customers: np.ndarray, length: np.ndarray, weight: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> csr_matrix:
        """Weighted sums of each customer's first `length` baskets, (m, K).

        Args:
            customers, length: shape (m,).
            weight: from how far back baskets lie (0 is the latest) and the length of their histories, one number each, to their weights.
        """
        row = np.repeat(np.arange(len(length)), length)
        back = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        basket = (self._first[customers] + length - 1)[row] - back
        weights = csr_matrix((weight(back, length[row]), (row, basket)), shape=(len(length), self._baskets.shape[0]))
        return weights @ self._baskets


def own_frequency(back: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Every basket counts the same."""
    return np.ones(len(back))


def tifu_weight(size: int, within: float, between: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Weights of a temporal item frequency vector: the mean over groups of `size` baskets of the mean over the group's baskets, each
    basket and each group decayed by how far back it lies; the oldest group may be smaller.

    Hu, He, Gao, Zhang 2020, "Modeling personalized item frequency information for next-basket recommendation", SIGIR.
    """

    def weight(back: np.ndarray, length: np.ndarray) -> np.ndarray:
        groups, group = -(-length // size), back // size
        members = np.where(group == groups - 1, length - size * (groups - 1), size)
        weights: np.ndarray = within ** (back % size) * between**group / (members * groups)
        return weights

    return weight


def latest(most: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Weights of user-wise popularity: the share of the latest `most` baskets that contain a product.

    Faggioli, Polato, Aiolli 2020, "Recency aware collaborative filtering for next basket recommendation", UMAP.
    """

    def weight(back: np.ndarray, length: np.ndarray) -> np.ndarray:
        return (back < most) / np.minimum(length, most)

    return weight


def neighbour_means(own: csr_matrix, others: csr_matrix, itself: np.ndarray, nearest: int) -> np.ndarray:
    """The mean of the `nearest` rows of `others` (c, K) to each row of `own` (m, K) by Euclidean distance, (m, K).

    `itself`: which of the others is the row's own customer and no neighbour, shape (m,); -1 for none.
    """
    length = np.asarray(others.multiply(others).sum(axis=1)).ravel()
    nearest = min(nearest, others.shape[0] - 1)
    means = np.zeros(own.shape)
    for start in range(0, own.shape[0] if nearest else 0, AT_ONCE):
        some = slice(start, start + AT_ONCE)
        distance = length[None, :] - 2.0 * (own[some] @ others.T).toarray()  # the row's own length changes no order
        known = np.flatnonzero(itself[some] >= 0)
        distance[known, itself[some][known]] = np.inf
        close = np.argpartition(distance, nearest - 1, axis=1)[:, :nearest]
        places = (np.repeat(np.arange(len(close)), nearest), close.ravel())
        picked = csr_matrix((np.full(close.size, 1.0 / nearest), places), shape=distance.shape)
        means[some] = (picked @ others).toarray()
    return means


def asymmetric_similarity(own: csr_matrix, others: csr_matrix, asymmetry: float) -> np.ndarray:
    """What two customers have in common, |A and B| / (|A|^a |B|^(1-a)), of 0/1 profiles (m, K) and (c, K): (m, c)."""
    sizes = [np.asarray(profiles.sum(axis=1)).ravel().clip(min=1.0) for profiles in (own, others)]
    scaled = diags(sizes[0] ** -asymmetry) @ own @ others.T @ diags(sizes[1] ** (asymmetry - 1.0))
    similar: np.ndarray = scaled.toarray()
    return similar


@dataclass(frozen=True)
class Question:
    """Orders to rank products for, (m,) each: their customers and how many baskets these had before; and how many baskets each of c
    customers has that others may learn from, (c,)."""

    histories: Histories
    customers: np.ndarray
    length: np.ndarray
    known: np.ndarray

    @property
    def others(self) -> np.ndarray:
        """The customers that may be learned from."""
        return np.flatnonzero(self.known)

    @property
    def itself(self) -> np.ndarray:
        """The position of each order's customer in `others`, -1 for one that is not there."""
        place = np.full(len(self.known), -1)
        place[self.others] = np.arange(len(self.others))
        return place[self.customers]

    def own(self, weight: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> csr_matrix:
        """Of the orders' customers, as of the orders: (m, K)."""
        return self.histories.vectors(self.customers, self.length, weight)

    def of_others(self, weight: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> csr_matrix:
        """Of the customers that may be learned from, (c, K)."""
        return self.histories.vectors(self.others, self.known[self.others], weight)


Scores = Iterator[tuple[tuple[float, ...], np.ndarray]]
"""Constants and the scores (m, K) that they give, one after the other."""


def frequencies(question: Question, constants: Sequence[tuple[float, ...]]) -> Scores:
    """A customer's own frequencies. Filled up by popularity it is GP-TopFreq (Li, Jullien, Ariannezhad, de Rijke 2023, "A next basket
    recommendation reality check"; the personal part alone stands in Hu et al. 2020)."""
    for one in constants:
        yield one, question.own(own_frequency).toarray()


def temporal_frequencies(question: Question, constants: Sequence[tuple[float, ...]]) -> Scores:
    """TIFU-KNN: own decayed frequencies mixed with those of the nearest customers. Constants: group size, decay within and between
    groups, neighbours, own weight; sets that differ in the last only are best neighbours."""
    last: tuple[float, ...] = ()
    for one in constants:
        size, within, between, nearest, weight = one
        if one[:4] != last:
            decayed = tifu_weight(int(size), within, between)
            vectors = question.own(decayed)
            own = vectors.toarray()
            near = neighbour_means(vectors, question.of_others(decayed), question.itself, int(nearest))
            last = one[:4]
        yield one, weight * own + (1.0 - weight) * near


def user_popularity(question: Question, constants: Sequence[tuple[float, ...]]) -> Scores:
    """UP-CF: the recent popularity of products with each customer, summed over customers by the power of their similarity, in which the
    customer itself counts 1. Constants: recent baskets, asymmetry, locality."""
    profiles = question.own(own_frequency).sign(), question.of_others(own_frequency).sign()
    itself = question.itself
    known = np.flatnonzero(itself >= 0)
    for one in constants:
        most, asymmetry, locality = one
        scores, others = question.own(latest(int(most))).toarray(), question.of_others(latest(int(most)))
        for start in range(0, len(scores), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            similar = asymmetric_similarity(profiles[0][some], profiles[1], asymmetry) ** locality
            here = known[(known >= start) & (known < start + AT_ONCE)]
            similar[here - start, itself[here]] = 0.0
            scores[some] += similar @ others
        yield one, scores


RANKERS: dict[str, tuple[Callable[[Question, Sequence[tuple[float, ...]]], Scores], tuple[tuple[float, ...], ...]]] = {
    GP_TOPFREQ: (frequencies, ((),)),
    TIFU_KNN: (temporal_frequencies, tuple(product(GROUP_SIZES, WITHIN, BETWEEN, NEIGHBOURS, OWN_WEIGHTS))),
    UP_CF: (user_popularity, tuple(product(RECENT, ASYMMETRIES, LOCALITIES))),
}
"""By name: the scores, and the constants to choose from."""


def basket_rankings(snapshot: SnapshotOrders, holdout: np.ndarray, baskets: csr_matrix) -> dict[str, np.ndarray]:
    """Scores (holdout orders, K) by peer, with constants fitted on the other orders. `baskets`: those of all orders, (n, K)."""
    past, chosen = ~holdout, snapshot.chosen
    _, customers = np.unique(snapshot.customer_ids, return_inverse=True)
    validation = past.copy()
    validation[past] = time_split(snapshot.contexts.date[past])
    mains = csr_matrix(one_hot(chosen, len(snapshot.products)))
    contributions = (mains,) if (mains != baskets).nnz == 0 else (mains, baskets)
    popularity = chain_popularity(chosen[past], len(snapshot.products))
    found = {}
    for name, (scores, constants) in RANKERS.items():
        tried = []
        for place, contribution in enumerate(contributions if validation.any() else ()):
            question = _question(customers, snapshot, contribution, validation, past & ~validation)
            for one, answer in scores(question, constants):
                fit = reciprocal_rank(answer + TIE * popularity, chosen[validation])
                tried.append((-fit, place, one))
        _, place, best = min(tried) if tried else (0.0, 0, constants[0])
        question = _question(customers, snapshot, contributions[place], holdout, past)
        ((_, answer),) = scores(question, (best,))
        found[name] = answer + TIE * popularity
    return found


def _question(
    customers: np.ndarray, snapshot: SnapshotOrders, baskets: csr_matrix, asked: np.ndarray, learned: np.ndarray
) -> Question:
    known = np.bincount(customers[learned], minlength=customers.max() + 1)
    return Question(Histories(customers, baskets), customers[asked], snapshot.states.order_count[asked], known)
