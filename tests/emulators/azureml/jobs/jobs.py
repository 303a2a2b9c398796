"""Jobs as resources: submitting, looking, listing, cancelling. How they run is their executor's business."""

from typing import Any

from tests.emulators.azureml.calls import WORKSPACE, Answer, Call, Refused
from tests.emulators.azureml.jobs import automl, command, pipeline, sweep
from tests.emulators.azureml.jobs.runs import TERMINAL, Executor
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.locations import UnknownAddressError, asset, default_output
from tests.emulators.azureml.operations import accepted
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.store import Resource, made, seen
from tests.emulators.azureml.workspaces import tracking_uri
from tests.emulators.azureml.world import World

JOBS = f"{WORKSPACE}/jobs"
CHANGEABLE = ("tags", "properties", "displayName", "description", "isArchived", "experimentName", "services")
SERVERLESS = "serverless"
"""A compute that is always there."""
EXISTS = (
    "A job with this name already exists. If you are trying to create a new job, use a different name. If you are trying "
    "to update an existing job, the existing job's {field} cannot be changed. Only description, displayName, properties, "
    "tags, and isArchived can be updated."
)
EXECUTORS: dict[str, Executor] = {
    "AutoML": automl.execute,
    "Command": command.execute,
    "Pipeline": pipeline.execute,
    "Sweep": sweep.execute,
}


COMMAND: dict[str, Any] = {
    "codeId": None, "computeId": None, "componentId": None, "distribution": None, "environmentVariables": {}, "inputs": {},
    "limits": None, "notificationSetting": None, "parameters": {}, "queueSettings": None,
    "resources": {
        "instanceCount": 1, "instanceType": None, "properties": None, "shmSize": "2g", "dockerArgs": None,
    },
}  # fmt: skip
"""What the service reports about every command job, whatever was requested."""
OUTPUT = {"description": None, "assetName": None, "mode": "ReadWriteMount"}
CURATED = ("azureml:AzureML-", "azureml://registries/azureml/")
"""Environments that are always there."""


def keep_job(world: World, workspace: str, name: str, given: dict[str, Any]) -> Resource:
    """Makes a job's resource, with what the service adds to the request."""
    outputs = {key: {**OUTPUT, **output} for key, output in (given.get("outputs") or {}).items()}
    for key, output in outputs.items():
        output["uri"] = output.get("uri") or f"azureml://datastores/workspaceblobstore/paths/azureml/{name}/{key}/"
    outputs.setdefault("default", {**OUTPUT, "uri": default_output(name), "jobOutputType": "uri_folder"})
    studio = f"https://ml.azure.com/runs/{name}?wsid={workspace}&tid={world.tenant.tenant_id}"
    properties = {
        **(COMMAND if given["jobType"] == "Command" else {}),
        **{key: value for key, value in given.items() if value is not None},
        "status": "NotStarted",
        "displayName": given.get("displayName") or name,
        "description": given.get("description"),
        "experimentName": given.get("experimentName") or "Default",
        "isArchived": False,
        "properties": given.get("properties") or {},
        "tags": given.get("tags") or {},
        "outputs": outputs,
        "services": {
            "Tracking": _service("Tracking", f"{tracking_uri(workspace)}?"),
            "Studio": _service("Studio", studio),
        },
    }
    return world.store.put(made(f"{workspace}/jobs/{name}", "workspaces/jobs", properties))


def _service(kind: str, endpoint: str) -> dict[str, Any]:
    empty = dict.fromkeys(("port", "status", "errorMessage", "properties", "nodes"))
    return {**empty, "jobServiceType": kind, "endpoint": endpoint}


def submit(
    world: World, workspace: str, name: str, given: dict[str, Any], executor: Executor | None = None
) -> Resource:
    """Makes a job and begins it, with the executor of its type unless another is given. Refuses what is not there."""
    executor = executor or EXECUTORS.get(given["jobType"])
    if executor is None:
        raise Refused(400, "UserError", f"the stand-in does not run jobs of type {given['jobType']}")
    _check_references(world, workspace, given)
    job = keep_job(world, workspace, name, given)
    job["properties"]["status"] = "Starting"
    shown = seen(job)
    world.runs.start(job, executor)
    return shown


def _check_references(world: World, workspace: str, given: dict[str, Any]) -> None:
    compute = given.get("computeId") or SERVERLESS
    name = compute.rpartition("/")[2]
    if name != SERVERLESS and compute.startswith("/") and world.store.get(compute) is None:
        raise Refused(400, "UserError", f"Unknown compute target '{name}'.")
    for field, kinds in (("environmentId", ("environments",)), ("codeId", ("codes",))):
        if given.get(field) and not given[field].startswith(CURATED):
            try:
                asset(world, workspace, given[field], kinds)
            except UnknownAddressError as error:
                raise Refused(400, "UserError", str(error)) from error


@route("GET", JOBS, lists="JobBase")
def list_jobs(call: Call) -> Answer:
    """The jobs of a workspace, newest first; those that belong to another are left out."""
    jobs = [job for job in call.world.store.children(f"{call.workspace_id}/jobs") if _wanted(call, job)]
    return listed(call, jobs[::-1])


def _wanted(call: Call, job: Resource) -> bool:
    run = call.world.runs.get(call.workspace_id, job["name"])
    if run is not None and run.parent is not None:
        return False
    return call.query.get("jobType") in (None, job["properties"]["jobType"])


@route("GET", f"{JOBS}/{{name}}", gives="JobBase")
def get_job(call: Call) -> Answer:
    """A job."""
    return Answer(200, seen(call.world.store.need(f"{call.workspace_id}/jobs/{call.names['name']}")))


@route("PUT", f"{JOBS}/{{name}}", takes="JobBase", gives="JobBase")
def put_job(call: Call) -> Answer:
    """Begins a job; or changes what of a job can be changed."""
    store, name = call.world.store, call.names["name"]
    with store.lock:
        before = store.get(f"{call.workspace_id}/jobs/{name}")
        if before is None:
            return Answer(201, submit(call.world, call.workspace_id, name, call.body["properties"]))
    _refuse_change(before["properties"], call.body["properties"])
    before["properties"] |= {key: value for key, value in call.body["properties"].items() if key in CHANGEABLE[:5]}
    return Answer(200, seen(before))


def _refuse_change(before: dict[str, Any], given: dict[str, Any]) -> None:
    for field in ("command", "codeId", "environmentId", "computeId", "componentId", "jobType"):
        if field in given and given[field] != before.get(field):
            raise Refused(400, "UserError", EXISTS.format(field=field[0].upper() + field[1:]))


@route("POST", f"{JOBS}/{{name}}/cancel")
def cancel_job(call: Call) -> Answer:
    """Asks a job to end; the operation is done when it has."""
    resource = call.world.store.need(f"{call.workspace_id}/jobs/{call.names['name']}")
    run = call.world.runs.get(call.workspace_id, resource["name"])
    if run is None or run.status in TERMINAL:
        return Answer(200)
    call.world.runs.cancel(run)
    return Answer(200)


@route("DELETE", f"{JOBS}/{{name}}")
def delete_job(call: Call) -> Answer:
    """Deletes a job that has ended."""
    found = f"{call.workspace_id}/jobs/{call.names['name']}"
    job = call.world.store.get(found)
    if job is None:
        return Answer(204)
    if job["properties"]["status"] not in TERMINAL:
        raise Refused(409, "UserError", f"Job {call.names['name']} is {job['properties']['status']}; cancel it first")
    return accepted(call, call.world.operations.start(lambda: call.world.store.remove(found)), 202)
