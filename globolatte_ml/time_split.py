"""The split in time: train on the past, judge on the last eighth.

Belongs here: the one rule by which orders become training or holdout.
Does not belong here: metrics and models.
"""

from __future__ import annotations

import numpy as np

HOLDOUT_FRACTION = 8
_DAY = np.timedelta64(1, "D")


def time_split(ordered_at: np.ndarray) -> np.ndarray:
    """Which of n orders are holdout: bool of shape (n,).

    The holdout is the last eighth of the span from the first to the last order. From 8 days on it consists of whole
    business dates (at least one; `ordered_at` is local time of the business unit); below, the cut falls at a point of
    time. The first order is always training. When all orders have the same time (a single order, for instance) no
    holdout is possible and the mask is all False.

    Args:
        ordered_at: datetime64 of any unit, shape (n,).
    """
    if len(ordered_at) == 0:
        return np.zeros(0, bool)
    dates = ordered_at.astype("datetime64[D]")
    days = int((dates.max() - dates.min()) / _DAY) + 1
    if days >= HOLDOUT_FRACTION:
        holdout: np.ndarray = dates > dates.max() - (days // HOLDOUT_FRACTION) * _DAY
        return holdout
    times = ordered_at.astype("datetime64[us]").astype(np.int64)
    elapsed = times - times.min()
    late: np.ndarray = elapsed * HOLDOUT_FRACTION > elapsed.max() * (HOLDOUT_FRACTION - 1)
    return late
