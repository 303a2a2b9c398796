"""The endpoint's one URL: key, traffic split, mirror, health, request ids; and its process, which watches over the supervisor.

`POST /score` needs `Authorization: Bearer <key>`; the header `azureml-model-deployment` picks a deployment, as on Azure ML.
`GET /health` needs no key. Every answer carries `x-request-id`, the caller's own if it sent one.
"""

import asyncio
import hmac
import os
import random
import signal
import socket
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from resources.endpoint.endpoint import DEPLOYMENT_HEADER
from resources.endpoint.local.files import EndpointFiles, endpoint_key, read_json
from resources.endpoint.local.processes import BACKLOG, GRACE_SECONDS, end_orphans, spawn_supervisor, works_in
from resources.endpoint.local.routing import RETRY_AFTER_SECONDS, NoRouteError, Route, Routes, choose, mirrors
from resources.endpoint.local.upstream import ANSWER_SECONDS, Upstream

MIRRORED_HEADER = "x-globolatte-mirrored"
REQUEST_ID = "x-request-id"
MAX_BODY_BYTES = 4 * 1024 * 1024
LONGEST_REQUEST_ID = 100
LOOK_SECONDS, ORPHAN_LOOK_SECONDS = 0.05, 0.5
SUCCESSOR_SECONDS = 30.0
"""How long another supervisor has to take over from this process before the next one is started."""
MIRRORS_AT_ONCE = 32
SERVER = "globolatte"
"""The `server` header of every answer, instead of libraries and versions. aiohttp answers what is not HTTP under its own name."""
SECRET_PREFIX = "Bearer "  # noqa: S105 - the scheme's name


class Gateway:
    """The application. `key` is what callers must send."""

    def __init__(self, files: EndpointFiles, key: str) -> None:
        self._files, self._secret = files, f"{SECRET_PREFIX}{key}".encode()
        self._routes = Routes()
        self._upstream: Upstream
        self._counts: Counter[str] = Counter()
        self._mirroring: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """What a server runs."""
        application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_in_one_form])
        application.add_routes(
            [web.post("/score", self._score), web.get("/health", self._health), web.get("/", self._health)]
        )
        application.cleanup_ctx.append(self._live)
        return application

    async def _score(self, request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode("utf-8", "replace"), self._secret):
            self._counts["refused"] += 1
            return _message(
                401,
                "the key is missing or wrong; send it as 'Authorization: Bearer <key>'",
                {"www-authenticate": "Bearer"},
            )
        body = await request.read()
        self._counts["requests"] += 1
        onward = {REQUEST_ID: request[REQUEST_ID], "content-type": "application/json"}
        try:
            route, answer = await self._forward(body, onward, request.headers.get(DEPLOYMENT_HEADER))
        except NoRouteError as error:
            self._counts["unanswered"] += 1
            retry = {"retry-after": str(RETRY_AFTER_SECONDS)} if error.status >= 500 else {}
            return _message(error.status, str(error), retry)
        self._mirror(body, onward, route)
        answer.headers[DEPLOYMENT_HEADER] = route.name
        return answer

    async def _forward(self, body: bytes, headers: dict[str, str], wanted: str | None) -> tuple[Route, web.Response]:
        """Sends the request to a deployment. If the connection fails, sends it again, to another if possible: scoring has no effects."""
        failed: set[int] = set()
        for attempt in (1, 2):
            route = choose(self._routes, random.random(), wanted, {*failed, *self._upstream.suspects()})  # noqa: S311
            try:
                return route, await self._upstream.score(route.port, body, headers)
            except TimeoutError as error:
                raise NoRouteError(
                    504,
                    f"deployment {route.name!r}: no answer within {ANSWER_SECONDS:.0f} seconds; ask again, for fewer customers",
                ) from error
            except (aiohttp.ClientError, OSError):
                failed.add(route.port)
                self._counts["retried"] += attempt == 1
        raise NoRouteError(
            503, f"deployment {route.name!r} cannot be reached; it is being started, try again in a moment"
        )

    def _mirror(self, body: bytes, headers: dict[str, str], answered: Route) -> None:
        target = mirrors(self._routes, answered.name, random.random()) if self._routes.mirror else None  # noqa: S311
        if target is None:
            return
        if len(self._mirroring) >= MIRRORS_AT_ONCE:
            self._counts["mirrors_dropped"] += 1
            return
        task = asyncio.create_task(self._send_copy(target, body, {**headers, MIRRORED_HEADER: "1"}))
        self._mirroring.add(task)
        task.add_done_callback(self._mirroring.discard)

    async def _send_copy(self, target: Route, body: bytes, headers: dict[str, str]) -> None:
        try:
            await self._upstream.score(target.port, body, headers)
            self._counts["mirrored"] += 1
        except (aiohttp.ClientError, OSError):
            self._counts["mirrors_failed"] += 1

    async def _health(self, _: web.Request) -> web.Response:
        routes = self._routes
        document = {
            "healthy": any(route.healthy and route.traffic > 0 for route in routes.routes),
            "routes": routes.version,
            "deployments": {
                route.name: {
                    "healthy": route.healthy,
                    "traffic": route.traffic,
                    "model_version": route.model_version,
                    "problem": routes.problems.get(route.name),
                }
                for route in routes.routes
            },
            "mirror": asdict(routes.mirror) if routes.mirror is not None else None,
            "in_flight": {str(port): count for port, count in self._upstream.in_flight.items()},
            "counts": dict(self._counts),
        }
        return web.json_response(document)

    async def _live(self, _: web.Application) -> AsyncIterator[None]:
        """Connections are opened before the first request and closed after the last."""
        self._upstream = Upstream()
        self._look()
        watching = asyncio.create_task(self._watch())
        yield
        watching.cancel()
        await asyncio.gather(*self._mirroring, return_exceptions=True)
        await self._upstream.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(OSError):  # too many open files for now: the old routes stay good
                self._look()
            await self._upstream.keep_only([route.port for route in self._routes.routes])

    def _look(self) -> None:
        """Takes over new routes. If the supervisor is gone there are none, and the old ones stay valid."""
        document = read_json(self._files.routes)
        if document is not None and document["version"] != self._routes.version:
            self._routes = Routes.from_document(document)


