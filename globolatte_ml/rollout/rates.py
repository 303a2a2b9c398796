"""Shares of bad requests, challenger against champion: errors, invalid answers, slow answers.

In each tick both answer some customers, and some of them had a bad request. A customer counts once in a tick (`by_customer`): one whose
every request fails is one observation, not fifty. "Slow" is an answer above a limit fixed beforehand, such as the champion's 95th
percentile, so latency needs no assumption about its distribution, and a doubled latency shows as a share.

The log e-value of a tick, for the null hypothesis p_a <= p_b + m (a the challenger, b the champion), is that of Turner and Grünwald ("Exact
anytime-valid confidence intervals for contingency tables and beyond", Statistics & Probability Letters 2023): the likelihood of an
alternative over that of the null hypothesis nearest to it in Kullback-Leibler divergence, weighted by the sizes of both groups. Its
expectation is at most 1 for each (p_a, p_b) of the null, which is convex; exactly, for any sizes. Ticks multiply, so p_b may change from
tick to tick: what hits both, such as an outage, is no evidence against the challenger. Alternatives must be chosen before a tick is
seen: the champion's rate is that of the ticks before, the challenger's is higher by one of `DIFFERENCES` (their e-values are
averaged), or for "not worse" the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from globolatte_ml.rollout.evidence import MOST_MISSING, Finding, MetricEvidence, MetricRule

DIFFERENCES = np.array([0.01, 0.02, 0.05, 0.15, 0.4])
WEIGHTS = np.array([0.2, 0.4, 0.15, 0.1, 0.15])
"""How much worse, beyond what is tolerated, a broken challenger is, and how likely each is taken to be."""
PRIOR_CUSTOMERS = 100.0
"""The rule's expected rate counts like so many customers of the champion."""
BISECTIONS = 60
HIGHEST_RATE = 0.999


@dataclass(frozen=True)
class Tick:
    """Customers that each model answered in one tick, and those of them with a bad request."""

    challenger: int
    challenger_bad: int
    champion: int
    champion_bad: int

    def __post_init__(self) -> None:
        for name, bad, seen in (
            ("challenger", self.challenger_bad, self.challenger),
            ("champion", self.champion_bad, self.champion),
        ):
            if not 0 <= bad <= seen:
                raise ValueError(f"tick of the {name}: {bad} of {seen} customers had a bad request; count 0 to {seen}")


def by_customer(customers: np.ndarray, bad: np.ndarray) -> tuple[int, int]:
    """How many customers there are, and how many of them had a bad request; `customers` and `bad` per request, shape (n,)."""
    return len(np.unique(customers)), len(np.unique(customers[bad]))


def nearest_null(a: np.ndarray, b: np.ndarray, n_a: np.ndarray, n_b: np.ndarray, margin: float) -> np.ndarray:
    """The champion's rate x of the null point (x + margin, x) that is nearest to (a, b): minimises n_a KL(a, x + m) + n_b KL(b, x).

    All of one shape; the derivative rises in x, so its root is found by bisection between b and a - margin.
    """
    low = np.maximum(np.minimum(b, a - margin), 1e-12)
    high = np.minimum(np.maximum(b, a - margin), 1.0 - margin - 1e-12)
    for _ in range(BISECTIONS):
        x = (low + high) / 2.0
        y = x + margin
        rises = n_a * (y - a) / (y * (1.0 - y)) + n_b * (x - b) / (x * (1.0 - x)) > 0.0
        low, high = np.where(rises, low, x), np.where(rises, x, high)
    return (low + high) / 2.0


def _log_ratio(bad: np.ndarray, seen: np.ndarray, alternative: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Log likelihood ratio of `bad` among `seen`."""
    return np.asarray(bad * np.log(alternative / null) + (seen - bad) * np.log((1.0 - alternative) / (1.0 - null)))


def evidence_over_time(ticks: Sequence[Tick], rule: MetricRule) -> tuple[np.ndarray, np.ndarray]:
    """Log e-values after each of t ticks, shape (t,) both: that the challenger is worse, and that it is not worse by the margin."""
    counts = np.array([(t.challenger, t.challenger_bad, t.champion, t.champion_bad) for t in ticks], float).reshape(
        -1, 4
    )
    n_a, bad_a, n_b, bad_b = counts.T
    seen, failed = np.cumsum(n_b) - n_b, np.cumsum(bad_b) - bad_b
    rate = (failed + PRIOR_CUSTOMERS * rule.expected) / (seen + PRIOR_CUSTOMERS)
    rate = np.clip(rate, 1e-6, HIGHEST_RATE - rule.margin)
    challenger = np.minimum(rate[:, None] + rule.tolerated + DIFFERENCES, HIGHEST_RATE)
    champion = np.broadcast_to(rate[:, None], challenger.shape)
    null = nearest_null(challenger, champion, n_a[:, None], n_b[:, None], rule.tolerated)
    log_ratio = _log_ratio(bad_a[:, None], n_a[:, None], challenger, null + rule.tolerated)
    log_ratio += _log_ratio(bad_b[:, None], n_b[:, None], champion, null)
    worse = np.logaddexp.reduce(np.cumsum(log_ratio, axis=0) + np.log(WEIGHTS), axis=1)
    null = nearest_null(rate, rate, n_a, n_b, rule.margin)
    not_worse = np.cumsum(_log_ratio(bad_a, n_a, rate, null + rule.margin) + _log_ratio(bad_b, n_b, rate, null))
    return worse, not_worse


def rate_evidence(ticks: Sequence[Tick], rule: MetricRule) -> MetricEvidence:
    """What the ticks so far say of a rate, in the sequence in which they came."""
    n, champion = sum(tick.challenger for tick in ticks), sum(tick.champion for tick in ticks)
    if n == 0 or champion == 0:
        return MetricEvidence(rule, n, None, 0.0, 0.0, Finding.NO_EVIDENCE, _missing(0.0, rule.expected, 1.0, rule))
    worse, not_worse = (float(curve[-1]) for curve in evidence_over_time(ticks, rule))
    finding = rule.finding(worse, not_worse)
    bad, champion_bad = sum(tick.challenger_bad for tick in ticks), sum(tick.champion_bad for tick in ticks)
    rate = (champion_bad + PRIOR_CUSTOMERS * rule.expected) / (champion + PRIOR_CUSTOMERS)
    missing = 0 if finding is not Finding.NO_EVIDENCE else _missing(not_worse, rate, champion / n, rule)
    return MetricEvidence(rule, n, bad / n - champion_bad / champion, worse, not_worse, finding, missing)


def _missing(not_worse: float, rate: float, champions_each: float, rule: MetricRule) -> int | None:
    """How many more of the challenger's customers show it not to be worse, if both have `rate`.

    champions_each: customers of the champion for each of the challenger's.
    """
    a = np.array(min(max(rate, 1e-6), HIGHEST_RATE - rule.margin))
    null = nearest_null(a, a, np.array(1.0), np.array(champions_each), rule.margin)
    growth = _log_ratio(a, np.array(1.0), a, null + rule.margin) + champions_each * _log_ratio(
        a, np.array(1.0), a, null
    )
    more = int(np.ceil((rule.needed_for_not_worse - not_worse) / float(growth)))
    return more if more <= MOST_MISSING else None
