"""Workspaces, their datastores, their discovery document and the resource group. All three are there from the start."""

import uuid

from tests.emulators.azureml.calls import GROUP, WORKSPACE, Answer, Call, Refused, workspace_id
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.network import ACCOUNT, REGION, WORKSPACE_API
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.storage import Place
from tests.emulators.azureml.store import Resource, made, seen
from tests.emulators.azureml.world import World

DEFAULT_DATASTORE = "workspaceblobstore"
ARTIFACT_DATASTORE = "workspaceartifactstore"
DISCOVERED = (
    "api",
    "history",
    "experimentation",
    "hyperdrive",
    "modelmanagement",
    "pipelines",
    "studio",
    "catalog",
    "mlflow",
)


def add_workspace(world: World, subscription: str, group: str, name: str) -> Resource:
    """Makes a workspace with its two datastores and their containers."""
    found = workspace_id(subscription, group, name)
    guid = str(uuid.uuid5(uuid.NAMESPACE_URL, found))
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}/providers"
    properties = {
        "friendlyName": name, "description": "", "tenantId": world.tenant.tenant_id, "hbiWorkspace": False,
        "storageAccount": f"{scope}/Microsoft.Storage/storageAccounts/{ACCOUNT}",
        "keyVault": f"{scope}/Microsoft.KeyVault/vaults/{ACCOUNT}",
        "applicationInsights": f"{scope}/Microsoft.insights/components/{ACCOUNT}",
        "provisioningState": "Succeeded", "v1LegacyMode": False, "publicNetworkAccess": "Enabled",
        "managedNetwork": {"isolationMode": "Disabled"}, "workspaceId": guid,
        "discoveryUrl": f"https://{WORKSPACE_API}/discovery", "mlFlowTrackingUri": tracking_uri(found),
    }  # fmt: skip
    identity = {"type": "SystemAssigned", "principalId": guid, "tenantId": world.tenant.tenant_id}
    sku = {"name": "Basic", "tier": "Basic"}
    world.store.put(
        made(found, "workspaces", properties, location=REGION, tags={}, kind="Default", sku=sku, identity=identity)
    )
    for datastore, container in (
        (DEFAULT_DATASTORE, f"azureml-blobstore-{guid}"),
        (ARTIFACT_DATASTORE, f"azureml-{guid}"),
    ):
        world.storage.make_container(container)
        world.store.put(_datastore(found, datastore, container))
    return world.store.need(found)


def tracking_uri(workspace: str) -> str:
    """Where MLflow's plug-in for Azure ML sends what a job tracks."""
    return f"azureml://{WORKSPACE_API}/mlflow/v1.0{workspace}"


def _datastore(workspace: str, name: str, container: str) -> Resource:
    properties = {
        "description": None, "tags": None, "properties": None, "isDefault": name == DEFAULT_DATASTORE,
        "credentials": {"credentialsType": "AccountKey"}, "datastoreType": "AzureBlob", "accountName": ACCOUNT,
        "containerName": container, "endpoint": "core.windows.net", "protocol": "https",
        "serviceDataAccessAuthIdentity": "None", "resourceGroup": None, "subscriptionId": None,
    }  # fmt: skip
    return made(f"{workspace}/datastores/{name}", "workspaces/datastores", properties)


def default_place(world: World, workspace: str) -> Place:
    """The container of a workspace's default datastore."""
    properties = world.store.need(f"{workspace}/datastores/{DEFAULT_DATASTORE}")["properties"]
    return Place(properties["containerName"], "")


@route("GET", GROUP)
def get_group(call: Call) -> Answer:
    """A resource group that holds a workspace."""
    name, subscription = call.names["group"], call.names["subscription"]
    found = f"/subscriptions/{subscription}/resourceGroups/{name}"
    if not call.world.store.children(f"{found}/providers/Microsoft.MachineLearningServices/workspaces"):
        raise Refused(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    kind = "Microsoft.Resources/resourceGroups"
    state = {"provisioningState": "Succeeded"}
    return Answer(200, {"id": found, "name": name, "type": kind, "location": REGION, "properties": state})


@route("GET", WORKSPACE, gives="Workspace")
def get_workspace(call: Call) -> Answer:
    """A workspace."""
    return Answer(200, seen(call.world.store.need(call.workspace_id, "ResourceNotFound")))


@route("GET", f"{WORKSPACE}/datastores", lists="Datastore")
def list_datastores(call: Call) -> Answer:
    """The datastores of a workspace."""
    return listed(call, call.world.store.children(f"{call.workspace_id}/datastores"))


@route("GET", f"{WORKSPACE}/datastores/{{name}}", gives="Datastore")
def get_datastore(call: Call) -> Answer:
    """A datastore, without its secrets."""
    return Answer(200, seen(call.world.store.need(f"{call.workspace_id}/datastores/{call.names['name']}")))


@route("PUT", f"{WORKSPACE}/datastores/{{name}}", takes="Datastore", gives="Datastore")
def put_datastore(call: Call) -> Answer:
    """Makes or changes a datastore. Its secrets are stored separately, and never returned with it."""
    store, found = call.world.store, f"{call.workspace_id}/datastores/{call.names['name']}"
    before = store.get(found)
    properties = {**call.body["properties"], "isDefault": False}
    secrets = (properties.get("credentials") or {}).pop("secrets", None)
    if secrets is not None:
        call.world.secrets[found.lower()] = secrets
    resource = store.put(made(found, "workspaces/datastores", properties, before))
    return Answer(201 if before is None else 200, seen(resource))


@route("DELETE", f"{WORKSPACE}/datastores/{{name}}")
def delete_datastore(call: Call) -> Answer:
    """Forgets a datastore; what it holds stays."""
    found = f"{call.workspace_id}/datastores/{call.names['name']}"
    there = call.world.store.get(found) is not None
    call.world.store.remove(found)
    return Answer(200 if there else 204)


@route("POST", f"{WORKSPACE}/datastores/{{name}}/listSecrets", gives="DatastoreSecrets")
def datastore_secrets(call: Call) -> Answer:
    """The secrets of a datastore: of the workspace's own account a signature that expires, if one is requested."""
    datastore = call.world.store.need(f"{call.workspace_id}/datastores/{call.names['name']}")
    own = call.world.secrets.get(datastore["id"].lower())
    if own is not None:
        return Answer(200, own)
    if datastore["properties"]["credentials"]["credentialsType"] == "None":
        raise Refused(400, "UserError", f"Datastore {datastore['name']} has no credentials")
    artifacts = datastore["name"] == ARTIFACT_DATASTORE  # the SDK signs the addresses of logs itself, with the key
    if (call.body or {}).get("expirableSecret") and not artifacts:
        return Answer(200, {"secretsType": "Sas", "sasToken": f"?{call.world.storage.sas()}"})
    return Answer(200, {"secretsType": "AccountKey", "key": call.world.storage.key})


@route("GET", f"{WORKSPACE_API}/discovery", open_to_all=True)
def discovery(call: Call) -> Answer:
    """Where the services of a workspace are."""
    return Answer(200, dict.fromkeys(DISCOVERED, f"https://{WORKSPACE_API}"))
