"""The choice of an audience: who to offer what within a budget, and whom to hold back for comparison."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from globolatte_ml.campaigns.effect import OfferEffect, with_offer
from globolatte_ml.data.customer_hash import hash_share

OFFER, CONTROL = "offer", "control"
SHAPES = np.geomspace(0.1, 20.0, 40)
SCALES_IN_DAYS = np.geomspace(1.0, 2000.0, 60)


@dataclass(frozen=True)
class Plan:
    """The requested campaign. Budget and cost are money; dates are business dates, `days` of them.

    product: an id; None to choose for each unit what is worth most to push. control_share: of the audience, held back.
    """

    campaign_id: str
    product: str | None
    budget: float
    cost_per_contact: float
    starts_on: dt.date
    days: int = 14
    control_share: float = 0.2

    @property
    def ends_on(self) -> dt.date:
        """The last date that counts."""
        return self.starts_on + dt.timedelta(days=self.days - 1)

    @property
    def contacts(self) -> int:
        """How many offers the budget pays for."""
        return math.floor(self.budget / self.cost_per_contact + 1e-9)

    def faults(self) -> list[str]:
        """What is wrong with it, with remedies; empty if nothing is."""
        wrong = []
        if self.cost_per_contact <= 0:
            wrong.append("cost_per_contact must be above 0")
        elif self.contacts < 1:
            wrong.append(f"a budget of {self.budget:g} pays for no contact at {self.cost_per_contact:g} each; raise it")
        if not 0 <= self.control_share < 1:
            wrong.append("control_share must be at least 0 and below 1, such as 0.2")
        if self.days < 1:
            wrong.append("days must be at least 1")
        return wrong


@dataclass(frozen=True)
class Candidates:
    """n eligible customers with the model's view of them.

    ids, units, prediction_ids: str, shape (n,). probabilities: of each product at an order, shape (n, K), in the order of `products`.
    orders: expected within the campaign, shape (n,). prices: as the customer's unit compares them, shape (n, K), or (K,) if all units do
    alike; NaN where a price cannot be compared.
    """

    ids: np.ndarray
    units: np.ndarray
    prediction_ids: np.ndarray
    products: tuple[str, ...]
    prices: np.ndarray
    probabilities: np.ndarray
    orders: np.ndarray

    def extra_purchases(self, odds_ratio: float) -> np.ndarray:
        """Expected purchases of each product beyond those without an offer, shape (n, K)."""
        more: np.ndarray = self.orders[:, None] * (with_offer(self.probabilities, odds_ratio) - self.probabilities)
        return more

    def worth(self, odds_ratio: float) -> np.ndarray:
        """The value of an offer of each product in money, shape (n, K): its price minus that of the product that it replaces.

        NaN where a price cannot be compared; such a product is none that could be replaced, either.
        """
        known = ~np.isnan(self.prices)
        share = np.where(known, self.probabilities, 0.0)
        paid = share * np.where(known, self.prices, 0.0)
        others = (paid.sum(axis=1, keepdims=True) - paid) / np.maximum(share.sum(axis=1, keepdims=True) - share, 1e-12)
        more: np.ndarray = self.extra_purchases(odds_ratio) * (self.prices - others)
        return more


@dataclass(frozen=True)
class Audience:
    """The customers of a campaign in order of expected extra purchases, offers and controls; arrays of shape (m,).

    rows: positions in the candidates. product: positions in their products. is_control: held back.
    """

    rows: np.ndarray
    product: np.ndarray
    is_control: np.ndarray
    extra: np.ndarray
    purchases: np.ndarray


def products_to_push(candidates: Candidates, plan: Plan, effect: OfferEffect) -> dict[str, int]:
    """For each unit the product (a position) to offer: the plan's, or the one that is worth most within the unit's share of the budget.

    Where no price can be compared, the one that is bought most beyond what would be bought anyway.
    """
    units = np.unique(candidates.units).tolist()
    if plan.product is not None:
        return dict.fromkeys(units, candidates.products.index(plan.product))
    worth, extra = candidates.worth(effect.odds_ratio), candidates.extra_purchases(effect.odds_ratio)
    chosen = {}
    for unit in units:
        here = worth[candidates.units == unit]
        here = extra[candidates.units == unit] if np.isnan(here).all() else np.where(np.isnan(here), -np.inf, here)
        contacts = max(1, round(plan.contacts * len(here) / len(candidates.ids)))
        best = np.sort(here, axis=0)[::-1][:contacts].sum(axis=0)
        chosen[unit] = int(best.argmax())
    return chosen


def choose_audience(candidates: Candidates, plan: Plan, effect: OfferEffect) -> Audience:
    """The customers with the largest expected extra purchases, as many as the budget pays for.

    Going down the ranking, each is offered the product or held back by their hash, until the budget is spent: both groups come
    from the same customers, and a repetition holds back the same ones.
    """
    push = products_to_push(candidates, plan, effect)
    product = np.array([push[unit] for unit in candidates.units.tolist()], dtype=np.int64)
    everyone = np.arange(len(product))
    extra = candidates.extra_purchases(effect.odds_ratio)[everyone, product]
    order = np.lexsort((candidates.ids, -extra))
    held = np.array(
        [hash_share(plan.campaign_id, one) < plan.control_share for one in candidates.ids[order].tolist()], dtype=bool
    )
    offered = np.cumsum(~held)
    within = offered <= plan.contacts
    last = len(order) if within.all() else int(np.argmin(within))
    taken = order[:last]
    purchases = (candidates.orders * candidates.probabilities[everyone, product])[taken]
    return Audience(taken, product[taken], held[:last], extra[taken], purchases)


def sizes_for_budgets(
    candidates: Candidates, plan: Plan, effect: OfferEffect, factors: Sequence[float]
) -> list[dict[str, float]]:
    """What other budgets would bring: budget, offers, expected extra purchases, and those of the last contact."""
    rows = []
    for factor in factors:
        other = replace(plan, budget=plan.budget * factor)
        if other.contacts < 1:
            continue
        found = choose_audience(candidates, other, effect)
        extra = found.extra[~found.is_control]
        rows.append(
            {
                "budget": other.budget,
                "offers": float(len(extra)),
                "extra": float(extra.sum()),
                "last": float(extra[-1]) if len(extra) else 0.0,
            }
        )
    return rows


def expected_orders(orders: np.ndarray, days: np.ndarray, horizon: float) -> np.ndarray:
    """Expected orders within `horizon` days, shape (n,), for customers of `orders` (>= 1) within `days` since their first one.

    Each customer comes at a constant rate of their own, rates are gamma distributed (NBD, Ehrenberg 1959); the first order only shows
    when the clock started. The gamma is that of highest likelihood on a grid, so that one early repeat makes nobody a regular.
    It is assumed that customers go on as they have.
    """
    from scipy.special import gammaln

    repeats, exposure = np.maximum(orders - 1.0, 0.0), np.maximum(days, 1.0)
    if not len(orders):
        return np.zeros(0)
    best, taken = -np.inf, (1.0, 30.0)
    for shape in SHAPES:
        common = (gammaln(shape + repeats) - gammaln(shape)).sum()
        for scale in SCALES_IN_DAYS:
            total = scale + exposure
            fit = common + (shape * np.log(scale / total) - repeats * np.log(total)).sum()
            if fit > best:
                best, taken = fit, (float(shape), float(scale))
    shape, scale = taken
    rate: np.ndarray = (repeats + shape) / (exposure + scale)
    return horizon * rate
