"""The orders of a fit: in which sequence they are taken, and what each counts. And the rounding of what is learned from them.

Belongs here: what makes the same orders give the same numbers. Does not belong here: which orders are holdout (`time_split.py`).
"""

from __future__ import annotations

import numpy as np

from globolatte_ml.data.contexts import Contexts
from globolatte_ml.data.states import CustomerStates

FLOOR_OF_WEIGHTS = 0.1
"""What the oldest order still counts: seasons come back."""
SIGNIFICANT_DIGITS = 10


def thinned(chosen: np.ndarray, most: int) -> np.ndarray:
    """Positions of every so manieth order, about `most` of them, and of one order of each product: all where there are no more."""
    every = np.arange(0, len(chosen), max(1, -(-len(chosen) // most)))
    return np.union1d(every, np.unique(chosen, return_index=True)[1])


def canonical_order(states: CustomerStates, contexts: Contexts, chosen: np.ndarray) -> np.ndarray:
    """Positions that put n orders into one sequence, whatever sequence they came in: equal orders give equal numbers.

    By date, circumstances and history; orders that agree in all of these are the same to a model.
    """
    units, weathers, dayparts = (
        np.unique(words, return_inverse=True)[1]
        for words in (contexts.business_unit, contexts.weather, contexts.daypart)
    )
    history = (*states.recent_products.T, *states.daypart_orders.T, *states.addon_lines.T, *states.main_orders.T)
    decayed = (*states.decayed_main_30d.T, states.first_order_date, states.last_order_date, states.line_count)
    return np.lexsort((*decayed, *history, states.order_count, chosen, dayparts, weathers, units, contexts.date))


def recency_weights(dates: np.ndarray, half_life: float | None) -> np.ndarray | None:
    """What each order counts: 1 on the last date, halving its part above `FLOOR_OF_WEIGHTS` every `half_life` days.

    `dates` is datetime64[D] of shape (n,); so is the answer, float64. None for equal weights.
    """
    if half_life is None:
        return None
    age = (dates.max() - dates).astype(np.int64)
    weights: np.ndarray = FLOOR_OF_WEIGHTS + (1.0 - FLOOR_OF_WEIGHTS) * np.exp2(-age / half_life)
    return weights


def round_significant(values: np.ndarray, digits: int = SIGNIFICANT_DIGITS) -> np.ndarray:
    """`values` rounded to `digits` significant decimal digits."""
    exponent = np.floor(np.log10(np.abs(np.where(values == 0, 1.0, values))))
    scale = 10.0 ** (digits - 1 - exponent)
    rounded: np.ndarray = np.round(values * scale) / scale
    return rounded
