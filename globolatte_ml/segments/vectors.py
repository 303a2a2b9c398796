"""Where each customer stands: taste, hours and basket as coordinates in which near means alike.

Shares are shrunken by empirical Bayes towards what is usual where the customer lives, then taken as centred log-ratios against
it: a customer of few orders stands near the origin, and regions do not become segments. Of a large catalogue the products sold most
are coordinates of their own, and all others are one together.
"""

from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.ranking import EVERY_PRODUCT_UP_TO
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

    @property
    def listed(self) -> np.ndarray:
        """Positions of the L products that are coordinates of their own, ascending: all, or of a large catalogue those sold most."""
        return _sold_most(self.usual[-1])

    @property
    def listed_products(self) -> tuple[str, ...]:
        """The ids of these products, in the order of their coordinates."""
        return tuple(self.products[at] for at in self.listed.tolist())

    @property
    def width(self) -> int:
        """How many coordinates a customer has, d."""
        return _width(self.listed, len(self.products)) + len(self.daypart_mix) + 1

    def coordinates(self, customers: Customers) -> np.ndarray:
        """Shape (n, d), float64: one per listed product, one for the others where there are any, one per daypart, the basket."""
        states, listed = customers.states.for_products(self.products), self.listed
        usual = _with_rest(self.usual, listed)[encode(customers.home, self.business_units)]
        taste = shrunken_shares(_choices(states, listed), usual, self.taste_strength)
        mix = np.broadcast_to(self.daypart_mix, states.daypart_orders.shape)
        hours = shrunken_shares(states.daypart_orders, mix, self.daypart_strength)
        prior_lines = BASKET_PRIOR_ORDERS * self.lines_per_order
        basket = (states.line_count + prior_lines) / (states.order_count + BASKET_PRIOR_ORDERS) - self.lines_per_order
        return np.hstack([centred_log(taste / usual), centred_log(hours / mix), BASKET_WEIGHT * basket[:, None]])


def learn_vector_space(customers: Customers) -> VectorSpace:
    """Learn from n >= 1 customers with orders."""
    states, n_products = customers.states, len(customers.states.products)
    units = tuple(np.unique(customers.home).tolist())
    unit = encode(customers.home, units)
    totals = _sums(_amounts(states), unit[states.bought.row], states.bought.product, (len(units), n_products))
    chain = (totals.sum(axis=0) + 1.0) / (totals.sum() + n_products)
    usual = np.vstack([shrunken_shares(totals, np.broadcast_to(chain, totals.shape), float(n_products)), chain])
    listed = _sold_most(chain)
    hours = states.daypart_orders.sum(axis=0) + 1.0
    daypart_mix = hours / hours.sum()
    mixes = np.broadcast_to(daypart_mix, states.daypart_orders.shape)
    return VectorSpace(
        products=states.products,
        business_units=units,
        usual=usual,
        taste_strength=learn_strength(_choices(states, listed), _with_rest(usual, listed)[unit]),
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


def _sold_most(usual: np.ndarray) -> np.ndarray:
    if len(usual) <= EVERY_PRODUCT_UP_TO:
        return np.arange(len(usual))
    return np.sort(np.argsort(-usual, kind="stable")[:EVERY_PRODUCT_UP_TO])


def _with_rest(shares: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Shares (m, K) of the listed products, and in one column more what the others sum to, where there are any."""
    if len(listed) == shares.shape[1]:
        return shares
    others = np.ones(shares.shape[1], dtype=bool)
    others[listed] = False
    return np.hstack([shares[:, listed], shares[:, others].sum(axis=1, keepdims=True)])


def _choices(states: CustomerStates, listed: np.ndarray) -> np.ndarray:
    """How often each customer chose each listed product, and the others together where there are any: (n, L) or (n, L + 1)."""
    n_products = len(states.products)
    column = np.full(n_products, len(listed))
    column[listed] = np.arange(len(listed))
    shape = len(states), _width(listed, n_products)
    return _sums(_amounts(states), states.bought.row, column[states.bought.product], shape)


def _width(listed: np.ndarray, n_products: int) -> int:
    """How many coordinates tell the taste."""
    return len(listed) + (len(listed) < n_products)


def _amounts(states: CustomerStates) -> np.ndarray:
    """How much each pair of customer and product counts as a choice."""
    return states.bought.main_orders + ADDON_WEIGHT * states.bought.addon_lines


def _sums(amounts: np.ndarray, row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    cells = np.bincount(row * shape[1] + column, weights=amounts, minlength=shape[0] * shape[1])
    return cells.reshape(shape)
