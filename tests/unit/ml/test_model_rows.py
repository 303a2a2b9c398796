"""The model in MLflow's format gives the endpoint's answers and refusals, served by MLflow's server or by Azure ML's own script."""

import ast
import datetime as dt
import importlib.metadata
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from globolatte_ml.data.flat_rows import flat_rows
from globolatte_ml.data.model_rows import HISTORY, contexts_from_model_rows, model_rows, states_from_model_rows
from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import Vocabulary
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.training.training_job import save_mlflow_model

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tests" / "emulators" / "azureml" / "serving" / "mlflow_score.py"
DAY = dt.date(2023, 1, 10)
QUESTIONS = [
    ("C0001", "BU_CA", "Snowy", "morning"),
    ("C0002", "bu_ca ", " rainy", None),
    ("nobody", "BU_US", "Unknown", "Evening"),
    ("nobody", "BU_MX", "SUNNY", None),
]
"""Customers of few and of no orders; words in any case; a daypart or none."""
ANY = {"business_unit": "BU_CA", "business_date": "2023-01-10", "weather": "Snowy"}


@pytest.fixture(scope="module")
def folder(model, model_folder, snapshot, tmp_path_factory):
    """The model's MLflow folder, around the very model of `scorer`."""
    root = tmp_path_factory.mktemp("mlflow")
    (root / "preference_model").symlink_to(model_folder)
    first = np.arange(3)
    example = model_rows(snapshot.states.take(first), snapshot.contexts.take(first))
    save_mlflow_model(model, root / "preference_model", root / "model", example)
    return root / "model"


@pytest.fixture(scope="module")
def loaded(folder):
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture(scope="module")
def by_mlflow(loaded):
    """Asks MLflow's scoring server, as `mlflow models serve` runs it: status and text."""
    from fastapi.testclient import TestClient
    from mlflow.pyfunc import scoring_server

    client = TestClient(scoring_server.init(loaded))

    def ask(rows, form="dataframe_split"):
        body = json.dumps({form: split_of(rows) if form == "dataframe_split" else records_of(rows)})
        answer = client.post("/invocations", content=body, headers={"Content-Type": "application/json"})
        return answer.status_code, answer.json()["predictions"] if answer.status_code == 200 else answer.text

    return ask


@pytest.fixture(scope="module")
def by_azure(folder):
    """Asks a script of the shape of Azure ML's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZUREML_MODEL_DIR", str(folder.parent))
        spec = importlib.util.spec_from_file_location("globolatte_mlflow_score", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        module.init()

        def ask(rows):
            body = {**split_of(rows), "index": list(range(len(rows)))}
            return module.run(input_data=json.loads(json.dumps(body)))

        yield ask


def plain(rows):
    return rows.astype(object).where(rows.notna(), None)


def split_of(rows):
    return {"columns": list(rows.columns), "data": plain(rows).to_numpy().tolist()}


def records_of(rows):
    return plain(rows).to_dict(orient="records")


def rows_of(scorer, questions=QUESTIONS):
    """What a caller sends who has the state of each customer."""
    known = scorer.bundle.rows(np.array([customer for customer, *_ in questions]))
    states = scorer.bundle.states(scorer.model.space_.vocabulary.products).take(known)
    n = len(questions)
    contexts = Contexts(
        business_unit=np.array([unit for _, unit, _, _ in questions]),
        date=np.full(n, np.datetime64(DAY, "D")),
        weather=np.array([weather for _, _, weather, _ in questions]),
        daypart=np.array([daypart or "" for *_, daypart in questions]),
        is_holiday=np.zeros(n, dtype=bool),
    )
    rows = model_rows(states, contexts)
    return rows.assign(daypart=[daypart for *_, daypart in questions])


def expected(scorer, questions=QUESTIONS):
    """What the endpoint says: probabilities by product."""
    questions = [(customer, unit.strip(), weather.strip(), part) for customer, unit, weather, part in questions]
    answers = scorer.recommend(
        [Request(customer, unit, weather, DAY, part) for customer, unit, weather, part in questions]
    )
    return [{one.product_id: one.probability for one in answer.ranked} for answer in answers]


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records"])
def test_mlflows_server_says_what_the_endpoint_says(scorer, by_mlflow, form):
    status, answers = by_mlflow(rows_of(scorer), form)
    assert status == 200, answers
    assert_same(answers, expected(scorer))


def test_azures_own_script_says_what_the_endpoint_says(scorer, by_azure):
    assert_same(by_azure(rows_of(scorer)), expected(scorer))


def test_a_table_in_csv_says_what_the_endpoint_says(scorer, loaded, tmp_path):
    """As `mlflow models predict` and Azure's batches of an MLflow model read it."""
    from mlflow.pyfunc.scoring_server import parse_csv_input

    rows_of(scorer).to_csv(tmp_path / "rows.csv", index=False)
    read = parse_csv_input(str(tmp_path / "rows.csv"), loaded.metadata.get_input_schema())
    assert_same(loaded.predict(read).to_dict(orient="records"), expected(scorer))


