"""Fits the habit expert: the chain's tables, and the few parameters under which later choices were most probable.

The training span is cut into blocks of time. The orders of a block are predicted with tables of the orders before it, as later ones will
be: what a season, a week or a neighbour seemed to say in the orders that it was counted from proves nothing. Penalised maximum
likelihood (normal priors) over all blocks together, by L-BFGS. How much sells of what changes with time in a way that blocks show
only a few times, however many orders they have: so the priors of what follows popularity grow with the orders.
"""

from dataclasses import dataclass, fields

import numpy as np

from globolatte_ml.data.orders import Contexts, Orders, thinned
from globolatte_ml.data.shares import softmax
from globolatte_ml.data.states import RECENT_COLUMNS, CustomerStates
from globolatte_ml.data.vocabulary import SEASONS
from globolatte_ml.model.encoding import encode_contexts
from globolatte_ml.model.feature_space import FeatureSpace
from globolatte_ml.model.habit import (
    AMOUNTS,
    CONCENTRATIONS,
    KINDS,
    HabitExpert,
    HabitInputs,
    HabitParameters,
    HabitTables,
    after_others,
    context_columns,
    evidence,
    history_shares,
    inputs_of,
    kinds_of_columns,
)

BLOCKS, FIRST_BLOCK = 8, 2
"""Parts of the training span, and the first of them to be predicted."""
MINIMUM_ORDERS_BEFORE = 50
MAXIMUM_ORDERS = 60_000
"""More orders than these add no information about a few dozen parameters; the tables are of all."""
MAXIMUM_NEIGHBOUR_ORDERS = 200_000
HALF_LIVES_IN_DAYS = {"latest_week": 7.0, "latest_month": 28.0}
LIFT_PRIOR_ORDERS, NEAR_PRIOR_ORDERS = 5.0, 5.0
"""A product's lift is shrunk as if so many further orders of it had come as expected."""
MOST_NEAR = 50
ITERATIONS = 200
SAME_POPULARITY_PER_ORDER, STEADY_PER_ORDER = 0.01, 0.1
"""What an order adds to the precision of the priors of what follows popularity."""
START = HabitParameters(
    counts=np.array([1.0, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1]),
    own=np.zeros(len(KINDS)),
    concentration_logits=np.zeros(len(CONCENTRATIONS)),
    certainty=np.ones(1),
    popularity=np.array([1.0 * (kind == "chain") for kind in KINDS]),
    steady=np.full(1, np.log(0.6 / 0.4)),
    explore=np.full(1, 0.2),
    again=np.zeros(len(RECENT_COLUMNS)),
)
PRIOR_DEVIATION = {
    "counts": 10.0,
    "own": 0.5,
    "concentration_logits": 1.0,
    "certainty": 0.5,
    "popularity": 0.5,
    "steady": 1.0,
    "explore": 1.0,
    "again": 0.5,
}
NOT_NEGATIVE = {"counts": None, "certainty": None, "explore": 0.99}
"""With the highest value, None for any."""


def fit_habit(orders: Orders, space: FeatureSpace, sold: np.ndarray) -> HabitExpert:
    """The expert of n orders in their canonical sequence, n >= 1; `sold`: (S,) positions of the products that were chosen."""
    kinds, chosen = kinds_of_columns(space.vocabulary), np.searchsorted(sold, orders.chosen)
    day = orders.contexts.date.astype("datetime64[D]").astype(np.int64)
    context = context_columns(encode_contexts(orders.contexts, space), space.places)
    by_block = (day - day.min()) * BLOCKS // (day.max() - day.min() + 1)
    few = np.zeros(len(orders), bool)
    few[thinned(chosen, MAXIMUM_ORDERS)] = True
    blocks = []
    for number in range(FIRST_BLOCK, BLOCKS):
        before, now = np.flatnonzero(by_block < number), np.flatnonzero((by_block == number) & few)
        if len(before) >= MINIMUM_ORDERS_BEFORE and len(now):
            tables = learn_tables(orders.take(before), context[before], chosen[before], day[before], kinds, sold)
            inputs = _inputs(orders.states.take(now), orders.contexts.take(now), context[now], space, sold)
            blocks.append(Block.of(inputs, chosen[now], tables, kinds))
    found = _search(blocks) if blocks else START
    return HabitExpert(found, learn_tables(orders, context, chosen, day, kinds, sold), kinds)


