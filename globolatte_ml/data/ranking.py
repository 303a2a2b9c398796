"""Ranking products by probability, and what is kept of a ranking where a catalogue is large."""

from collections.abc import Iterator

import numpy as np

EVERY_PRODUCT_UP_TO = 200
"""Predictions over a catalogue of more products are stored by their best `BEST_STORED`, with what the rest sums to."""
BEST_STORED = 100
CELLS_AT_ONCE = 4_000_000
"""Of a table of orders x products: what is predicted at once, 32 MB a table."""


def stored_of(n_products: int) -> int:
    """How many products of a prediction are stored."""
    return n_products if n_products <= EVERY_PRODUCT_UP_TO else BEST_STORED


def pieces(n: int, n_products: int) -> Iterator[np.ndarray]:
    """Positions 0…n - 1 in pieces that are not too many to be predicted at once."""
    size = max(1, CELLS_AT_ONCE // max(n_products, 1))
    return (np.arange(start, min(start + size, n)) for start in range(0, n, size))


def best(probabilities: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` most probable products of each row, best first, shape (n, count); equal ones rank in catalogue order.

    All K where `count` is K or more.
    """
    n_products = probabilities.shape[1]
    if count >= n_products:
        return np.argsort(-probabilities, axis=1, kind="stable")
    part = np.sort(np.argpartition(-probabilities, count - 1, axis=1)[:, :count], axis=1)
    order = np.argsort(-np.take_along_axis(probabilities, part, axis=1), axis=1, kind="stable")
    found = np.take_along_axis(part, order, axis=1)
    least = np.take_along_axis(probabilities, found[:, -1:], axis=1)
    tied = (probabilities >= least).sum(
        axis=1
    ) > count  # which of the equal ones at the end the partition took is chance
    found[tied] = np.argsort(-probabilities[tied], axis=1, kind="stable")[:, :count]
    return found


def places(probabilities: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The rank from 1 of the product `chosen` (n,) in each row; equal ones rank in catalogue order."""
    its = probabilities[np.arange(len(chosen)), chosen][:, None]
    before = np.arange(probabilities.shape[1])[None, :] < chosen[:, None]
    place: np.ndarray = 1 + (probabilities > its).sum(axis=1) + ((probabilities == its) & before).sum(axis=1)
    return place
