from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.orders import recency_weights, time_split
from globolatte_ml.model.features import CustomerStates
from globolatte_ml.model.fitting import round_significant
from globolatte_ml.model.metrics import log_loss
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.priors import chain_popularity


def fitted(snapshot):
    return PreferenceModel().fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)


def assert_is_a_distribution(probabilities, n, k):
    assert probabilities.shape == (n, k)
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("n_products", [1, 2, 3, 9])
def test_any_size_of_catalogue_gives_distributions_in_catalogue_order(build, read, n_products):
    snapshot = read(build.chain(n_orders=150, n_products=n_products))
    model = fitted(snapshot)
    assert_is_a_distribution(model.predict_proba(snapshot.states, snapshot.contexts), 150, n_products)
    assert model.classes_.tolist() == list(snapshot.products)


def test_one_product_is_certain(build, read):
    snapshot = read(build.chain(n_orders=20, n_products=1))
    assert (fitted(snapshot).predict_proba(snapshot.states, snapshot.contexts) == 1.0).all()


@pytest.mark.parametrize(("n_orders", "days"), [(1, 1), (2, 1), (40, 1), (3, 30)])
def test_little_data_still_makes_a_model(build, read, n_orders, days):
    snapshot = read(build.chain(n_orders=n_orders, days=days))
    assert_is_a_distribution(fitted(snapshot).predict_proba(snapshot.states, snapshot.contexts), n_orders, 5)


def test_products_never_sold_get_the_floor_so_that_log_loss_is_finite(build, read):
    snapshot = read(build.chain(n_orders=200, n_products=6, sold=4))
    model = fitted(snapshot)
    probabilities = model.predict_proba(snapshot.states, snapshot.contexts)
    np.testing.assert_allclose(probabilities[:, 4:], 1 / 206)
    assert_is_a_distribution(probabilities, 200, 6)


def test_when_only_one_product_was_ever_sold_the_model_is_the_popularity_baseline(build, read):
    snapshot = read(build.chain(n_orders=60, n_products=4, sold=1))
    probabilities = fitted(snapshot).predict_proba(snapshot.states, snapshot.contexts)
    np.testing.assert_allclose(probabilities, np.tile(chain_popularity(snapshot.chosen, 4), (60, 1)))


def test_no_orders_are_refused(snapshot):
    nothing = np.zeros(0, np.int64)
    with pytest.raises(ValueError, match="no orders"):
        PreferenceModel().fit(snapshot.states.take(nothing), snapshot.contexts.take(nothing), snapshot.y[:0])


def test_the_model_learns_more_than_popularity(snapshot, model):
    holdout = time_split(snapshot.ordered_at)
    probabilities = model.predict_proba(snapshot.states.take(holdout), snapshot.contexts.take(holdout))
    popularity = np.tile(chain_popularity(snapshot.chosen[~holdout], len(snapshot.products)), (holdout.sum(), 1))
    assert log_loss(probabilities, snapshot.chosen[holdout]) < log_loss(popularity, snapshot.chosen[holdout]) - 0.15


def test_customers_without_history_get_an_answer_that_depends_on_the_region(snapshot, model):
    nobody = CustomerStates.empty(2, snapshot.products)
    context = replace(snapshot.contexts.take(np.array([0, 0])), business_unit=np.array(["BU_CA", "BU_US"]))
    canada, usa = model.predict_proba(nobody, context)
    assert_is_a_distribution(np.stack([canada, usa]), 2, 5)
    assert np.abs(canada - usa).max() > 0.02


def test_another_catalogue_rules_out_what_left_and_gives_newcomers_the_floor(snapshot, model):
    whole = model.predict_proba(snapshot.states, snapshot.contexts)
    moved = model.predict_proba(snapshot.states, snapshot.contexts, ("P003", "P001", "P777"))
    assert_is_a_distribution(moved, len(snapshot), 3)
    np.testing.assert_allclose(moved[:, 0] / moved[:, 1], whole[:, 2] / whole[:, 0], rtol=1e-12)
    assert (moved.argmin(axis=1) == 2).mean() > 0.9


