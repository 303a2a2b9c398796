"""The independent random streams of a seed.

The chain itself draws from `numpy.random.default_rng(seed)`; everything around it (names, means of payment, stock,
further products) draws from streams of its own, so that a new city or means of payment changes no order.
"""

from enum import IntEnum

import numpy as np


class RandomStream(IntEnum):
    """What a stream beside the chain's own is for; the numbers are part of the dataset's identity."""

    PEOPLE = 1
    PAYMENT = 2
    STOCK = 3
    CATALOGUE = 4
    CONTINUATION = 5


def random_stream(seed: int, stream: RandomStream, *keys: int) -> np.random.Generator:
    """The generator of one stream of `seed`; `keys` split it further (e.g. one per product)."""
    return np.random.default_rng([seed, int(stream), *keys])