@pytest.mark.parametrize(
    "column", ["daypart", "is_holiday", "order_count", "morning_orders", "last_order_date", "recent_product_1", HISTORY]
)
def test_what_may_be_missing_may_be_null_or_absent_in_every_row(scorer, by_mlflow, by_azure, loaded, column):
    rows = rows_of(scorer)
    absent = rows.drop(columns=column)
    answers = loaded.predict(absent).to_dict(orient="records")
    empty = rows.assign(**{column: None})
    status, by_server = by_mlflow(empty)
    assert status == 200, by_server
    assert_same(by_server, answers)
    assert_same(by_azure(empty), answers)
    assert_same(by_mlflow(absent)[1], answers)
    assert_same(by_azure(absent), answers)


def test_one_null_among_counts_is_no_history_of_that_row_alone(scorer, by_mlflow, by_azure):
    rows = rows_of(scorer)
    rows["order_count"] = [None, *rows["order_count"][1:]]
    status, answers = by_mlflow(rows)
    assert status == 200, answers
    assert_same(answers[1:], expected(scorer)[1:])
    assert_same(by_azure(rows), answers)


def test_the_context_alone_is_a_cold_start_customer(scorer, by_mlflow, by_azure):
    rows = pd.DataFrame([ANY])
    wanted = expected(scorer, [("nobody", "BU_CA", "Snowy", None)])
    assert_same(by_mlflow(rows)[1], wanted)
    assert_same(by_azure(rows), wanted)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"business_unit": "France"}, r"row 2, business_unit: 'France' is unknown; use one of BU_CA, BU_MX, BU_US"),
        ({"business_unit": None}, r"row 2, business_unit: is missing; use one of BU_CA"),
        ({"weather": "Hail"}, r"row 2, weather: 'Hail' is unknown; use one of Cloudy, Rainy, Snowy, Sunny, Unknown"),
        ({"weather": None}, r"row 2, weather: is missing"),
        ({"daypart": "night"}, r"row 2, daypart: 'night' is unknown; use one of morning"),
        ({"business_date": "31.01.2023"}, r"row 2, business_date: '31.01.2023' is no date; write it as YYYY-MM-DD"),
        ({"business_date": None}, r"row 2, business_date: None is no date"),
        ({"last_order_date": "soon"}, r"row 2, last_order_date: 'soon' is no date"),
        ({"order_count": 2.5}, r"row 2, order_count: 2.5 is no count"),
        ({"order_count": -1.0}, r"row 2, order_count: -1.0 is no count"),
        ({"history": "{"}, r"row 2, history: is not JSON"),
        ({"history": "[1]"}, r"row 2, history: is no object of products"),
        ({"history": '{"P001": {"orders": 1}}'}, r"row 2, history: P001: 'orders' is unknown; use main_orders"),
        ({"history": '{"P001": {"main_orders": "3"}}'}, r"row 2, history: P001, main_orders: '3' is no amount"),
    ],
)  # fmt: skip
def test_what_the_endpoint_refuses_is_refused_with_row_column_and_remedy(by_mlflow, by_azure, more, message):
    from mlflow.exceptions import MlflowException

    rows = pd.DataFrame([{**ANY, **dict.fromkeys(more)}, {**ANY, **more}])
    if next(iter(more)) in ANY:
        rows = pd.DataFrame([ANY, {**ANY, **more}])
    status, answer = by_mlflow(rows)
    assert status == 400
    assert re.search(message, json.loads(answer)["message"])
    with pytest.raises(MlflowException, match=message):
        by_azure(rows)


