from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.onnx_graph import GRAPH_NAME, ORDERS, Traced, write_graph
from globolatte_ml.model.onnx_nodes import IR_VERSION, OPSET, Nodes, Tensor
from globolatte_ml.scoring.onnx_serving import ROWS_AT_ONCE, load_for_serving


def served(model, folder):
    model.save(folder)
    write_graph(model, folder / GRAPH_NAME)
    return load_for_serving(folder)


def test_the_graph_answers_as_numpy_does(model, snapshot, tmp_path):
    by_graph = served(model, tmp_path)
    assert by_graph._answers is not None
    rows = np.arange(0, len(snapshot), 5)
    contexts, nobody = snapshot.contexts.take(rows), CustomerStates.empty(len(rows), snapshot.products)
    for states in (snapshot.states.take(rows), nobody):
        expected = model.predict_proba(states, contexts)
        np.testing.assert_allclose(by_graph.predict_proba(states, contexts), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [0, 1, ROWS_AT_ONCE + 1])
def test_batches_of_any_size_go_by_the_graph(model, snapshot, tmp_path, n):
    by_graph, rows = served(model, tmp_path), np.arange(n) % len(snapshot)
    states, contexts = snapshot.states.take(rows), snapshot.contexts.take(rows)
    expected = model.predict_proba(states, contexts)
    np.testing.assert_allclose(by_graph.predict_proba(states, contexts), expected, rtol=1e-9, atol=1e-12)


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


def test_a_graph_of_another_form_leaves_numpy_to_answer(model, tmp_path, caplog):
    import onnx
    from onnx import TensorProto, helper

    model.save(tmp_path)
    taken, given = (helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", 3]) for name in ("numbers", "shares"))
    older = helper.make_graph([helper.make_node("Softmax", ["numbers"], ["shares"])], "older", [taken], [given])
    opsets = [helper.make_opsetid("", OPSET)]
    onnx.save(helper.make_model(older, opset_imports=opsets, ir_version=IR_VERSION), str(tmp_path / GRAPH_NAME))
    assert load_for_serving(tmp_path)._answers is None
    assert "written by another release" in caplog.text


def test_a_model_fitted_again_forgets_its_graph(model, snapshot, build, read, tmp_path):
    again, other = served(model, tmp_path), read(build.chain(n_orders=40, n_products=3))
    again.set_params(penalties=(0.01,)).fit(other.states, other.contexts, other.y, other.products)
    fresh = PreferenceModel((0.01,)).fit(other.states, other.contexts, other.y, other.products)
    expected = fresh.predict_proba(other.states, other.contexts)
    np.testing.assert_array_equal(again.predict_proba(other.states, other.contexts), expected)


def test_single_orders_asked_by_many_threads_are_kept_apart(model, snapshot, tmp_path):
    by_graph, rows = served(model, tmp_path), np.arange(400) % len(snapshot)
    together = by_graph.predict_proba(snapshot.states.take(rows), snapshot.contexts.take(rows))

    def one(row):
        return by_graph.predict_proba(snapshot.states.take(rows[[row]]), snapshot.contexts.take(rows[[row]]))[0]

    with ThreadPoolExecutor(8) as threads:
        apart = list(threads.map(one, range(len(rows))))
    np.testing.assert_allclose(apart, together, rtol=1e-9, atol=1e-12)


WIDTH = 6
CONSTANTS = np.random.default_rng(5).standard_normal((WIDTH, WIDTH))


def answers(compute, orders):
    """What `compute` gives in numpy, what its graph gives, and the graph's operations."""
    import onnxruntime
    from onnx import TensorProto, helper

    graph = Nodes()
    answer = compute(Traced(graph, Tensor(ORDERS, (None, WIDTH)))).tensor
    nodes, constants = graph.in_order(answer)
    made = helper.make_graph(
        nodes,
        "traced",
        [helper.make_tensor_value_info(ORDERS, TensorProto.DOUBLE, ["n", WIDTH])],
        [helper.make_tensor_value_info(answer.name, TensorProto.DOUBLE, None)],
        constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return compute(orders), session.run(None, {ORDERS: orders})[0], [node.op_type for node in nodes]


@pytest.mark.parametrize(
    ("compute", "operations"),
    [
        (lambda x: (x @ CONSTANTS) @ CONSTANTS, ["Gemm"]),
        (lambda x: (x @ CONSTANTS) @ CONSTANTS[:, :1] @ np.ones((1, WIDTH)), ["Gemm", "Gemm"]),
        (lambda x: 2.0 * (x @ CONSTANTS + CONSTANTS[0]), ["Gemm"]),
        (lambda x: x - x @ CONSTANTS, ["Gemm"]),
        (lambda x: x @ CONSTANTS - x, ["Gemm", "Sub"]),
        (lambda x: np.exp(x) + x @ CONSTANTS, ["Exp", "Gemm"]),
        (lambda x: (np.exp(x) @ CONSTANTS + x @ CONSTANTS) @ CONSTANTS, ["Exp", "Gemm", "Gemm"]),
        (lambda x: (np.exp(x) @ CONSTANTS + x @ CONSTANTS) + np.log(x), ["Exp", "Log", "Gemm", "Gemm"]),
        (lambda x: x.sum(axis=1, keepdims=True), ["Gemm"]),
        (lambda x: x + x.sum(axis=1, keepdims=True), ["Gemm", "Add"]),
        (lambda x: x.sum(axis=1, keepdims=True) + CONSTANTS[0], ["Gemm", "Add"]),
        (lambda x: x @ CONSTANTS + x[:, :1], ["Split", "Gemm"]),
        (lambda x: x @ CONSTANTS + x[:, None, :], ["Unsqueeze", "Gemm", "Add"]),
        (lambda x: x[:, :4] @ CONSTANTS[:4] + x[:, 1:3] @ CONSTANTS[:2], ["Split", "Split", "Gemm", "Gemm"]),
        (lambda x: x[:, 2:5][:, 1:2] * x[:, 0:2], ["Split", "Split", "Mul"]),
        (lambda x: x.reshape(-1, 2, 3)[:, -1] / x[:, 3:6], None),
        (lambda x: np.hstack((x[:, np.array([4, 0])], np.exp(x))), None),
        (lambda x: (x[:, None, :] - x[:, :, None] @ x[:, None, :]).clip(min=0.0).sum(axis=2), None),
        (lambda x: (np.concatenate((x, x), axis=1) - x.mean(axis=1, keepdims=True)).clip(min=0.5), None),
    ],
)
def test_what_is_traced_is_what_numpy_computes_in_few_operations(compute, operations):
    expected, answer, done = answers(compute, np.random.default_rng(4).uniform(0.1, 1.0, (5, WIDTH)))
    np.testing.assert_allclose(answer, expected, rtol=1e-12)
    if operations is not None:
        assert sorted(done) == sorted(operations)


def test_pieces_that_overlap_are_refused():
    graph = Nodes()
    orders = Traced(graph, Tensor(ORDERS, (None, WIDTH)))
    with pytest.raises(TypeError, match="overlap at column 2"):
        graph.in_order((orders[:, 0:3] + orders[:, 2:5]).tensor)


def test_an_operation_that_the_graph_lacks_is_named():
    tensor = Traced(Nodes(), Tensor("x", (None, 3)))
    with pytest.raises(TypeError):
        np.sin(tensor)
    with pytest.raises(TypeError, match="has no counterpart"):
        tensor[1:, 2:]
