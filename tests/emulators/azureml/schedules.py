"""Schedules of jobs and of model monitors: kept, enabled, disabled, triggered by hand. No time passes for them here."""

import uuid
from typing import Any

from tests.emulators.azureml.calls import WORKSPACE, Answer, Call, Refused
from tests.emulators.azureml.jobs.jobs import submit
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.operations import OperationFailed, accepted
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.store import Resource, made, now, seen

SCHEDULES = f"{WORKSPACE}/schedules"


def _of(call: Call) -> str:
    return f"{call.workspace_id}/schedules/{call.names['name']}"


@route("GET", SCHEDULES, lists="Schedule")
def list_schedules(call: Call) -> Answer:
    """The schedules of a workspace: those that are enabled, unless others are requested."""
    view = call.query.get("listViewType", "EnabledOnly")
    wanted = {"EnabledOnly": (True,), "DisabledOnly": (False,), "All": (True, False)}[view]
    found = call.world.store.children(f"{call.workspace_id}/schedules")
    unviewed = {name: value for name, value in call.query.items() if name != "listViewType"}
    return listed(call, [one for one in found if one["properties"]["isEnabled"] in wanted], unviewed)


@route("GET", f"{SCHEDULES}/{{name}}", gives="Schedule")
def get_schedule(call: Call) -> Answer:
    """A schedule."""
    return Answer(200, seen(call.world.store.need(_of(call))))


@route("PUT", f"{SCHEDULES}/{{name}}", takes="Schedule", gives="Schedule")
def put_schedule(call: Call) -> Answer:
    """Makes or changes a schedule."""
    before = call.world.store.get(_of(call))
    given = call.body["properties"]
    enabled = True if given.get("isEnabled") is None else given["isEnabled"]
    state = "Creating" if before is None else "Updating"
    properties = {"tags": {}, "properties": {}, **given, "isEnabled": enabled, "provisioningState": state}
    resource = call.world.store.put(made(_of(call), "workspaces/schedules", properties, before))
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


@route("DELETE", f"{SCHEDULES}/{{name}}")
def delete_schedule(call: Call) -> Answer:
    """Deletes a schedule that is disabled."""
    resource = call.world.store.get(_of(call))
    if resource is None:
        return Answer(204)
    if resource["properties"]["isEnabled"]:
        raise Refused(400, "UserError", f"Schedule {call.names['name']} is enabled; disable it first")
    return accepted(call, call.world.operations.start(lambda: call.world.store.remove(_of(call))), 202)


@route("POST", f"{SCHEDULES}/{{name}}/trigger")
def trigger(call: Call) -> Answer:
    """Runs the job of a schedule once, now."""
    schedule = call.world.store.need(_of(call))
    name = f"{call.names['name']}-{uuid.uuid4().hex[:8]}"
    submit(call.world, call.workspace_id, name, _definition(schedule))
    return Answer(200, {"scheduleActionType": schedule["properties"]["action"]["actionType"], "submissionId": name})


def _definition(schedule: Resource) -> dict[str, Any]:
    action = schedule["properties"]["action"]
    if action["actionType"] != "CreateJob":
        raise Refused(400, "UserError", f"the stand-in does not run actions of type {action['actionType']}")
    definition: dict[str, Any] = seen(action["jobDefinition"])
    tags = {**(definition.get("tags") or {}), "azureml.scheduleName": schedule["name"], "azureml.triggeredAt": now()}
    return {**definition, "tags": tags}