def new_product_share(dates: np.ndarray, chosen: np.ndarray, n_products: int) -> float:
    """The share of orders that a product not sold so far gets in the next block of time, on average over such products and blocks.

    dates, chosen: (n,); `n_products`: of the catalogue. Never less than 1 / (n + products), as Laplace smoothing gives, nor so much that
    products not sold at all would get more than half of all orders.
    """
    day = dates.astype("datetime64[D]").astype(np.int64)
    block = (day - day.min()) * BLOCKS // (day.max() - day.min() + 1)
    first = np.full(n_products, BLOCKS)
    np.minimum.at(first, chosen, block)
    is_new, orders = block == first[chosen], np.bincount(block, minlength=BLOCKS)
    started = np.bincount(first, minlength=BLOCKS + 1)[:BLOCKS]
    unsold = n_products - np.cumsum(started) + started
    seen = slice(FIRST_BLOCK, BLOCKS)
    exposed = int((orders[seen] * unsold[seen]).sum())
    found = int(is_new[block >= FIRST_BLOCK].sum()) / exposed if exposed else 0.0
    never = n_products - len(np.unique(chosen))
    return min(max(found, 1.0 / (len(chosen) + n_products)), 0.5 / max(never, 1))


def learn_tables(
    orders: Orders, context: np.ndarray, chosen: np.ndarray, day: np.ndarray, kinds: np.ndarray, sold: np.ndarray
) -> HabitTables:
    """Tables of n orders: context (n, rows), chosen (n,) positions among the S products sold, day (n,)."""
    counts = np.bincount(chosen, minlength=len(sold)) + 1.0
    chain = counts / counts.sum()
    lifts = np.zeros((len(kinds), len(sold)))
    for row, kind in enumerate(kinds.tolist()):
        if KINDS[kind] == "chain":
            lifts[row] = np.log(chain)
            continue
        weights = context[:, row]
        if KINDS[kind] in HALF_LIVES_IN_DAYS:
            weights = np.exp2((day - day.max()) / HALF_LIVES_IN_DAYS[KINDS[kind]])
        expected = chain
        if KINDS[kind] == "business_unit_season":
            expected = _suggested(lifts, kinds, row, chain)
        sales = np.bincount(chosen, weights=weights, minlength=len(sold)) + LIFT_PRIOR_ORDERS
        lifts[row] = np.log(sales / (weights.sum() * expected + LIFT_PRIOR_ORDERS))
    return HabitTables(chain, lifts, *_neighbours(orders, chosen, chain, sold))


def _suggested(lifts: np.ndarray, kinds: np.ndarray, row: int, chain: np.ndarray) -> np.ndarray:
    """Shares (S,) that a unit and a season suggest together."""
    unit, season = divmod(row - int(np.argmax(kinds == KINDS.index("business_unit_season"))), len(SEASONS))
    rows = (
        np.flatnonzero(kinds == KINDS.index(kind))[at] for kind, at in (("business_unit", unit), ("season", season))
    )
    suggested = chain * np.exp(sum(lifts[at] for at in rows))
    shares: np.ndarray = suggested / suggested.sum()
    return shares


def _neighbours(orders: Orders, chosen: np.ndarray, chain: np.ndarray, sold: np.ndarray) -> tuple[np.ndarray, ...]:
    """`first`, `near`, `near_share` and `near_rest` of HabitTables, of the orders of a product that their customer had not bought."""
    from scipy.sparse import csr_matrix

    some, s = thinned(chosen, MAXIMUM_NEIGHBOUR_ORDERS), len(sold)
    states, chosen = orders.states.take(some), chosen[some]
    n = len(chosen)
    nothing = np.zeros((n, 0))
    inputs = inputs_of(nothing, states.bought, states.recent_products, np.zeros(n), len(states.products), sold)
    is_new = np.bincount(inputs.row, minlength=n) > 0
    is_new[inputs.row[inputs.product == chosen[inputs.row]]] = False
    first = np.bincount(chosen[is_new], minlength=s) + NEAR_PRIOR_ORDERS * chain
    first /= first.sum()
    history = csr_matrix((history_shares(inputs), (inputs.row, inputs.product)), shape=(n, s))[is_new]
    chose = csr_matrix((np.ones(is_new.sum()), (np.arange(is_new.sum()), chosen[is_new])), shape=(is_new.sum(), s))
    after = (history.T @ chose).tocsr()
    after.sort_indices()
    orders_after = np.asarray(after.sum(axis=1)).ravel()
    m = min(MOST_NEAR, s)
    near, share = np.zeros((s, m), np.int64), np.zeros((s, m))
    for product in range(s):
        part = slice(after.indptr[product], after.indptr[product + 1])
        others, seen = after.indices[part], after.data[part]
        expected = orders_after[product] * first[others]
        excess = first[others] * ((seen + NEAR_PRIOR_ORDERS) / (expected + NEAR_PRIOR_ORDERS) - 1.0)
        most = np.argsort(-np.abs(excess), kind="stable")[:m]
        near[product, : len(most)], share[product, : len(most)] = others[most], excess[most]
    rest = 1.0 / (1.0 + share.sum(axis=1))
    return first, near, share * rest[:, None], rest


