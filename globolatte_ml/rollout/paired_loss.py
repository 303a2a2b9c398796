"""Log loss of challenger and champion on the same orders: an anytime-valid comparison, clustered by customer.

Both models score every order, so what varies is the difference of their losses alone, a fifth of a nat instead of the whole nat by which
orders differ. Its running sum, divided by its standard deviation, behaves like a Brownian motion (the strong approximation behind the
asymptotic confidence sequences of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences", Annals of Statistics 2024). With Robbins' mixture over the differences that we look for, `EFFECTS`, the log e-value
after n orders is

    log sum_j w_j exp(t_j (S_n - n m) / s_n - t_j^2 n / 2)

where S_n is the sum of differences, m the tolerated difference and s_n^2 = V_n / n. V_n adds up the squared sums of each customer
(cluster-robust, with the factor C / (C - 1)), since a customer's orders resemble each other. A process whose parts correlate more than
those of a Brownian motion crosses a boundary less often (Slepian's inequality), so the boundary holds for clusters too.

Why a mixture over few effects and no normal one: it needs a tenth less orders for those effects. They are standardised: a difference of
.015 nats at a standard deviation of .2 is .075, and .06 at .2 is .3.
"""

from dataclasses import dataclass

import numpy as np

from globolatte_ml.rollout.evidence import MOST_MISSING, QUALITY, Finding, MetricEvidence, MetricRule

EFFECTS = np.array([0.02, 0.05, 0.075, 0.1, 0.15, 0.3])
WEIGHTS = np.array([0.02, 0.05, 0.38, 0.33, 0.07, 0.15])
"""Effects in standard deviations, and how likely each is taken to be. The two smallest keep the test from standing still."""
FEWEST_ORDERS = 50
FEWEST_CUSTOMERS = 30
"""Below either the standard deviation is not known well enough: no evidence."""


@dataclass(frozen=True)
class RunningSums:
    """After each of n orders, arrays of shape (n,): the sum of differences (nats), its cluster-robust variance, customers so far."""

    total: np.ndarray
    variance: np.ndarray
    customers: np.ndarray

    @property
    def orders(self) -> np.ndarray:
        """1 … n."""
        return np.arange(1.0, len(self.total) + 1.0)


def running_sums(difference: np.ndarray, customers: np.ndarray) -> RunningSums:
    """Sums over orders in the sequence in which they came; `difference` in nats and `customers` of shape (n,).

    sum over customers of (their sum - their orders x mean)^2 is kept by three running sums, so that no customer is visited twice.
    """
    _, code = np.unique(customers, return_inverse=True)
    by_customer = np.argsort(code, kind="stable")
    first = np.ones(len(code), bool)
    first[1:] = code[by_customer][1:] != code[by_customer][:-1]
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    summed = np.concatenate([[0.0], np.cumsum(difference[by_customer])])
    sum_before, orders_before = np.empty(len(code)), np.empty(len(code))
    sum_before[by_customer] = summed[:-1] - summed[start]
    orders_before[by_customer] = np.arange(len(code)) - start
    is_new = np.empty(len(code), bool)
    is_new[by_customer] = first
    squares = np.cumsum((2.0 * sum_before + difference) * difference)
    products = np.cumsum(sum_before + (orders_before + 1.0) * difference)
    counts = np.cumsum(2.0 * orders_before + 1.0)
    total, seen = np.cumsum(difference), np.cumsum(is_new)
    mean = total / np.arange(1.0, len(code) + 1.0)
    variance = np.maximum(squares - 2.0 * mean * products + mean**2 * counts, 0.0)
    return RunningSums(total, variance * seen / np.maximum(seen - 1, 1), seen)


def log_evidence(total: np.ndarray, variance: np.ndarray, orders: np.ndarray, tolerated: float) -> np.ndarray:
    """Log e-values that the mean is above `tolerated`; arrays of one shape in, one out. -total and -tolerated ask for below."""
    excess = total - orders * tolerated
    # Orders without any variance (two models that answer alike) leave no doubt in either direction.
    deviation = np.sqrt(np.maximum(variance / orders, 1e-12))
    exponents = EFFECTS * (excess / deviation)[..., None] - EFFECTS**2 / 2.0 * orders[..., None] + np.log(WEIGHTS)
    return np.asarray(np.logaddexp.reduce(exponents, axis=-1))


def evidence_over_time(sums: RunningSums, rule: MetricRule = QUALITY) -> tuple[np.ndarray, np.ndarray]:
    """Log e-values after each order, shape (n,) both: that the challenger is worse, and that it is not worse by the margin."""
    enough = (sums.orders >= FEWEST_ORDERS) & (sums.customers >= FEWEST_CUSTOMERS)
    worse = log_evidence(sums.total, sums.variance, sums.orders, rule.tolerated)
    not_worse = log_evidence(-sums.total, sums.variance, sums.orders, -rule.margin)
    return np.where(enough, worse, 0.0), np.where(enough, not_worse, 0.0)


def paired_loss_evidence(
    difference: np.ndarray, customers: np.ndarray, rule: MetricRule = QUALITY, deviation: float = 0.2
) -> MetricEvidence:
    """What the orders so far say; `difference`: challenger's - champion's loss of each, nats, shape (n,), in the sequence of the orders.

    deviation: the standard deviation that is assumed for `missing` until there are orders enough to know it.
    """
    n = len(difference)
    if n == 0:
        return MetricEvidence(rule, 0, None, 0.0, 0.0, Finding.NO_EVIDENCE, missing_orders(0.0, deviation, 0, rule))
    if not np.isfinite(difference).all():
        place = int(np.flatnonzero(~np.isfinite(difference))[0])
        raise ValueError(
            f"order {place + 1} of {n}: the difference of log losses is {difference[place]}; a model gave what was bought no probability"
        )
    sums = running_sums(difference, customers)
    worse, not_worse = (float(curve[-1]) for curve in evidence_over_time(sums, rule))
    known = n >= FEWEST_ORDERS and sums.customers[-1] >= FEWEST_CUSTOMERS
    if known:
        deviation = float(np.sqrt(sums.variance[-1] / n))
    finding = rule.finding(worse, not_worse)
    missing = 0 if finding is not Finding.NO_EVIDENCE else missing_orders(float(sums.total[-1]), deviation, n, rule)
    if not known and missing is not None:
        missing = max(missing, FEWEST_ORDERS - n, FEWEST_CUSTOMERS - int(sums.customers[-1]))
    return MetricEvidence(rule, n, float(sums.total[-1]) / n, worse, not_worse, finding, missing)


def missing_orders(total: float, deviation: float, orders: int, rule: MetricRule = QUALITY) -> int | None:
    """How many more orders show that the challenger is not worse by the margin, if it equals the champion on them.

    The power statement of a rollout: `missing_orders(0.0, deviation, 0)` before it starts. None if more than `MOST_MISSING`.
    """
    more = np.arange(1.0, MOST_MISSING + 1.0)
    later = orders + more
    found = log_evidence(np.full(len(more), -total), later * max(deviation, 1e-6) ** 2, later, -rule.margin)
    enough = (found >= rule.needed_for_not_worse) & (later >= FEWEST_ORDERS)
    return int(more[enough.argmax()]) if enough.any() else None
