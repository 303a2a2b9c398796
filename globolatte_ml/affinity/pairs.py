"""Which products go together: pairs with significance and shrinkage, ranked by the expected value of an offer.

A pair is an anchor A (the order's main product, or the previous main product) and a companion B (an add-on, or the next main
product). Its rate is compared with B's rate at all other anchors of the same region. Raw lift on three baskets says nothing, so:

- Orders of one customer are correlated. Counts are divided by the design effect estimated from the customers' own sums (Rao & Scott,
  "A simple method for the analysis of clustered binary data", 1992).
- One-sided Fisher test where a cell is small, log-likelihood ratio (Dunning 1993) elsewhere; the false discovery rate is held at
  5 % over all pairs of a kind (Benjamini & Hochberg 1995).
- The lift is the posterior mean under a gamma prior learned from all pairs (DuMouchel 1999), regional ones around the chain's;
  `lift_low` is its fifth percentile. The prior's mean is 1: without evidence nothing goes together.
"""

from dataclasses import dataclass

import numpy as np

MOST_FALSE = 0.05
SMALL_CELL = 5.0
PRIOR_SHAPES = np.geomspace(0.5, 500.0, 31)
FEWEST_CUSTOMERS = 5
"""Customers that must have made a pair before it counts as one."""
LOW_QUANTILE = 0.05


@dataclass(frozen=True)
class Pairs:
    """n pairs of one region and kind; arrays of shape (n,).

    All combinations of anchor and companion that were possible, unless `possible` says how many there were: of a large catalogue only
    those are here that enough customers made. Then `others` and `others_both` are known from all.

    anchor, companion: product ids. orders: with the anchor. both: of these with the companion. customers: with such an order.
    both_squared, orders_squared, both_orders: sums over customers of (their both)², (their orders)² and the product.
    """

    anchor: np.ndarray
    companion: np.ndarray
    orders: np.ndarray
    both: np.ndarray
    customers: np.ndarray
    both_squared: np.ndarray
    orders_squared: np.ndarray
    both_orders: np.ndarray
    possible: int | None = None
    others: np.ndarray | None = None
    others_both: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.anchor)


@dataclass(frozen=True)
class Affinity:
    """The estimates for n pairs; arrays of shape (n,).

    rate: of the companion at the anchor; expected: at the other anchors. lift: rate / expected as counted, NaN if nothing was expected.
    shrunken_lift, lift_low: posterior mean and fifth percentile. design_effect: how many orders count as one. p_value, q_value:
    one-sided, before and after the correction. significant: q at most 5 %, more than expected, enough customers.
    """

    rate: np.ndarray
    expected: np.ndarray
    lift: np.ndarray
    shrunken_lift: np.ndarray
    lift_low: np.ndarray
    design_effect: np.ndarray
    p_value: np.ndarray
    q_value: np.ndarray
    significant: np.ndarray

    def extra_rate(self) -> np.ndarray:
        """How much more often than elsewhere the companion is taken at the anchor, by the shrunken lift; shape (n,)."""
        extra: np.ndarray = self.expected * (self.shrunken_lift - 1.0)
        return extra


def affinity(pairs: Pairs, around: np.ndarray | None = None, sample: Pairs | None = None) -> Affinity:
    """Evaluate n >= 0 pairs. `around`, shape (n,): lifts to shrink towards, the chain's for a region; 1 unless given. `sample`: pairs
    that stand for all possible ones where not all are evaluated; the prior is learned from them."""
    orders, both = pairs.orders.astype(np.float64), pairs.both.astype(np.float64)
    others, others_both = _elsewhere(pairs)
    effect = design_effect(pairs)
    orders_n, both_n, others_n, others_both_n = orders / effect, both / effect, others / effect, others_both / effect
    rate, expected = _ratio(both, orders), _ratio(others_both, others)
    p_value = one_sided_p(both_n, orders_n, others_both_n, others_n)
    q_value = false_discovery_rates(p_value, pairs.possible or len(pairs))
    prior = np.ones(len(pairs)) if around is None else around
    expected_count = orders_n * expected * prior
    shape = learn_shape(both_n, expected_count) if sample is None else learn_shape(*_counted(sample))
    mean, low = posterior(both_n, expected_count, shape)
    enough = (pairs.customers >= FEWEST_CUSTOMERS) & (rate > expected)
    return Affinity(
        rate=rate,
        expected=expected,
        lift=np.divide(rate, expected, out=np.full(len(pairs), np.nan), where=expected > 0),
        shrunken_lift=mean * prior,
        lift_low=low * prior,
        design_effect=effect,
        p_value=p_value,
        q_value=q_value,
        significant=enough & (q_value <= MOST_FALSE),
    )


