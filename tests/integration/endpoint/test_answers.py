"""The online endpoint with real processes: answers, refusals, what changes under it."""

import time
from pathlib import Path

import pytest

from globolatte_assets.endpoints.recommender import roll_out
from globolatte_assets.endpoints.rollout import plan_rollout
from resources.endpoint.endpoint import Deployment, DesiredState, EndpointError, Mirror
from resources.endpoint.local.processes import marked
from tests.endpoint_builders import QUESTION, Caller, Crowd, eventually, kill, process_of, publish_state

# What is answered ------------------------------------------------------------------------------------------------------


def test_one_question_and_many_are_answered(caller):
    one = caller.post(QUESTION)
    assert one.status == 200
    assert (one.document["model_version"], one.document["state_version"]) == ("1", "state-1")
    assert one.headers["azureml-model-deployment"] == one.document["deployment"] == "blue"
    many = caller.post(
        {"requests": [{**QUESTION, "customer_id": f"C{number:04d}", "top": 1} for number in range(1000)]}
    )
    assert [len(item["products"]) for item in many.document["recommendations"]] == [1] * 1000
    assert many.document["recommendations"][1]["prediction_id"] == one.document["recommendations"][0]["prediction_id"]


def test_request_ids_are_passed_on_or_made(caller):
    assert caller.post(QUESTION, x_request_id="mine-1").headers["x-request-id"] == "mine-1"
    made = [caller.post(QUESTION).headers["x-request-id"] for _ in range(2)]
    assert len(set(made)) == 2
    assert caller.post(QUESTION, x_request_id="x" * 101).headers["x-request-id"] != "x" * 101


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "the body is not JSON"),
        ({**QUESTION, "wether": "Sunny"}, 400, "wether: unknown field"),
        ({**QUESTION, "region": "Mars"}, 400, "region: 'Mars' is unknown; use one of BU_CA / Canada"),
        ([], 400, "'requests' is empty"),
        ([QUESTION] * 10_000, 413, "10,000 requests in one call; send at most 1,000"),
        (b" " * (4 * 1024 * 1024 + 1), 413, "over 4,194,304 bytes"),
    ],
)
def test_a_bad_body_has_its_status_and_message(caller, body, status, message):
    refused = caller.post(body)
    assert (refused.status, message in refused.message) == (status, True), refused.message


@pytest.mark.parametrize(
    ("key", "sent", "status", "message"),
    [
        ("", {}, 401, "the key is missing or wrong"),
        ("wrong", {}, 401, "the key is missing or wrong"),
        (None, {"azureml_model_deployment": "red"}, 404, "there is no deployment 'red'; there are: blue"),
        (None, {"path": "/elsewhere"}, 404, "there is no /elsewhere"),
        (None, {"method": "PUT"}, 405, "PUT is not supported here; use POST"),
    ],
)
def test_a_bad_call_has_its_status_and_message(endpoint, caller, key, sent, status, message):
    refused = Caller(endpoint, key).post(QUESTION, **sent)
    assert (refused.status, message in refused.message) == (status, True), refused.message


def test_health_needs_no_key_and_shows_no_secret(endpoint, caller):
    health = Caller(endpoint, key="").post(b"", method="GET", path="/health")
    assert health.status == 200
    assert health.document["healthy"]
    assert health.document["deployments"]["blue"]["traffic"] == 100
    key = endpoint.files.key.read_text()
    written = [path for path in endpoint.files.folder.rglob("*") if path.is_file() and path.name != "key"]
    assert not [path for path in written if key in path.read_bytes().decode("latin-1")]


def test_nothing_deployed_is_an_error_with_the_remedy(endpoint, caller):
    endpoint.deploy(DesiredState())
    endpoint.wait_until_converged()
    refused = caller.post(QUESTION)
    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert "nothing is deployed yet" in refused.message


def test_only_the_loopback_address_is_listened_on(endpoint, caller):
    import psutil

    processes = [psutil.Process(process.pid) for process in marked(endpoint.files)]
    listening = {c.laddr.ip for p in processes for c in p.connections() if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


# What changes under it -------------------------------------------------------------------------------------------------


def test_a_new_state_is_served_without_a_new_process(endpoint, caller):
    before = process_of(endpoint, "blue")
    publish_state(Path(endpoint.folder), "state-2", orders=200)
    eventually(lambda: caller.post(QUESTION).document["state_version"] == "state-2")
    assert process_of(endpoint, "blue") == before
    publish_state(Path(endpoint.folder), "state-1")
    eventually(lambda: caller.post(QUESTION).document["state_version"] == "state-1")


def test_all_traffic_moves_under_load_without_a_failed_request(endpoint, caller, models):
    def switch():
        time.sleep(1)
        roll_out(endpoint, plan_rollout(endpoint.desired(), models["2"]), QUESTION)
        endpoint.wait_until_converged()
        time.sleep(1)

    crowd = Crowd(endpoint).during(switch)
    assert (crowd.errors, set(crowd.statuses)) == ([], {200})
    assert crowd.versions[0] == "1"
    assert crowd.versions[-1] == "2"
    assert [item.name for item in endpoint.observed().deployments] == ["green"]


def test_the_model_that_serves_already_needs_no_new_process(endpoint, caller, models):
    before = process_of(endpoint, "blue")
    rollout = plan_rollout(endpoint.desired(), models["1"])
    assert not rollout.needed
    assert roll_out(endpoint, rollout, QUESTION) > 0
    assert process_of(endpoint, "blue") == before


def test_a_model_that_does_not_start_leaves_the_old_one_serving(endpoint, caller, tmp_path):
    broken = Deployment(str(tmp_path), "3", "ccc")
    crowd = Crowd(endpoint, size=2)

    def attempt():
        with pytest.raises(EndpointError, match="holds no preference model"):
            roll_out(endpoint, plan_rollout(endpoint.desired(), broken), QUESTION)

    crowd.during(attempt)
    assert crowd.errors == []
    assert [item.name for item in endpoint.wait_until_converged().deployments] == ["blue"]


def test_a_header_picks_a_deployment_and_the_mirror_changes_no_answer(endpoint, caller, models):
    both = {"blue": models["1"], "green": models["2"]}
    endpoint.deploy(DesiredState(both, {"blue": 100, "green": 0}, Mirror("green", 100)))
    endpoint.wait_until_converged()
    assert caller.post(QUESTION, azureml_model_deployment="green").document["model_version"] == "2"
    assert {caller.post(QUESTION).document["model_version"] for _ in range(20)} == {"1"}

    def mirrored():
        return caller.post(b"", method="GET", path="/health").document["counts"].get("mirrored", 0)

    assert eventually(lambda: mirrored() >= 20)
    kill(process_of(endpoint, "green"))
    assert {caller.post(QUESTION).status for _ in range(20)} == {200}
