"""A segmentation: found once, stored as a document, applied to any customers; and ids that stay the same after a refit."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from globolatte_ml.segments.clustering import Clusters, Evidence, find_clusters
from globolatte_ml.segments.profiles import distinct, name_of, taste_of
from globolatte_ml.segments.vectors import Customers, VectorSpace, learn_vector_space

ORDERS_TO_BE_HEARD = 3
"""Customers with fewer orders take no part in finding segments: little is known of them. They are assigned, provisionally."""
REFIT_DAYS = 28
SAME = 0.3
"""Share of the customers of either segment that both must have, for the new one to be the old one."""


@dataclass(frozen=True)
class SegmentFit:
    """k segments: `ids`, `names` and `overlaps` (with the segment of that id before, 0 for a new one) belong to the clusters in order."""

    space: VectorSpace
    clusters: Clusters
    ids: tuple[int, ...]
    names: tuple[str, ...]
    overlaps: tuple[float, ...]
    next_id: int
    learned_until: dt.date
    customers: int

    @property
    def fit_id(self) -> str:
        """The name of its content."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    @property
    def chosen(self) -> Evidence | None:
        """The evidence of the k that was taken; none if there is one segment."""
        return next((one for one in self.clusters.evidence if one.k == len(self.ids)), None)

    @property
    def is_of_its_space(self) -> bool:
        """Whether customers can be assigned: an earlier release had a coordinate for each product of a large catalogue."""
        return self.clusters.centres.shape[1] == self.space.width

    def name_if_still_so(self, segment_id: int, taste: tuple[str, ...]) -> str | None:
        """The name of a segment of this fit if the same products stand out in it; else none."""
        if segment_id not in self.ids:
            return None
        at = self.ids.index(segment_id)
        return self.names[at] if set(taste_of(self.clusters.centres[at], self.space)) == set(taste) else None

    def assign(self, coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position of each customer's segment, and the probability of it; both of shape (n,)."""
        memberships = self.clusters.memberships(coordinates)
        segment = memberships.argmax(axis=1)
        return segment, memberships[np.arange(len(segment)), segment]

    def to_json(self) -> str:
        """Everything as JSON, in canonical form."""
        document = vars(self) | vars(self.clusters)
        del document["clusters"]
        return json.dumps(document, sort_keys=True, default=_plain)

    @classmethod
    def from_json(cls, text: str) -> "SegmentFit":
        """The inverse of `to_json`."""
        document = _parts(json.loads(text), ("centres", "shares"))
        space = VectorSpace(**_parts(document.pop("space"), ("usual", "daypart_mix")))
        evidence = tuple(Evidence(**one) for one in document.pop("evidence"))
        centres, shares, variance = (document.pop(name) for name in ("centres", "shares", "variance"))
        clusters = Clusters(centres, shares, variance, evidence)
        learned_until = dt.date.fromisoformat(document.pop("learned_until"))
        return cls(space=space, clusters=clusters, learned_until=learned_until, **document)


def find_segments(
    customers: Customers,
    until: dt.date,
    product_names: Mapping[str, str],
    previous: SegmentFit | None = None,
    seed: int = 0,
) -> SegmentFit:
    """Find segments among customers with orders (at least one), and give them the ids of those they were before.

    A segment keeps its name as long as its id, unless what stands out in it has changed. Raises `ValueError` without customers.
    """
    if len(customers) == 0:
        raise ValueError("no customer has orders; load sales before looking for segments")
    order = np.argsort(customers.ids, kind="stable")
    customers = customers.take(order)
    heard = customers.states.order_count >= ORDERS_TO_BE_HEARD
    heard = heard if heard.any() else np.ones(len(customers), dtype=bool)
    learned = customers.take(heard)
    space = learn_vector_space(learned)
    points = space.coordinates(learned)
    clusters = find_clusters(points, seed)
    k = len(clusters.shares)
    names = [name_of(centre, space, product_names) for centre in clusters.centres]
    first = 1 if previous is None else previous.next_id
    ids, overlaps, next_id = tuple(range(first, first + k)), (0.0,) * k, first + k
    if previous is not None and previous.is_of_its_space:
        was, _ = previous.assign(previous.space.coordinates(learned))
        now = clusters.memberships(points).argmax(axis=1)
        ids, overlaps, next_id = match(was, now, previous.ids, k, previous.next_id)
        names = [
            previous.name_if_still_so(one, taste_of(centre, space)) or name
            for one, centre, name in zip(ids, clusters.centres, names, strict=True)
        ]
    return SegmentFit(space, clusters, ids, tuple(distinct(names)), overlaps, next_id, until, len(learned))


def why_refit(
    previous: SegmentFit | None, until: dt.date, products: Sequence[str], refit: bool = False, days: int = REFIT_DAYS
) -> str | None:
    """Why segments are to be found anew, in one sentence; none if customers are only to be assigned to those there are.

    `until` is the last date of the sales, `products` what was sold so far.
    """
    if previous is None:
        return "There were no segments yet."
    if refit:
        return "Someone asked for it."
    if not previous.is_of_its_space:
        return "Products of a large catalogue that sell seldom are one coordinate since."
    new = sorted(set(products) - set(previous.space.products))
    if new:
        return f"{', '.join(new[:5])} came into the range since."
    passed = (until - previous.learned_until).days
    if passed >= days:
        return f"{passed} days of sales are new since ({days} are enough)."
    return None


def _plain(value: Any) -> Any:
    """What JSON does not know, as what it knows."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return value.tolist() if isinstance(value, np.ndarray) else vars(value)


def _parts(document: dict[str, Any], arrays: tuple[str, ...]) -> dict[str, Any]:
    """The document with its lists as the arrays and tuples that they were."""
    lists = {name: value for name, value in document.items() if isinstance(value, list)}
    return document | {name: np.array(value) if name in arrays else tuple(value) for name, value in lists.items()}


def match(
    old: np.ndarray, new: np.ndarray, old_ids: tuple[int, ...], n_new: int, next_id: int
) -> tuple[tuple[int, ...], tuple[float, ...], int]:
    """Match by customers in common, all pairs together for the best total (Hungarian method; Kuhn 1955).

    Returns the id of each new segment, in their order; how much of it each shares with the old one; the first id that nobody ever had.

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
    return tuple(ids), tuple(overlaps), next_id