def false_discovery_rates(p_value: np.ndarray, tests: int) -> np.ndarray:
    """q-values (n,) by Benjamini and Hochberg of the n smallest p-values of so many tests."""
    order = np.argsort(p_value, kind="stable")
    scaled = p_value[order] * tests / np.arange(1, len(p_value) + 1)
    q_value = np.empty(len(p_value))
    q_value[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    return q_value


def _counted(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """How often pairs were made and how often that was to be expected, in orders that count as one."""
    effect, others = design_effect(pairs), _elsewhere(pairs)
    return pairs.both / effect, pairs.orders / effect * _ratio(others[1], others[0])


def design_effect(pairs: Pairs) -> np.ndarray:
    """Variance of each pair's rate over customers against that of as many independent orders; at least 1, shape (n,)."""
    orders, rate = pairs.orders.astype(np.float64), _ratio(pairs.both, pairs.orders)
    clustered = pairs.both_squared - 2.0 * rate * pairs.both_orders + rate**2 * pairs.orders_squared
    independent = rate * (1.0 - rate) * orders
    return np.divide(clustered, independent, out=np.ones(len(pairs)), where=independent > 0).clip(min=1.0)


def one_sided_p(both: np.ndarray, orders: np.ndarray, others_both: np.ndarray, others: np.ndarray) -> np.ndarray:
    """P(at least `both` of `orders`) if the rate were that of `others` and these together; shape (n,). 1 where the counts say nothing."""
    from scipy.special import erfc
    from scipy.stats import hypergeom

    total, hits = orders + others, both + others_both
    share = _ratio(hits, total)
    table = np.stack([both, orders - both, others_both, others - others_both])
    by_chance = np.stack([orders * share, orders * (1 - share), others * share, others * (1 - share)])
    terms = np.zeros_like(table)
    seen = (table > 0) & (by_chance > 0)
    terms[seen] = table[seen] * np.log(table[seen] / by_chance[seen])
    tail = (
        erfc(np.sqrt(terms.sum(axis=0).clip(min=0.0))) / 2.0
    )  # chi-squared with one degree of freedom, one side of it
    p_value = np.where(both > by_chance[0], tail, 1.0 - tail)
    small = by_chance.min(axis=0) < SMALL_CELL
    drawn_hits, drawn, marked, whole = np.rint([counts[small] for counts in (both, orders, hits, total)])
    p_value[small] = hypergeom.sf(drawn_hits - 1, whole.clip(min=1), marked, drawn)
    answer: np.ndarray = np.where((orders > 0) & (others > 0), p_value, 1.0)
    return answer


def learn_shape(counts: np.ndarray, expected: np.ndarray) -> float:
    """The gamma prior's shape (its mean is 1) under which counts are likeliest, on a grid: negative binomial likelihood."""
    from scipy.special import gammaln

    informative = expected > 0
    if not informative.any():
        return float(PRIOR_SHAPES[-1])
    x, e = counts[informative], expected[informative]
    fits = [
        (gammaln(a + x) - gammaln(a) - gammaln(x + 1) + a * np.log(a / (a + e)) + x * np.log(e / (a + e))).sum()
        for a in PRIOR_SHAPES
    ]
    return float(PRIOR_SHAPES[int(np.argmax(fits))])


def posterior(counts: np.ndarray, expected: np.ndarray, shape: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and fifth percentile of each lift given its counts, shape (n,) each."""
    from scipy.special import gammaincinv

    alpha, beta = counts + shape, expected + shape
    low: np.ndarray = gammaincinv(alpha, LOW_QUANTILE) / beta
    mean: np.ndarray = alpha / beta
    return mean, low


def _elsewhere(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Orders at the other anchors that could have had the companion, and how many did; shape (n,) each."""
    if pairs.others is not None and pairs.others_both is not None:
        return pairs.others, pairs.others_both
    _, companion = np.unique(pairs.companion, return_inverse=True)
    size = int(companion.max()) + 1 if len(pairs) else 0
    orders = np.bincount(companion, weights=pairs.orders, minlength=size)
    both = np.bincount(companion, weights=pairs.both, minlength=size)
    return orders[companion] - pairs.orders, both[companion] - pairs.both


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(whole), dtype=np.float64), where=whole > 0)
