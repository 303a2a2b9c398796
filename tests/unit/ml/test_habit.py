"""The habit expert: its closed form, what it learns, and what it costs."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.special import gammaln

from globolatte_ml.data.orders import Orders
from globolatte_ml.data.product_rows import ProductRows
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.model.encoding import encode_for
from globolatte_ml.model.habit import (
    AMOUNTS,
    CONCENTRATIONS,
    KINDS,
    HabitExpert,
    HabitParameters,
    HabitTables,
    evidence,
    habit_inputs,
    inputs_of,
    kinds_of_columns,
    log_gamma,
)
from globolatte_ml.model.habit_fit import START, Block, fit_habit, log_likelihood, new_product_share

MAINS, ADDONS = AMOUNTS.index("main_orders"), AMOUNTS.index("addon_lines")


@pytest.fixture(scope="module")
def orders(snapshot):
    return Orders(snapshot.states, snapshot.contexts, snapshot.chosen)


@pytest.fixture(scope="module")
def expert(model, orders):
    return fit_habit(orders, model.space_, model.sold_)


@pytest.fixture(scope="module")
def inputs(model, snapshot):
    encoded = encode_for(snapshot.states, snapshot.contexts, model.space_)
    return habit_inputs(encoded, len(snapshot.products), model.sold_)


@pytest.fixture(scope="module")
def blocks(expert, inputs, snapshot):
    return [Block.of(inputs, snapshot.chosen, expert.tables, expert.kinds)]


@pytest.mark.parametrize("name", [field.name for field in fields(HabitParameters)])
def test_the_gradient_is_that_of_the_likelihood(blocks, name):
    moved = START.vector() + 0.2 * np.random.default_rng(1).random(len(START.vector()))
    parameters = HabitParameters.from_vector(moved)
    direction = HabitParameters.from_vector(np.zeros_like(moved))
    getattr(direction, name)[:] = np.random.default_rng(2).standard_normal(len(getattr(direction, name)))
    step = 1e-5 * direction.vector()
    above, below = (log_likelihood(HabitParameters.from_vector(moved + sign * step), blocks)[0] for sign in (1.0, -1.0))
    _, gradient = log_likelihood(parameters, blocks)
    assert gradient @ direction.vector() == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-5)


def test_the_likelihood_that_is_learned_from_is_that_of_what_is_served(expert, inputs, blocks, snapshot):
    served = expert.probabilities(inputs)[np.arange(len(inputs)), snapshot.chosen]
    assert log_likelihood(expert.parameters, blocks)[0] == pytest.approx(np.log(served).sum(), rel=1e-9)


def test_probabilities_are_positive_and_sum_to_one(expert, inputs):
    answer = expert.probabilities(inputs)
    assert answer.min() > 0.0
    np.testing.assert_allclose(answer.sum(axis=1), 1.0, rtol=1e-12)


def test_with_one_concentration_it_is_the_dirichlet_multinomial(expert, inputs):
    at = 6
    only = np.where(np.arange(len(CONCENTRATIONS)) == at, 0.0, -1e3)
    plain = replace(
        START,
        counts=np.eye(len(AMOUNTS))[MAINS],
        concentration_logits=only,
        steady=np.full(1, 50.0),
        explore=np.zeros(1),
    )
    chain, counts = expert.tables.chain, np.zeros((len(inputs), len(expert.tables.chain)))
    counts[inputs.row, inputs.product] = inputs.amounts[:, MAINS]
    expected = (CONCENTRATIONS[at] * chain + counts) / (CONCENTRATIONS[at] + counts.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(replace(expert, parameters=plain).probabilities(inputs), expected, rtol=1e-9)


def test_concentrations_are_weighed_by_the_likelihood_of_the_counts(inputs, expert):
    row = int(np.bincount(inputs.row).argmax())
    counts = np.zeros(len(expert.tables.chain))
    counts[inputs.product[inputs.row == row]] = inputs.amounts[inputs.row == row, MAINS]
    prior = CONCENTRATIONS[:, None] * expert.tables.chain
    expected = (gammaln(prior + counts) - gammaln(prior)).sum(axis=1)
    expected += gammaln(CONCENTRATIONS) - gammaln(CONCENTRATIONS + counts.sum())
    np.testing.assert_allclose(evidence(inputs, expert.tables.chain)[row], expected, rtol=1e-10)


def test_the_logarithm_of_the_gamma_function_has_ten_digits():
    x = np.geomspace(1e-8, 1e6, 500)
    np.testing.assert_allclose(log_gamma(x), gammaln(x), rtol=1e-10, atol=1e-11)


def states_with(products, mains, recent):
    """States of customers with these main orders (n, K), whose last orders were of `recent` (n,)."""
    n = len(mains)
    total, day = mains.sum(axis=1).astype(np.int64), np.datetime64("2022-06-01")
    bought = ProductRows.of_dense(n, main_orders=mains, decayed_main_30d=mains / 2, decayed_main_120d=mains / 1.5)
    last = np.column_stack((recent, np.full((n, 2), -1)))
    empty = CustomerStates.empty(n, products)
    return replace(
        empty, order_count=total, line_count=total, first_order_date=np.full(n, day), last_order_date=np.full(n, day),
        recent_products=last, bought=bought,
    )  # fmt: skip


def test_who_kept_to_one_product_is_expected_to_do_so_and_who_took_all_is_not(model, snapshot, expert):
    mains = np.array([[10.0, 0.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0, 2.0]])
    states = states_with(snapshot.products, mains, np.zeros(2, np.int64))
    where = snapshot.contexts.take(np.zeros(2, np.int64))
    inputs = habit_inputs(encode_for(states, where, model.space_), len(snapshot.products), model.sold_)
    own = np.bincount(inputs.row, weights=inputs.amounts[:, MAINS], minlength=2)
    popular, _ = expert.shares_of_mass(inputs, own)
    assert popular[0] < popular[1]
    answer = expert.probabilities(inputs)
    assert answer[0, 0] > 0.6 > answer[1, 0]


def test_each_customer_is_answered_alone_whoever_else_is_asked_about(model, snapshot, expert, inputs):
    together, rows = expert.probabilities(inputs), np.random.default_rng(0).permutation(len(snapshot))[:200]
    encoded = encode_for(snapshot.states.take(rows), snapshot.contexts.take(rows), model.space_)
    shuffled = habit_inputs(encoded, len(snapshot.products), model.sold_)
    np.testing.assert_allclose(expert.probabilities(shuffled), together[rows], rtol=1e-12)
    one = encode_for(snapshot.states.take(rows[:1]), snapshot.contexts.take(rows[:1]), model.space_)
    alone = expert.probabilities(habit_inputs(one, len(snapshot.products), model.sold_))
    np.testing.assert_allclose(alone[0], together[rows[0]], rtol=1e-12)


def test_products_chosen_after_a_customer_s_own_ones_are_more_likely(model, snapshot):
    """Of ten products customers take one of two that belong together, then the other, and never one of another two."""
    rng, n = np.random.default_rng(3), 1_500
    products = tuple(f"P{k:03d}" for k in range(10))
    first = rng.integers(0, 10, n)
    chosen = np.where(rng.random(n) < 0.8, first ^ 1, rng.integers(0, 10, n))
    states = states_with(products, 2.0 * np.eye(10)[first], first)
    contexts = snapshot.contexts.take(np.arange(n) % len(snapshot))
    space = replace(model.space_, vocabulary=replace(model.space_.vocabulary, products=products))
    found = fit_habit(Orders(states, contexts, chosen), space, np.arange(10))
    asked = encode_for(states.take(np.arange(20)), contexts.take(np.arange(20)), replace(space, has_counts=False))
    answer = found.probabilities(habit_inputs(asked, 10, np.arange(10)))
    partner = answer[np.arange(20), first[:20] ^ 1]
    assert found.parameters.explore[0] > 0.5
    assert partner.min() > 2.0 * (1.0 - partner).max() / 9.0


def test_it_predicts_a_chain_better_than_popularity_and_than_own_shares(expert, inputs, snapshot):
    row = np.arange(len(inputs))
    loss = -np.log(expert.probabilities(inputs)[row, snapshot.chosen]).mean()
    chain = expert.tables.chain
    counts = np.zeros((len(inputs), len(chain)))
    counts[inputs.row, inputs.product] = inputs.amounts[:, MAINS]
    shares = [(counts + a * chain) / (counts.sum(axis=1, keepdims=True) + a) for a in CONCENTRATIONS]
    assert loss < min(-np.log(one[row, snapshot.chosen]).mean() for one in shares)


def test_a_product_that_is_not_sold_has_no_part_in_a_history(inputs):
    bought = ProductRows.of_dense(1, main_orders=np.array([[1.0, 2.0, 3.0]]))
    found = inputs_of(inputs.context[:1], bought, np.array([[1, 2, -1]]), np.zeros(1), 3, np.array([0, 2]))
    assert found.product.tolist() == [0, 1]
    assert found.amounts[:, MAINS].tolist() == [1.0, 3.0]
    assert found.recent.tolist() == [[-1, 1, -1]]


def test_four_thousand_products_take_work_and_memory_by_what_was_bought(model):
    """No array of the inputs grows with customers x products."""
    n, k = 2_000, 4_000
    products = tuple(f"P{position:05d}" for position in range(k))
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, k, 3 * n)
    bought = ProductRows.of_pairs(n, np.repeat(np.arange(n), 3), pairs, {"main_orders": np.ones(3 * n)})
    inputs = inputs_of(np.ones((n, 3)), bought, np.full((n, 3), -1), np.zeros(n), k, np.arange(k))
    assert max(getattr(inputs, field.name).size for field in fields(inputs)) < 10 * 3 * n
    space = replace(model.space_, vocabulary=replace(model.space_.vocabulary, products=products), has_counts=False)
    assert encode_for(CustomerStates.empty(2, products), _two(model), space).columns.shape[1] < 100
    chain = np.full(k, 1.0 / k)
    rows = len(kinds_of_columns(model.space_.vocabulary))
    tables = HabitTables(chain, np.zeros((rows, k)), chain, np.zeros((k, 1), np.int64), np.zeros((k, 1)), np.ones(k))
    kinds = kinds_of_columns(model.space_.vocabulary)
    answer = HabitExpert(START, tables, kinds).probabilities(replace(inputs, context=np.ones((n, rows))))
    assert answer[0, pairs[0]] > 100.0 / k
    assert len(KINDS) < rows


def _two(model):
    from globolatte_ml.data.orders import Contexts

    unit, day = model.space_.vocabulary.business_units[0], np.datetime64("2022-06-01")
    return Contexts(
        np.full(2, unit), np.full(2, day), np.full(2, "Unknown"), np.full(2, "morning"), np.zeros(2, dtype=bool)
    )


def test_a_product_not_sold_so_far_is_expected_to_sell_as_such_products_did():
    """Ten orders in each of eight blocks of ten days; a further product starts in each of the last three, with two orders there."""
    days = np.datetime64("2022-01-01") + np.arange(80) * np.timedelta64(1, "D")
    chosen = np.tile([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], 8)
    for block, product in ((5, 2), (6, 3), (7, 4)):
        chosen[10 * block : 10 * block + 2] = product
    unsold = [4, 4, 4, 4, 3, 2]
    assert new_product_share(days, chosen, 6) == pytest.approx(6 / (10 * sum(unsold)))
    steady = np.tile([0, 1], 40)
    assert new_product_share(days, steady, 6) == pytest.approx(1 / 86)
