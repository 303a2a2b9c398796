"""Connections of a workspace to other systems, such as Snowflake. Their secrets are stored separately, and returned only on request."""

import copy
from typing import Any

from tests.emulators.azureml.calls import WORKSPACE, Answer, Call
from tests.emulators.azureml.lists import listed
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.store import made, seen

CONNECTIONS = f"{WORKSPACE}/connections"
MODEL = "WorkspaceConnectionPropertiesV2BasicResource"
SECRET = frozenset({"password", "sas", "pat", "key", "clientSecret", "securityToken"})


def _of(call: Call) -> str:
    return f"{call.workspace_id}/connections/{call.names['name']}"


@route("GET", CONNECTIONS, lists=MODEL)
def list_connections(call: Call) -> Answer:
    """The connections of a workspace."""
    category = call.query.get("category")
    found = call.world.store.children(f"{call.workspace_id}/connections")
    return listed(call, [one for one in found if category in (None, one["properties"]["category"])])


@route("GET", f"{CONNECTIONS}/{{name}}", gives=MODEL)
def get_connection(call: Call) -> Answer:
    """A connection, without its secrets."""
    return Answer(200, seen(call.world.store.need(_of(call))))


@route("PUT", f"{CONNECTIONS}/{{name}}", takes=MODEL, gives=MODEL)
def put_connection(call: Call) -> Answer:
    """Makes or changes a connection."""
    before = call.world.store.get(_of(call))
    given: dict[str, Any] = copy.deepcopy(call.body["properties"])
    credentials = given.get("credentials") or {}
    call.world.secrets[_of(call).lower()] = {name: credentials[name] for name in SECRET & set(credentials)}
    if credentials:
        given["credentials"] = {name: value for name, value in credentials.items() if name not in SECRET}
    resource = call.world.store.put(made(_of(call), "workspaces/connections", given, before))
    return Answer(200, seen(resource))


@route("POST", f"{CONNECTIONS}/{{name}}/listsecrets", gives=MODEL)
def list_secrets(call: Call) -> Answer:
    """A connection with its secrets."""
    shown = seen(call.world.store.need(_of(call)))
    secrets = call.world.secrets[_of(call).lower()]
    shown["properties"]["credentials"] = {**(shown["properties"].get("credentials") or {}), **secrets}
    return Answer(200, shown)


@route("DELETE", f"{CONNECTIONS}/{{name}}")
def delete_connection(call: Call) -> Answer:
    """Deletes a connection."""
    there = call.world.store.get(_of(call)) is not None
    call.world.store.remove(_of(call))
    return Answer(200 if there else 204)
