"""Versioned assets of a workspace: data, environments, codes, components and models, and the containers that hold the versions."""

import uuid
from dataclasses import dataclass
from typing import Any

from tests.emulators.azureml.calls import WORKSPACE, Answer, Call, Refused
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.network import ACCOUNT
from tests.emulators.azureml.published_images import IMAGES, MICROSOFTS
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.storage import Place
from tests.emulators.azureml.store import Resource, made, seen
from tests.emulators.azureml.world import World

EXISTS = (
    "A {kind} version with this name and version already exists. If you are trying to create a new {kind} version, "
    "use a different name or version."
)


@dataclass(frozen=True)
class Kind:
    """One kind of asset: the SDK's models for it, and what no later request can change."""

    name: str
    container: str
    version: str
    fixed: tuple[str, ...]


KINDS = (
    Kind("data", "DataContainer", "DataVersionBase", ("dataUri", "dataType")),
    Kind("environments", "EnvironmentContainer", "EnvironmentVersion", ("image", "condaFile", "build")),
    Kind("codes", "CodeContainer", "CodeVersion", ("codeUri",)),
    Kind("components", "ComponentContainer", "ComponentVersion", ("componentSpec",)),
    Kind("models", "ModelContainer", "ModelVersion", ("modelUri", "modelType")),
)


def keep_version(
    world: World, kind: Kind, scope: str, name: str, version: str, properties: dict[str, Any]
) -> tuple[Resource, bool]:
    """Makes or changes a version below `scope`; also says whether it is new. Refuses to change what is fixed."""
    store, found = world.store, f"{scope}/{kind.name}/{name}/versions/{version}"
    owner = "registries" if "/registries/" in scope else "workspaces"
    with store.lock:
        before = store.get(found)
        given = {"isAnonymous": False, "isArchived": False, "tags": {}, "properties": {}, **properties}
        given = {**given, **_filled(kind, given)}
        if before is not None and any(before["properties"].get(field) != given.get(field) for field in kind.fixed):
            raise Refused(409, "UserError", EXISTS.format(kind=kind.name.removesuffix("s")))
        resource = store.put(made(found, f"{owner}/{kind.name}/versions", given, before))
        if before is None:
            _number(world, kind, scope, name, version, given)
    return resource, before is None


def _filled(kind: Kind, given: dict[str, Any]) -> dict[str, Any]:
    filled: dict[str, Any] = {} if kind.name == "data" else {"provisioningState": "Succeeded"}
    filled |= {field: given.get(field) or {} for field in ("tags", "properties")}
    if kind.name == "models":
        filled["flavors"] = given.get("flavors") or {}
    if kind.name == "environments":
        filled |= {"environmentType": "UserCreated", "osType": given.get("osType") or "Linux"}
    return filled


def _number(world: World, kind: Kind, scope: str, name: str, version: str, given: dict[str, Any]) -> None:
    """Tells the container of a new version."""
    found = f"{scope}/{kind.name}/{name}"
    owner = "registries" if "/registries/" in scope else "workspaces"
    container = world.store.get(found)
    if container is None:
        bare: dict[str, Any] = {"tags": {}, "properties": {}, "description": None, "isArchived": False}
        container = world.store.put(made(found, f"{owner}/{kind.name}", bare))
    properties = container["properties"]
    properties["latestVersion"] = version
    properties["nextVersion"] = str(int(version) + 1) if version.isdigit() else None
    if kind.name == "data":
        properties["dataType"] = given["dataType"]


def pending_upload(world: World) -> dict[str, Any]:
    """A container of its own for one upload, and a signature to write to it."""
    place = Place(str(uuid.uuid4()), "")
    world.storage.make_container(place.container)
    credential = {"credentialType": "SAS", "sasUri": world.storage.url(place, signed=True)}
    account = (
        f"/subscriptions/{uuid.UUID(int=0)}/resourceGroups/any/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
    )
    return {
        "pendingUploadType": "TemporaryBlobReference",
        "pendingUploadId": str(uuid.uuid4()),
        "blobReferenceForConsumption": {
            "blobUri": world.storage.url(place), "storageAccountArmId": account, "credential": credential
        },
    }  # fmt: skip


def _register(kind: Kind) -> None:
    collection = f"{WORKSPACE}/{kind.name}"
    versions = f"{collection}/{{name}}/versions"

    def of(call: Call) -> str:
        parts = [call.workspace_id, kind.name, call.names.get("name", "")]
        return "/".join(parts).rstrip("/") + (f"/versions/{call.names['version']}" if "version" in call.names else "")

    @route("GET", collection, lists=kind.container)
    def list_containers(call: Call) -> Answer:
        return listed(call, call.world.store.children(of(call)))

    @route("GET", f"{collection}/{{name}}", gives=kind.container)
    @route("GET", f"{versions}/{{version}}", gives=kind.version)
    def get(call: Call) -> Answer:
        return Answer(200, seen(call.world.store.need(of(call))))

    @route("PUT", f"{collection}/{{name}}", takes=kind.container, gives=kind.container)
    def put_container(call: Call) -> Answer:
        store, found = call.world.store, of(call)
        before = store.get(found)
        known = before["properties"] if before else {"latestVersion": None, "nextVersion": "1"}
        given = {"isArchived": False, "tags": {}, "properties": {}, **known, **call.body["properties"]}
        if before:
            given |= {field: before["properties"].get(field) for field in ("latestVersion", "nextVersion")}
        resource = store.put(made(found, f"workspaces/{kind.name}", given, before))
        return Answer(200 if before else 201, seen(resource))

    @route("GET", versions, lists=kind.version)
    def list_versions(call: Call) -> Answer:
        return listed(call, call.world.store.children(f"{of(call)}/versions"))

    @route("PUT", f"{versions}/{{version}}", takes=kind.version, gives=kind.version)
    def put_version(call: Call) -> Answer:
        name, version = call.names["name"], call.names["version"]
        given = call.body["properties"]
        image = str(given.get("image") or "")
        if kind.name == "environments" and image.startswith(MICROSOFTS) and image not in IMAGES:
            raise Refused(400, "UserError", f"Image {image} is not in the registry's published list")
        resource, new = keep_version(call.world, kind, call.workspace_id, name, version, given)
        return Answer(201 if new else 200, seen(resource))

    @route("DELETE", f"{versions}/{{version}}")
    def delete_version(call: Call) -> Answer:
        there = call.world.store.get(of(call)) is not None
        call.world.store.remove(of(call))
        return Answer(200 if there else 204)

    @route(
        "POST",
        f"{versions}/{{version}}/startPendingUpload",
        takes="PendingUploadRequestDto",
        gives="PendingUploadResponseDto",
    )
    def start_upload(call: Call) -> Answer:
        return Answer(200, pending_upload(call.world))


for _kind in KINDS:
    _register(_kind)