@web.middleware
async def _in_one_form(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives every answer its request id, and every refusal the same form as the inference server's."""
    given = request.headers.get(REQUEST_ID, "")
    usable = 0 < len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable()
    request[REQUEST_ID] = given if usable else uuid.uuid4().hex
    try:
        answer = await handler(request)
    except web.HTTPNotFound:
        answer = _message(404, f"there is no {request.path[:60]}; POST /score or GET /health")
    except web.HTTPMethodNotAllowed as error:
        allowed = " or ".join(sorted(error.allowed_methods))
        answer = _message(
            405, f"{request.method} is not supported here; use {allowed}", {"allow": error.headers["allow"]}
        )
    except web.HTTPRequestEntityTooLarge:
        answer = _message(413, f"the body is over {MAX_BODY_BYTES:,} bytes; split it over several calls")
    answer.headers[REQUEST_ID] = request[REQUEST_ID]
    answer.headers["server"] = SERVER
    return answer


def _message(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"message": text}, status=status, headers=headers)


async def revive(files: EndpointFiles, supervisor: int, arguments: list[str]) -> None:
    """Starts another supervisor if ours was killed. The new one ends this process and starts everything again."""
    while True:
        await asyncio.sleep(ORPHAN_LOOK_SECONDS)
        if os.getppid() != supervisor and not works_in(files.folder):
            print(
                f"{files.folder} was moved, removed or replaced; the endpoint that was started for it ends", flush=True
            )
            await asyncio.to_thread(end_orphans, EndpointFiles(Path()))
            signal.raise_signal(signal.SIGTERM)
            return
        if os.getppid() != supervisor and not files.stopped.exists():
            spawn_supervisor(files, arguments)
            await asyncio.sleep(SUCCESSOR_SECONDS)


def main() -> None:
    """`python -m resources.endpoint.local.gateway FOLDER DESCRIPTOR SUPERVISOR_PID ARGUMENT...`."""
    folder, descriptor, supervisor, *arguments = sys.argv[1:]
    files = EndpointFiles(Path(folder))
    application = Gateway(files, endpoint_key(files)).application()

    async def watched(_: web.Application) -> AsyncIterator[None]:
        watching = asyncio.create_task(revive(files, int(supervisor), arguments))
        yield
        watching.cancel()

    application.cleanup_ctx.append(watched)
    web.run_app(
        application,
        sock=socket.socket(fileno=int(descriptor)),
        backlog=BACKLOG,
        shutdown_timeout=GRACE_SECONDS,
        access_log=None,
        print=None,
    )


if __name__ == "__main__":
    main()
