"""Predictions over large catalogues: ranked, evaluated and stored in pieces, as one table of orders x products would be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from globolatte_ml.data.ranking import BEST_STORED, best, pieces, places
from globolatte_ml.model.metrics import metrics, reliability
from globolatte_ml.training.answers import Answers, Predictions


def distribution(n, k, seed, distinct=None):
    rng = np.random.default_rng(seed)
    weights = rng.gamma(0.5, size=(n, k)) + 1e-9 if distinct is None else rng.integers(1, distinct + 1, (n, k)) / 1.0
    return weights / weights.sum(axis=1, keepdims=True), rng.integers(0, k, n)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_best_few_are_the_first_of_all_ranked_also_where_many_are_equal(k, count, distinct, seed):
    probabilities, chosen = distribution(7, k, seed, distinct)
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    np.testing.assert_array_equal(best(probabilities, count), ranked[:, :count])
    np.testing.assert_array_equal(ranked[np.arange(7), places(probabilities, chosen) - 1], chosen)


@pytest.mark.parametrize("distinct", [None, 3])
def test_orders_evaluated_in_pieces_are_evaluated_as_in_one_table(distinct):
    probabilities, chosen = distribution(120, 30, 1, distinct)
    parts = [Answers.of(probabilities[rows], chosen[rows]) for rows in (np.arange(50), np.arange(50, 120))]
    answers, expected = Answers.together(parts), metrics(probabilities, chosen)
    for name, value in vars(answers.metrics()).items():
        assert value == pytest.approx(getattr(expected, name), rel=1e-12), name
    for found, one in zip(answers.reliability(), reliability(probabilities, chosen), strict=True):
        assert vars(found) == pytest.approx(vars(one))
    some = chosen < 10
    assert answers.take(some).metrics().log_loss == pytest.approx(metrics(probabilities[some], chosen[some]).log_loss)


def test_pieces_cover_everything_and_are_never_large():
    rows = list(pieces(26_000, 4_000))
    np.testing.assert_array_equal(np.concatenate(rows), np.arange(26_000))
    assert max(len(piece) for piece in rows) * 4_000 <= 4_000_000
    assert [len(piece) for piece in pieces(10_000, 6)] == [10_000]


def test_of_a_large_catalogue_the_best_are_stored_with_what_was_bought_and_the_sum_of_the_rest(snapshot):
    n, k = 40, 250
    probabilities, chosen = distribution(n, k, 2)
    products = tuple(f"Q{i:03d}" for i in range(k))
    large = replace(snapshot.take(np.arange(n)), products=products, y=np.array(products)[chosen])
    stored = Predictions.of(large, np.arange(n), probabilities)
    listed, rest = stored.listed.to_pandas(), stored.rest.to_pandas()
    place = places(probabilities, chosen)
    assert (place > BEST_STORED).any()
    for i, key in enumerate(large.order_keys.tolist()):
        mine, left = listed[listed.order_key == key], rest[rest.order_key == key]
        assert len(mine) == BEST_STORED + (place[i] > BEST_STORED)
        bought = mine[mine.product_id == large.y[i]].iloc[0]
        assert (bought.probability, bought["rank"]) == (probabilities[i, chosen[i]], place[i])
        assert left.products.item() == k - len(mine)
        assert mine.probability.sum() + left.probability.item() == pytest.approx(1.0)
        assert mine["rank"].is_monotonic_increasing


def test_of_a_small_catalogue_every_product_is_stored_as_before(snapshot):
    n, k = 5, len(snapshot.products)
    probabilities, _ = distribution(n, k, 3)
    stored = Predictions.of(snapshot, np.arange(n), probabilities)
    assert stored.listed.column_names == ["order_key", "order_id", "product_id", "probability"]
    np.testing.assert_array_equal(stored.listed["probability"].to_numpy(), probabilities.ravel())
    assert stored.listed["product_id"].to_pylist() == list(snapshot.products) * n
    assert stored.rest.num_rows == 0
