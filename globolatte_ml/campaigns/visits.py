"""How many orders each customer will make in the days to come.

Belongs here: the gamma-Poisson model of visits. Does not belong here: what is bought at a visit.
"""

from __future__ import annotations

import numpy as np

SHAPES = np.geomspace(0.1, 20.0, 40)
SCALES_IN_DAYS = np.geomspace(1.0, 2000.0, 60)


def expected_orders(orders: np.ndarray, days: np.ndarray, horizon: float) -> np.ndarray:
    """Expected orders within `horizon` days, shape (n,), for customers of `orders` (>= 1) within `days` since their first one.

    Each customer comes at a constant rate of their own, rates are gamma distributed (NBD, Ehrenberg 1959); the first order only tells
    when the clock started. The gamma is that of highest likelihood on a grid, so that one early repeat makes nobody a regular.
    It is assumed that customers go on as they have.
    """
    from scipy.special import gammaln

    repeats, exposure = np.maximum(orders - 1.0, 0.0), np.maximum(days, 1.0)
    if not len(orders):
        return np.zeros(0)
    best, taken = -np.inf, (1.0, 30.0)
    for shape in SHAPES:
        common = (gammaln(shape + repeats) - gammaln(shape)).sum()
        for scale in SCALES_IN_DAYS:
            total = scale + exposure
            fit = common + (shape * np.log(scale / total) - repeats * np.log(total)).sum()
            if fit > best:
                best, taken = fit, (float(shape), float(scale))
    shape, scale = taken
    rate: np.ndarray = (repeats + shape) / (exposure + scale)
    return horizon * rate