def _inputs(
    states: CustomerStates, contexts: Contexts, context: np.ndarray, space: FeatureSpace, sold: np.ndarray
) -> HabitInputs:
    states = states.for_products(space.vocabulary.products)
    age = (contexts.date - states.last_order_date).astype("timedelta64[D]")
    days = np.where(np.isnat(age), 0, age.astype(np.int64)).clip(min=0).astype(np.float64)
    return inputs_of(context, states.bought, states.recent_products, days, len(states.products), sold)


@dataclass(frozen=True)
class Block:
    """n orders to learn from, with everything that does not depend on the parameters.

    Of each order four products are looked at: the chosen one and the last three. U distinct contexts, T kinds.

    Attributes:
        contexts: (U, rows). context: (n,) positions in it. tables, kinds: see `HabitExpert`.
        row, amounts: of the pairs, see `HabitInputs`. lifts: (pairs, T) by kind.
        seen: (n, 4) positions of the products, 0 where there is none. there, pair, paired: (n, 4) whether there is one; the position of its
            pair; whether it has one. others: (n, 4) what others chose next. distinct: (n, 4) the last ones, each product once.
        same: (n, 4, 3) whether it is the last, the one before, … main product. evidence: (n, J).
    """

    contexts: np.ndarray
    context: np.ndarray
    tables: HabitTables
    kinds: np.ndarray
    row: np.ndarray
    amounts: np.ndarray
    lifts: np.ndarray
    seen: np.ndarray
    there: np.ndarray
    pair: np.ndarray
    paired: np.ndarray
    others: np.ndarray
    distinct: np.ndarray
    same: np.ndarray
    evidence: np.ndarray

    def __len__(self) -> int:
        return len(self.context)

    @classmethod
    def of(cls, inputs: HabitInputs, chosen: np.ndarray, tables: HabitTables, kinds: np.ndarray) -> "Block":
        """Of orders, what was chosen (n,), and the tables of the orders before them."""
        n, s = len(inputs), len(tables.chain)
        looked_at = np.column_stack((chosen, inputs.recent))
        there = looked_at >= 0
        seen = np.where(there, looked_at, 0)
        keys, wanted = inputs.row * s + inputs.product, np.arange(n)[:, None] * s + seen
        pair = np.searchsorted(keys, wanted).clip(max=max(len(keys) - 1, 0))
        paired = there & (keys[pair] == wanted) if len(keys) else np.zeros_like(there)
        same = there[:, :, None] & (looked_at[:, :, None] == inputs.recent[:, None, :])
        earlier = [same[:, 1 + back, :back].any(axis=1) for back in range(len(RECENT_COLUMNS))]
        distinct = there & ~np.column_stack((np.ones(n, bool), *earlier))
        contexts, context = np.unique(inputs.context, axis=0, return_inverse=True)
        others = np.take_along_axis(after_others(inputs, tables), seen, axis=1) * there
        by_row = inputs.context[inputs.row] * tables.lifts[:, inputs.product].T
        lifts = np.column_stack([by_row[:, kinds == kind].sum(axis=1) for kind in range(len(KINDS))])
        return cls(
            contexts, context.ravel(), tables, kinds, inputs.row, inputs.amounts, lifts, seen, there,
            np.where(paired, pair, 0), paired, others, distinct, same.astype(np.float64), evidence(inputs, tables.chain),
        )  # fmt: skip

    def add(self, learned: HabitParameters, gradient: HabitParameters) -> float:
        """The log likelihood of the orders; adds to its gradient."""
        n, grid = len(self), CONCENTRATIONS
        steady, explore = 1.0 / (1.0 + np.exp(-learned.steady[0])), learned.explore[0]
        scaled = learned.popularity[self.kinds][:, None] * self.tables.lifts
        lately = softmax(self.contexts @ scaled)
        popular = (1.0 - steady) * lately + steady * self.tables.chain
        at = self.context[:, None], self.seen
        offered = popular[at] * self.there
        mixed = (1.0 - explore) * offered + explore * self.others

        lifted = np.exp(self.lifts @ learned.own)
        own = (self.amounts @ learned.counts) * lifted
        total = np.bincount(self.row, weights=own, minlength=n)
        own_seen = (own[self.pair] if len(own) else np.zeros(self.pair.shape)) * self.paired
        weights = softmax(learned.concentration_logits + learned.certainty[0] * self.evidence)
        spread = 1.0 / (grid + total[:, None])
        of_popular, of_own = ((weights * grid * spread).sum(axis=1), (weights * spread).sum(axis=1))
        first = of_popular[:, None] * mixed + of_own[:, None] * own_seen

        utility = self.same @ learned.again
        moved = np.expm1(utility) * self.distinct
        normal = 1.0 + (first * moved).sum(axis=1)
        value = float((np.log(first[:, 0]) + utility[:, 0] - np.log(normal)).sum())

        by_first = -moved / normal[:, None]
        by_first[:, 0] += 1.0 / first[:, 0]
        again = (first * np.exp(utility) * self.distinct / normal[:, None])[:, :, None] * self.same
        gradient.again[:] += (self.same[:, 0] - again.sum(axis=1)).sum(axis=0)

        by_mixed, by_own = (by_first * mixed).sum(axis=1), (by_first * own_seen).sum(axis=1)
        by_logit = weights * (
            by_mixed[:, None] * (grid * spread - of_popular[:, None]) + by_own[:, None] * (spread - of_own[:, None])
        )
        gradient.concentration_logits[:] += by_logit.sum(axis=0)
        gradient.certainty[:] += (by_logit * self.evidence).sum()

        falls = (weights * spread**2 * (grid * by_mixed[:, None] + by_own[:, None])).sum(axis=1)
        by_count = -falls[self.row]
        np.add.at(by_count, self.pair[self.paired], (by_first * of_own[:, None])[self.paired])
        gradient.counts[:] += (by_count * lifted) @ self.amounts
        gradient.own[:] += (by_count * own) @ self.lifts

        by_offered = by_first * of_popular[:, None] * self.there
        gradient.explore[:] += (by_offered * (self.others - offered)).sum()
        per_cell = np.zeros_like(popular)
        np.add.at(per_cell, at, by_offered * (1.0 - explore))
        gradient.steady[:] += steady * (1.0 - steady) * (per_cell * (self.tables.chain - lately)).sum()
        per_cell *= (1.0 - steady) * lately
        per_cell -= per_cell.sum(axis=1, keepdims=True) * lately
        by_row = ((self.contexts.T @ per_cell) * self.tables.lifts).sum(axis=1)
        gradient.popularity[:] += np.bincount(self.kinds, weights=by_row, minlength=len(KINDS))
        return value


