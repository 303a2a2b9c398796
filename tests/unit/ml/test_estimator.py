"""The model keeps scikit-learn's conventions where they apply: its X is a pair of states and contexts, not a matrix."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from globolatte_ml.data.orders import thinned
from globolatte_ml.model.model import PreferenceModel


def test_parameters_are_the_constructor_s_arguments_untouched():
    given = {"penalties": [0.1], "half_lives": (None,), "random_state": 3, "groups": 2, "draws": 8, "iterations": 5}
    given["tabular"] = None
    assert PreferenceModel(**given).get_params() == given
    assert PreferenceModel().set_params(**given).get_params() == given
    with pytest.raises(ValueError, match="no parameter depth; use penalties"):
        PreferenceModel().set_params(depth=3)


def test_a_clone_has_the_parameters_and_nothing_learned(model):
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert [name for name in vars(copy) if name.endswith("_")] == []


def test_fitting_returns_the_model_changes_no_parameter_and_forgets_what_was_learned(snapshot, build, read):
    model = PreferenceModel((0.01,), groups=2, draws=8, iterations=4)
    before = dict(model.get_params())
    assert model.fit(snapshot.states, snapshot.contexts, snapshot.y) is model
    assert model.get_params() == before
    first = model.content_hash()
    other = read(build.chain(n_orders=60, n_products=3))
    model.fit(other.states, other.contexts, other.y)
    assert model.classes_.tolist() == list(other.products)
    assert model.fit(snapshot.states, snapshot.contexts, snapshot.y).content_hash() == first


def test_fitting_leaves_its_inputs_alone(snapshot, build):
    kept = {name: np.copy(value) for name, value in build.arrays_of(snapshot.states).items()}
    PreferenceModel((0.01,), iterations=2).fit(snapshot.states, snapshot.contexts, snapshot.y)
    for name, value in build.arrays_of(snapshot.states).items():
        np.testing.assert_array_equal(value, kept[name], err_msg=name)


def test_rows_are_predicted_one_by_one_as_together(model, snapshot):
    rows = np.arange(7)
    together = model.predict_proba(snapshot.states.take(rows), snapshot.contexts.take(rows))
    for row in rows:
        one = np.array([row])
        alone = model.predict_proba(snapshot.states.take(one), snapshot.contexts.take(one))
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-9)


def test_an_unfitted_model_says_so(snapshot):
    with pytest.raises(ValueError, match="not fitted"):
        PreferenceModel().predict_proba(snapshot.states, snapshot.contexts)


def test_predictions_are_the_most_probable_products(model, snapshot):
    rows = np.arange(20)
    probabilities = model.predict_proba(snapshot.states.take(rows), snapshot.contexts.take(rows))
    predicted = model.predict(snapshot.states.take(rows), snapshot.contexts.take(rows))
    assert predicted.tolist() == model.classes_[probabilities.argmax(axis=1)].tolist()


def test_thinning_keeps_an_order_of_every_product():
    chosen = np.zeros(1000, np.int64)
    chosen[501] = 1
    rows = thinned(chosen, 100)
    assert len(rows) == 101
    assert 501 in rows
    assert thinned(chosen[:50], 100).tolist() == list(range(50))
