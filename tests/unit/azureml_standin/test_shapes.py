"""Fields that answers of the service have been seen to carry: the stand-in's answers carry them, too.

The names were read off Microsoft's published recordings of the SDK's own tests; fields that the SDK's models do not know are
left out, because `contracts` refuses them.
"""

from typing import Any

import pytest
import requests
from azure.ai.ml import command
from azure.ai.ml.entities import ManagedOnlineEndpoint

from tests.azureml_builders import ended, environment, unique
from tests.emulators.azureml import StandIn

pytestmark = pytest.mark.depth

RESOURCE = {"id", "name", "type", "properties", "systemData"}
JOB = {
    "description", "tags", "properties", "displayName", "status", "experimentName", "services", "computeId", "isArchived",
    "componentId", "notificationSetting", "jobType", "resources", "codeId", "command", "environmentId", "inputs", "outputs",
    "distribution", "limits", "environmentVariables", "parameters", "queueSettings",
}  # fmt: skip
SERVICE = {"jobServiceType", "port", "endpoint", "status", "errorMessage", "properties", "nodes"}
DATASTORE = {
    "description", "tags", "properties", "isDefault", "credentials", "subscriptionId", "resourceGroup", "datastoreType",
    "accountName", "containerName", "endpoint", "protocol", "serviceDataAccessAuthIdentity",
}  # fmt: skip
ENDPOINT = {
    "properties", "scoringUri", "swaggerUri", "authMode", "provisioningState", "traffic", "mirrorTraffic", "publicNetworkAccess"
}  # fmt: skip
WORKSPACE = {
    "friendlyName", "description", "storageAccount", "keyVault", "applicationInsights", "hbiWorkspace", "tenantId",
    "provisioningState", "managedNetwork", "v1LegacyMode", "workspaceId", "publicNetworkAccess", "discoveryUrl",
    "mlFlowTrackingUri",
}  # fmt: skip


@pytest.fixture
def returned(azureml: StandIn) -> Any:
    """What the workspace's service tells of a path, as it goes over the wire."""
    scope = f"/subscriptions/{azureml.subscription_id}/resourceGroups/{azureml.resource_group}"
    workspace = f"{scope}/providers/Microsoft.MachineLearningServices/workspaces/{azureml.workspace_name}"
    token = azureml.world.tenant.token("https://management.azure.com", 600)

    def ask(path: str) -> dict[str, Any]:
        address = f"https://management.azure.com{workspace}{path}?api-version=2024-01-01-preview"
        return requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=30).json()

    return ask


def test_a_command_job(client: Any, returned: Any) -> None:
    job = client.jobs.create_or_update(command(command="true", environment=environment(client), name=unique("shape")))
    ended(client, job.name)
    answer = returned(f"/jobs/{job.name}")
    assert set(answer) >= RESOURCE
    assert set(answer["properties"]) >= JOB
    assert set(answer["properties"]["services"]["Studio"]) == SERVICE
    output = answer["properties"]["outputs"]["default"]
    assert output["uri"] == f"azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{job.name}"


def test_a_datastore(returned: Any) -> None:
    answer = returned("/datastores/workspaceblobstore")
    assert set(answer) >= RESOURCE
    assert set(answer["properties"]) == DATASTORE
    assert answer["properties"]["credentials"] == {"credentialsType": "AccountKey"}


def test_an_online_endpoint(client: Any, returned: Any) -> None:
    name = unique("shape")
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()
    answer = returned(f"/onlineEndpoints/{name}")
    assert set(answer) >= RESOURCE | {"tags", "location", "kind", "identity"}
    assert set(answer["properties"]) >= ENDPOINT
    assert "azureml.onlineendpointid" in answer["properties"]["properties"]


def test_a_workspace(returned: Any) -> None:
    answer = returned("")
    assert set(answer) >= RESOURCE | {"location", "tags", "identity", "kind", "sku"}
    assert set(answer["properties"]) >= WORKSPACE
