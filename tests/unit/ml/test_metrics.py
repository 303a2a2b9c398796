from __future__ import annotations

import numpy as np
import pytest

from globolatte_ml.model.metrics import (
    expected_calibration_error,
    hit_rate,
    log_loss,
    losses,
    metrics,
    paired_bootstrap,
    reliability,
)


@pytest.fixture
def forecast():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 5000)
    chosen = (rng.random(5000)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    return probabilities, chosen


def test_log_loss_is_that_of_scikit_learn(forecast):
    from sklearn.metrics import log_loss as reference

    assert log_loss(*forecast) == pytest.approx(reference(forecast[1], forecast[0], labels=range(4)))


def test_a_uniform_forecast_costs_log_k():
    assert log_loss(np.full((3, 8), 1 / 8), np.array([0, 3, 7])) == pytest.approx(np.log(8))


@pytest.mark.parametrize(("k", "expected"), [(1, 1 / 3), (2, 2 / 3), (3, 1.0), (9, 1.0)])
def test_hit_rate_counts_the_k_most_probable(k, expected):
    probabilities = np.array([[0.5, 0.3, 0.2]] * 3)
    assert hit_rate(probabilities, np.array([0, 1, 2]), k) == pytest.approx(expected)


def test_a_true_forecast_is_calibrated_and_a_boastful_one_is_not(forecast):
    probabilities, chosen = forecast
    boast = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(probabilities, chosen) < 0.02
    assert expected_calibration_error(boast, chosen) > 0.05


def test_reliability_weights_sum_to_one_and_certainty_falls_into_the_last_bin():
    bins = reliability(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]))
    assert [b.weight for b in bins] == [0.5, 0.5]
    assert [(b.predicted, b.observed) for b in bins] == [(0.0, 0.5), (1.0, 0.5)]


def test_all_metrics_at_once_are_the_single_ones(forecast):
    probabilities, chosen = forecast
    together = metrics(probabilities, chosen)
    assert together.log_loss == log_loss(probabilities, chosen)
    assert together.hit_rate_at_3 == hit_rate(probabilities, chosen, 3)


def test_the_bootstrap_brackets_the_mean_and_repeats_with_its_seed(forecast):
    difference = losses(*forecast) - np.log(4)
    customers = np.arange(5000) // 5
    interval = paired_bootstrap(difference, customers, seed=4)
    assert interval.low < interval.estimate < interval.high
    assert interval.estimate == pytest.approx(difference.mean())
    assert interval == paired_bootstrap(difference, customers, seed=4)


def test_orders_of_one_customer_count_together():
    difference = np.repeat(np.random.default_rng(0).standard_normal(100), 20)
    together = paired_bootstrap(difference, np.repeat(np.arange(100), 20))
    apart = paired_bootstrap(difference, np.arange(2000))
    assert together.high - together.low > 3 * (apart.high - apart.low)
