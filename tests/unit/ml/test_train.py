from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from globolatte_ml.data.flat_rows import contexts_from_rows, flat_rows, states_from_rows
from globolatte_ml.data.orders import time_split
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import Scorer, resolve_model_folder
from globolatte_ml.training.evaluation import Evaluation, evaluate_model


def run_train(*arguments, **variables):
    command = [sys.executable, "-m", "globolatte_ml.train", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, check=False)


@pytest.fixture(scope="module")
def out(snapshot_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    done = run_train("--snapshot", snapshot_folder, "--out", folder, "--seed", 3)
    assert done.returncode == 0, done.stderr
    assert "holdout orders" in done.stdout
    return folder


def test_training_writes_the_promised_files(out):
    assert {path.name for path in out.iterdir()} == {
        "model",
        "metrics.json",
        "parameters.json",
        "evaluation.json",
        "holdout_predictions.parquet",
    }


def test_the_written_evaluation_is_that_of_the_written_model(out, snapshot):
    written = Evaluation.from_dict(json.loads((out / "evaluation.json").read_text()))
    again = evaluate_model(resolve_model_folder(out / "model"), snapshot, seed=3)
    assert (written.model_version, written.holdout_id) == (again.model_version, again.holdout_id)
    assert vars(written.model) == pytest.approx(vars(again.model))
    assert vars(written.gain_over_popularity) == pytest.approx(vars(again.gain_over_popularity))
    numbers = json.loads((out / "metrics.json").read_text())
    assert numbers["log_loss"] == written.model.log_loss
    assert numbers["baseline_log_loss_popularity"] == written.baselines["popularity"].log_loss


def test_the_same_snapshot_and_seed_give_the_same_model(out, snapshot):
    past = ~time_split(snapshot.ordered_at)
    again = PreferenceModel(random_state=3).fit(
        snapshot.states.take(past), snapshot.contexts.take(past), snapshot.y[past], snapshot.products
    )
    parameters = json.loads((out / "parameters.json").read_text())
    assert parameters["content_hash"] == again.content_hash()
    assert parameters["training_orders"] == past.sum()


def test_holdout_predictions_have_one_row_per_order_and_product(out, snapshot):
    table = pq.ParquetFile(out / "holdout_predictions.parquet").read()
    holdout = time_split(snapshot.ordered_at)
    assert table.column_names == ["order_key", "order_id", "product_id", "probability"]
    assert table.num_rows == holdout.sum() * len(snapshot.products)
    sums = table.group_by("order_key").aggregate([("probability", "sum")])["probability_sum"].to_numpy()
    np.testing.assert_allclose(sums, 1.0)
    assert set(table["order_id"].to_pylist()) == set(snapshot.order_ids[holdout].tolist())


def test_mlflow_loads_the_model_and_answers_its_own_example(out, snapshot):
    import mlflow.pyfunc
    import pandas as pd

    loaded = mlflow.pyfunc.load_model(str(out / "model"))
    record = json.loads((out / "model" / "input_example.json").read_text())
    example = pd.DataFrame(record["data"], columns=record["columns"])
    answer = loaded.predict(example)
    model = PreferenceModel.load(resolve_model_folder(out / "model"))
    rows = np.arange(3)
    expected = model.predict_proba(snapshot.states.take(rows), snapshot.contexts.take(rows))
    assert list(answer.columns) == list(snapshot.products)
    np.testing.assert_allclose(answer.to_numpy(), expected, atol=1e-12)


def test_mlflow_needs_only_the_context(out, snapshot):
    import mlflow.pyfunc
    import pandas as pd

    rows = pd.DataFrame(
        [{"business_unit": "BU_US", "business_date": "2023-01-01", "weather": "Sunny", "daypart": "midday"}]
    )
    answer = mlflow.pyfunc.load_model(str(out / "model")).predict(rows.assign(is_holiday=True))
    assert answer.sum(axis=1).tolist() == pytest.approx([1.0])


def test_the_model_folder_holds_no_pickle_and_its_own_code(out):
    names = [path.name for path in (out / "model").rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".pyc"))]
    assert (out / "model" / "code" / "globolatte_ml" / "mlflow_loader.py").is_file()


def test_the_scorer_takes_the_mlflow_folder_and_the_one_inside(out, state_folder):
    outer = Scorer.from_folders(out / "model", state_folder)
    inner = Scorer.from_folders(out / "model" / "data" / "preference_model", state_folder)
    assert outer.model_version == inner.model_version


def test_flat_rows_carry_the_whole_state(snapshot, build):
    rows = flat_rows(snapshot.states, snapshot.contexts)
    states, contexts = states_from_rows(rows, snapshot.products), contexts_from_rows(rows)
    expected = build.arrays_of(snapshot.states)
    for name, values in build.arrays_of(states).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
    for name in vars(snapshot.contexts):
        np.testing.assert_array_equal(getattr(contexts, name), getattr(snapshot.contexts, name), err_msg=name)


def test_a_faulty_snapshot_ends_with_code_2_and_names_the_file(tmp_path):
    done = run_train("--snapshot", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "examples.parquet: the file is missing; export" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_folder_in_use_by_something_else_is_refused(snapshot_folder, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("do not lose")
    done = run_train("--snapshot", snapshot_folder, "--out", tmp_path)
    assert done.returncode == 2
    assert "is not a model folder; choose another --out" in done.stderr
    assert (tmp_path / "model" / "thesis.txt").is_file()


def test_a_single_order_trains_a_model_that_says_it_is_not_evaluated(build, tmp_path):
    folder = build.write_snapshot(build.chain(n_orders=1), tmp_path / "snapshot")
    done = run_train("--snapshot", folder, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "the model is not evaluated" in done.stdout
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == {}
    assert pq.ParquetFile(tmp_path / "out" / "holdout_predictions.parquet").metadata.num_rows == 0


def test_under_dagster_pipes_progress_and_metrics_are_reported(build, tmp_path):
    from dagster_pipes import encode_param

    folder = build.write_snapshot(build.chain(n_orders=120), tmp_path / "snapshot")
    messages = tmp_path / "messages.jsonl"
    context = {
        "asset_keys": ["models/preference_model"],
        "code_version_by_asset_key": {"models/preference_model": None},
        "provenance_by_asset_key": {"models/preference_model": None},
        "partition_key": None,
        "partition_key_range": None,
        "partition_time_window": None,
        "run_id": "0",
        "job_name": None,
        "retry_number": 0,
        "extras": {},
    }
    done = run_train(
        "--snapshot",
        folder,
        "--out",
        tmp_path / "out",
        DAGSTER_PIPES_CONTEXT=encode_param({"data": context}),
        DAGSTER_PIPES_MESSAGES=encode_param({"path": str(messages)}),
    )
    assert done.returncode == 0, done.stderr
    sent = [json.loads(line) for line in messages.read_text().splitlines()]
    [report] = [m["params"] for m in sent if m["method"] == "report_asset_materialization"]
    assert report["asset_key"] == "models/preference_model"
    assert "log_loss" in report["metadata"]
    assert report["data_version"] == json.loads((tmp_path / "out" / "parameters.json").read_text())["content_hash"]
    assert any(m["method"] == "log" and "orders" in m["params"]["message"] for m in sent)
