"""How soon a rollout sees a worse challenger, and how often it accuses a healthy one: simulated, by the product's own tests.

Each rollout is a stream of orders of customers with very different activity; the difference of losses has a part that is the customer's own
and heavy tails (Student's t with 5 degrees of freedom). Beside it, on the same questions: fixed thresholds as in Argo Rollouts,
and the one-sided sequential formula of GrowthBook (`gbstats/frequentist/tests.py`: an asymptotic confidence sequence tuned to 5,000) on a
split of the customers, where each order has the loss of one model only.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from globolatte_ml.rollout import paired_loss, rates
from globolatte_ml.rollout.evidence import ERRORS, HEALTH, INVALID, QUALITY, SLOW
from globolatte_ml.rollout.rates import Tick
from globolatte_ml.rollout.sample_ratio import Split, sample_ratio

CUSTOMERS = 1_000
OWN_SHARE = 0.04
"""Of the variance of a difference that is the customer's own: it makes the cluster-robust variance about a tenth larger at 2,000 orders."""
LOSS_DEVIATION = 0.92
"""Of an order's log loss, nats: on windows of 300 orders its standard error is .053."""
CHAMPION_ERRORS, CHAMPION_SLOW = 0.005, 0.05
ORDERS = 6_000
SPLIT_ORDERS = 120_000
TICKS, TICK_CUSTOMERS = 10, 500
"""A canary of ten ticks, each of 500 customers of its own; the champion has nine times as many."""
GROWTHBOOK_TUNING = 5_000
WINDOW, WINDOWS, THRESHOLD = 20, 20, 0.02


@dataclass(frozen=True)
class Goal:
    """What was measured, over `rollouts` simulated ones, and what was to be reached; a goal of None is printed for comparison."""

    name: str
    measured: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    rollouts: int = 0

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        if self.goal is None:
            return True
        return self.measured >= self.goal if self.at_least else self.measured <= self.goal


