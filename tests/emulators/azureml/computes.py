"""Computes: clusters, instances, attached Kubernetes. Jobs run on this machine whatever they ask for; it must only exist."""

from typing import Any

from tests.emulators.azureml.calls import WORKSPACE, Answer, Call, Refused
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.network import REGION
from tests.emulators.azureml.operations import OperationFailed, accepted
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.store import Resource, made, now, seen

COMPUTES = f"{WORKSPACE}/computes"
IDLE_NODES = dict.fromkeys(
    ("idleNodeCount", "leavingNodeCount", "preemptedNodeCount", "preparingNodeCount", "runningNodeCount", "unusableNodeCount"), 0
)  # fmt: skip
ATTACHED = frozenset({"Kubernetes", "AKS", "VirtualMachine", "Databricks", "SynapseSpark"})


def _of(call: Call) -> str:
    return f"{call.workspace_id}/computes/{call.names['name']}"


@route("GET", COMPUTES, lists="ComputeResource")
def list_computes(call: Call) -> Answer:
    """The computes of a workspace."""
    return listed(call, call.world.store.children(f"{call.workspace_id}/computes"))


@route("GET", f"{COMPUTES}/{{name}}", gives="ComputeResource")
def get_compute(call: Call) -> Answer:
    """A compute."""
    return Answer(200, seen(call.world.store.need(_of(call), "ComputeNotFound")))


@route("PUT", f"{COMPUTES}/{{name}}", takes="ComputeResource", gives="ComputeResource")
def put_compute(call: Call) -> Answer:
    """Makes or changes a compute."""
    store, found = call.world.store, _of(call)
    before = store.get(found)
    given = dict(call.body["properties"])
    if before is not None and before["properties"]["computeType"] != given["computeType"]:
        raise Refused(400, "BadArgument", f"Compute {call.names['name']} is a {before['properties']['computeType']}")
    extra = {name: call.body[name] for name in ("tags", "identity", "sku") if call.body.get(name) is not None}
    properties = _filled(given, before)
    resource = store.put(made(found, "workspaces/computes", properties, before, location=REGION, **extra))
    fault = call.world.faults.taken("provisioning", call.names["name"])

    def work() -> None:
        if fault is not None:
            raise OperationFailed(*fault.detail)

    def done() -> None:
        resource["properties"]["provisioningState"] = "Succeeded"

    def failed(reason: str) -> None:
        error = {"error": {"code": fault.detail[0] if fault else "Failed", "message": reason}}
        resource["properties"] |= {"provisioningState": "Failed", "provisioningErrors": [error]}

    operation = call.world.operations.start(done, work if fault else None, failed)
    shown = seen(resource)
    shown["properties"]["provisioningState"] = "Creating" if before is None else "Updating"
    return accepted(call, operation, 201 if before is None else 200, shown)


def _filled(given: dict[str, Any], before: Resource | None) -> dict[str, Any]:
    created = before["properties"]["createdOn"] if before else now()
    common = {
        "computeLocation": REGION, "createdOn": created, "modifiedOn": now(), "provisioningErrors": None,
        "isAttachedCompute": given["computeType"] in ATTACHED, "provisioningState": "Creating",
    }  # fmt: skip
    own = dict(given.get("properties") or {})
    if given["computeType"] == "AmlCompute":
        own |= {
            "allocationState": "Steady", "allocationStateTransitionTime": now(), "currentNodeCount": 0,
            "targetNodeCount": 0, "nodeStateCounts": IDLE_NODES, "errors": None,
        }  # fmt: skip
        own.pop("properties", None)
    if given["computeType"] == "ComputeInstance":
        own |= {"state": "Running", "errors": None}
    return {**given, **common, "properties": own}


@route("PATCH", f"{COMPUTES}/{{name}}", takes="ClusterUpdateParameters", gives="ComputeResource")
def patch_compute(call: Call) -> Answer:
    """Changes a cluster's scale settings."""
    resource = call.world.store.need(_of(call), "ComputeNotFound")
    change = ((call.body.get("properties") or {}).get("properties") or {}).get("scaleSettings")
    if change:
        resource["properties"]["properties"]["scaleSettings"] = change
    operation = call.world.operations.start(lambda: None)
    return accepted(call, operation, 200, seen(resource))


@route("DELETE", f"{COMPUTES}/{{name}}")
def delete_compute(call: Call) -> Answer:
    """Deletes a compute (or detaches it)."""
    found = _of(call)
    if call.world.store.get(found) is None:
        return Answer(204)
    return accepted(call, call.world.operations.start(lambda: call.world.store.remove(found)), 202)


def _power(action: str, state: str) -> None:
    @route("POST", f"{COMPUTES}/{{name}}/{action}")
    def power(call: Call) -> Answer:
        resource = call.world.store.need(_of(call), "ComputeNotFound")

        def done() -> None:
            resource["properties"]["properties"]["state"] = state

        return accepted(call, call.world.operations.start(done), 202)


for _action, _state in (("start", "Running"), ("stop", "Stopped"), ("restart", "Running")):
    _power(_action, _state)
