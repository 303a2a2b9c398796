"""From the many ways in which Azure ML names data to a place in the storage account."""

import re
from urllib.parse import unquote

from tests.emulators.azureml.network import BLOB
from tests.emulators.azureml.storage import Place
from tests.emulators.azureml.store import Resource
from tests.emulators.azureml.workspaces import ARTIFACT_DATASTORE
from tests.emulators.azureml.world import World

DATASTORE = re.compile(
    r"azureml://(?:subscriptions/[^/]+/resourcegroups/[^/]+/workspaces/(?P<workspace>[^/]+)/)?datastores/(?P<datastore>[^/]+)"
    r"(?:/paths)?/(?P<path>.*)",
    re.IGNORECASE,
)
JOB_OUTPUT = re.compile(
    r"azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/(?:paths/)?(?P<path>.*))?", re.IGNORECASE
)
ASSET_NAME = re.compile(r"azureml:(?P<name>[^/:]+):(?P<version>[^/:]+)")
REGISTRY = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)", re.IGNORECASE
)
URI_FIELD = {"data": "dataUri", "models": "modelUri", "codes": "codeUri"}


class UnknownAddressError(LookupError):
    """A name that leads nowhere."""


def place_of(world: World, workspace: str, address: str) -> Place:
    """The place that an address means in a workspace. Raises `UnknownAddressError`."""
    if address.startswith(f"https://{BLOB}"):
        container, _, path = re.sub(r"^https://[^/]+/", "", address).partition("?")[0].partition("/")
        return Place(container, unquote(path).strip("/"))
    if match := DATASTORE.fullmatch(address):
        return _in_datastore(world, workspace, match)
    if match := JOB_OUTPUT.fullmatch(address):
        return _of_job(world, workspace, match)
    return place_of_asset(world, asset(world, workspace, address))


def _in_datastore(world: World, workspace: str, match: re.Match[str]) -> Place:
    scope = workspace
    if match["workspace"]:
        scope = f"{workspace.rpartition('/')[0]}/{match['workspace']}"
    found = world.store.get(f"{scope}/datastores/{match['datastore']}")
    if found is None:
        raise UnknownAddressError(f"datastore {match['datastore']} not found")
    container = found["properties"].get("containerName")
    if container is None:
        raise UnknownAddressError(f"datastore {match['datastore']} is no blob container; the stand-in reads no other")
    return Place(container, match["path"].strip("/"))


def _of_job(world: World, workspace: str, match: re.Match[str]) -> Place:
    job = world.store.get(f"{workspace}/jobs/{match['job']}")
    output = match["output"]
    if job is None:
        raise UnknownAddressError(f"job {match['job']} not found")
    if output.lower() == "artifacts":
        root = place_of(world, workspace, default_output(job["name"]))
    else:
        declared = (job["properties"].get("outputs") or {}).get(output)
        if declared is None:
            raise UnknownAddressError(f"job {match['job']} has no output {output}")
        root = place_of(world, workspace, declared["uri"])
    return root.below(match["path"]) if match["path"] else root


def asset(world: World, workspace: str, address: str, kinds: tuple[str, ...] = ("data", "models", "codes")) -> Resource:
    """The asset that an ARM id, a registry's id or `azureml:name:version` means. Raises `UnknownAddressError`."""
    bare = address.removeprefix("azureml:") if address.lower().startswith("azureml:/subscriptions") else address
    if bare.lower().startswith("/subscriptions/"):
        found = world.store.get(bare)
    elif match := REGISTRY.fullmatch(address):
        found = world.registry_asset(match["registry"], match["kind"], match["name"], match["version"])
    elif match := ASSET_NAME.fullmatch(address):
        options = (f"{workspace}/{kind}/{match['name']}/versions/{match['version']}" for kind in kinds)
        found = next((one for one in map(world.store.get, options) if one is not None), None)
    else:
        raise UnknownAddressError(f"{address!r} is no address that the stand-in knows")
    if found is None:
        raise UnknownAddressError(f"{address} not found")
    return found


def place_of_asset(world: World, found: Resource) -> Place:
    """Where the files of a data, model or code version are. Raises `UnknownAddressError`."""
    kind = found["type"].split("/")[-2]
    if kind not in URI_FIELD:
        raise UnknownAddressError(f"{found['id']} has no files")
    return place_of(world, found["id"].partition(f"/{kind}/")[0], found["properties"][URI_FIELD[kind]])


def default_output(job: str) -> str:
    """Where the `outputs` folder and the logs of a job go."""
    return f"azureml://datastores/{ARTIFACT_DATASTORE}/ExperimentRun/dcid.{job}"
