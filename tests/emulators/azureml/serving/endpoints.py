"""Online endpoints and their deployments as resources: requested, provisioned, changed and deleted."""

import re
import secrets
import time
from typing import Any

from tests.emulators.azureml.calls import WORKSPACE, Answer, Call, Refused
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.network import INFERENCE, REGION
from tests.emulators.azureml.operations import OperationFailed, accepted
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.serving.servers import model_id
from tests.emulators.azureml.store import Resource, made, seen
from tests.emulators.azureml.world import World

ENDPOINTS = f"{WORKSPACE}/onlineEndpoints"
DEPLOYMENTS = f"{ENDPOINTS}/{{endpoint}}/deployments"
ENDPOINT_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]")
MOST_MIRRORED = 50
PROBE = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S", "failureThreshold": 30, "successThreshold": 1}
REQUESTS = {"requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1, "maxQueueWait": "PT0.5S"}
INSTANCE = "Standard_F4s_v2"
RESOURCES = {
    "containerResourceRequests": {"cpu": "1", "memory": "1Gi"}, "containerResourceLimits": {"cpu": "2", "memory": "2Gi"}
}  # fmt: skip


def endpoint_id(call: Call) -> str:
    """The ARM id of the endpoint that the path names."""
    return f"{call.workspace_id}/onlineEndpoints/{call.names['endpoint']}"


def deployment_id(call: Call) -> str:
    """The ARM id of the deployment that the path names."""
    return f"{endpoint_id(call)}/deployments/{call.names['deployment']}"


@route("GET", ENDPOINTS, lists="OnlineEndpoint")
def list_endpoints(call: Call) -> Answer:
    """The online endpoints of a workspace."""
    return listed(call, call.world.store.children(f"{call.workspace_id}/onlineEndpoints"))


@route("GET", f"{ENDPOINTS}/{{endpoint}}", gives="OnlineEndpoint")
def get_endpoint(call: Call) -> Answer:
    """An online endpoint."""
    return Answer(200, seen(call.world.store.need(endpoint_id(call))))


@route("PUT", f"{ENDPOINTS}/{{endpoint}}", takes="OnlineEndpoint", gives="OnlineEndpoint")
def put_endpoint(call: Call) -> Answer:
    """Makes an endpoint or changes its traffic."""
    store, found = call.world.store, endpoint_id(call)
    before = store.get(found)
    given = dict(call.body["properties"])
    store.refuse_twin(found)
    _check_endpoint(call, given)
    given.pop("keys", None)
    _check_compute(call.world, before, given)
    call.world.secrets.setdefault(found.lower(), {"primaryKey": _key(), "secondaryKey": _key()})
    identity = call.body.get("identity") or {"type": "SystemAssigned"}
    known = {"principalId": call.world.tenant.object_id, "tenantId": call.world.tenant.tenant_id}
    resource = made(
        found, "workspaces/onlineEndpoints", _filled_endpoint(call, given), before, location=REGION,
        kind="K8S" if given.get("compute") else "Managed", tags=call.body.get("tags") or {},
        identity={**identity, **known} if identity["type"] == "SystemAssigned" else identity,
    )  # fmt: skip
    return _provisioned(call, resource, before)


def _check_endpoint(call: Call, given: dict[str, Any]) -> None:
    name = call.names["endpoint"]
    if not ENDPOINT_NAME.fullmatch(name):
        raise Refused(400, "BadArgument", f"Endpoint name {name} is not valid: 3 to 32 letters, digits and '-'")
    traffic, mirror = given.get("traffic") or {}, given.get("mirrorTraffic") or {}
    if sum(traffic.values()) not in (0, 100):
        raise Refused(400, "UserError", f"The sum of traffic percentages must be 0 or 100, got {sum(traffic.values())}")
    if len(mirror) > 1 or sum(mirror.values()) > MOST_MIRRORED:
        raise Refused(400, "UserError", f"Mirror traffic goes to one deployment and is at most {MOST_MIRRORED} percent")
    for deployment in {**traffic, **mirror}:
        if call.world.store.get(f"{endpoint_id(call)}/deployments/{deployment}") is None:
            raise Refused(400, "UserError", f"Deployment {deployment} does not exist in endpoint {name}")
    both = [deployment for deployment, percent in mirror.items() if percent and traffic.get(deployment)]
    if both:
        raise Refused(400, "UserError", f"Deployment {both[0]} can take live traffic or mirrored traffic, not both")


def _check_compute(world: World, before: Resource | None, given: dict[str, Any]) -> None:
    """An endpoint on Kubernetes needs a cluster that is attached, stays there, and takes no tokens of Microsoft Entra."""
    compute = given.get("compute")
    if before is not None and (compute or "").lower() != (before["properties"].get("compute") or "").lower():
        raise Refused(400, "UserError", "The compute of an endpoint cannot be changed")
    if compute is None:
        return
    found = world.store.get(compute)
    if found is None or found["properties"]["computeType"] != "Kubernetes":
        raise Refused(400, "UserError", f"Compute {compute.rpartition('/')[2]} is no attached Kubernetes cluster")
    if given["authMode"] == "AADToken":
        raise Refused(400, "UserError", "AADToken is not supported for Kubernetes online endpoints")


def _filled_endpoint(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    host = f"{call.names['endpoint']}.{INFERENCE}".lower()
    return {
        **given,
        "traffic": given.get("traffic") or {},
        "mirrorTraffic": given.get("mirrorTraffic") or {},
        "publicNetworkAccess": given.get("publicNetworkAccess") or "Enabled",
        "properties": {**(given.get("properties") or {}), "azureml.onlineendpointid": endpoint_id(call)},
        "scoringUri": f"https://{host}/score",
        "swaggerUri": f"https://{host}/swagger.json",
    }


def _key() -> str:
    return secrets.token_urlsafe(24)


def _provisioned(call: Call, resource: Resource, before: Resource | None) -> Answer:
    """Keeps a resource and begins to provision it. A deployment's provisioning starts its server."""
    world = call.world
    resource["properties"]["provisioningState"] = "Creating" if before is None else "Updating"
    world.store.put(resource)
    fault = world.faults.taken("provisioning", resource["name"])
    serves = resource["type"].endswith("/deployments")

    def work() -> None:
        if fault is not None:
            raise OperationFailed(*fault.detail)
        world.servers.provision(resource)

    def done() -> None:
        resource["properties"]["provisioningState"] = "Succeeded"

    def failed(_: str) -> None:
        resource["properties"]["provisioningState"] = "Failed"

    shown = seen(resource)
    if before is None and not serves:  # an endpoint has its addresses once it is there
        shown["properties"] |= {"scoringUri": None, "swaggerUri": None}
    operation = world.operations.start(done, work if serves or fault else None, failed)
    return accepted(call, operation, 201 if before is None else 200, shown)


@route("DELETE", f"{ENDPOINTS}/{{endpoint}}")
def delete_endpoint(call: Call) -> Answer:
    """Deletes an endpoint with its deployments."""
    return _deleted(call, endpoint_id(call))


def _deleted(call: Call, found: str) -> Answer:
    world = call.world
    if world.store.get(found) is None:
        return Answer(204)

    def done() -> None:
        world.store.remove(found)

    return accepted(call, world.operations.start(done, lambda: world.servers.remove(found)), 202)


@route("POST", f"{ENDPOINTS}/{{endpoint}}/listKeys", gives="EndpointAuthKeys")
def list_keys(call: Call) -> Answer:
    """The keys of an endpoint."""
    _need_mode(call, "Key")
    return Answer(200, call.world.secrets[endpoint_id(call).lower()])


@route("POST", f"{ENDPOINTS}/{{endpoint}}/regenerateKeys", takes="RegenerateEndpointKeysRequest")
def regenerate_keys(call: Call) -> Answer:
    """Replaces one of the keys."""
    _need_mode(call, "Key")
    field = {"Primary": "primaryKey", "Secondary": "secondaryKey"}[call.body["keyType"]]
    call.world.secrets[endpoint_id(call).lower()][field] = call.body.get("keyValue") or _key()
    return accepted(call, call.world.operations.start(lambda: None), 202)


@route("POST", f"{ENDPOINTS}/{{endpoint}}/token", gives="EndpointAuthToken")
def endpoint_token(call: Call) -> Answer:
    """A token for an endpoint that takes tokens."""
    _need_mode(call, "AMLToken")
    now = int(time.time())
    seconds = call.world.faults.endpoint_token_seconds
    token = call.world.tenant.token(endpoint_id(call).lower(), seconds)
    times = {"expiryTimeUtc": now + seconds, "refreshAfterTimeUtc": now + seconds // 2}
    return Answer(200, {"accessToken": token, "tokenType": "Bearer", **times})


def _need_mode(call: Call, mode: str) -> None:
    actual = call.world.store.need(endpoint_id(call))["properties"]["authMode"]
    if actual.lower() != mode.lower():
        raise Refused(400, "UserError", f"Endpoint {call.names['endpoint']} has auth mode {actual}, not {mode}")


@route("GET", DEPLOYMENTS, lists="OnlineDeployment")
def list_deployments(call: Call) -> Answer:
    """The deployments of an endpoint."""
    call.world.store.need(endpoint_id(call))
    return listed(call, call.world.store.children(f"{endpoint_id(call)}/deployments"))


@route("GET", f"{DEPLOYMENTS}/{{deployment}}", gives="OnlineDeployment")
def get_deployment(call: Call) -> Answer:
    """A deployment."""
    return Answer(200, seen(call.world.store.need(deployment_id(call))))


@route("PUT", f"{DEPLOYMENTS}/{{deployment}}", takes="OnlineDeployment", gives="OnlineDeployment")
def put_deployment(call: Call) -> Answer:
    """Makes a deployment or replaces what it serves."""
    store, found = call.world.store, deployment_id(call)
    endpoint = store.need(endpoint_id(call))
    before = store.get(found)
    given = dict(call.body["properties"])
    _check_deployment(call.world, endpoint, given)
    sku = {"name": "Default", "tier": "Standard", **(call.body.get("sku") or {"capacity": 1})}
    resource = made(
        found, "workspaces/onlineEndpoints/deployments", _filled_deployment(found, given), before, location=REGION,
        kind=given["endpointComputeType"], tags=call.body.get("tags") or {}, sku=sku,
    )  # fmt: skip
    return _provisioned(call, resource, before)


def _check_deployment(world: World, endpoint: Resource, given: dict[str, Any]) -> None:
    kind = "Kubernetes" if endpoint["kind"] == "K8S" else "Managed"
    if given["endpointComputeType"] != kind:
        raise Refused(400, "UserError", f"Endpoint {endpoint['name']} takes {kind} deployments only")
    if given.get("model") and model_id(given).startswith("/subscriptions") and world.store.get(model_id(given)) is None:
        raise Refused(400, "UserError", f"Model {model_id(given)} not found")
    if given.get("environmentId", "").startswith("/subscriptions") and world.store.get(given["environmentId"]) is None:
        raise Refused(400, "UserError", f"Environment {given['environmentId']} not found")


def _filled_deployment(found: str, given: dict[str, Any]) -> dict[str, Any]:
    filled = {
        "scaleSettings": {"scaleType": "Default"}, "appInsightsEnabled": False, "environmentVariables": {},
        "egressPublicNetworkAccess": "Enabled",
    }  # fmt: skip
    if given["endpointComputeType"] == "Managed":
        filled["instanceType"] = INSTANCE
    kept = {name: value for name, value in given.items() if value is not None}
    probes = {name: {**PROBE, **_set(given.get(name))} for name in ("livenessProbe", "readinessProbe")}
    own = {"properties": {**(given.get("properties") or {}), "AzureAsyncOperationUri": found}}
    resources = {"containerResourceRequirements": RESOURCES} if given["endpointComputeType"] == "Kubernetes" else {}
    return {
        **filled, **resources, **kept, **probes, **own, "requestSettings": {**REQUESTS, **_set(given.get("requestSettings"))}
    }  # fmt: skip


def _set(given: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (given or {}).items() if value is not None}


@route("DELETE", f"{DEPLOYMENTS}/{{deployment}}")
def delete_deployment(call: Call) -> Answer:
    """Deletes a deployment that no traffic goes to."""
    endpoint = call.world.store.need(endpoint_id(call))["properties"]
    if (endpoint.get("traffic") or {}).get(call.names["deployment"]):
        raise Refused(400, "UserError", f"Deployment {call.names['deployment']} takes traffic; set it to 0 first")
    for kind in ("traffic", "mirrorTraffic"):
        shares = endpoint.get(kind) or {}
        endpoint[kind] = {name: share for name, share in shares.items() if name != call.names["deployment"]}
    return _deleted(call, deployment_id(call))


@route("POST", f"{DEPLOYMENTS}/{{deployment}}/getLogs", takes="DeploymentLogsRequest", gives="DeploymentLogs")
def get_logs(call: Call) -> Answer:
    """The last lines of a deployment's server's log."""
    call.world.store.need(deployment_id(call))
    server = call.world.servers.get(deployment_id(call))
    lines = server.log.read_text(errors="replace").splitlines() if server else []
    tail = (call.body or {}).get("tail") or 5000
    return Answer(200, {"content": "Instance status:\nSystemSetup: Succeeded\n\n" + "\n".join(lines[-tail:])})
