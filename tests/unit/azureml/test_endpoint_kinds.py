"""What the settings choose about an endpoint, really deployed and called over HTTP: where it runs, what callers show, what it collects."""

import json
from pathlib import Path
from typing import Any

import pytest

from resources.endpoint.azureml.endpoint import EARLY_SECONDS, AzureMLEndpoint
from resources.endpoint.endpoint import Deployment, DesiredState, EndpointError
from tests.azureml_builders import unique
from tests.emulators.azureml import StandIn
from tests.emulators.azureml.locations import place_of
from tests.endpoint_builders import QUESTION, eventually
from tests.unit.azureml.conftest import WORKSPACE, Make

CLUSTER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/coffee"


def served(one: AzureMLEndpoint, model: Deployment) -> AzureMLEndpoint:
    """The endpoint with a model behind it that takes all traffic."""
    one.deploy(DesiredState({"blue": model}, {"blue": 100}))
    one.wait_healthy("blue")
    assert one.wait_until_converged().converged
    return one


def credentials_fetched(standin: StandIn, mark: int, route: str) -> int:
    return sum(call.route.endswith(route) for call in standin.journal.since(mark))


@pytest.mark.slow
def test_an_endpoint_on_kubernetes_takes_its_token_and_all_that_the_spec_says(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    chosen: dict[str, Any] = {
        "endpoint_kind": "kubernetes", "endpoint_compute": "coffee-aks", "endpoint_auth": "aml_token",
        "kubernetes_cluster": CLUSTER, "kubernetes_namespace": "recommendations", "kubernetes_instance_type": "coffee.small",
        "instance_count": 2, "instance_count_max": 5, "app_insights": True,
        "request_timeout_ms": 9000, "requests_per_instance": 3, "request_queue_ms": 700,
        "probe_delay_seconds": 4, "probe_period_seconds": 7, "probe_timeout_seconds": 3, "probe_failures": 9,
    }  # fmt: skip
    one = served(endpoint("on-kubernetes", **chosen), trained[0])
    client = azureml.ml_client(workspace_name=WORKSPACE)
    compute = client.compute.get("coffee-aks")
    assert (compute.type, compute.resource_id, compute.namespace) == ("kubernetes", CLUSTER, "recommendations")
    got = client.online_deployments.get("blue", "on-kubernetes")
    assert (got.type.lower(), got.instance_type, got.app_insights_enabled) == ("kubernetes", "coffee.small", True)
    assert (got.scale_settings.min_instances, got.scale_settings.max_instances) == (2, 5)
    path = "onlineEndpoints/on-kubernetes/deployments"
    sent = azureml.world.store.of_kind(path, "blue")["properties"]["requestSettings"]  # the SDK reads 0.7 seconds as 0
    assert sent == {"requestTimeout": "PT9S", "maxConcurrentRequestsPerInstance": 3, "maxQueueWait": "PT0.7S"}
    for probe in (got.liveness_probe, got.readiness_probe):
        assert (probe.initial_delay, probe.period, probe.timeout, probe.failure_threshold) == (4, 7, 3, 9)

    mark = azureml.journal.mark()
    assert one.score([QUESTION])["model_version"] == "1"
    assert one.score([QUESTION])["model_version"] == "1"
    assert credentials_fetched(azureml, mark, "{endpoint}/token") == 1, "a token that is good is shown again"
    azureml.faults.endpoint_token_seconds = int(EARLY_SECONDS) // 2
    shortly = endpoint("on-kubernetes", **chosen)
    mark = azureml.journal.mark()
    for _ in range(2):
        assert shortly.score([QUESTION])["model_version"] == "1"
    assert credentials_fetched(azureml, mark, "{endpoint}/token") == 2, "a token in its last seconds is fetched anew"
    with pytest.raises(EndpointError, match=r"is kubernetes, not managed.*GLOBOLATTE_AZUREML_ENDPOINT"):
        endpoint("on-kubernetes").deploy(one.desired())


@pytest.mark.slow
def test_what_is_refused_is_fetched_once_more_and_then_reported_without_showing_it(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    one = served(endpoint("by-key"), trained[0])
    assert one.score([QUESTION])["deployment"] == "blue"
    client = azureml.ml_client(workspace_name=WORKSPACE)
    address = client.online_endpoints.get("by-key").id.lower()
    azureml.world.secrets[address]["primaryKey"] = unique("made-anew")  # the SDK's own call sends the key that was
    mark = azureml.journal.mark()
    assert one.score([QUESTION])["deployment"] == "blue"
    assert credentials_fetched(azureml, mark, "{endpoint}/listKeys") == 1

    by_token = endpoint("by-key", endpoint_auth="aml_token")
    by_token.deploy(one.desired())
    assert client.online_endpoints.get("by-key").auth_mode == "aml_token"
    assert by_token.score([QUESTION])["deployment"] == "blue"
    azureml.faults.endpoint_token_seconds = -60
    late = endpoint("by-key", endpoint_auth="aml_token")
    reason = r"endpoint by-key: refuses our aml_token \(401: token_expired\).*Studio: https://.*token/action.*clock"
    with pytest.raises(EndpointError, match=reason) as refused:
        late.score([QUESTION])
    assert "eyJ" not in str(refused.value) + repr(late)


@pytest.mark.slow
def test_an_endpoint_takes_tokens_of_entra_and_keeps_what_its_collector_is_given(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    one = served(endpoint("by-entra", endpoint_auth="aad_token", collect_data=True), trained[0])
    assert one.score([QUESTION, {**QUESTION, "customer_id": "nobody"}])["deployment"] == "blue"
    client = azureml.ml_client(workspace_name=WORKSPACE)
    assert client.online_endpoints.get("by-entra").auth_mode == "aad_token"
    asset = client.data.get("by-entra-blue-model_inputs", version="1")
    assert asset.type == "uri_folder"

    scope = f"/subscriptions/{azureml.subscription_id}/resourceGroups/{azureml.resource_group}"
    workspace = f"{scope}/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"

    def events(collection: str) -> list[dict[str, Any]]:
        storage = azureml.world.storage
        place = place_of(azureml.world, workspace, f"azureml:by-entra-blue-{collection}:1")
        lines = [storage.read(place.__class__(place.container, name)) for name in storage.names(place)]
        return [json.loads(line) for content in lines if content for line in content.splitlines()]

    collected = eventually(lambda: events("model_inputs"), 30)
    answered = eventually(lambda: events("model_outputs"), 30)
    assert [row["customer_id"] for row in collected[0]["data"]] == ["C0001", "nobody"]
    assert [row["known_customer"] for row in collected[0]["data"]] == [True, False]
    assert all(0 < row["probability"] <= 1 for row in answered[0]["data"])
    assert collected[0]["correlationid"] == answered[0]["correlationid"]


def test_a_cluster_that_nothing_names_is_not_attached(
    endpoint: Make, trained: list[Deployment], tmp_path: Path
) -> None:
    one = endpoint("nowhere", endpoint_kind="kubernetes", endpoint_compute="unknown-aks")
    with pytest.raises(EndpointError, match=r"compute unknown-aks: is not attached.*KUBERNETES_CLUSTER"):
        one.deploy(DesiredState({"blue": trained[0]}, {"blue": 100}))
