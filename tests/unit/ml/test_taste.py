from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from globolatte_ml.data.shares import log_softmax, softmax
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import season_codes
from globolatte_ml.model.encoding import encode_for, season_mix
from globolatte_ml.model.feature_space import circumstance_names
from globolatte_ml.model.fitting import EXPECTED_BLEND, learn_blend
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.predicting import pool
from globolatte_ml.model.taste import Population, TasteParameters, taste_scores
from globolatte_ml.model.taste_fit import fit_taste, log_likelihood, quasi_normal_draws, start
from globolatte_ml.model.taste_inputs import PAST_HABITS, taste_inputs


@pytest.fixture(scope="module")
def orders(model, snapshot):
    """Inputs and choices of the session's snapshot."""
    inputs = taste_inputs(encode_for(snapshot.states, snapshot.contexts, model.space_), model.space_, model.sold_)
    return inputs, np.searchsorted(model.sold_, snapshot.chosen)


def past_habits(inputs):
    """What of each product was in each habit on average at the earlier orders, (n, HABITS, K)."""
    return np.einsum("eh,nek->nhk", PAST_HABITS, inputs.earlier) * inputs.per_order[:, :, None]


@pytest.fixture(scope="module")
def anywhere(orders):
    """Parameters that are nobody's optimum, and draws."""
    begin, rng = start(*orders, groups=2), np.random.default_rng(1)
    moved = begin.vector() + 0.1 * rng.standard_normal(len(begin.vector()))
    return begin.from_vector(moved), quasi_normal_draws(8, begin.spread.shape[1])


@pytest.mark.parametrize("name", [field.name for field in fields(TasteParameters)])
def test_the_gradient_is_that_of_the_likelihood(orders, anywhere, name):
    inputs, chosen = orders
    parameters, draws = anywhere
    counted = np.random.default_rng(2).uniform(0.1, 1.0, len(chosen))
    at = parameters.from_vector(np.zeros_like(parameters.vector()))
    getattr(at, name).ravel()[-1] = 1.0
    step = 1e-5 * at.vector()
    above, below = (
        log_likelihood(parameters.from_vector(parameters.vector() + sign * step), draws, inputs, chosen, counted)[0]
        for sign in (1, -1)
    )
    _, gradient = log_likelihood(parameters, draws, inputs, chosen, counted)
    assert gradient @ at.vector() == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-5)


def test_predictions_are_the_mean_of_every_taste_weighed_by_what_the_state_shows(orders, anywhere):
    inputs, _ = orders
    parameters, draws = anywhere
    row = int(inputs.orders[:, 0].argmax())
    one = inputs.take(np.array([row]))
    habits = [*one.last[0], one.older[0]]
    now = parameters.circumstances @ one.now[0] + sum(w * h for w, h in zip(parameters.habit, habits, strict=True))
    past = parameters.circumstances @ one.past[0] + sum(
        w * h for w, h in zip(parameters.habit, past_habits(one)[0], strict=True)
    )
    orders, addon_lines = one.orders[0, 0], one.addon_lines[0, 0]
    population = Population.of(parameters, draws)
    predicted, total = np.zeros(len(now)), 0.0
    for m, taste in enumerate(population.tastes):
        group = m // len(draws)
        log_weight = population.log_share[m]
        log_weight += population.certainty * (one.mains[0] @ log_softmax(past + taste))
        log_weight += one.addons[0] @ log_softmax(parameters.addon_utility + population.addon_weight * taste)
        log_weight += (one.dayparts[0] + one.daypart[0]) @ log_softmax(parameters.daypart_logits[group])
        taken = 1 / (1 + np.exp(-parameters.basket_logits[group]))
        log_weight += addon_lines * np.log(taken)
        log_weight += (2 * orders - addon_lines) * np.log(1 - taken)
        weight = np.exp(log_weight + 40 * orders / 10)
        predicted += weight * np.exp(log_softmax(now + taste))
        total += weight
    np.testing.assert_allclose(softmax(taste_scores(parameters, population, one))[0], predicted / total, rtol=1e-8)


