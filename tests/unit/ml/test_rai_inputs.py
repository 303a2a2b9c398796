from __future__ import annotations

import numpy as np
import pytest
from pyarrow import parquet

from globolatte_ml import rai_inputs
from globolatte_ml.automl_table import TABLE_FILE
from globolatte_ml.job_entry import FAULT_IN_THE_INPUT


@pytest.fixture(scope="module")
def written(snapshot_folder, model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rai")
    assert main(snapshot_folder, model_folder, folder, "P001") == 0
    return folder


def main(snapshot_folder, model_folder, folder, focus):
    places = {"train": folder / "train", "test": folder / "test", "model-out": folder / "model"}
    arguments = ["--snapshot", snapshot_folder, "--model", model_folder, "--focus", focus]
    for name, place in places.items():
        arguments += [f"--{name}", place]
    return rai_inputs.main([str(one) for one in arguments])


def test_the_tables_are_training_orders_and_holdout_with_whether_it_was_chosen(written, snapshot):
    for name, mask in (("train", ~snapshot.holdout), ("test", snapshot.holdout)):
        rows = parquet.read_table(written / name / TABLE_FILE).to_pandas()
        assert rows[rai_inputs.TARGET].tolist() == (snapshot.y[mask] == "P001").astype(int).tolist()


def test_the_model_is_a_classifier_of_two_classes_as_mlflow_loads_it(written, snapshot, model):
    import mlflow.pyfunc

    rows = parquet.read_table(written / "test" / TABLE_FILE).to_pandas().drop(columns=[rai_inputs.TARGET])
    loaded = mlflow.pyfunc.load_model(str(written / "model"))._model_impl
    shares = loaded.predict_proba(rows)
    held = snapshot.holdout
    expected = model.predict_proba(snapshot.states.take(held), snapshot.contexts.take(held))
    place = list(model.classes_).index("P001")
    np.testing.assert_allclose(shares[:, 1], expected[:, place], atol=1e-9)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(loaded.predict(rows), expected.argmax(axis=1) == place)


def test_a_product_that_is_not_there_is_refused(snapshot_folder, model_folder, tmp_path, capsys):
    assert main(snapshot_folder, model_folder, tmp_path, "tea") == FAULT_IN_THE_INPUT
    assert "product 'tea' is not in the catalogue: " in capsys.readouterr().err


def test_the_best_seller_is_that_of_the_training_span(snapshot):
    ids, counts = np.unique(snapshot.y[~snapshot.holdout], return_counts=True)
    assert rai_inputs.best_seller(snapshot) == ids[counts.argmax()]