def differences(rng: np.random.Generator, n: int, mean: float, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """The differences of loss (nats) of n orders in their sequence, and their customers; both of shape (n,)."""
    activity = rng.gamma(1.5, 1.0, CUSTOMERS)
    customers = rng.choice(CUSTOMERS, n, p=activity / activity.sum())
    own = rng.normal(size=CUSTOMERS)[customers]
    noise = rng.standard_t(5, n) * math.sqrt(3.0 / 5.0)
    return mean + deviation * (math.sqrt(OWN_SHARE) * own + math.sqrt(1.0 - OWN_SHARE) * noise), customers


def first(reached: np.ndarray) -> float:
    """The place, from 1, at which something was reached; infinity if it never was."""
    return float(reached.argmax()) + 1.0 if reached.any() else math.inf


def orders_until(
    rng: np.random.Generator, rollouts: int, mean: float, deviation: float, *, worse: bool, orders: int = ORDERS
) -> np.ndarray:
    """Orders until the challenger is shown to be worse, or not worse; shape (rollouts,)."""
    needed = QUALITY.needed_for_worse if worse else QUALITY.needed_for_not_worse
    found = np.empty(rollouts)
    for place in range(rollouts):
        sums = paired_loss.running_sums(*differences(rng, orders, mean, deviation))
        found[place] = first(paired_loss.evidence_over_time(sums)[0 if worse else 1] >= needed)
    return found


def healthy_rolled_back(rng: np.random.Generator, rollouts: int, orders: int = ORDERS) -> float:
    """Share of identical challengers that any metric or the sample ratio would roll back or hold, looked at after each order and tick."""
    wrong = 0
    for _ in range(rollouts):
        sums = paired_loss.running_sums(*differences(rng, orders, 0.0, 0.2))
        accused = bool((paired_loss.evidence_over_time(sums)[0] >= QUALITY.needed_for_worse).any())
        for rule, rate in ((ERRORS, CHAMPION_ERRORS), (INVALID, CHAMPION_ERRORS), (SLOW, CHAMPION_SLOW)):
            ticks = [canary_tick(rng, rate, rate) for _ in range(TICKS)]
            accused |= bool((rates.evidence_over_time(ticks, rule)[0] >= rule.needed_for_worse).any())
        on_canary = np.cumsum(rng.binomial(TICK_CUSTOMERS, 0.1, TICKS))
        seen = TICK_CUSTOMERS * np.arange(1, TICKS + 1)
        accused |= any(
            sample_ratio([Split(0.1, int(a), int(n - a))]).mismatch for a, n in zip(on_canary, seen, strict=True)
        )
        wrong += accused
    return wrong / rollouts


def canary_tick(rng: np.random.Generator, challenger: float, champion: float) -> Tick:
    """One tick at 10 %: with these rates of bad requests."""
    others = 9 * TICK_CUSTOMERS
    return Tick(
        TICK_CUSTOMERS,
        int(rng.binomial(TICK_CUSTOMERS, challenger)),
        others,
        int(rng.binomial(others, champion)),
    )


def found_in_first_tick(
    rng: np.random.Generator, rollouts: int, rule_rates: Callable[[np.random.Generator], Tick]
) -> float:
    """Share of broken challengers that errors or slow answers show after one tick."""
    found = 0
    for _ in range(rollouts):
        tick = rule_rates(rng)
        found += any(rates.evidence_over_time([tick], rule)[0][0] >= rule.needed_for_worse for rule in HEALTH)
    return found / rollouts


def doubled_latency(rng: np.random.Generator) -> Tick:
    """Lognormal latencies (sigma .5), the challenger's doubled, against the champion's 95th percentile."""
    limit = math.exp(0.5 * 1.6449)
    slow = int((2.0 * rng.lognormal(0.0, 0.5, TICK_CUSTOMERS) > limit).sum())
    others = 9 * TICK_CUSTOMERS
    return Tick(TICK_CUSTOMERS, slow, others, int((rng.lognormal(0.0, 0.5, others) > limit).sum()))


def growthbook_orders(
    rng: np.random.Generator, rollouts: int, mean: float, orders: int = SPLIT_ORDERS, alpha: float = 0.05
) -> np.ndarray:
    """Orders until GrowthBook's one-sided sequential bound, on a split by halves, shows the challenger to be worse.

    Orders are drawn independently, which favours it: by customer it needs more. Looked at every 20 orders.
    """
    rho = math.sqrt((-2.0 * math.log(2.0 * alpha) + math.log(-2.0 * math.log(2.0 * alpha) + 1.0)) / GROWTHBOOK_TUNING)
    half = np.arange(10.0, orders / 2.0, 10.0)
    n = 2.0 * half
    scaled = n * rho**2
    width = np.sqrt(2.0 * (scaled + 1.0) / (n * scaled) * np.log1p(np.sqrt(scaled + 1.0) / (2.0 * alpha)))
    found = np.empty(rollouts)
    for place in range(rollouts):
        sums = []
        for shift in (mean, 0.0):
            loss = shift + LOSS_DEVIATION * rng.normal(size=int(half[-1]))
            at = half.astype(int) - 1
            total, squares = np.cumsum(loss)[at], np.cumsum(loss**2)[at]
            sums.append((total / half, np.maximum(squares / half - (total / half) ** 2, 0.0)))
        (challenger, var_a), (champion, var_b) = sums
        bound = challenger - champion - np.sqrt(2.0 * (var_a + var_b)) * width
        found[place] = 20.0 * first((bound > 0.0) & (n >= 100.0))
    return found


def threshold_false_alarms(rng: np.random.Generator, rollouts: int) -> float:
    """Share of healthy challengers that "more than 2 % errors in any of 20 windows of 20 requests" rolls back."""
    errors = rng.binomial(WINDOW, CHAMPION_ERRORS, (rollouts, WINDOWS))
    return float((errors / WINDOW > THRESHOLD).any(axis=1).mean())


def goals(
    rollouts: int = 500, seed: int = 16, orders: int = ORDERS, split_orders: int = SPLIT_ORDERS
) -> Iterator[Goal]:
    """The whole experiment; each goal as it is measured. Medians are those over all rollouts, also those without a find."""
    rng = np.random.default_rng(seed)

    def median(mean: float, deviation: float, *, worse: bool) -> float:
        return float(np.median(orders_until(rng, rollouts, mean, deviation, worse=worse, orders=orders)))

    def share(name: str, measured: float, goal: float | None, *, at_least: bool = False) -> Goal:
        return Goal(name, 100.0 * measured, "%", goal, at_least, rollouts)

    yield share(
        "identical challengers rolled back or held, by any test", healthy_rolled_back(rng, rollouts, orders), 5.0
    )
    unsafe = np.isfinite(orders_until(rng, rollouts, QUALITY.margin, 0.2, worse=False, orders=orders)).mean()
    yield share("worse by the margin of .02, yet shown not to be", float(unsafe), 5.0)
    ours = {0.06: median(0.06, 0.2, worse=True), 0.015: median(0.015, 0.2, worse=True)}
    yield Goal("worse by .06 nats, SD .2: orders until it is seen", ours[0.06], "orders", 150.0, rollouts=rollouts)
    yield Goal("worse by .015 nats, SD .2: orders until it is seen", ours[0.015], "orders", 1_500.0, rollouts=rollouts)
    other = median(0.06, 0.4, worse=True)
    yield Goal("worse by .06 nats, SD .4: orders until it is seen", other, "orders", 650.0, rollouts=rollouts)
    equal = median(0.0, 0.2, worse=False)
    yield Goal("equal, SD .2: orders until not worse by .02", equal, "orders", 700.0, rollouts=rollouts)
    found = found_in_first_tick(rng, rollouts, doubled_latency)
    yield share("every latency doubled: seen in one tick of 500", found, 50.0, at_least=True)
    for champion, goal in ((0.001, 50.0), (CHAMPION_ERRORS, None)):
        found = found_in_first_tick(rng, rollouts, lambda drawn, rate=champion: canary_tick(drawn, 0.02, rate))
        name = f"2 % errors, the champion's {100.0 * champion:.1f} %: seen in one tick of 500"
        yield share(name, found, goal, at_least=True)
    yield share("fixed thresholds: healthy challengers rolled back", threshold_false_alarms(rng, rollouts), None)
    wrong = np.isfinite(growthbook_orders(rng, rollouts, 0.0, orders)).mean()
    yield share("GrowthBook on a split: healthy challengers accused", float(wrong), None)
    for mean, ours_needed in ours.items():
        theirs = float(np.median(growthbook_orders(rng, rollouts, mean, split_orders)))
        needed = f"{theirs:,.0f}" if math.isfinite(theirs) else f"more than {split_orders:,}"
        ratio = min(theirs, float(split_orders)) / ours_needed
        yield Goal(f"worse by {mean}: a split needs {needed} orders, times ours", ratio, "x", 10.0, True, rollouts)
