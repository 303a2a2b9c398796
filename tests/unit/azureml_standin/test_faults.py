"""What goes wrong on demand, as the real SDK meets it."""

import time
from typing import Any

import pytest
from azure.ai.ml.entities import AmlCompute, Environment
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from tests.azureml_builders import unique
from tests.emulators.azureml import StandIn

pytestmark = pytest.mark.depth


def cluster(name: str) -> AmlCompute:
    return AmlCompute(name=name, size="Standard_DS3_v2", min_instances=0, max_instances=1)


def test_a_throttled_call_is_made_again_after_the_time_that_the_service_names(client: Any, azureml: StandIn) -> None:
    azureml.faults.throttle("/environments/", seconds=1)
    began, mark = time.monotonic(), azureml.journal.mark()
    client.environments.create_or_update(Environment(name=unique("env"), version="1", image="image"))
    calls = azureml.journal.since(mark)
    assert [call.status for call in calls if "environments" in call.route] == [429, 201]
    assert time.monotonic() - began >= 1


def test_an_expired_token_is_refused(client: Any, azureml: StandIn) -> None:
    azureml.faults.expire_token("/environments/", times=1)
    with pytest.raises(ClientAuthenticationError, match="expired"):
        client.environments.create_or_update(Environment(name=unique("env"), version="1", image="image"))


def test_an_unknown_caller_is_refused(azureml: StandIn) -> None:
    from azure.identity import ClientSecretCredential

    tenant = azureml.world.tenant
    unknown = ClientSecretCredential(tenant.tenant_id, tenant.client_id, "wrong")
    with pytest.raises(ClientAuthenticationError, match="Invalid client secret"):
        list(azureml.ml_client(credential=unknown).models.list())


def test_provisioning_fails_with_its_reason_and_leaves_the_resource_failed(client: Any, azureml: StandIn) -> None:
    name = unique("c")
    azureml.faults.out_of_quota(name)
    with pytest.raises(HttpResponseError, match="Not enough quota"):
        client.compute.begin_create_or_update(cluster(name)).result()
    assert client.compute.get(name).provisioning_state == "Failed"
    assert client.compute.begin_create_or_update(cluster(name)).result().provisioning_state == "Succeeded"


def test_a_slow_operation_is_polled_to_its_end(client: Any, azureml: StandIn) -> None:
    azureml.faults.operation_polls = 5
    mark = azureml.journal.mark()
    client.compute.begin_create_or_update(cluster(unique("c"))).result()
    assert sum("mfeOperationsStatus" in call.route for call in azureml.journal.since(mark)) == 6


def test_any_call_can_be_refused(client: Any, azureml: StandIn) -> None:
    azureml.faults.refuse("/models", 403, "AuthorizationFailed", "The client does not have authorization", method="GET")
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        list(client.models.list())


def test_what_is_not_modelled_fails_loudly_and_is_remembered(client: Any, azureml: StandIn) -> None:
    with pytest.raises(HttpResponseError, match="does not model"):
        list(client.feature_stores.list())
    assert "workspaces" in azureml.journal.unmodelled[0]
    with pytest.raises(AssertionError, match="not modelled"):
        azureml.journal.assert_clean()
    azureml.journal.clear()


def test_a_host_that_is_not_played_is_not_reached(azureml: StandIn) -> None:
    import requests

    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("https://dc.services.visualstudio.com/", timeout=10)
    assert azureml.journal.refused_hosts == ["dc.services.visualstudio.com"]