def test_saving_and_loading_changes_nothing(snapshot, model, model_folder):
    loaded = PreferenceModel.load(model_folder)
    np.testing.assert_array_equal(
        loaded.predict_proba(snapshot.states, snapshot.contexts),
        model.predict_proba(snapshot.states, snapshot.contexts),
    )
    assert loaded.content_hash() == model.content_hash()
    assert loaded.get_params() == model.get_params()
    assert loaded.validation_log_loss_.keys() == model.validation_log_loss_.keys()


def test_a_model_is_json_and_npz_without_pickle(model_folder):
    assert sorted(path.name for path in model_folder.iterdir()) == ["preference_model.json", "preference_model.npz"]
    with np.load(model_folder / "preference_model.npz", allow_pickle=False) as arrays:
        assert {arrays[name].dtype.kind for name in arrays.files} <= {"f", "i"}


def test_the_same_orders_give_the_same_content_hash_and_others_another(build, read, snapshot):
    assert fitted(snapshot).content_hash() == fitted(snapshot).content_hash()
    assert fitted(snapshot).content_hash() != fitted(read(build.chain(n_orders=300))).content_hash()


def test_the_sequence_of_orders_does_not_change_predictions(snapshot):
    rows = np.random.default_rng(3).permutation(len(snapshot))
    shuffled = PreferenceModel().fit(
        snapshot.states.take(rows), snapshot.contexts.take(rows), snapshot.y[rows], snapshot.products
    )
    np.testing.assert_allclose(
        shuffled.predict_proba(snapshot.states, snapshot.contexts),
        fitted(snapshot).predict_proba(snapshot.states, snapshot.contexts),
        atol=1e-3,
    )


def test_a_file_of_another_format_is_refused_by_name(model, tmp_path):
    model.save(tmp_path)
    path = tmp_path / "preference_model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": "globolatte-preference-model/0"}))
    with pytest.raises(InvalidDataError, match=r"preference_model\.json: format .*train the model again"):
        PreferenceModel.load(tmp_path)


def test_a_model_fitted_on_other_features_is_refused(model, tmp_path):
    model.save(tmp_path)
    path = tmp_path / "preference_model.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "features": document["features"][1:]}))
    with pytest.raises(InvalidDataError, match="other features"):
        PreferenceModel.load(tmp_path)


@pytest.mark.parametrize("name", ["preference_model.json", "preference_model.npz"])
def test_a_missing_file_is_named(model, tmp_path, name):
    model.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InvalidDataError, match=name):
        PreferenceModel.load(tmp_path)


def test_rounding_keeps_ten_significant_digits():
    values = np.array([0.0, 1.0, -123456.78901234567, 1.23456789012345e-8])
    np.testing.assert_array_equal(round_significant(values), [0.0, 1.0, -123456.789, 1.234567890e-8])


def test_older_orders_count_less_and_never_nothing():
    dates = np.array(["2024-01-01", "2024-03-01", "2024-04-30"], "datetime64[D]")
    assert recency_weights(dates, None) is None
    weights = recency_weights(dates, 60.0)
    assert weights[2] == 1.0
    assert weights[1] == pytest.approx(0.55)
    assert weights[0] == pytest.approx(0.325)
    assert recency_weights(np.array(["1924-01-01", "2024-01-01"], "datetime64[D]"), 60.0)[0] == pytest.approx(0.1)


def test_forgetting_is_only_tried_where_something_is_new(snapshot):
    assert {half_life for _, half_life in fitted(snapshot).validation_log_loss_} == {None}
    fresh_from = np.datetime64("2022-06-01")
    model = PreferenceModel().fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products, fresh_from)
    assert {half_life for _, half_life in model.validation_log_loss_} == {None, 60.0}
    assert (model.penalty_, model.half_life_) == min(model.validation_log_loss_, key=model.validation_log_loss_.get)
