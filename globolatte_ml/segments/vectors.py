"""Where each customer stands: taste, hours and basket as coordinates in which near means alike.

Shares are shrunken by empirical Bayes towards what is usual where the customer lives, then taken as centred log-ratios against
it: a customer of few orders stands near the origin, and regions do not become segments.
"""

from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.shares import centred_log, shrunken_shares
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import encode
from globolatte_ml.model.features import ADDON_WEIGHT

STRENGTHS = np.geomspace(0.5, 200.0, 25)
BASKET_PRIOR_ORDERS = 6.0
BASKET_WEIGHT = 3.0
"""One more line in an average order counts like e^3 times the usual share of a product: baskets differ less than tastes do."""


@dataclass(frozen=True)
class Customers:
    """n customers: ids and home units (str, shape (n,)), their states, and what they paid in all (float64, shape (n,); NaN: not known)."""

    ids: np.ndarray
    home: np.ndarray
    states: CustomerStates
    spend: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> "Customers":
        """The customers at `rows` (positions or a boolean mask)."""
        return Customers(self.ids[rows], self.home[rows], self.states.take(rows), self.spend[rows])


@dataclass(frozen=True)
class VectorSpace:
    """What the transformation needs. R units, K products.

    usual: shares of products by unit, shape (R + 1, K), the last row for a unit never seen. taste_strength, daypart_strength:
    how many orders those shares count against a customer's own. daypart_mix: shape (4,). lines_per_order: the chain's mean.
    """

    products: tuple[str, ...]
    business_units: tuple[str, ...]
    usual: np.ndarray
    taste_strength: float
    daypart_mix: np.ndarray
    daypart_strength: float
    lines_per_order: float

    def coordinates(self, customers: Customers) -> np.ndarray:
        """Shape (n, d), float64: one per product, one per daypart, the basket."""
        states = customers.states.for_products(self.products)
        usual = self.usual[encode(customers.home, self.business_units)]
        taste = shrunken_shares(_choices(states), usual, self.taste_strength)
        mix = np.broadcast_to(self.daypart_mix, states.daypart_orders.shape)
        hours = shrunken_shares(states.daypart_orders, mix, self.daypart_strength)
        prior_lines = BASKET_PRIOR_ORDERS * self.lines_per_order
        basket = (states.line_count + prior_lines) / (states.order_count + BASKET_PRIOR_ORDERS) - self.lines_per_order
        return np.hstack([centred_log(taste / usual), centred_log(hours / mix), BASKET_WEIGHT * basket[:, None]])


def learn_vector_space(customers: Customers) -> VectorSpace:
    """Learn from n >= 1 customers with orders."""
    states, n_products = customers.states, len(customers.states.products)
    counts = _choices(states)
    units = tuple(np.unique(customers.home).tolist())
    unit = encode(customers.home, units)
    chain = (counts.sum(axis=0) + 1.0) / (counts.sum() + n_products)
    totals = np.stack([counts[unit == one].sum(axis=0) for one in range(len(units))])
    usual = np.vstack([shrunken_shares(totals, np.broadcast_to(chain, totals.shape), float(n_products)), chain])
    hours = states.daypart_orders.sum(axis=0) + 1.0
    daypart_mix = hours / hours.sum()
    mixes = np.broadcast_to(daypart_mix, states.daypart_orders.shape)
    return VectorSpace(
        products=states.products,
        business_units=units,
        usual=usual,
        taste_strength=learn_strength(counts, usual[unit]),
        daypart_mix=daypart_mix,
        daypart_strength=learn_strength(states.daypart_orders, mixes),
        lines_per_order=float(states.line_count.sum() / max(states.order_count.sum(), 1)),
    )


def learn_strength(counts: np.ndarray, prior: np.ndarray) -> float:
    """The Dirichlet prior's strength of highest likelihood on a grid (Minka, "Estimating a Dirichlet distribution", 2000)."""
    from scipy.special import gammaln

    total = counts.sum(axis=1)
    fit = [
        (gammaln(s) - gammaln(total + s) + (gammaln(counts + s * prior) - gammaln(s * prior)).sum(axis=1)).sum()
        for s in STRENGTHS
    ]
    return float(STRENGTHS[int(np.argmax(fit))])


def _choices(states: CustomerStates) -> np.ndarray:
    return states.main_orders + ADDON_WEIGHT * states.addon_lines
