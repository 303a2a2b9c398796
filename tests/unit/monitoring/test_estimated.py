"""Performance without labels: bias and coverage on simulated windows, and whether the kind of a change is named rightly."""

import numpy as np
import pytest

from globolatte_ml.model.metrics import hit_rate, log_loss
from globolatte_ml.monitoring.estimated import (
    Change,
    Estimate,
    Scored,
    estimated_performance,
    estimates_by,
    what_changed,
)

PRODUCTS, CUSTOMERS, ORDERS = 6, 400, 600
RNG = np.random.default_rng(7)
TASTE = RNG.normal(0.0, 0.8, (CUSTOMERS, PRODUCTS)) + np.linspace(1.0, -1.0, PRODUCTS)
COLD = np.array([0.9, 0.3, -0.3, 0.0, -0.9, 0.2])
"""What cold weather adds to the utilities of the products."""


def softmax(utility: np.ndarray) -> np.ndarray:
    exponent = np.exp(utility - utility.max(axis=1, keepdims=True))
    return exponent / exponent.sum(axis=1, keepdims=True)


def window(seed: int, cold: float = 0.3, shift: np.ndarray | None = None, launched: float = 0.0) -> Scored:
    """Orders of a chain whose model is the truth, but for a shift of tastes or a product that it does not know."""
    rng = np.random.default_rng(seed)
    customers = rng.integers(0, CUSTOMERS, ORDERS)
    utility = TASTE[customers] + np.outer(rng.random(ORDERS) < cold, COLD)
    predicted = softmax(utility)
    truth = predicted if shift is None else softmax(utility + shift)
    chosen = (truth.cumsum(axis=1) < rng.random(ORDERS)[:, None]).sum(axis=1).clip(max=PRODUCTS - 1)
    chosen = np.where(rng.random(ORDERS) < launched, PRODUCTS, chosen)
    return Scored(np.column_stack([predicted, np.zeros(ORDERS)]), chosen, customers)


def test_a_certain_model_expects_no_loss_and_an_ignorant_one_that_of_chance() -> None:
    sure = estimated_performance(np.eye(4)[[0, 1, 1]])
    assert sure.log_loss == sure.log_loss.__class__(0.0, 0.0)
    assert sure.hit_rate_at_1.expected == 1.0
    even = estimated_performance(np.full((5, 4), 0.25))
    assert even.log_loss.expected == pytest.approx(np.log(4))
    assert even.log_loss.standard_error == pytest.approx(0.0, abs=1e-7)
    assert (even.hit_rate_at_1.expected, even.hit_rate_at_3.expected) == pytest.approx((0.25, 0.75))


def test_a_window_without_predictions_is_refused() -> None:
    with pytest.raises(ValueError, match="without predictions"):
        estimated_performance(np.empty((0, 3)))


def test_each_unit_has_its_own_estimate() -> None:
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    found = estimates_by(np.array(["BU_CA", "BU_US", "BU_US"]), probabilities)
    assert [found[unit].orders for unit in ("BU_CA", "BU_US")] == [1, 2]
    assert found["BU_CA"].hit_rate_at_1 == Estimate(1.0, 0.0)


@pytest.mark.parametrize("cold", [0.3, 0.9], ids=["stationary", "covariate shift"])
def test_the_band_covers_what_is_realised_without_bias(cold: float) -> None:
    covered, gaps = np.zeros(3), []
    for seed in range(300):
        scored = window(seed, cold)
        found = estimated_performance(scored.probabilities)
        realised = log_loss(scored.probabilities, scored.chosen)
        hits = [hit_rate(scored.probabilities, scored.chosen, k) for k in (1, 3)]
        covered += [
            found.log_loss.holds(realised),
            found.hit_rate_at_1.holds(hits[0]),
            found.hit_rate_at_3.holds(hits[1]),
        ]
        gaps.append(found.log_loss.expected - realised)
    assert (covered / 300 >= 0.90).all()
    assert abs(np.mean(gaps)) <= 0.01


TASTES = np.array([-0.8, 0.0, 0.0, 0.0, 0.8, 0.0])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Change.NONE),
        ({"cold": 0.9}, Change.WHO_CAME),
        ({"shift": TASTES}, Change.WHAT_THEY_LIKE),
        ({"shift": TASTES, "cold": 0.9}, Change.WHAT_THEY_LIKE),
        ({"launched": 0.12}, Change.WHAT_THEY_LIKE),
    ],
    ids=["nothing", "weather", "taste", "taste and weather", "launch"],
)
def test_the_kind_of_a_change_is_named(changed: dict, expected: Change) -> None:
    named = [what_changed(window(1_000 + seed, **changed), window(seed)).change for seed in range(100)]
    assert named.count(expected) >= 95


def test_few_customers_name_no_change() -> None:
    scored = window(1)
    few = Scored(scored.probabilities, scored.chosen, scored.customers % 20)
    assert what_changed(few, window(2)).change is Change.NONE


def test_the_sentence_says_loss_and_gap() -> None:
    sentence = what_changed(window(5, shift=TASTES), window(6)).sentence
    assert sentence.startswith("what they like changed: log loss ")
    assert "against the estimate" in sentence
