"""Batch endpoints and their deployments as resources, and the calls that begin a batch job."""

import uuid
from typing import Any

from tests.emulators.azureml.calls import WORKSPACE, Answer, Call, Refused
from tests.emulators.azureml.jobs.batch_run import execute
from tests.emulators.azureml.jobs.jobs import submit
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.network import INFERENCE, REGION, WORKSPACE_API
from tests.emulators.azureml.operations import OperationFailed, accepted
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.store import Resource, made, seen

ENDPOINTS = f"{WORKSPACE}/batchEndpoints"
DEPLOYMENTS = f"{ENDPOINTS}/{{endpoint}}/deployments"
MFE = WORKSPACE_API + "/mferp/managementfrontend/" + WORKSPACE.partition("/")[2]
DEFAULTS = {
    "errorThreshold": -1, "loggingLevel": "Info", "maxConcurrencyPerInstance": 1, "miniBatchSize": 10,
    "outputAction": "AppendRow", "outputFileName": "predictions.csv",
}  # fmt: skip
RETRIES = {"maxRetries": 3, "timeout": "PT30S"}


def _endpoint_id(call: Call) -> str:
    return f"{call.workspace_id}/batchEndpoints/{call.names['endpoint']}"


def _deployment_id(call: Call) -> str:
    return f"{_endpoint_id(call)}/deployments/{call.names['deployment']}"


@route("GET", ENDPOINTS, lists="BatchEndpoint")
def list_endpoints(call: Call) -> Answer:
    """The batch endpoints of a workspace."""
    return listed(call, call.world.store.children(f"{call.workspace_id}/batchEndpoints"))


@route("GET", f"{ENDPOINTS}/{{endpoint}}", gives="BatchEndpoint")
def get_endpoint(call: Call) -> Answer:
    """A batch endpoint."""
    return Answer(200, seen(call.world.store.need(_endpoint_id(call))))


@route("PUT", f"{ENDPOINTS}/{{endpoint}}", takes="BatchEndpoint", gives="BatchEndpoint")
def put_endpoint(call: Call) -> Answer:
    """Makes a batch endpoint, or names its default deployment."""
    found, given = _endpoint_id(call), dict(call.body["properties"])
    default = (given.get("defaults") or {}).get("deploymentName")
    call.world.store.refuse_twin(found)
    if default and call.world.store.get(f"{found}/deployments/{default}") is None:
        raise Refused(400, "UserError", f"Deployment {default} does not exist in endpoint {call.names['endpoint']}")
    host = f"{call.names['endpoint']}.{INFERENCE}".lower()
    own = {"defaults": given.get("defaults") or {"deploymentName": None}, "scoringUri": f"https://{host}/jobs"}
    return _provisioned(call, found, "workspaces/batchEndpoints", {**given, **own}, {"kind": "Default"})


def _provisioned(call: Call, found: str, kind: str, properties: dict[str, Any], more: dict[str, Any]) -> Answer:
    before = call.world.store.get(found)
    state = {"provisioningState": "Creating" if before is None else "Updating"}
    resource = call.world.store.put(
        made(found, kind, {**properties, **state}, before, location=REGION, tags=call.body.get("tags") or {}, **more)
    )
    fault = call.world.faults.taken("provisioning", resource["name"])

    def work() -> None:
        if fault is not None:
            raise OperationFailed(*fault.detail)

    def done() -> None:
        resource["properties"]["provisioningState"] = "Succeeded"

    def failed(_: str) -> None:
        resource["properties"]["provisioningState"] = "Failed"

    shown = seen(resource)
    operation = call.world.operations.start(done, work if fault else None, failed)
    return accepted(call, operation, 201 if before is None else 200, shown)


@route("DELETE", f"{ENDPOINTS}/{{endpoint}}")
@route("DELETE", f"{DEPLOYMENTS}/{{deployment}}")
def delete(call: Call) -> Answer:
    """Deletes an endpoint with its deployments, or one deployment that is not the default."""
    found = _deployment_id(call) if "deployment" in call.names else _endpoint_id(call)
    if call.world.store.get(found) is None:
        return Answer(204)
    default = call.world.store.need(_endpoint_id(call))["properties"]["defaults"].get("deploymentName")
    if "deployment" in call.names and default == call.names["deployment"]:
        raise Refused(400, "UserError", f"Deployment {default} is the default of its endpoint")
    return accepted(call, call.world.operations.start(lambda: call.world.store.remove(found)), 202)


