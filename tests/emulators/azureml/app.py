"""The ASGI app: finds the route of a request, applies faults, authenticates the caller, and checks both bodies."""

import json
import traceback
from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.emulators.azureml import contracts, modelled
from tests.emulators.azureml.calls import Answer, Call, Recorded, Refused
from tests.emulators.azureml.network import MANAGEMENT
from tests.emulators.azureml.routes import Contract, Route, found
from tests.emulators.azureml.world import World

assert modelled, "importing it registers the routes"


def app_of(world: World) -> ASGIApp:
    """The app of one stand-in."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        raw = await request.body()
        answer = await run_in_threadpool(_answered, world, request, raw)
        await _response(answer)(scope, receive, send)

    return app


def _answered(world: World, request: Request, raw: bytes) -> Answer:
    host = request.headers.get("host", "").partition(":")[0].lower()
    path = request.url.path
    match = found(request.method, host + path)
    if match is None:
        world.journal.unmodelled.append(f"{request.method} {host}{path}?{request.url.query}")
        return Refused(501, "NotModelled", f"the stand-in does not model {request.method} {host}{path}").answer()
    chosen, names = match
    body = _json(raw)
    call = Call(world, request.method, host, path, names, dict(request.query_params), dict(request.headers), raw, body)
    answer = _handled(call, chosen)
    world.journal.record(Recorded(request.method, chosen.template, call.api_version, answer.status))
    return answer


def _handled(call: Call, chosen: Route) -> Answer:
    try:
        call = _admitted(call, chosen)
        answer = chosen.handler(call)
    except Refused as refused:
        return refused.answer()
    except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer and the test a reason
        call.world.journal.violations.append(f"{call.method} {call.path}: {traceback.format_exc()}")
        return Refused(500, "InternalServerError", "the stand-in failed; see its journal").answer()
    return _checked(call, chosen.contract, answer)


def _admitted(call: Call, chosen: Route) -> Call:
    """The call as the service reads it.

    Raises `Refused` for a fault that was requested, an unknown caller, or a request that is not what the models say.
    """
    refusal = call.world.faults.refusal_of(call.method, call.path)
    if refusal is not None:
        raise refusal
    if not chosen.open_to_all:
        call.world.tenant.check(dict(call.headers))
    if call.host == MANAGEMENT and call.api_version is None:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise Refused(400, "MissingApiVersionParameter", message)
    takes = chosen.contract.takes
    if takes is None or call.body is None:
        return call
    read = replace(call, body=contracts.as_the_service_reads(takes, call.body))
    _check_request(read, takes)
    return read


def _check_request(call: Call, takes: str) -> None:
    faults = contracts.request_faults(takes, call.body)
    if faults:
        call.world.journal.violations += [f"request {call.method} {call.path}: {fault}" for fault in faults]
        raise Refused(400, "RequestBreaksContract", "; ".join(faults))


def _checked(call: Call, contract: Contract, answer: Answer) -> Answer:
    if not 200 <= answer.status < 300 or answer.body is None:
        return answer
    faults: list[str] = []
    if contract.gives is not None:
        faults = contracts.answer_faults(contract.gives, answer.body)
    elif contract.lists is not None:
        faults = contracts.page_faults(contract.lists, answer.body)
    if faults:
        call.world.journal.violations += [f"answer to {call.method} {call.path}: {fault}" for fault in faults]
        return Refused(500, "AnswerBreaksContract", "; ".join(faults)).answer()
    return answer


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _response(answer: Answer) -> Response:
    if answer.body is None or isinstance(answer.body, bytes):
        return Response(answer.body, answer.status, dict(answer.headers))
    return Response(json.dumps(answer.body), answer.status, dict(answer.headers), "application/json")
