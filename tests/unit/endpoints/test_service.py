"""A deployment without its server: answers, states that change under it, what it reports about itself."""

import datetime as dt
import json
from dataclasses import replace

import pytest

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.scoring.api_document import AZURE, Dialect, describe
from globolatte_ml.scoring.service import Service, model_folder
from tests.endpoint_builders import QUESTION, publish_state, train_into


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return train_into(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def service(model, tmp_path):
    publish_state(tmp_path / "endpoints", "state-1")
    return Service.from_environment(
        {
            "AZUREML_MODEL_DIR": str(model.parent),
            "GLOBOLATTE_STATE_POINTER": str(tmp_path / "endpoints" / "current_state"),
            "GLOBOLATTE_DEPLOYMENT": "blue",
            "GLOBOLATTE_MODEL_VERSION": "7",
            "GLOBOLATTE_NOW": "2022-09-02T03:00:00+00:00",
        }
    )


def ask(service, question):
    return service.answer(json.dumps(question).encode(), "id", mirrored=False)


def test_an_answer_names_who_gave_it_and_ranks_products(service):
    answer = ask(service, {**QUESTION, "top": 2})
    assert (answer["deployment"], answer["model_version"], answer["state_version"]) == ("blue", "7", "state-1")
    [only] = answer["recommendations"]
    assert [product["rank"] for product in only["products"]] == [1, 2]
    assert only["prediction_id"].startswith("pr_")


def test_an_answer_has_what_is_documented_and_nothing_else(service):
    schemas = describe(AZURE, Dialect.OPENAPI_3_0, {})["components"]["schemas"]
    answers = ask(service, QUESTION)
    [answer] = answers["recommendations"]
    for name, record in (("Answers", answers), ("Answer", answer), ("RankedProduct", answer["products"][0])):
        assert list(record) == list(schemas[name]["properties"])


def test_the_clock_can_be_fixed(service):
    question = {name: value for name, value in QUESTION.items() if name != "date"}
    assert ask(service, question)["recommendations"][0]["date"] == "2022-09-02"
    assert service.now() == dt.datetime(2022, 9, 2, 3, tzinfo=dt.UTC)


def test_only_who_knows_the_probe_id_asks_without_a_prediction(service):
    probed, body = (
        replace(service, probe_id="probe-secret-", listeners=((heard := []).append,)),
        json.dumps(QUESTION).encode(),
    )
    for request_id in ("probe-secret-1", "probe-secret-unlogged-2", "probe-1", "unlogged-3", ""):
        probed.answer(body, request_id, mirrored=False)
    assert [(call.request_id, call.probe) for call in heard] == [("probe-1", False), ("unlogged-3", False), ("", False)]
    replace(probed, probe_id="").answer(body, "probe-secret-1", mirrored=False)
    assert heard[-1].request_id == "probe-secret-1", "where no probe id is set, there are no probes"


def test_a_new_state_takes_over_whole(service, tmp_path):
    before = ask(service, QUESTION)
    publish_state(tmp_path / "endpoints", "state-2", orders=150)
    assert service.states.refresh()
    assert not service.states.refresh()
    after = ask(service, QUESTION)
    assert after["state_version"] == "state-2"
    assert after["recommendations"][0]["prediction_id"] != before["recommendations"][0]["prediction_id"]


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_an_unreadable_state_leaves_the_old_one_in_service(service, tmp_path, damage):
    pointer = tmp_path / "endpoints" / "current_state"
    if damage == "missing":
        pointer.write_text("nowhere")
    else:
        folder = publish_state(tmp_path / "endpoints", "state-2")
        (folder / "customer_state.parquet").write_bytes(b"PAR1")
    assert not service.states.refresh()
    assert ask(service, QUESTION)["state_version"] == "state-1"
    assert "state-1 stays in service" in service.status()["state_error"]
    publish_state(tmp_path / "endpoints", "state-3")
    assert service.states.refresh()
    assert service.status()["state_error"] is None


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(InvalidDataError, match="holds no preference model"):
        model_folder(tmp_path)


def test_a_deployment_without_a_state_pointer_says_so(model):
    with pytest.raises(InvalidDataError, match="GLOBOLATTE_STATE_POINTER is not set"):
        Service.from_environment({"AZUREML_MODEL_DIR": str(model)})
