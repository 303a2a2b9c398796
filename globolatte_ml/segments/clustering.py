"""How many segments there are, and where: k-means with the evidence for each k.

The k taken is the largest one that resampling reproduces and that separates almost as well as the best: for a bootstrap sample of
the customers the segments are found anew, and all customers assigned to them; the adjusted Rand index of both assignments
(Hubert & Arabie 1985) is to be 0.8 on average. More segments than that tell of the sample, not of the customers. Splitting a
tight group can be stable, too, but costs silhouette (Rousseeuw 1987) or gap (Tibshirani et al. 2001, reference uniform along the
principal axes). Customers without groups have no gap, and are one segment.
"""

from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.shares import softmax

MOST_SEGMENTS = 8
STABLE = 0.8
"""Mean adjusted Rand index from which on a clustering counts as reproduced."""
ALMOST_AS_SEPARATE = 0.85
"""Share of the best stable silhouette that a finer clustering must have."""
CLEAR_GAP = 0.05
"""k centres must take so much more, in log, off the spread than they do without clusters."""
BOOTSTRAPS = 16
REFERENCES = 8
MOST_CUSTOMERS = 20_000
"""Customers that a fit looks at; more make centres no better and the evidence slow."""
SILHOUETTE_CUSTOMERS = 2_000
SMALLEST_SEGMENT = 20
"""Customers per segment that a k must leave room for; with fewer than twice as many there is one segment."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for k segments.

    stability: mean adjusted Rand index over bootstraps; stability_low: its tenth percentile. silhouette: -1 to 1, higher is
    better. gap: how much more (in log) k centres take off the spread of these customers than of as many without clusters, and
    the standard error of that.
    """

    k: int
    stability: float
    stability_low: float
    silhouette: float
    gap: float
    gap_error: float


@dataclass(frozen=True)
class Clusters:
    """k centres (k, d), the share of customers of each (k,), the variance around them per coordinate, and the evidence."""

    centres: np.ndarray
    shares: np.ndarray
    variance: float
    evidence: tuple[Evidence, ...]

    def memberships(self, points: np.ndarray) -> np.ndarray:
        """Probability of each cluster for each point, shape (n, k): equal spheres around the centres, weighted by share."""
        distances = squared_distances(points, self.centres)
        scores = np.log(self.shares) - distances / (2.0 * self.variance)
        return softmax(scores)


def find_clusters(points: np.ndarray, seed: int = 0) -> Clusters:
    """Cluster n points of shape (n, d), n >= 1; the same points in the same order give the same clusters.

    One thread: on shared cores threads that wait for each other took twenty times as long.
    """
    import sklearn.cluster  # noqa: F401 - only what is loaded can be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return _find(points, seed)


def _find(points: np.ndarray, seed: int) -> Clusters:
    rng = np.random.default_rng(seed)
    if len(points) > MOST_CUSTOMERS:
        points = points[np.sort(rng.choice(len(points), MOST_CUSTOMERS, replace=False))]
    most = min(MOST_SEGMENTS, len(points) // SMALLEST_SEGMENT)
    evidence = tuple(_evidence(points, k, rng) for k in range(2, most + 1))
    k = choose_k(evidence)
    centres = _centres(points, k, 0)
    nearest = squared_distances(points, centres)
    labels = nearest.argmin(axis=1)
    spread = nearest[np.arange(len(points)), labels].sum() / max(points.size, 1)
    shares = np.bincount(labels, minlength=k) / len(points)
    return Clusters(centres, shares.clip(min=1.0 / (10 * len(points))), max(float(spread), 1e-9), evidence)


def choose_k(evidence: tuple[Evidence, ...]) -> int:
    """The largest k that is stable, has a clear gap, a larger one than any smaller such k, and separates almost as well as the best.

    1 if there is none.
    """
    good = [one for one in evidence if one.stability >= STABLE and one.gap >= CLEAR_GAP]
    best = max((one.silhouette for one in good), default=0.0)
    taken, gap = 1, 0.0
    for one in good:
        if one.gap > gap and one.silhouette >= ALMOST_AS_SEPARATE * best:
            taken, gap = one.k, one.gap
    return taken


def squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Shape (n, k)."""
    lengths = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None, :]
    distances: np.ndarray = (lengths - 2.0 * points @ centres.T).clip(min=0.0)
    return distances


def _centres(points: np.ndarray, k: int, seed: int, starts: int = 5) -> np.ndarray:
    from sklearn.cluster import KMeans

    if k == 1:
        mean: np.ndarray = points.mean(axis=0, keepdims=True)
        return mean
    fitted = KMeans(k, n_init=starts, random_state=seed).fit(points)
    order = np.lexsort(fitted.cluster_centers_.T[::-1])  # the order of centres does not depend on where a start fell
    centres: np.ndarray = fitted.cluster_centers_[order]
    return centres


def _evidence(points: np.ndarray, k: int, rng: np.random.Generator) -> Evidence:
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    distances = squared_distances(points, _centres(points, k, 0))
    labels = distances.argmin(axis=1)
    agreement = []
    for start in range(BOOTSTRAPS):
        drawn = points[rng.integers(0, len(points), len(points))]
        again = squared_distances(points, _centres(drawn, k, start, starts=2)).argmin(axis=1)
        agreement.append(adjusted_rand_score(labels, again))
    size = min(SILHOUETTE_CUSTOMERS, len(points))
    separate = len(np.unique(labels)) > 1
    gap, gap_error = _gap(points, float(distances.min(axis=1).sum()), k, rng)
    return Evidence(
        k,
        float(np.mean(agreement)),
        float(np.percentile(agreement, 10)),
        float(silhouette_score(points, labels, sample_size=size, random_state=0)) if separate else 0.0,
        gap,
        gap_error,
    )


def _gap(points: np.ndarray, spread: float, k: int, rng: np.random.Generator) -> tuple[float, float]:
    """The gap beyond that of one cluster: how much more k centres take off the spread than they do without clusters."""
    centred = points - points.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    rotated = centred @ axes.T
    low, high = rotated.min(axis=0), rotated.max(axis=0)
    reductions = []
    for start in range(REFERENCES):
        uniform = rng.uniform(low, high, rotated.shape)
        rest = squared_distances(uniform, _centres(uniform, k, start, starts=1)).min(axis=1).sum()
        total = ((uniform - uniform.mean(axis=0)) ** 2).sum()
        reductions.append(np.log(max(rest, 1e-12)) - np.log(max(total, 1e-12)))
    own = np.log(max(spread, 1e-12)) - np.log(max((centred**2).sum(), 1e-12))
    error = np.std(reductions) * np.sqrt(1.0 + 1.0 / REFERENCES)
    return float(np.mean(reductions) - own), float(error)
