from __future__ import annotations

import numpy as np
import pytest

from globolatte_ml.columns import InvalidDataError
from globolatte_ml.model import MOST_ROWS_BY_GRAPH, PreferenceModel
from globolatte_ml.onnx_graph import GRAPH_NAME, Traced, _Graph, write_graph
from globolatte_ml.onnx_serving import load_for_serving
from globolatte_ml.states import CustomerStates


def served(model, folder):
    model.save(folder)
    write_graph(model, folder / GRAPH_NAME)
    return load_for_serving(folder)


def test_the_graph_answers_as_numpy_does(model, snapshot, tmp_path):
    by_graph = served(model, tmp_path)
    assert by_graph._answers is not None
    rows = np.arange(0, len(snapshot), 5)
    contexts, nobody = snapshot.contexts.take(rows), CustomerStates.empty(len(rows), snapshot.products)
    assert len(rows) < MOST_ROWS_BY_GRAPH
    for states in (snapshot.states.take(rows), nobody):
        expected = model.predict_proba(states, contexts)
        np.testing.assert_allclose(by_graph.predict_proba(states, contexts), expected, rtol=1e-9, atol=1e-12)


def test_a_large_batch_is_not_for_the_graph(model, snapshot, tmp_path):
    by_graph = served(model, tmp_path)
    by_graph.answers_by(lambda orders: pytest.fail(f"{len(orders)} orders went through the graph"))
    rows = np.arange(MOST_ROWS_BY_GRAPH + 1) % len(snapshot)
    states, contexts = snapshot.states.take(rows), snapshot.contexts.take(rows)
    np.testing.assert_array_equal(by_graph.predict_proba(states, contexts), model.predict_proba(states, contexts))


def test_words_never_seen_are_no_trouble_to_the_graph(model, snapshot, tmp_path):
    from dataclasses import replace

    rows = np.arange(3)
    strange = replace(
        snapshot.contexts.take(rows), business_unit=np.array(["BU_XX"] * 3), weather=np.array(["Foggy"] * 3)
    )
    expected = model.predict_proba(snapshot.states.take(rows), strange)
    np.testing.assert_allclose(served(model, tmp_path).predict_proba(snapshot.states.take(rows), strange), expected)


@pytest.mark.parametrize(("orders", "products", "sold"), [(20, 1, 1), (150, 2, 2), (260, 7, 5), (40, 3, 1)])
def test_any_model_has_a_graph(build, read, tmp_path, orders, products, sold):
    snapshot = read(build.chain(n_orders=orders, n_products=products, sold=sold))
    rows = np.arange(20)
    model = PreferenceModel((0.01,), iterations=4).fit(
        snapshot.states, snapshot.contexts, snapshot.y, snapshot.products
    )
    some = snapshot.states.take(rows), snapshot.contexts.take(rows)
    answer = served(model, tmp_path / "model").predict_proba(*some)
    np.testing.assert_allclose(answer, model.predict_proba(*some), rtol=1e-9, atol=1e-12)


def test_the_graph_of_another_model_is_refused(build, read, model, tmp_path):
    model.save(tmp_path)
    snapshot = read(build.chain(n_orders=20))
    other = PreferenceModel((0.01,)).fit(snapshot.states, snapshot.contexts, snapshot.y)
    write_graph(other, tmp_path / GRAPH_NAME)
    with pytest.raises(InvalidDataError, match="graph of another model"):
        load_for_serving(tmp_path)


def test_a_model_without_a_graph_answers_in_numpy(model_folder):
    assert load_for_serving(model_folder)._answers is None


def test_an_operation_that_the_graph_lacks_is_named():
    tensor = Traced(_Graph(), "x", "float64")
    with pytest.raises(TypeError):
        np.sin(tensor)
    with pytest.raises(TypeError, match="has no counterpart"):
        tensor[1:, 2:]