def test_fitting_raises_the_likelihood_and_learns_the_chain(orders):
    inputs, chosen = orders
    begin, counted = start(inputs, chosen, groups=2), np.ones(len(chosen))
    draws = quasi_normal_draws(8, begin.spread.shape[1])
    found = fit_taste(inputs, chosen, begin, draws, iterations=15, interactions=12)
    gain = (
        log_likelihood(found, draws, inputs, chosen, counted)[0]
        - log_likelihood(begin, draws, inputs, chosen, counted)[0]
    )
    assert gain / len(chosen) > 0.02


def test_the_first_and_last_order_have_their_own_season_and_those_between_the_days():
    first = np.array(["2022-01-10", "NaT", "2022-06-01", "2022-02-27"], "datetime64[D]")
    last = np.array(["2022-01-10", "NaT", "2022-08-31", "2022-03-02"], "datetime64[D]")
    mix = season_mix(first, last, np.array([1.0, 0.0, 9.0, 4.0]))
    days = np.arange(first[3], last[3] + 1)
    between = np.bincount(season_codes(days), minlength=4) / len(days)
    expected = [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], (np.array([1, 1, 0, 0]) + 2 * between) / 4]
    np.testing.assert_allclose(mix, np.array(expected, float))


def test_a_season_mix_of_dates_that_cannot_be_is_one_too():
    first = np.array(["2022-06-05", "NaT", "2022-06-05"], "datetime64[D]")
    last = np.array(["2022-01-05", "2022-01-05", "NaT"], "datetime64[D]")
    np.testing.assert_allclose(season_mix(first, last, np.array([3.0, 3.0, 3.0])).sum(axis=1), [1.0, 0.0, 0.0])


def test_nobody_has_a_past(model, snapshot):
    nobody = CustomerStates.empty(len(snapshot), snapshot.products)
    inputs = taste_inputs(encode_for(nobody, snapshot.contexts, model.space_), model.space_, model.sold_)
    assert not inputs.last.any()
    assert not inputs.older.any()
    assert not inputs.earlier.any()
    assert not inputs.past.any()
    assert not inputs.mains.any()
    assert inputs.now.shape == (len(snapshot), len(circumstance_names(model.space_.vocabulary)))


def test_the_past_habit_is_the_mean_over_a_replayed_history(model, snapshot):
    sequence = [0, 1, 1, 2, 0]
    k = len(snapshot.products)
    state = replace(
        CustomerStates.empty(1, snapshot.products).with_tables(main_orders=np.bincount(sequence, minlength=k)[None]),
        order_count=np.array([5]),
        recent_products=np.array([[0, 2, 1]]),
    )
    inputs = taste_inputs(
        encode_for(state, snapshot.contexts.take(np.array([0])), model.space_), model.space_, np.arange(k)
    )
    last = sum(np.eye(k)[sequence[t - 1]] for t in range(1, 5)) / 5
    second = sum(np.eye(k)[sequence[t - 2]] for t in range(2, 5)) / 5
    np.testing.assert_allclose(past_habits(inputs)[0, 0], last)
    np.testing.assert_allclose(past_habits(inputs)[0, 1], second)
    np.testing.assert_allclose(inputs.last[0, 0], np.eye(k)[0])


def test_a_model_blends_three_experts(model):
    assert model.taste_ is not None
    assert model.habit_ is not None
    assert model.blend_.shape == (3,)
    assert (model.blend_ >= 0).all()
    assert model.blend_[0] > 0


def test_few_orders_leave_the_regression_alone(build, read):
    snapshot = read(build.chain(n_orders=150))
    few = PreferenceModel().fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)
    assert few.taste_ is None
    assert few.habit_ is None
    np.testing.assert_array_equal(few.blend_, [0.0, 1.0])


def test_the_blend_trusts_the_expert_who_is_right():
    rng = np.random.default_rng(0)
    right = log_softmax(1.5 * rng.standard_normal((4000, 4)))
    wrong = log_softmax(1.5 * rng.standard_normal((4000, 4)))
    chosen = (np.exp(right).cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1).clip(max=3)
    logs = [wrong, right, wrong[::-1]]
    weights = learn_blend(logs, chosen, EXPECTED_BLEND)
    assert weights == pytest.approx([0.0, 1.0, 0.0], abs=0.1)
    np.testing.assert_allclose(pool(weights, logs).sum(axis=1), 1.0)
    assert learn_blend([log[:0] for log in logs], chosen[:0], EXPECTED_BLEND) == pytest.approx(EXPECTED_BLEND)
