"""How good probabilities are: log loss, hit rates, calibration, and the uncertainty of a difference."""

from dataclasses import dataclass

import numpy as np

CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Metrics:
    """Quality on n orders; log loss in nats per order, all others are fractions."""

    log_loss: float
    hit_rate_at_1: float
    hit_rate_at_3: float
    expected_calibration_error: float


@dataclass(frozen=True)
class ReliabilityBin:
    """Predicted against observed: `weight` is the bin's share of all (order, product) pairs."""

    predicted: float
    observed: float
    weight: float


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float


def losses(probabilities: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """-log of the probability given to what was chosen, shape (n,), nats."""
    loss: np.ndarray = -np.log(probabilities[np.arange(len(chosen)), chosen])
    return loss


def log_loss(probabilities: np.ndarray, chosen: np.ndarray) -> float:
    """Mean of `losses`."""
    return float(losses(probabilities, chosen).mean())


def hit_rate(probabilities: np.ndarray, chosen: np.ndarray, k: int) -> float:
    """Share of orders whose product is among the k most probable; equal probabilities rank in catalogue order."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((ranked == chosen[:, None]).any(axis=1).mean())


def reliability(
    probabilities: np.ndarray, chosen: np.ndarray, bins: int = CALIBRATION_BINS
) -> tuple[ReliabilityBin, ...]:
    """Non-empty bins of equal width over all n x K probabilities, each pair counted as its own yes/no forecast."""
    outcome = np.zeros(probabilities.shape)
    outcome[np.arange(len(chosen)), chosen] = 1.0
    forecast = probabilities.ravel()
    cell = np.minimum((forecast * bins).astype(np.int64), bins - 1)
    size = np.bincount(cell, minlength=bins)
    predicted = np.bincount(cell, weights=forecast, minlength=bins)
    observed = np.bincount(cell, weights=outcome.ravel(), minlength=bins)
    return tuple(
        ReliabilityBin(float(predicted[i] / size[i]), float(observed[i] / size[i]), float(size[i] / len(forecast)))
        for i in np.flatnonzero(size)
    )


def expected_calibration_error(probabilities: np.ndarray, chosen: np.ndarray) -> float:
    """Mean distance of predicted and observed over the bins of `reliability` (Naeini et al. 2015, over all classes).

    Every probability is shown to someone, so all of them count, not only the highest of each order.
    """
    return float(sum(b.weight * abs(b.predicted - b.observed) for b in reliability(probabilities, chosen)))


def metrics(probabilities: np.ndarray, chosen: np.ndarray) -> Metrics:
    """All metrics at once; n >= 1."""
    return Metrics(
        log_loss=log_loss(probabilities, chosen),
        hit_rate_at_1=hit_rate(probabilities, chosen, 1),
        hit_rate_at_3=hit_rate(probabilities, chosen, 3),
        expected_calibration_error=expected_calibration_error(probabilities, chosen),
    )


def paired_bootstrap(difference: np.ndarray, customers: np.ndarray, rounds: int = 1000, seed: int = 0) -> Interval:
    """Mean of `difference` (n,) with its percentile interval, resampling whole customers (their orders are correlated)."""
    _, customer = np.unique(customers, return_inverse=True)
    total, orders = np.bincount(customer, weights=difference), np.bincount(customer)
    rng = np.random.default_rng(seed)
    means = np.empty(rounds)
    for i in range(rounds):
        drawn = rng.integers(0, len(total), len(total))
        means[i] = total[drawn].sum() / orders[drawn].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(difference.mean()), float(low), float(high))
