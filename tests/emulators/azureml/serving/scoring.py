"""Requests to online endpoints: who may ask, which deployment answers, which one gets a copy."""

import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import isodate

from tests.emulators.azureml.calls import Answer, Call, Refused
from tests.emulators.azureml.network import INFERENCE
from tests.emulators.azureml.routes import route
from tests.emulators.azureml.serving.servers import Server
from tests.emulators.azureml.store import Resource

AAD_AUDIENCE = "https://ml.azure.com"
"""Whom a token of Microsoft Entra must be for."""
DEPLOYMENT_HEADER = "azureml-model-deployment"
PASSED_ON = ("content-type", "accept", "x-request-id", "x-ms-client-request-id", "traceparent")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@route("POST", f"{{endpoint}}.{INFERENCE}/score", open_to_all=True)
def score(call: Call) -> Answer:
    """The answer of the deployment that the header names, or that the traffic rule draws."""
    endpoint = call.world.store.of_kind("onlineEndpoints", call.names["endpoint"])
    if endpoint is None:
        return Answer(404, b"endpoint not found")
    refusal = _refusal(call, endpoint)
    if refusal is not None:
        return refusal
    name = call.headers.get(DEPLOYMENT_HEADER) or _drawn(call, endpoint)
    deployment = call.world.store.get(f"{endpoint['id']}/deployments/{name}")
    server = call.world.servers.get(f"{endpoint['id']}/deployments/{name}")
    if deployment is None or server is None:
        return Answer(404, f"Specified deployment could not be found: {name}".encode())
    _mirror(call, endpoint)
    answer = _asked(call, server, deployment)
    call.world.servers.scored[endpoint["name"], deployment["name"]] += 1
    return answer


@route("GET", f"{{endpoint}}.{INFERENCE}/swagger.json", open_to_all=True)
def swagger(call: Call) -> Answer:
    """The description of an endpoint that its server makes of its script."""
    endpoint = call.world.store.of_kind("onlineEndpoints", call.names["endpoint"])
    refusal = _refusal(call, endpoint) if endpoint is not None else Answer(404, b"endpoint not found")
    if endpoint is None or refusal is not None:
        return refusal or Answer(404)
    server = call.world.servers.get(f"{endpoint['id']}/deployments/{_drawn(call, endpoint)}")
    if server is None:
        return Answer(404)
    with DIRECT.open(f"{server.url}/swagger.json", timeout=10) as answer:
        return Answer(200, answer.read(), {"content-type": "application/json"})


def _refusal(call: Call, endpoint: Resource) -> Answer | None:
    """Why a caller may not ask, in the few words of Azure's front end; none if it may."""
    mode = endpoint["properties"]["authMode"].lower()
    kind, _, shown = call.headers.get("authorization", "").partition(" ")
    if mode == "key":
        good = kind == "Bearer" and shown in call.world.secrets[endpoint["id"].lower()].values()
        return None if good else _unauthorized(b"key_auth_access_denied")
    audience = AAD_AUDIENCE if mode == "aadtoken" else endpoint["id"].lower()
    try:
        call.world.tenant.check(dict(call.headers), audience)
    except Refused as refused:
        expired = refused.code == "ExpiredAuthenticationToken"
        return _unauthorized(b"token_expired" if expired else b"token_auth_access_denied")
    return None


def _unauthorized(reason: bytes) -> Answer:
    return Answer(401, reason, {"WWW-Authenticate": "Bearer", "content-type": "text/plain"})


def _drawn(call: Call, endpoint: Resource) -> str | None:
    shares = {name: share for name, share in (endpoint["properties"]["traffic"] or {}).items() if share}
    if not shares:
        return None
    return call.world.servers.dice.choices(list(shares), list(shares.values()))[0]


def _mirror(call: Call, endpoint: Resource) -> None:
    for name, percent in (endpoint["properties"]["mirrorTraffic"] or {}).items():
        server = call.world.servers.get(f"{endpoint['id']}/deployments/{name}")
        if server is not None and call.world.servers.dice.random() * 100 < percent:
            call.world.servers.mirrored[endpoint["name"], name] += 1
            threading.Thread(target=_ask, args=(call, server, 60.0), daemon=True).start()


def _asked(call: Call, server: Server, deployment: Resource) -> Answer:
    seconds = isodate.parse_duration(deployment["properties"]["requestSettings"]["requestTimeout"]).total_seconds()
    status, headers, body = _ask(call, server, seconds)
    own = {DEPLOYMENT_HEADER: str(deployment["name"]), "content-type": headers.get("content-type", "text/plain")}
    own |= {
        name: headers[name]
        for name in ("x-ms-request-id", "x-ms-client-request-id", "x-ms-run-function-failed")
        if name in headers
    }
    if status == 200:
        return Answer(200, body, own)
    if status in (408, 503):
        return Answer(status, body, own)
    return Answer(
        424,
        body,
        {**own, "ms-azureml-model-error-statuscode": str(status), "ms-azureml-model-error-reason": "model_error"},
    )


def _ask(call: Call, server: Server, seconds: float) -> tuple[int, Mapping[str, Any], bytes]:
    headers = {name: call.headers[name] for name in PASSED_ON if name in call.headers}
    request = urllib.request.Request(f"{server.url}/score", call.raw, headers)
    try:
        with DIRECT.open(request, timeout=seconds) as answer:
            return answer.status, _lower(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, _lower(error.headers), error.read()
    except TimeoutError:
        return 408, {}, b"upstream request timeout"
    except (urllib.error.URLError, OSError) as error:
        timed_out = isinstance(getattr(error, "reason", None), TimeoutError)
        return (408, {}, b"upstream request timeout") if timed_out else (503, {}, b"no healthy upstream")


def _lower(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in headers.items()}
