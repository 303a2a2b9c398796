"""Online endpoints of the stand-in: a real inference server answers, traffic and mirror are as declared."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml.entities import (
    CodeConfiguration,
    KubernetesCompute,
    KubernetesOnlineDeployment,
    KubernetesOnlineEndpoint,
    ManagedOnlineEndpoint,
)
from azure.core.exceptions import HttpResponseError

from tests.azureml_builders import SCORE, environment, model_asset, online_deployment, unique, written
from tests.emulators.azureml import StandIn

pytestmark = [pytest.mark.slow, pytest.mark.depth]

CLUSTER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/coffee"


def answer_to(endpoint: Any, key: str, body: dict[str, Any], **headers: str) -> tuple[int, Any, dict[str, str]]:
    """Status, answer, headers."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(endpoint.scoring_uri, json.dumps(body).encode(), headers)
    try:
        # an opener of its own: the shared one keeps the proxies that it found at its first use
        with urllib.request.build_opener().open(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


@pytest.fixture(scope="module")
def blue_and_green(_running_azureml: StandIn, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An endpoint with two deployments of two models; its name and key."""
    folder, name = tmp_path_factory.mktemp("serving"), unique("ep")
    with _running_azureml.reachable():
        client = _running_azureml.ml_client()
        code = written(folder / "code", {"score.py": SCORE})
        client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()
        pollers = [
            client.online_deployments.begin_create_or_update(
                online_deployment(client, name, colour, model_asset(client, folder / colour, f"I am {colour}"), code)
            )
            for colour in ("blue", "green")
        ]
        assert [poller.result().provisioning_state for poller in pollers] == ["Succeeded", "Succeeded"]
        return name, client.online_endpoints.get_keys(name).primary_key


def routed(client: Any, name: str, traffic: dict[str, int], mirror: dict[str, int] | None = None) -> Any:
    endpoint = client.online_endpoints.get(name)
    endpoint.traffic, endpoint.mirror_traffic = traffic, mirror or {}
    return client.online_endpoints.begin_create_or_update(endpoint).result()


def test_the_deployed_script_answers_with_the_deployed_model(client: Any, blue_and_green: tuple[str, str]) -> None:
    name, key = blue_and_green
    status, answer, headers = answer_to(routed(client, name, {"blue": 100, "green": 0}), key, {"customer": "C1"})
    assert (status, answer) == (200, {"model": {"said.txt": "I am blue"}, "who": "blue", "asked": {"customer": "C1"}})
    assert headers["azureml-model-deployment"] == "blue"


def test_the_header_chooses_the_deployment(client: Any, blue_and_green: tuple[str, str]) -> None:
    name, key = blue_and_green
    endpoint = routed(client, name, {"blue": 100, "green": 0})
    assert answer_to(endpoint, key, {}, **{"azureml-model-deployment": "green"})[1]["who"] == "green"
    assert answer_to(endpoint, key, {}, **{"azureml-model-deployment": "red"})[0] == 404


def test_traffic_is_shared_as_declared(client: Any, azureml: StandIn, blue_and_green: tuple[str, str]) -> None:
    name, key = blue_and_green
    endpoint = routed(client, name, {"blue": 70, "green": 30})
    azureml.scored.clear()
    for _ in range(60):
        answer_to(endpoint, key, {})
    assert azureml.scored[name, "blue"] + azureml.scored[name, "green"] == 60
    assert 5 <= azureml.scored[name, "green"] <= 32


def test_a_mirror_gets_copies_and_answers_nobody(
    client: Any, azureml: StandIn, blue_and_green: tuple[str, str]
) -> None:
    name, key = blue_and_green
    endpoint = routed(client, name, {"blue": 100, "green": 0}, {"green": 50})
    azureml.mirrored.clear()
    assert {answer_to(endpoint, key, {})[1]["who"] for _ in range(30)} == {"blue"}
    assert 5 <= azureml.mirrored[name, "green"] <= 25
    routed(client, name, {"blue": 100, "green": 0})


@pytest.mark.parametrize(
    ("traffic", "mirror", "reason"),
    [
        ({"blue": 90, "green": 20}, {}, "sum of traffic"),
        ({"blue": 100}, {"green": 60}, "at most 50 percent"),
        ({"blue": 90, "green": 10}, {"green": 10}, "not both"),
        ({"red": 100}, {}, "red does not exist"),
    ],
)
def test_traffic_that_cannot_be_is_refused(
    client: Any, blue_and_green: tuple[str, str], traffic: dict[str, int], mirror: dict[str, int], reason: str
) -> None:
    with pytest.raises((HttpResponseError, Exception), match=reason):
        routed(client, blue_and_green[0], traffic, mirror)


def test_only_the_key_opens_the_endpoint_and_a_new_key_replaces_the_old(
    client: Any, blue_and_green: tuple[str, str]
) -> None:
    name, key = blue_and_green
    endpoint = client.online_endpoints.get(name)
    assert answer_to(endpoint, "wrong", {})[0] == 401
    client.online_endpoints.begin_regenerate_keys(name, key_type="secondary").result()
    assert client.online_endpoints.get_keys(name).primary_key == key
    assert answer_to(endpoint, client.online_endpoints.get_keys(name).secondary_key, {})[0] == 200


def test_an_error_of_the_script_is_a_model_error(client: Any, blue_and_green: tuple[str, str]) -> None:
    name, key = blue_and_green
    status, _, headers = answer_to(client.online_endpoints.get(name), key, {"fail": True})
    assert (status, headers["ms-azureml-model-error-statuscode"]) == (424, "500")


def test_a_deployment_with_traffic_is_not_deleted(client: Any, blue_and_green: tuple[str, str]) -> None:
    with pytest.raises(HttpResponseError, match="takes traffic"):
        client.online_deployments.begin_delete("blue", endpoint_name=blue_and_green[0]).result()


def test_a_script_that_cannot_start_fails_the_deployment_and_keeps_what_served(
    client: Any, tmp_path: Path, blue_and_green: tuple[str, str]
) -> None:
    name, key = blue_and_green
    code = written(tmp_path, {"score.py": "raise RuntimeError('no beans')"})
    broken = online_deployment(client, name, "green", model_asset(client, tmp_path, "broken"), code)
    with pytest.raises(HttpResponseError, match="crashed or terminated"):
        client.online_deployments.begin_create_or_update(broken).result()
    assert client.online_deployments.get("green", name).provisioning_state == "Failed"
    header = {"azureml-model-deployment": "green"}
    assert answer_to(client.online_endpoints.get(name), key, {}, **header)[1]["model"] == {"said.txt": "I am green"}


def test_provisioning_fails_on_demand(
    client: Any, azureml: StandIn, tmp_path: Path, blue_and_green: tuple[str, str]
) -> None:
    azureml.faults.out_of_quota("red")
    code = written(tmp_path, {"score.py": SCORE})
    asked_for = online_deployment(client, blue_and_green[0], "red", model_asset(client, tmp_path, "red"), code)
    with pytest.raises(HttpResponseError, match="OutOfQuota"):
        client.online_deployments.begin_create_or_update(asked_for).result()
    client.online_deployments.begin_delete("red", endpoint_name=blue_and_green[0]).result()


def attached(client: Any) -> str:
    """The name of a Kubernetes cluster that is attached."""
    name = unique("aks")[:16]
    client.compute.begin_create_or_update(KubernetesCompute(name=name, resource_id=CLUSTER, namespace="ml")).result()
    got = client.compute.get(name)
    assert (got.type, got.resource_id, got.namespace) == ("kubernetes", CLUSTER, "ml")
    return name


def test_a_kubernetes_endpoint_answers_whoever_shows_its_token(client: Any, azureml: StandIn, tmp_path: Path) -> None:
    name = unique("k8s")
    asked_for = KubernetesOnlineEndpoint(name=name, compute=attached(client), auth_mode="aml_token")
    endpoint = client.online_endpoints.begin_create_or_update(asked_for).result()
    code = written(tmp_path / "code", {"score.py": SCORE})
    model = model_asset(client, tmp_path, "on Kubernetes")
    managed = online_deployment(client, name, "managed", model, code)
    with pytest.raises(HttpResponseError, match="takes Kubernetes deployments only"):
        client.online_deployments.begin_create_or_update(managed)
    blue = KubernetesOnlineDeployment(
        name="blue",
        endpoint_name=name,
        model=model,
        environment=environment(client),
        code_configuration=CodeConfiguration(code=str(code), scoring_script="score.py"),
        instance_type="defaultinstancetype",
        instance_count=2,
        environment_variables={"WHO": "blue"},
    )
    client.online_deployments.begin_create_or_update(blue).result()
    endpoint = routed(client, name, {"blue": 100})
    token = client.online_endpoints.get_keys(name)
    assert token.expiry_time_utc > time.time()
    assert answer_to(endpoint, token.access_token, {})[1]["who"] == "blue"
    ours = azureml.world.tenant
    for wrong, reason in (
        (ours.token("https://management.azure.com", 600), b"token_auth_access_denied"),
        (ours.token(endpoint.id.lower(), -60), b"token_expired"),
        ("no token", b"token_auth_access_denied"),
    ):
        assert answer_to(endpoint, wrong, {})[:2] == (401, reason)


def test_an_endpoint_on_a_cluster_that_is_not_attached_is_refused(client: Any) -> None:
    asked_for = KubernetesOnlineEndpoint(name=unique("k8s"), compute="nowhere", auth_mode="key")
    with pytest.raises(HttpResponseError, match="no attached Kubernetes cluster"):
        client.online_endpoints.begin_create_or_update(asked_for)