def log_likelihood(learned: HabitParameters, blocks: list[Block]) -> tuple[float, np.ndarray]:
    """Of all blocks, and its gradient as a vector of parameters."""
    gradient = HabitParameters.from_vector(np.zeros_like(learned.vector()))
    value = sum(block.add(learned, gradient) for block in blocks)
    return value, gradient.vector()


def _search(blocks: list[Block]) -> HabitParameters:
    from scipy.optimize import minimize

    precision, centre, bounds = _prior(sum(map(len, blocks)))

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = log_likelihood(HabitParameters.from_vector(vector), blocks)
        away = vector - centre
        return 0.5 * float(precision @ away**2) - value, precision * away - gradient

    options = {"maxiter": ITERATIONS}
    found = minimize(objective, START.vector(), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return HabitParameters.from_vector(found.x)


def _prior(n: int) -> tuple[np.ndarray, np.ndarray, list[tuple[float | None, float | None]]]:
    """Precisions and centres of the normal priors for n orders, and bounds, as vectors of parameters."""
    per_order = {"own": SAME_POPULARITY_PER_ORDER, "popularity": SAME_POPULARITY_PER_ORDER, "steady": STEADY_PER_ORDER}
    lengths = HabitParameters.lengths()
    precision = {name: PRIOR_DEVIATION[name] ** -2 + n * per_order.get(name, 0.0) for name in lengths}
    bounds = {name: (0.0, NOT_NEGATIVE[name]) if name in NOT_NEGATIVE else (None, None) for name in lengths}
    centre = {field.name: getattr(START, field.name) for field in fields(START)}
    centre["counts"] = np.zeros(len(AMOUNTS))
    return (
        np.concatenate([np.full(length, precision[name]) for name, length in lengths.items()]),
        HabitParameters(**centre).vector(),
        [bounds[name] for name, length in lengths.items() for _ in range(length)],
    )
