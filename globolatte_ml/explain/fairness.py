"""Whether the model serves some groups of customers worse, with the uncertainty of that.

Groups differ in how predictable people are, so log loss alone is no measure of fairness: the gain over popularity and the
calibration gap stand beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

ROUNDS = 500


@dataclass(frozen=True)
class Measure:
    """An estimate with its 95 % interval, and that of its difference to all other orders."""

    estimate: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return self.difference_low > 0 or self.difference_high < 0


@dataclass(frozen=True)
class Group:
    """Quality for one group. measures: log_loss, hit_rate, calibration_gap (predicted minus observed hit rate), gain_over_popularity."""

    kind: str
    name: str
    orders: int
    customers: int
    measures: Mapping[str, Measure]


def by_group(
    per_order: Mapping[str, np.ndarray],
    groups: Mapping[tuple[str, str], np.ndarray],
    customers: np.ndarray,
    seed: int = 0,
) -> list[Group]:
    """Quality of every group of `groups` (kind and name -> mask of shape (n,)) that has orders.

    `per_order`: what is averaged, by measure, shape (n,). Whole customers are drawn, the same ones for all groups.
    """
    ids, customer = np.unique(customers, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(ids), np.full(len(ids), 1.0 / len(ids)), size=ROUNDS).astype(np.float64)
    found = []
    for (kind, name), mask in groups.items():
        if not mask.any():
            continue
        measures = {measure: _measure(values, mask, customer, drawn) for measure, values in per_order.items()}
        found.append(Group(kind, name, int(mask.sum()), len(np.unique(customer[mask])), measures))
    return found


def _measure(values: np.ndarray, mask: np.ndarray, customer: np.ndarray, drawn: np.ndarray) -> Measure:
    inside, outside = _means(values, mask, customer, drawn), _means(values, ~mask, customer, drawn)
    low, high = np.nanpercentile(inside, [2.5, 97.5])
    estimate = float(values[mask].mean())
    if mask.all():
        return Measure(estimate, float(low), float(high), 0.0, 0.0, 0.0)
    apart_low, apart_high = np.nanpercentile(inside - outside, [2.5, 97.5])
    return Measure(
        estimate, float(low), float(high), estimate - float(values[~mask].mean()), float(apart_low), float(apart_high)
    )


def _means(values: np.ndarray, mask: np.ndarray, customer: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The mean over the orders of `mask` in each round, shape (rounds,); NaN where none was drawn."""
    size = drawn.shape[1]
    totals = np.bincount(customer[mask], weights=values[mask], minlength=size)
    orders = np.bincount(customer[mask], minlength=size).astype(np.float64)
    weight = drawn @ orders
    return np.divide(drawn @ totals, weight, out=np.full(len(drawn), np.nan), where=weight > 0)
