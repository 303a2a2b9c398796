from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from pyarrow import parquet
from sklearn.metrics import roc_auc_score

from globolatte_ml import automl_search, automl_table, train
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.job_entry import FAULT_IN_THE_INPUT
from globolatte_ml.model.features import feature_names
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.model_files import TABULAR_NAME
from globolatte_ml.model.tabular import FOUND_GRAPH, TabularClassifier, canonical, read_found
from globolatte_ml.scoring.scorer import resolve_model_folder
from globolatte_ml.training import automl
from globolatte_ml.training.proofs import stored_proofs


@pytest.fixture(scope="module")
def tables(snapshot, tmp_path_factory):
    return automl_table.write_tables(snapshot, tmp_path_factory.mktemp("tables"))


def search(tables, out, *more):
    training, validation = tables
    return automl_search.main(
        ["--training", str(training), "--validation", str(validation), "--out", str(out), "--trials", "4", *more]
    )


@pytest.fixture(scope="module")
def found(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    assert search(tables, folder) == 0
    return folder


def read(folder):
    return parquet.read_table(folder / automl_table.TABLE_FILE).to_pandas()


def test_the_tables_hold_no_order_of_the_holdout_and_do_not_know_what_came_of_it(snapshot, tables, tmp_path):
    training, validation = (read(folder) for folder in tables)
    assert len(training) + len(validation) == int((~snapshot.holdout).sum())
    shuffled = snapshot.y.copy()
    shuffled[snapshot.holdout] = shuffled[snapshot.holdout][::-1]
    again = automl_table.write_tables(replace(snapshot, y=shuffled), tmp_path)
    for one, other in zip(tables, again, strict=True):
        assert (one / automl_table.TABLE_FILE).read_bytes() == (other / automl_table.TABLE_FILE).read_bytes()


def test_what_became_of_the_validation_orders_is_in_no_training_row(snapshot, tables, tmp_path):
    past = np.flatnonzero(~snapshot.holdout)
    later = past[-20:]
    changed = snapshot.y.copy()
    changed[later] = snapshot.products[0]
    again = automl_table.write_tables(replace(snapshot, y=changed), tmp_path)
    assert read(again[0]).equals(read(tables[0]))
    assert not read(again[1]).equals(read(tables[1]))


def test_too_few_orders_are_refused_with_the_remedy(build, tmp_path, capsys):
    snapshot = build.write_snapshot(build.chain(n_orders=20), tmp_path / "snapshot")
    assert automl_table.main(["--snapshot", str(snapshot), "--out", str(tmp_path)]) == FAULT_IN_THE_INPUT
    assert "use GLOBOLATTE_TRAINING=command" in capsys.readouterr().err


def test_a_search_tries_every_learner_and_gives_the_same_again(tables, found, tmp_path):
    said = json.loads((found / automl_search.TRIALS_FILE).read_text())
    assert {trial["algorithm"] for trial in said["trials"]} == set(automl_search.LOCAL_ALGORITHMS)
    assert said["trials"][said["best"]]["score"] == max(trial["score"] for trial in said["trials"])
    assert search(tables, tmp_path) == 0
    for name in (FOUND_GRAPH, automl_search.TRIALS_FILE):
        assert (tmp_path / name).read_bytes() == (found / name).read_bytes()


def test_a_search_by_cross_validation_leaves_out_what_is_blocked(tables, tmp_path):
    assert (
        search(tables, tmp_path, "--folds", "2", "--block", "light_gbm", "random_forest", "--metric", "accuracy") == 0
    )
    said = json.loads((tmp_path / automl_search.TRIALS_FILE).read_text())
    assert {trial["algorithm"] for trial in said["trials"]} == {"logistic_regression", "extreme_random_trees"}


def test_a_search_with_nothing_to_try_or_nothing_to_try_it_with_says_so(tables, tmp_path, capsys, monkeypatch):
    assert search(tables, tmp_path, "--block", *automl_search.LOCAL_ALGORITHMS) == FAULT_IN_THE_INPUT
    assert "every algorithm is blocked" in capsys.readouterr().err
    monkeypatch.setattr(automl_search, "NEEDED", ("lightgbm", "no_such_package"))
    assert search(tables, tmp_path) == FAULT_IN_THE_INPUT
    assert (
        "needs no_such_package: install the extra (in the project's folder: uv pip install -e '.[automl]')"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("algorithm", automl_search.LOCAL_ALGORITHMS)
def test_every_learner_is_the_same_as_a_graph(algorithm, tables, tmp_path):
    table = automl_search.read_tables(*tables)
    learner = automl.LEARNERS[algorithm]
    middle = {
        name: low if isinstance(low, int) else (low * high) ** 0.5 for name, (low, high) in learner.bounds.items()
    }
    model = learner.build(middle, 0).fit(table.inputs, table.chosen)
    (tmp_path / FOUND_GRAPH).write_bytes(automl.as_onnx(model, table.inputs.shape[1]))
    graph = read_found(tmp_path, table.inputs.shape[1], algorithm)
    expected = model.predict_proba(table.later_inputs)
    np.testing.assert_allclose(graph.shares(table.later_inputs.astype(np.float64)), expected, atol=1e-5)


@pytest.fixture(scope="module")
def adopted(snapshot_folder, found, tmp_path_factory):
    out = tmp_path_factory.mktemp("adopted")
    arguments = ["--snapshot", snapshot_folder, "--out", out, "--tabular", found, "--algorithm", "some"]
    assert train.main([str(one) for one in arguments]) == 0
    return out


def test_what_was_found_takes_the_regression_s_place(adopted, snapshot):
    metrics = json.loads((adopted / "metrics.json").read_text())
    assert metrics["log_loss"] < metrics["baseline_log_loss_popularity"]
    parameters = json.loads((adopted / "parameters.json").read_text())
    assert parameters["tabular_algorithm"] == "some"
    folder = resolve_model_folder(adopted / "model")
    model = PreferenceModel.load(folder)
    assert model.content_hash() == parameters["content_hash"]
    assert model.coef_.size == 0
    proofs = stored_proofs(adopted / "model")
    assert proofs.same_hash_again
    assert proofs.states_differ == 0
    rows = np.arange(0, len(snapshot), 9)
    some = snapshot.states.take(rows), snapshot.contexts.take(rows)
    regression_alone = PreferenceModel((0.01,)).fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)
    answer = model.predict_proba(*some)
    np.testing.assert_allclose(answer.sum(axis=1), 1.0)
    assert np.abs(answer - regression_alone.predict_proba(*some)).max() > 1e-3


def test_a_damaged_classifier_is_refused(adopted, tmp_path):
    model = PreferenceModel.load(resolve_model_folder(adopted / "model"))
    model.save(tmp_path)
    (tmp_path / TABULAR_NAME).write_bytes(b"another")
    with pytest.raises(InvalidDataError, match="is not the classifier that the model was made with"):
        PreferenceModel.load(tmp_path)
    (tmp_path / TABULAR_NAME).unlink()
    with pytest.raises(InvalidDataError, match=r"tabular\.onnx: the file is missing"):
        PreferenceModel.load(tmp_path)


def fit(snapshot, tabular):
    past = ~snapshot.holdout
    some = snapshot.states.take(past), snapshot.contexts.take(past), snapshot.y[past], snapshot.products
    return PreferenceModel(groups=2, draws=8, iterations=4, tabular=tabular).fit(*some)


def test_a_classifier_of_another_catalogue_is_refused(snapshot, found):
    tabular = read_found(found, len(feature_names(automl_table.table_space(snapshot))))
    with pytest.raises(InvalidDataError, match="it learned from another table"):
        fit(replace(snapshot, products=(*snapshot.products, "P_NEW")), tabular)


def test_a_product_that_the_classifier_never_saw_is_not_ruled_out(snapshot, tmp_path):
    y = snapshot.y.astype("U16")
    y[np.flatnonzero(~snapshot.holdout)[-3:]] = "P_NEW"
    grown = replace(snapshot, y=y, products=(*snapshot.products, "P_NEW"))
    assert search(automl_table.write_tables(grown, tmp_path / "tables"), tmp_path, "--trials", "1") == 0
    model = fit(grown, read_found(tmp_path, len(feature_names(automl_table.table_space(grown)))))
    assert len(model.sold_) == len(model.tabular_sold_) + 1
    new = model.predict_proba(grown.states, grown.contexts)[:, -1]
    assert (new > model.floor_ / 10).all()


@pytest.mark.parametrize(("inputs", "zipmap"), [(1, False), (1, True), (3, False), (3, True)])
def test_graphs_of_any_converter_are_brought_into_one_form(inputs, zipmap):
    from skl2onnx import to_onnx
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    chosen = rows.argmax(axis=1)
    if inputs == 1:
        model, example = LogisticRegression().fit(rows, chosen), rows[:1]
    else:
        import pandas as pd

        example = pd.DataFrame(rows, columns=["a", "b", "c"])
        transform = make_column_transformer(("passthrough", ["a", "b", "c"]))
        model = make_pipeline(transform, LogisticRegression()).fit(example, chosen)
    graph = to_onnx(model, example[:1], options={"zipmap": zipmap}, target_opset={"": 15, "ai.onnx.ml": 3})
    one_form = TabularClassifier(canonical(graph.SerializeToString(), 3, "graph"))
    expected = model.predict_proba(rows if inputs == 1 else example)
    np.testing.assert_allclose(one_form.shares(rows.astype(np.float64)), expected, atol=1e-5)


def test_what_is_no_classifier_over_these_columns_is_refused(found, tmp_path):
    with pytest.raises(InvalidDataError, match=r"takes .* columns in 1 inputs, the table has 3"):
        read_found(found, 3)
    with pytest.raises(InvalidDataError, match=r"has no model\.onnx"):
        read_found(tmp_path, 3)
    (tmp_path / FOUND_GRAPH).write_bytes(b"no graph")
    with pytest.raises(InvalidDataError, match="no ONNX model that can be read"):
        read_found(tmp_path, 3)
    value = helper.make_tensor_value_info
    node = helper.make_node("ArgMax", ["x"], ["label"], axis=1)
    graph = helper.make_graph(
        [node], "g", [value("x", TensorProto.FLOAT, ["n", 3])], [value("label", TensorProto.INT64, None)]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), str(tmp_path / FOUND_GRAPH))
    with pytest.raises(InvalidDataError, match="gives found_label, and no probabilities"):
        read_found(tmp_path, 3)


def test_metrics_are_azures():
    shares = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.4, 0.3, 0.3], [0.3, 0.4, 0.3]])
    chosen = np.array([0, 1, 2, 1, 0])
    assert automl.accuracy(chosen, shares) == pytest.approx(0.6)
    expected = roc_auc_score(chosen, shares, multi_class="ovr", average="weighted")
    assert automl.auc_weighted(chosen, shares) == pytest.approx(expected)
    assert automl.norm_macro_recall(chosen, shares) == pytest.approx((2 / 3 - 1 / 3) / (2 / 3))
    assert automl.precision_score_weighted(chosen, shares) == pytest.approx(0.4 * 0.5 + 0.4 * 0.5 + 0.2)
    assert automl.average_precision_score_weighted(chosen, np.eye(3)[chosen]) == 1.0
    assert automl.auc_weighted(np.zeros(3, int), shares[:3]) == 0.5
