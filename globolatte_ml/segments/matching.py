"""Ids that last: which new segment is which old one.

Belongs here: the matching. Does not belong here: where segments come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME = 0.3
"""Share of the customers of either segment that both must have, for the new one to be the old one."""


@dataclass(frozen=True)
class Matched:
    """The id of each new segment, in their order; the first id that nobody ever had; how much of it each shares with the old one."""

    ids: tuple[int, ...]
    next_id: int
    overlaps: tuple[float, ...]


def match(old: np.ndarray, new: np.ndarray, old_ids: tuple[int, ...], n_new: int, next_id: int) -> Matched:
    """Match by customers in common, all pairs together for the best total (Hungarian method; Kuhn 1955).

    `old` and `new`, shape (n,), are the positions of the same customers' segments; the overlap is the Jaccard index. A segment
    that is like none before gets an id that no segment ever had, and the id of one that is gone is not given out again.
    """
    from scipy.optimize import linear_sum_assignment

    both = np.zeros((len(old_ids), n_new))
    np.add.at(both, (old, new), 1.0)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    overlap = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    ids, overlaps = [0] * n_new, [0.0] * n_new
    for was, now in zip(*linear_sum_assignment(-overlap), strict=True):
        if overlap[was, now] >= SAME:
            ids[now], overlaps[now] = old_ids[was], float(overlap[was, now])
    for position in range(n_new):
        if not ids[position]:
            ids[position], next_id = next_id, next_id + 1
    return Matched(tuple(ids), next_id, tuple(overlaps))
