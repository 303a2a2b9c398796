"""Predicting gives the same numbers in batches, in threads, and beside files that an earlier release left in the folder."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from globolatte_ml.data.shares import softmax
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.model.encoding import encode_for, encode_orders, encode_states
from globolatte_ml.model.features import encoded_features
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.predicting import MOST_PRODUCTS
from globolatte_ml.model.taste import ROWS_AT_ONCE
from globolatte_ml.training.training_job import experts_of


def one_by_one(model, states, contexts):
    """As in an endpoint: states that were encoded long before, one order at a time."""
    prepared = encode_states(states, model.space_)
    rows = [np.array([row]) for row in range(len(states))]
    encoded = [encode_orders(prepared.take(row), contexts.take(row), model.space_) for row in rows]
    return np.concatenate([model.predict_encoded(one) for one in encoded])


def test_prepared_states_one_by_one_give_what_a_batch_gives(model, snapshot):
    rows = np.arange(0, len(snapshot), 5)
    contexts, nobody = snapshot.contexts.take(rows), CustomerStates.empty(len(rows), snapshot.products)
    for states in (snapshot.states.take(rows), nobody):
        expected = model.predict_proba(states, contexts)
        np.testing.assert_allclose(one_by_one(model, states, contexts), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [0, 1, ROWS_AT_ONCE + 1])
def test_batches_of_any_size_are_answered(model, snapshot, n):
    rows = np.arange(n) % len(snapshot)
    answer = model.predict_proba(snapshot.states.take(rows), snapshot.contexts.take(rows))
    assert answer.shape == (n, len(snapshot.products))
    every = model.predict_proba(snapshot.states, snapshot.contexts)
    np.testing.assert_allclose(answer, every[rows], rtol=1e-9, atol=1e-12)


def test_a_model_read_from_its_folder_answers_as_the_one_that_was_saved(model, snapshot, tmp_path):
    model.save(tmp_path)
    read = PreferenceModel.load(tmp_path)
    expected = model.predict_proba(snapshot.states, snapshot.contexts)
    np.testing.assert_array_equal(read.predict_proba(snapshot.states, snapshot.contexts), expected)
    assert read.content_hash() == model.content_hash()


def test_words_never_seen_count_as_the_chain_s_mean_or_nothing(model, snapshot):
    rows = np.arange(3)
    strange = replace(
        snapshot.contexts.take(rows), business_unit=np.array(["BU_XX"] * 3), weather=np.array(["Foggy"] * 3)
    )
    answer = model.predict_proba(snapshot.states.take(rows), strange)
    np.testing.assert_allclose(answer.sum(axis=1), 1.0)
    np.testing.assert_allclose(one_by_one(model, snapshot.states.take(rows), strange), answer, rtol=1e-9)


@pytest.mark.parametrize(("orders", "products", "sold"), [(20, 1, 1), (150, 2, 2), (260, 7, 5), (40, 3, 1)])
def test_any_model_answers_one_by_one(build, read, orders, products, sold):
    snapshot = read(build.chain(n_orders=orders, n_products=products, sold=sold))
    rows = np.arange(20)
    model = PreferenceModel((0.01,), iterations=4).fit(
        snapshot.states, snapshot.contexts, snapshot.y, snapshot.products
    )
    some = snapshot.states.take(rows), snapshot.contexts.take(rows)
    np.testing.assert_allclose(one_by_one(model, *some), model.predict_proba(*some), rtol=1e-9, atol=1e-12)


def test_the_graph_that_an_earlier_release_left_in_a_folder_is_not_used(model, snapshot, tmp_path):
    model.save(tmp_path)
    (tmp_path / "preference_model.onnx").write_bytes(b"the graph of an earlier release")
    read = PreferenceModel.load(tmp_path)
    expected = model.predict_proba(snapshot.states, snapshot.contexts)
    np.testing.assert_array_equal(read.predict_proba(snapshot.states, snapshot.contexts), expected)


def test_a_model_fitted_again_forgets_the_tastes_of_before(model, build, read, tmp_path):
    model.save(tmp_path)
    again, other = PreferenceModel.load(tmp_path), read(build.chain(n_orders=300, n_products=3))
    inputs = other.states, other.contexts
    again.predict_proba(*inputs)
    settings = {"penalties": (0.01,), "half_lives": (None,), "iterations": 4}
    again.set_params(**settings).fit(*inputs, other.y, other.products)
    fresh = PreferenceModel(**again.get_params()).fit(*inputs, other.y, other.products)
    assert again.taste_ is not None
    np.testing.assert_array_equal(again.predict_proba(*inputs), fresh.predict_proba(*inputs))


def test_single_orders_of_many_threads_are_not_mixed_up(model, snapshot):
    rows = np.arange(400) % len(snapshot)
    together = model.predict_proba(snapshot.states.take(rows), snapshot.contexts.take(rows))

    def one(row):
        return model.predict_proba(snapshot.states.take(rows[[row]]), snapshot.contexts.take(rows[[row]]))[0]

    with ThreadPoolExecutor(8) as threads:
        apart = list(threads.map(one, range(len(rows))))
    np.testing.assert_allclose(apart, together, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def many_products(build, tmp_path_factory):
    """The snapshot of a chain beyond the limit of the taste model, and a model of it."""
    folder = tmp_path_factory.mktemp("many")
    chain = build.chain(n_orders=500, n_products=MOST_PRODUCTS + 3, sold=MOST_PRODUCTS + 1, strength=2.5)
    snapshot = read_snapshot(build.write_snapshot(chain, folder))
    return snapshot, PreferenceModel().fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)


def test_of_many_products_the_expert_of_habits_answers_alone(many_products, tmp_path):
    snapshot, model = many_products
    assert model.taste_ is None
    assert model.coef_.size == 0
    assert experts_of(model).startswith("habits alone, the leaner path: 33 products")
    answer = model.predict_proba(snapshot.states, snapshot.contexts)
    np.testing.assert_allclose(answer.sum(axis=1), 1.0)
    assert answer.min() > 0.0
    rows = np.arange(0, len(snapshot), 25)
    some = snapshot.states.take(rows), snapshot.contexts.take(rows)
    np.testing.assert_allclose(one_by_one(model, *some), answer[rows], rtol=1e-9, atol=1e-12)
    model.save(tmp_path)
    read = PreferenceModel.load(tmp_path)
    assert read.content_hash() == model.content_hash()
    np.testing.assert_array_equal(read.predict_proba(*some), model.predict_proba(*some))


def test_the_same_training_gives_the_same_model_of_many_products(many_products):
    snapshot, model = many_products
    other = np.random.default_rng(0).permutation(len(snapshot))
    again = PreferenceModel().fit(
        snapshot.states.take(other), snapshot.contexts.take(other), snapshot.y[other], snapshot.products
    )
    assert again.content_hash() == model.content_hash()


def test_of_many_products_no_row_has_columns_by_product(many_products):
    snapshot, model = many_products
    states = encode_states(snapshot.states, model.space_)
    assert states.columns.shape[1] < len(snapshot.products)


def test_a_model_without_habits_is_written_and_read_as_in_earlier_releases(model, snapshot, tmp_path):
    model.save(tmp_path / "new")
    earlier = PreferenceModel.load(tmp_path / "new")
    earlier.habit_, earlier.blend_ = None, np.array([0.8, 0.2])
    earlier.save(tmp_path / "earlier")
    document = json.loads((tmp_path / "earlier" / "preference_model.json").read_text())
    assert document["schema"] == "globolatte-preference-model/3"
    assert "has_counts" not in document
    read = PreferenceModel.load(tmp_path / "earlier")
    assert read.content_hash() == earlier.content_hash()
    encoded = encode_for(snapshot.states, snapshot.contexts, read.space_)
    logits = read.logits(encoded_features(encoded, read.space_))
    expected = read.of_all(softmax(0.8 * read.taste_scores(encoded) + 0.2 * logits))
    np.testing.assert_array_equal(read.predict_proba(snapshot.states, snapshot.contexts), expected)
