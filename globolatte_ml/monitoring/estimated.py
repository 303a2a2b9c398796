"""Performance before outcomes are known, and what changed once they are.

A calibrated model knows how well it predicts: if product k is bought with the probability p_k that it gives, its loss is expected to be
the entropy -sum p_k log p_k, and its k most probable products are a hit with the sum of their probabilities. The idea is NannyML's
confidence-based performance estimation, here for log loss and hit@k. It holds while the model stays calibrated: if *other* customers,
days or weathers come (a covariate shift), the estimate follows; if customers *like* something else (a concept shift), it does not, and
the realised performance leaves it. `what_changed` tells the two apart.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from globolatte_ml.model.metrics import losses

BAND = 2.0
"""Standard errors on both sides of an estimate: 95 % of windows of a calibrated model lie within."""
FALSE_ALARMS = 0.01
"""Probability of each of the two tests of `what_changed` to name a change where there is none."""
MOST_DIRECTIONS = 12
"""Products that are compared one by one, the most probable; all others are one more."""
CUSTOMERS_EACH = 5
"""Customers for each compared direction; fewer say nothing."""
LOWEST = 1e-12


@dataclass(frozen=True)
class Estimate:
    """The expected mean of a measure over a window, and the standard deviation of the realised mean around it."""

    expected: float
    standard_error: float

    @property
    def low(self) -> float:
        """The lower end of the band."""
        return self.expected - BAND * self.standard_error

    @property
    def high(self) -> float:
        """The upper end of the band."""
        return self.expected + BAND * self.standard_error

    def holds(self, realised: float) -> bool:
        """Whether a realised mean lies within the band."""
        return self.low <= realised <= self.high


@dataclass(frozen=True)
class EstimatedPerformance:
    """Of a unit and window without outcomes: log loss in nats, hits as shares, over `orders` predictions."""

    orders: int
    log_loss: Estimate
    hit_rate_at_1: Estimate
    hit_rate_at_3: Estimate


def estimated_performance(probabilities: np.ndarray) -> EstimatedPerformance:
    """What a calibrated model expects of itself; `probabilities` of shape (n, K), n >= 1, rows that sum to 1."""
    if len(probabilities) == 0:
        raise ValueError("a window without predictions has no estimated performance; leave it out")
    surprise = -np.log(np.maximum(probabilities, LOWEST))
    entropy = (probabilities * surprise).sum(axis=1)
    variance = np.maximum((probabilities * surprise**2).sum(axis=1) - entropy**2, 0.0)
    ranked = -np.sort(-probabilities, axis=1)
    first, third = ranked[:, 0], np.minimum(ranked[:, :3].sum(axis=1), 1.0)
    return EstimatedPerformance(
        len(probabilities),
        _estimate(entropy, variance),
        _estimate(first, first * (1.0 - first)),
        _estimate(third, third * (1.0 - third)),
    )


def estimates_by(scopes: np.ndarray, probabilities: np.ndarray) -> dict[str, EstimatedPerformance]:
    """The estimated performance of each unit or window; `scopes` names that of each prediction, shape (n,)."""
    return {str(scope): estimated_performance(probabilities[scopes == scope]) for scope in np.unique(scopes)}


def _estimate(expected: np.ndarray, variance: np.ndarray) -> Estimate:
    return Estimate(float(expected.mean()), float(np.sqrt(variance.sum()) / len(expected)))


class Change(StrEnum):
    """What made a window differ from the reference."""

    NONE = "nothing beyond chance"
    WHO_CAME = "who came changed"
    WHAT_THEY_LIKE = "what they like changed"


@dataclass(frozen=True)
class Scored:
    """n orders with their predictions, what was bought (a column) and whose they were: (n, K), (n,), (n,)."""

    probabilities: np.ndarray
    chosen: np.ndarray
    customers: np.ndarray


@dataclass(frozen=True)
class Explanation:
    """What changed, and the two p-values: that outcomes follow the predictions, that predictions are those of the reference."""

    change: Change
    outcomes_follow: float
    predictions_alike: float
    realised_log_loss: float
    estimated_log_loss: float

    @property
    def sentence(self) -> str:
        """In words, with the gap."""
        gap = self.realised_log_loss - self.estimated_log_loss
        return (
            f"{self.change}: log loss {self.realised_log_loss:.3f} nats, {gap:+.3f} against the estimate (p {self.outcomes_follow:.2g}); "
            f"predictions like the reference's: p {self.predictions_alike:.2g}."
        )


def what_changed(window: Scored, reference: Scored) -> Explanation:
    """Tell apart what customers like and who they are, once outcomes are known.

    Two tests (Hotelling's T², customers as clusters): of what was bought minus what was predicted, product by product, and of
    the loss minus its estimate, against those of the reference (so that a model's own constant bias is no change); and of the
    predictions and their entropy against the reference's. If tastes changed that is the answer, whoever came: the model must learn
    either way.

    reference: orders of the time from which on the model was known to hold, such as its holdout; K and its order as in the window.
    """
    follow = _alike(
        _residuals(window, reference), window.customers, _residuals(reference, reference), reference.customers
    )
    alike = _alike(_outlook(window, reference), window.customers, _outlook(reference, reference), reference.customers)
    change = Change.WHO_CAME if alike < FALSE_ALARMS else Change.NONE
    if follow < FALSE_ALARMS:
        change = Change.WHAT_THEY_LIKE
    estimate = estimated_performance(window.probabilities).log_loss.expected
    return Explanation(change, follow, alike, float(_losses(window).mean()), estimate)


def _losses(scored: Scored) -> np.ndarray:
    return losses(np.maximum(scored.probabilities, LOWEST), scored.chosen)


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, LOWEST))).sum(axis=1))


def _grouped(values: np.ndarray, reference: Scored) -> np.ndarray:
    """One column for each of the reference's most probable products; the rest is what is left of 1, and left out."""
    most = np.argsort(-reference.probabilities.mean(axis=0), kind="stable")[: min(MOST_DIRECTIONS, values.shape[1] - 1)]
    return np.asarray(values[:, most])


def _residuals(scored: Scored, reference: Scored) -> np.ndarray:
    bought = np.zeros(scored.probabilities.shape)
    bought[np.arange(len(scored.chosen)), scored.chosen] = 1.0
    gap = _losses(scored) - _entropy(scored.probabilities)
    return np.column_stack([_grouped(bought - scored.probabilities, reference), np.minimum(gap, 10.0)])


def _outlook(scored: Scored, reference: Scored) -> np.ndarray:
    return np.column_stack([_grouped(scored.probabilities, reference), _entropy(scored.probabilities)])


def _alike(a: np.ndarray, customers_a: np.ndarray, b: np.ndarray, customers_b: np.ndarray) -> float:
    """p-value that the means of the rows of a and b are the same; 1 where there are too few customers to say."""
    from scipy.stats import f

    few = min(len(np.unique(customers_a)), len(np.unique(customers_b)))
    directions = a.shape[1]
    if few < CUSTOMERS_EACH * directions:
        return 1.0
    covariance = _covariance(a, customers_a) + _covariance(b, customers_b)
    difference = a.mean(axis=0) - b.mean(axis=0)
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-18))
    inverse = np.linalg.pinv(covariance / np.outer(scale, scale), rcond=1e-9, hermitian=True)
    statistic = float((difference / scale) @ inverse @ (difference / scale))
    free = few - directions
    return float(f.sf(statistic * free / (directions * (few - 1)), directions, free))


def _covariance(rows: np.ndarray, customers: np.ndarray) -> np.ndarray:
    """Of the mean of the rows, with whole customers as what varies; shape (d, d)."""
    _, code, counts = np.unique(customers, return_inverse=True, return_counts=True)
    centred = rows - rows.mean(axis=0)
    sums = np.column_stack([np.bincount(code, weights=column) for column in centred.T])
    return np.asarray(sums.T @ sums) / len(rows) ** 2 * len(counts) / max(len(counts) - 1, 1)
