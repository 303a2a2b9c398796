"""The split in time: train on the past, judge on what came last.

Belongs here: the one rule by which orders become training or holdout.
Does not belong here: metrics and models.
"""

from __future__ import annotations

import numpy as np

HOLDOUT_FRACTION = 8
_DAY = np.timedelta64(1, "D")


def time_split(ordered_at: np.ndarray, fresh_from: np.datetime64 | None = None) -> np.ndarray:
    """Which of n orders are holdout: bool of shape (n,).

    The holdout is the last eighth of the span from the first to the last order. From 8 days on it consists of whole
    business dates (at least one; `ordered_at` is local time of the business unit); below, the cut falls at a point of
    time. The first order is always training. When all orders have the same time (a single order, for instance) no
    holdout is possible and the mask is all False.

    Where a champion learned from orders before `fresh_from`, the holdout is the later half of the dates from then on, or the
    last eighth if that is shorter: the challenger learns from the earlier half what changed since, which it could not if the
    whole change were in the holdout, and neither model has seen the later half. How few orders are too few to judge by is
    not decided here (`promotion.Gates`).

    Args:
        ordered_at: datetime64 of any unit, shape (n,).
        fresh_from: the first date that the champion knows nothing of; none for a first model.
    """
    if len(ordered_at) == 0:
        return np.zeros(0, bool)
    dates = ordered_at.astype("datetime64[D]")
    days = int((dates.max() - dates.min()) / _DAY) + 1
    if days >= HOLDOUT_FRACTION:
        holdout: np.ndarray = dates > dates.max() - (days // HOLDOUT_FRACTION) * _DAY
        fresh = _later_half(dates, fresh_from)
        return holdout if fresh is None else holdout & fresh
    times = ordered_at.astype("datetime64[us]").astype(np.int64)
    elapsed = times - times.min()
    late: np.ndarray = elapsed * HOLDOUT_FRACTION > elapsed.max() * (HOLDOUT_FRACTION - 1)
    return late


def _later_half(dates: np.ndarray, fresh_from: np.datetime64 | None) -> np.ndarray | None:
    """The later half of the fresh dates, at least the last of them; none if nothing is fresh."""
    if fresh_from is None or fresh_from > dates.max():
        return None
    fresh_days = int((dates.max() - fresh_from.astype("datetime64[D]")) / _DAY) + 1
    later: np.ndarray = dates > dates.max() - max(1, fresh_days // 2) * _DAY
    return later
