"""Registries: made by the resource manager, filled and read through the registry's own service, and shared into."""

import re
import uuid
from typing import Any

from tests.emulators.azureml.assets import KINDS, Kind, keep_version, pending_upload
from tests.emulators.azureml.calls import REGISTRY, Answer, Call, Refused
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.locations import URI_FIELD, UnknownAddressError, place_of_asset
from tests.emulators.azureml.network import REGION, REGISTRY_API, WORKSPACE_API
from tests.emulators.azureml.operations import OperationFailed, accepted
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.storage import Place
from tests.emulators.azureml.store import Resource, made, seen

SERVICE = WORKSPACE_API + "/mferp/managementfrontend/" + REGISTRY.partition("/")[2]
WORKSPACE_ASSET = re.compile(
    r"azureml://locations/[^/]+/workspaces/(?P<guid>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"
)


@route("PUT", REGISTRY, takes="Registry", gives="Registry")
def put_registry(call: Call) -> Answer:
    """Makes a registry."""
    found, before = call.registry_id, call.world.store.get(call.registry_id)
    group = f"/subscriptions/{call.names['subscription']}/resourceGroups/azureml-rg-{call.names['registry']}"
    own = {
        "discoveryUrl": f"https://{REGISTRY_API}/registrymanagement/v1.0/registries/{call.names['registry']}/discovery",
        "mlFlowRegistryUri": f"azureml://{WORKSPACE_API}/mlflow/v1.0{found}",
        "managedResourceGroup": {"resourceId": group},
    }
    identity = {"type": "SystemAssigned", "principalId": str(uuid.uuid4()), "tenantId": call.world.tenant.tenant_id}
    resource = call.world.store.put(
        made(
            found,
            "registries",
            {**call.body["properties"], **own},
            before,
            location=call.body["location"],
            tags=call.body.get("tags") or {},
            identity=identity,
        )
    )
    return accepted(call, call.world.operations.start(lambda: None), 201 if before is None else 200, seen(resource))


@route("GET", REGISTRY, gives="Registry")
def get_registry(call: Call) -> Answer:
    """A registry."""
    return Answer(200, seen(call.world.store.need(call.registry_id, "ResourceNotFound")))


@route("GET", REGISTRY.rpartition("/")[0], lists="Registry")
def list_registries(call: Call) -> Answer:
    """The registries of a resource group."""
    scope = f"/subscriptions/{call.names['subscription']}/resourceGroups/{call.names['group']}"
    return listed(call, call.world.store.children(f"{scope}/providers/Microsoft.MachineLearningServices/registries"))


@route("DELETE", REGISTRY)
def delete_registry(call: Call) -> Answer:
    """Deletes a registry with all that is in it."""
    found = call.registry_id
    if call.world.store.get(found) is None:
        return Answer(204)
    return accepted(call, call.world.operations.start(lambda: call.world.store.remove(found)), 202)


@route("GET", "{host}/registrymanagement/v1.0/registries/{registry}/discovery")
def discover(call: Call) -> Answer:
    """Where a registry is."""
    found = call.world.store.of_kind("registries", call.names["registry"])
    if found is None:
        raise Refused(404, "UserError", f"Registry {call.names['registry']} not found")
    parts = found["id"].split("/")
    return Answer(
        200,
        {
            "registryName": found["name"],
            "primaryRegionResourceProviderUri": f"https://{WORKSPACE_API}/",
            "primaryRegion": REGION,
            "resourceGroup": parts[4],
            "subscriptionId": parts[2],
            "secondaryRegions": [],
        },
    )


@route("PUT", f"{SERVICE}/tempdatarefs/{{name}}/versions/{{version}}")
def begin_upload(call: Call) -> Answer:
    """Where to write the files of an asset that is about to be registered; refused if it is there already."""
    kind = str(call.body["assetId"]).split("/")[-4]
    if call.world.store.get(f"{call.registry_id}/{kind}/{call.names['name']}/versions/{call.names['version']}"):
        raise Refused(409, "UserError", f"{call.body['assetId']} already exists")
    upload = pending_upload(call.world)
    reference = {
        "temporaryDataReferenceId": upload["pendingUploadId"],
        "temporaryDataReferenceType": "TemporaryBlobReference",
    }
    return Answer(200, {**reference, "blobReferenceForConsumption": upload["blobReferenceForConsumption"]})


