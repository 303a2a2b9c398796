"""What a metric says of a challenger, and the rules by which it may say it.

Evidence is an e-value: a number that is expected to be at most 1, at any time at which one may look, if the opposite is true. By Ville's
inequality it then reaches 1/alpha with probability alpha at most, however often one looks (Ramdas et al., "Game-theoretic statistics and
safe anytime-valid inference", Statistical Science 2023). All e-values here are natural logarithms.

Two questions are put to every metric:

- Is the challenger *worse* than is tolerated? One yes ends the rollout, so the metrics and the sample ratio share the error
  `ROLLBACK_ERROR`.
- Is it *not worse* by more than the margin? Only a yes of every metric ships it, so each may use the whole of `SHIPPING_ERROR`
  (an intersection-union test, Berger 1982).

As long as neither is answered there is no evidence yet, whatever the averages are.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

ROLLBACK_ERROR = 0.05
"""Probability that a challenger no worse than the champion is rolled back, at any time, by any metric."""
SHIPPING_ERROR = 0.05
"""Probability that a challenger that is worse by the margin, in at least one metric, is ever shown not to be."""
SAMPLE_RATIO_ERROR = 0.005
MOST_MISSING = 100_000


class Finding(StrEnum):
    """What a metric says of the challenger."""

    NO_EVIDENCE = "no evidence yet"
    WORSE = "worse"
    NOT_WORSE = "not worse"


@dataclass(frozen=True)
class MetricRule:
    """How a metric is tested. A difference is challenger - champion; larger is worse.

    Attributes:
        unit: of the difference: `nats`, or `share` of customers.
        observed: what is counted: `orders`, `customers`.
        tolerated: a difference above it is worse.
        margin: a difference below it is not worse.
        error: of `ROLLBACK_ERROR`, what this metric may use.
        expected: of a rate, the champion's where nothing was measured yet.
    """

    metric: str
    unit: str
    observed: str
    tolerated: float
    margin: float
    error: float
    expected: float = 0.0

    @property
    def needed_for_worse(self) -> float:
        """The log e-value that shows the challenger to be worse."""
        return math.log(1.0 / self.error)

    @property
    def needed_for_not_worse(self) -> float:
        """The log e-value that shows the challenger not to be worse."""
        return math.log(1.0 / SHIPPING_ERROR)

    def finding(self, worse: float, not_worse: float) -> Finding:
        """What these log e-values show. A challenger can be worse than is tolerated and within the margin: then it is worse."""
        if worse >= self.needed_for_worse:
            return Finding.WORSE
        return Finding.NOT_WORSE if not_worse >= self.needed_for_not_worse else Finding.NO_EVIDENCE

    def amount(self, difference: float) -> str:
        """A difference in words."""
        return f"{difference:+.4f} nats" if self.unit == "nats" else f"{100.0 * difference:+.2f} points"


QUALITY = MetricRule("log loss", "nats", "orders", tolerated=0.0, margin=0.02, error=0.03)
ERRORS = MetricRule("errors", "share", "customers", tolerated=0.002, margin=0.02, error=0.005, expected=0.001)
INVALID = MetricRule("invalid answers", "share", "customers", tolerated=0.002, margin=0.02, error=0.005, expected=0.001)
SLOW = MetricRule("slow answers", "share", "customers", tolerated=0.02, margin=0.10, error=0.005, expected=0.05)
HEALTH = (ERRORS, INVALID, SLOW)
"""Log loss has most of the error: orders are few, and each day of waiting for them is one with the older model; of requests there are more,
and what is broken is broken in many of them."""


@dataclass(frozen=True)
class MetricEvidence:
    """What a metric says after `n` orders or customers of the challenger.

    Attributes:
        difference: challenger - champion, as observed; none as long as nothing was.
        worse, not_worse: log e-values.
        missing: how many more would show a challenger that equals the champion not to be worse; none if more than `MOST_MISSING`.
    """

    rule: MetricRule
    n: int
    difference: float | None
    worse: float
    not_worse: float
    finding: Finding
    missing: int | None

    @property
    def sentence(self) -> str:
        """Metric, n, difference, boundary and margin for people."""
        rule = self.rule
        if self.difference is None:
            return f"{rule.metric}: nothing observed yet; {self._missing()}."
        seen = f"{rule.metric} {rule.amount(self.difference)} on {self.n:,} {rule.observed}"
        if self.finding is Finding.WORSE:
            return (
                f"{seen}: worse than the tolerated {rule.amount(rule.tolerated)}, with evidence "
                f"{_factor(self.worse)} (boundary {_factor(rule.needed_for_worse)})."
            )
        boundary = f"with evidence {_factor(self.not_worse)} (boundary {_factor(rule.needed_for_not_worse)})"
        margin = rule.amount(rule.margin)
        if self.finding is Finding.NOT_WORSE:
            return f"{seen}: not worse by more than the margin of {margin}, {boundary}."
        return (
            f"{seen}: not yet shown not to be worse by more than the margin of {margin}, {boundary}; {self._missing()}."
        )

    def _missing(self) -> str:
        return (
            f"more than {MOST_MISSING:,} {self.rule.observed} are missing"
            if self.missing is None
            else f"about {self.missing:,} {self.rule.observed} are missing if the models are equal"
        )


def _factor(log_evidence: float) -> str:
    """An e-value as people read it: 20 means that chance would reach it once in 20 rollouts at most."""
    return f"{math.exp(min(log_evidence, 13.8)):.3g}" if log_evidence < math.log(1e6) else "over a million"
