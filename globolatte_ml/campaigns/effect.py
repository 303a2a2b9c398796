"""What an offer does to the odds that its product is chosen: assumed at first, measured once campaigns with control groups are over."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ASSUMED_ODDS_RATIO = 1.5
ASSUMED_ERROR = 0.35
"""Standard deviation of what is assumed of the log odds ratio: 90 % between 0.84 and 2.7."""
NORMAL_90, NORMAL_95 = 1.6449, 1.96


@dataclass(frozen=True)
class OfferEffect:
    """A log odds ratio with its standard error, and how many campaigns measured it; none: it is an assumption."""

    log_odds: float
    error: float
    campaigns: int = 0

    @property
    def odds_ratio(self) -> float:
        """By what the odds of choosing the product are multiplied."""
        return math.exp(self.log_odds)

    @property
    def interval(self) -> tuple[float, float]:
        """Odds ratios within which it lies with 90 %."""
        return math.exp(self.log_odds - NORMAL_90 * self.error), math.exp(self.log_odds + NORMAL_90 * self.error)

    @property
    def source(self) -> str:
        """Where it comes from, in words."""
        if not self.campaigns:
            return "assumed, since no campaign has been measured yet"
        return f"measured in {self.campaigns} campaign{'s' if self.campaigns > 1 else ''} against control groups, with what was assumed"


def offer_effect(measured: Sequence[tuple[float, float]], odds_ratio: float = ASSUMED_ODDS_RATIO) -> OfferEffect:
    """The assumption updated by measured (log odds ratio, standard error): normal prior, normal likelihoods."""
    weights = [1.0 / ASSUMED_ERROR**2, *(1.0 / error**2 for _, error in measured)]
    values = [math.log(odds_ratio), *(value for value, _ in measured)]
    total = sum(weights)
    mean = sum(weight * value for weight, value in zip(weights, values, strict=True)) / total
    return OfferEffect(mean, 1.0 / math.sqrt(total), len(measured))


def with_offer(probability: np.ndarray, odds_ratio: float) -> np.ndarray:
    """The probability of choosing the product under an offer, shape of `probability`."""
    odds = odds_ratio * probability
    offered: np.ndarray = odds / (1.0 - probability + odds)
    return offered


@dataclass(frozen=True)
class Arm:
    """Outcomes of one group: orders and purchases of the offered product per customer within the campaign, shape (n,)."""

    orders: np.ndarray
    purchases: np.ndarray


@dataclass(frozen=True)
class Uplift:
    """Offer against control. extra: purchases per customer, offered minus control, with its 95 % interval (Welch).

    log_odds, log_odds_error: of choosing the product at an order, customers counted as a whole; None if a group has no orders.
    """

    extra: float
    extra_low: float
    extra_high: float
    log_odds: float | None
    log_odds_error: float | None


def measure(offer: Arm, control: Arm) -> Uplift | None:
    """What the offer did; None unless both groups have at least two customers."""
    if min(len(offer.orders), len(control.orders)) < 2:
        return None
    extra = float(offer.purchases.mean() - control.purchases.mean())
    error = math.sqrt(sum(float(arm.purchases.var(ddof=1)) / len(arm.purchases) for arm in (offer, control)))
    offered, held = _log_odds(offer), _log_odds(control)
    difference, spread = (offered[0] - held[0], math.hypot(offered[1], held[1])) if offered and held else (None, None)
    return Uplift(extra, extra - NORMAL_95 * error, extra + NORMAL_95 * error, difference, spread)


def _log_odds(arm: Arm) -> tuple[float, float] | None:
    """Log odds of the product at an order and their error, clustered by customer; half an order is added to each side."""
    orders, bought = float(arm.orders.sum()), float(arm.purchases.sum())
    if orders == 0:
        return None
    share = (bought + 0.5) / (orders + 1.0)
    clustered = float(((arm.purchases - share * arm.orders) ** 2).sum()) / orders**2
    variance = max(clustered, share * (1.0 - share) / (orders + 1.0))
    return math.log(share / (1.0 - share)), math.sqrt(variance) / (share * (1.0 - share))