@pytest.mark.depth
def test_the_command_mlflow_models_serve_says_what_the_endpoint_says(scorer, folder):
    import httpx

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    binaries = Path(sys.executable).parent
    command = [
        str(binaries / "mlflow"),
        "models",
        "serve",
        "-m",
        str(folder),
        "--env-manager",
        "local",
        "-p",
        str(port),
    ]
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            deadline = time.monotonic() + 120
            while True:
                try:
                    if client.get("/ping").status_code == 200:
                        break
                except httpx.TransportError:
                    assert time.monotonic() < deadline, "it does not start"
                time.sleep(0.3)
            rows = rows_of(scorer)
            rows["order_count"] = [None, *rows["order_count"][1:]]
            answer = client.post("/invocations", json={"dataframe_split": split_of(rows)})
            assert_same(answer.json()["predictions"][1:], expected(scorer)[1:])
            refused = client.post("/invocations", json={"dataframe_records": [{**ANY, "weather": "Hail"}]})
            assert (refused.status_code, "row 1, weather: 'Hail' is unknown" in refused.text) == (400, True)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def test_the_signature_does_not_grow_with_the_catalogue_and_no_name_becomes_a_time(loaded):
    names = loaded.metadata.get_input_schema().input_names()
    assert len(names) == 17
    frame = pd.read_json(
        json.dumps({"columns": names, "data": [["2023-01-10"] * len(names)]}), orient="split", dtype=False
    )
    assert [name for name in names if frame[name].dtype != object] == []


def test_the_model_brings_what_azures_script_imports(folder):
    """Each package by itself, or by one that brings it."""
    listed = {re.split(r"[<>=]", line)[0] for line in (folder / "requirements.txt").read_text().split()}
    brought = set(listed)
    for name in listed:
        brought |= {
            re.split(r"[\s<>=!~;(\[]", one)[0]
            for one in importlib.metadata.requires(name) or []
            if "extra ==" not in one
        }
    brought = {name.lower().replace("_", "-") for name in brought}
    imports = {
        alias.name
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imports |= {node.module for node in ast.walk(ast.parse(SCRIPT.read_text())) if isinstance(node, ast.ImportFrom)}
    owners = importlib.metadata.packages_distributions()
    for module in sorted(name for name in imports if name.split(".")[0] not in sys.stdlib_module_names):
        known = {one.lower().replace("_", "-") for one in owners[module.split(".")[0]]}
        assert known & brought, f"{module} is of {known}, which the model does not bring"


def test_model_rows_carry_the_whole_state(snapshot, build):
    rows = model_rows(snapshot.states, snapshot.contexts)
    states = states_from_model_rows(rows, snapshot.products)
    asked = snapshot.contexts
    words = Vocabulary.learn(snapshot.products, asked.business_unit, asked.weather)
    contexts = contexts_from_model_rows(rows, words)
    expected = build.arrays_of(snapshot.states)
    for name, values in build.arrays_of(states).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
    for name in vars(snapshot.contexts):
        np.testing.assert_array_equal(getattr(contexts, name), getattr(snapshot.contexts, name), err_msg=name)


def test_rows_of_the_earlier_form_are_read_as_before(model, snapshot):
    """A model folder of an earlier release names this loader, and has `date` and four columns a product in its signature."""
    from globolatte_ml.mlflow_loader import PreferencePyfunc

    first = np.arange(20)
    states, contexts = snapshot.states.take(first), snapshot.contexts.take(first)
    answer = PreferencePyfunc(model).predict(flat_rows(states, contexts))
    np.testing.assert_allclose(answer.to_numpy(), model.predict_proba(states, contexts), atol=1e-12)


def test_products_outside_the_catalogue_count_as_never_bought(snapshot, build):
    rows = pd.DataFrame([{**ANY, HISTORY: json.dumps({"gone": {"main_orders": 3}}), "recent_product_1": "gone"}])
    states = states_from_model_rows(rows, snapshot.products)
    empty = CustomerStates.empty(1, snapshot.products)
    for name, values in build.arrays_of(states).items():
        np.testing.assert_array_equal(values, build.arrays_of(empty)[name], err_msg=name)
    assert states.products == empty.products
