"""Run history: where the SDK reads status, logs, children and outputs, and changes a run's tags."""

import uuid
from typing import Any

from tests.emulators.azureml.calls import PROVIDER, Answer, Call, Refused
from tests.emulators.azureml.jobs.outputs import output_assets
from tests.emulators.azureml.jobs.runs import Run
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.network import WORKSPACE_API
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.storage import Place

HISTORY = (
    f"{WORKSPACE_API}/history/v1.0/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}"
    "/workspaces/{workspace}"
)
RUN_TYPES = {
    "Command": "azureml.scriptrun",
    "Pipeline": "azureml.PipelineRun",
    "Sweep": "hyperdrive",
    "AutoML": "automl",
}


def _run(call: Call, name: str | None = None) -> Run:
    name = name or call.names["run"]
    run = call.world.runs.get(call.workspace_id, name)
    if run is None:
        raise Refused(404, "UserError", f"RunId {name} not found")
    return run


def described(run: Run) -> dict[str, Any]:
    """A run as run history describes it."""
    properties = run.properties
    return {
        "runId": run.name, "runUuid": run.id, "rootRunId": run.root, "parentRunId": run.parent, "status": run.status,
        "displayName": properties.get("displayName"), "description": properties.get("description"),
        "tags": properties.get("tags"), "properties": properties.get("properties"),
        "parameters": run.parameters or None, "hidden": bool(properties.get("isArchived")),
        "runType": RUN_TYPES[properties["jobType"]], "dataContainerId": f"dcid.{run.name}",
        "createdUtc": run.job["systemData"]["createdAt"], "startTimeUtc": run.started, "endTimeUtc": run.ended,
        "experimentId": str(uuid.uuid5(uuid.NAMESPACE_URL, str(properties.get("experimentName")))),
        "error": run.error, "warnings": None, "outputs": output_assets(run),
    }  # fmt: skip


@route("GET", f"{HISTORY}/runs/{{run}}", gives="runhistory.Run")
@route("GET", f"{HISTORY}/experiments/{{experiment}}/runs/{{run}}", gives="runhistory.Run")
def get_run(call: Call) -> Answer:
    """A run."""
    return Answer(200, described(_run(call)))


@route("PATCH", f"{HISTORY}/runs/{{run}}", takes="runhistory.CreateRun", gives="runhistory.Run")
@route(
    "PATCH", f"{HISTORY}/experiments/{{experiment}}/runs/{{run}}", takes="runhistory.CreateRun", gives="runhistory.Run"
)
def patch_run(call: Call) -> Answer:
    """Changes how a run is described; the job shows the same."""
    run = _run(call)
    for field in ("tags", "properties"):
        run.properties[field] = {**(run.properties.get(field) or {}), **(call.body.get(field) or {})}
    for field in ("displayName", "description"):
        if call.body.get(field) is not None:
            run.properties[field] = call.body[field]
    if call.body.get("hidden") is not None:
        run.properties["isArchived"] = call.body["hidden"]
    return Answer(200, described(run))


@route("GET", f"{HISTORY}/runs/{{run}}/details", gives="runhistory.RunDetails")
def get_details(call: Call) -> Answer:
    """A run with the addresses of its logs."""
    run, storage = _run(call), call.world.storage
    root = run.artifacts
    names = storage.names(root.below("user_logs"))
    logs = {name[len(root.path) + 1 :]: storage.url(Place(root.container, name), signed=True) for name in names}
    description = described(run)
    kept = (
        "runId",
        "runUuid",
        "parentRunId",
        "rootRunId",
        "status",
        "startTimeUtc",
        "endTimeUtc",
        "error",
        "tags",
        "properties",
    )
    target = str(run.properties.get("computeId") or "serverless").rpartition("/")[2]
    return Answer(
        200, {**{name: description[name] for name in kept}, "target": target, "logFiles": logs, "warnings": []}
    )


@route("GET", f"{HISTORY}/runs/{{run}}/children", lists="runhistory.Run")
def get_children(call: Call) -> Answer:
    """The runs that belong to a run."""
    children = [{"properties": {}, **described(child)} for child in call.world.runs.children(_run(call))]
    return listed(call, children)


@route("POST", f"{HISTORY}/rundata", takes="runhistory.GetRunDataRequest", gives="runhistory.GetRunDataResult")
def get_run_data(call: Call) -> Answer:
    """A run with its outputs."""
    return Answer(200, {"runMetadata": described(_run(call, call.body["runId"]))})