@route("POST", f"{SERVICE}/datarefs/{{name}}/versions/{{version}}")
def begin_download(call: Call) -> Answer:
    """A signature to read the files of an asset."""
    container = str(call.body["blobUri"]).split("/")[3]
    address = call.world.storage.url(Place(container, ""), signed=True)
    credential = {"credentialType": "SAS", "sasUri": address}
    reference = {"blobUri": call.body["blobUri"], "storageAccountArmId": "", "credential": credential}
    return Answer(200, {"blobReferenceForConsumption": reference})


@route("POST", f"{SERVICE}/import")
def share(call: Call) -> Answer:
    """Copies a workspace's asset into the registry, files included."""
    requested = call.body.get("properties", call.body)
    match = WORKSPACE_ASSET.fullmatch(str(requested.get("sourceAssetId")))
    source = _in_workspace(call, match) if match else None
    if source is None or match is None:
        raise Refused(404, "UserError", f"asset to share not found: {requested}")
    name, version = requested["destinationName"], requested["destinationVersion"]
    kind = next(kind for kind in KINDS if kind.name == match["kind"])
    properties = seen(source)["properties"]

    def work() -> None:
        if kind.name in URI_FIELD:
            properties[URI_FIELD[kind.name]] = _copied(call, source)

    def done() -> None:
        keep_version(call.world, kind, call.registry_id, name, version, properties)

    return accepted(call, call.world.operations.start(done, work), 202)


def _in_workspace(call: Call, match: re.Match[str]) -> Resource | None:
    workspace = next(
        (one for one in call.world.store.of_type("workspaces") if one["properties"]["workspaceId"] == match["guid"]),
        None,
    )
    return workspace and call.world.store.get(
        f"{workspace['id']}/{match['kind']}/{match['name']}/versions/{match['version']}"
    )


def _copied(call: Call, source: Resource) -> str:
    """The address of a copy of an asset's files in a container of the registry's."""
    storage = call.world.storage
    try:
        place = place_of_asset(call.world, source)
    except UnknownAddressError as error:
        raise OperationFailed("UserError", str(error)) from error
    target = Place(str(uuid.uuid4()), place.path.rpartition("/")[2])
    storage.make_container(target.container)
    for blob in storage.names(place):
        content = storage.read(Place(place.container, blob))
        storage.write(target.below(blob[len(place.path.strip("/")) :].lstrip("/")), content or b"")
    return storage.url(target)


def _wire(call: Call, resource: Resource) -> Resource:
    """A registry's asset bears an id of its own on the wire."""
    shown = seen(resource)
    kind, name, version = resource["id"].split("/")[-4], resource["id"].split("/")[-3], resource["name"]
    return {**shown, "id": f"azureml://registries/{call.names['registry']}/{kind}/{name}/versions/{version}"}


def _register(kind: Kind) -> None:
    collection = f"{SERVICE}/{kind.name}"
    version = f"{collection}/{{name}}/versions/{{version}}"

    def of(call: Call, *more: str) -> str:
        return "/".join([call.registry_id, kind.name, *more])

    @route("GET", collection, lists=kind.container)
    def list_containers(call: Call) -> Answer:
        return listed(call, call.world.store.children(of(call)))

    @route("GET", f"{collection}/{{name}}", gives=kind.container)
    def get_container(call: Call) -> Answer:
        return Answer(200, seen(call.world.store.need(of(call, call.names["name"]))))

    @route("GET", f"{collection}/{{name}}/versions", lists=kind.version)
    def list_versions(call: Call) -> Answer:
        found = call.world.store.children(of(call, call.names["name"], "versions"))
        return listed(call, [_wire(call, one) for one in found])

    @route("GET", version, gives=kind.version)
    def get_version(call: Call) -> Answer:
        found = of(call, call.names["name"], "versions", call.names["version"])
        return Answer(200, _wire(call, call.world.store.need(found)))

    @route("PUT", version, takes=kind.version, gives=kind.version)
    def put_version(call: Call) -> Answer:
        given: dict[str, Any] = call.body["properties"]
        name, number = call.names["name"], call.names["version"]
        resource, new = keep_version(call.world, kind, call.registry_id, name, number, given)
        operation = call.world.operations.start(lambda: None)
        return accepted(call, operation, 201 if new else 200, _wire(call, resource))


for _kind in KINDS:
    _register(_kind)