@route("GET", DEPLOYMENTS, lists="BatchDeployment")
def list_deployments(call: Call) -> Answer:
    """The deployments of a batch endpoint."""
    call.world.store.need(_endpoint_id(call))
    return listed(call, call.world.store.children(f"{_endpoint_id(call)}/deployments"))


@route("GET", f"{DEPLOYMENTS}/{{deployment}}", gives="BatchDeployment")
def get_deployment(call: Call) -> Answer:
    """A deployment of a batch endpoint."""
    return Answer(200, seen(call.world.store.need(_deployment_id(call))))


@route("PUT", f"{DEPLOYMENTS}/{{deployment}}", takes="BatchDeployment", gives="BatchDeployment")
def put_deployment(call: Call) -> Answer:
    """Makes or changes a deployment."""
    call.world.store.need(_endpoint_id(call))
    given = {name: value for name, value in call.body["properties"].items() if value is not None}
    for field in ("compute", "environmentId"):
        if str(given.get(field, "")).startswith("/subscriptions") and call.world.store.get(given[field]) is None:
            raise Refused(400, "UserError", f"{given[field]} not found")
    given = {**DEFAULTS, **given, "retrySettings": {**RETRIES, **(given.get("retrySettings") or {})}}
    return _provisioned(call, _deployment_id(call), "workspaces/batchEndpoints/deployments", given, {})


@route("POST", f"{{endpoint}}.{INFERENCE}/jobs")
def invoke(call: Call) -> Answer:
    """Begins a batch job on the deployment that the header names, or on the default one."""
    endpoint = call.world.store.of_kind("batchEndpoints", call.names["endpoint"])
    if endpoint is None:
        raise Refused(404, "UserError", f"batch endpoint {call.names['endpoint']} not found")
    default = endpoint["properties"]["defaults"].get("deploymentName")
    name = call.headers.get("azureml-model-deployment") or default
    deployment = call.world.store.get(f"{endpoint['id']}/deployments/{name}")
    if deployment is None:
        raise Refused(400, "UserError", f"batch endpoint {endpoint['name']} has no deployment {name}")
    requested = call.body["properties"]
    job = submit(
        call.world,
        endpoint["id"].partition("/batchEndpoints/")[0],
        requested.get("name") or f"batchjob-{uuid.uuid4()}",
        {"jobType": "Pipeline", "jobs": {}, "inputs": {}, "settings": {}, "experimentName": endpoint["name"]},
        lambda run: execute(run, deployment, requested),
    )
    call.world.batch_jobs.setdefault(deployment["id"].lower(), []).append(job["id"])
    return Answer(201, _shown(deployment, job))


def _shown(deployment: Resource, job: Resource) -> dict[str, Any]:
    """A batch job as its endpoint describes it; the SDK has no model for it."""
    properties = {"name": job["name"], "status": job["properties"]["status"]}
    return {**made(f"{deployment['id']}/jobs/{job['name']}", "workspaces/batchEndpoints/deployments/jobs", properties)}


@route("GET", f"{MFE}/batchEndpoints/{{endpoint}}/jobs")
@route("GET", f"{MFE}/batchEndpoints/{{endpoint}}/deployments/{{deployment}}/jobs")
def list_jobs(call: Call) -> Answer:
    """The batch jobs of an endpoint or of one of its deployments."""
    store, endpoint = call.world.store, _endpoint_id(call)
    deployments = [
        one for one in store.children(f"{endpoint}/deployments") if call.names.get("deployment") in (None, one["name"])
    ]
    jobs = [(one, job) for one in deployments for job in call.world.batch_jobs.get(one["id"].lower(), [])]
    return Answer(200, {"value": [_shown(one, store.need(job)) for one, job in jobs]})
