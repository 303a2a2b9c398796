"""What a segment is like, in numbers and in a name that a marketer understands."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.segments.vectors import BASKET_WEIGHT, Customers, VectorSpace

CLEAR_TASTE = 0.25
"""A product's log-ratio from which on it names a segment: about a third more than is usual there."""
ALMOST_AS_CLEAR = 0.6
CLEAR_HOURS = 0.12
CLEAR_BASKET = 0.15
"""Lines per order away from the chain's mean."""
HOURS = {"morning": "mornings", "midday": "midday", "afternoon": "afternoons", "evening": "evenings"}


@dataclass(frozen=True)
class Profile:
    """One segment: m customers, the shares they are of all customers and of all sales, and what they are like on average.

    product_shares: of main products, by id; product_lifts: log-ratio to what is usual where they live, of the listed products.
    daypart_shares in the order of `DAYPARTS`; unit_shares by home unit. share_of_sales and spend_per_order: none where what some of
    these customers paid cannot be said in one currency. orders_per_30_days counts from each customer's first order to `as_of`.
    """

    segment_id: int
    name: str
    customers: int
    share_of_customers: float
    share_of_sales: float | None
    orders_per_30_days: float
    spend_per_order: float | None
    lines_per_order: float
    days_since_last_order: float
    product_shares: Mapping[str, float]
    product_lifts: Mapping[str, float]
    daypart_shares: tuple[float, ...]
    unit_shares: Mapping[str, float]

    @property
    def favourite(self) -> str:
        """The product that stands out most."""
        return max(self.product_lifts, key=lambda product: self.product_lifts[product])


def taste_of(centre: np.ndarray, space: VectorSpace) -> tuple[str, ...]:
    """The one or two products that stand out at a centre (shape (d,)), the first one first; none if nothing does."""
    products = space.listed_products
    taste = centre[: len(products)]
    order = np.argsort(-taste, kind="stable")[:2]
    return tuple(products[at] for at in order if taste[at] >= max(CLEAR_TASTE, ALMOST_AS_CLEAR * taste[order[0]]))


def name_of(centre: np.ndarray, space: VectorSpace, product_names: Mapping[str, str]) -> str:
    """A name from what stands out at a centre (shape (d,)): one or two products, then hours and basket if they differ.

    A segment in which no product stands out is called "All-rounders".
    """
    clear = taste_of(centre, space)
    hours = centre[-1 - len(DAYPARTS) : -1]
    words = [HOURS[DAYPARTS[int(hours.argmax())]]] if hours.max() >= CLEAR_HOURS else []
    basket = centre[-1] / BASKET_WEIGHT
    if abs(basket) >= CLEAR_BASKET:
        words.append("large baskets" if basket > 0 else "single items")
    named = " & ".join(product_names.get(product, product) for product in clear)
    return ", ".join([f"{named} fans" if clear else "All-rounders", *words])


def distinct(names: list[str]) -> list[str]:
    """The same names, with a number added where two are equal."""
    return [
        name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})" for i, name in enumerate(names)
    ]


def profiles_of(
    customers: Customers,
    coordinates: np.ndarray,
    segment: np.ndarray,
    ids: tuple[int, ...],
    names: tuple[str, ...],
    space: VectorSpace,
    as_of: np.datetime64,
) -> list[Profile]:
    """One profile per segment, largest first. `segment`, shape (n,), holds positions in `ids`; one without customers is left out."""
    found, sales, listed = [], float(customers.spend.sum()), space.listed_products
    for at in np.unique(segment).tolist():
        members, lifts = customers.take(segment == at), coordinates[segment == at, : len(listed)].mean(axis=0)
        states = members.states.for_products(space.products)
        orders, hours, bought = states.order_count.sum(), states.daypart_orders.sum(axis=0), states.bought
        main = np.bincount(bought.product, weights=bought.main_orders, minlength=len(space.products))
        known = (as_of - states.first_order_date).astype("timedelta64[D]").astype(np.int64).clip(min=1)
        silent = (as_of - states.last_order_date).astype("timedelta64[D]").astype(np.int64).clip(min=0)
        units, counts = np.unique(members.home, return_counts=True)
        spend = float(members.spend.sum())
        found.append(
            Profile(
                segment_id=ids[at],
                name=names[at],
                customers=len(members),
                share_of_customers=len(members) / len(customers),
                share_of_sales=None if np.isnan(sales) else spend / max(sales, 1e-9),
                orders_per_30_days=float(30.0 * orders / known.sum()),
                spend_per_order=None if np.isnan(spend) else spend / float(max(orders, 1)),
                lines_per_order=float(states.line_count.sum() / max(orders, 1)),
                days_since_last_order=float(np.median(silent)),
                product_shares=dict(zip(space.products, (main / max(main.sum(), 1)).tolist(), strict=True)),
                product_lifts=dict(zip(listed, lifts.tolist(), strict=True)),
                daypart_shares=tuple((hours / max(hours.sum(), 1)).tolist()),
                unit_shares=dict(zip(units.tolist(), (counts / len(members)).tolist(), strict=True)),
            )
        )
    return sorted(found, key=lambda profile: (-profile.customers, profile.segment_id))
