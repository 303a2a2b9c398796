"""The endpoint's one URL: key, traffic split, mirror, health, metrics, request ids; and its process, which watches over the supervisor.

`POST /score` needs `Authorization: Bearer <key>`; the header `azureml-model-deployment` picks a deployment, as on Azure ML.
`GET` of `/health`, `/metrics`, `/openapi.json` and `/swagger.json` needs no key.
Every answer carries `x-request-id`, the caller's own if it sent one.
"""

import asyncio
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import cast

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from globolatte_ml.scoring.api_document import Dialect
from resources.endpoint.endpoint import DEPLOYMENT_HEADER, EndpointError
from resources.endpoint.local import metrics
from resources.endpoint.local.api import LONGEST_REQUEST_ID, OPENAPI, REQUEST_ID, SWAGGER, VERSIONS, documents
from resources.endpoint.local.bodies import MAX_BODY_BYTES, RETRY_AFTER_SECONDS, RefusedError, Room, read_body, too_many
from resources.endpoint.local.connections import (
    ACCEPTED_AT_ONCE,
    Connections,
    Phase,
    connection_limit,
    connection_of,
)
from resources.endpoint.local.files import EndpointFiles, read_json
from resources.endpoint.local.keys import AcceptedKeys
from resources.endpoint.local.ports import sockets
from resources.endpoint.local.processes import BACKLOG, GRACE_SECONDS, end_orphans, spawn_supervisor, works_in
from resources.endpoint.local.routing import NoRouteError, Route, Routes, choose, mirrors, shared_levels
from resources.endpoint.local.upstream import ANSWER_SECONDS, Upstream
from resources.processes import ProcessId, find_process

MIRRORED_HEADER = "x-globolatte-mirrored"
LOOK_SECONDS, KEY_SECONDS, ORPHAN_LOOK_SECONDS = 0.05, 1.0, 0.5
RESTART_SECONDS, RETRY_SECONDS = 15.0, 0.1
"""How long a request waits for a deployment that was healthy a moment ago, and how often it looks."""
SERVERS_AT_MOST = 2
"""How many servers a request is sent to when connections break after it was sent: it may be what ended them."""
TAKEN_SECONDS = 60.0
"""How long a caller may take to send the rest of a body that was refused, and to read an answer."""
SUCCESSOR_SECONDS, NEXT_SUCCESSOR_SECONDS = 30.0, 2.0
"""How long a successor of the supervisor has to take the lock before the next one is started, and the pause after it ended."""
MIRRORS_AT_ONCE = 32
SERVER = "globolatte"
"""The `server` header of every answer, instead of libraries and versions. aiohttp answers what is not HTTP under its own name."""
SCHEME = "bearer"

logger = logging.getLogger(__name__)


class Gateway:
    """The application. `keys`: those that callers may send."""

    def __init__(self, files: EndpointFiles, keys: AcceptedKeys) -> None:
        self._files, self._keys = files, keys
        self._routes = Routes()
        self._documents = documents({})
        self._healthy_at: dict[str, float] = {}
        self._upstream: Upstream
        self._outcomes: Counter[str] = Counter(dict.fromkeys(metrics.OUTCOMES, 0))
        self._events: Counter[str] = Counter(retried=0, probes=0)
        self._latencies = metrics.Latencies()
        self._room, self._servers = Room(), 0
        self._probe_id = files.probe_id()
        self._mirroring: set[asyncio.Task[None]] = set()
        self.connections: Connections | None = None
        """The callers' connections, once there is a server."""

    def application(self) -> web.Application:
        """What a server runs."""
        application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_in_one_form])
        application.add_routes(
            [
                *(web.post(path, self._score, expect_handler=self._expected) for path in ("/score", "/score/")),
                *(web.get(path, self._health) for path in ("/health", "/health/", "/")),
                web.get("/metrics", self._metrics),
                web.get(OPENAPI, self._openapi),
                web.get(SWAGGER, self._swagger),
            ]
        )
        application.cleanup_ctx.append(self._live)
        return application

    async def _score(self, request: web.Request) -> web.Response:
        connection = connection_of(request)
        started, status = time.monotonic(), 500
        try:
            await self._check_key(request.headers.get("authorization", ""))
            with self._room.share() as share:
                body = await read_body(request, share)
                started = time.monotonic()
                if self.connections is not None and self.connections.is_full:
                    raise too_many()
                if connection is not None:
                    connection.enter(Phase.WORK)
                answer = await self._answer(request, body)
            status = answer.status
        except RefusedError as error:
            status = error.status
            answer = _message(status, str(error), error.headers)
        finally:
            self._count(status, time.monotonic() - started, is_probe=request[REQUEST_ID].startswith(self._probe_id))
        return answer

    def _count(self, status: int, seconds: float, *, is_probe: bool = False) -> None:
        """Counts one request that is over. Those by which doctor checks the endpoint are counted apart."""
        if is_probe:
            self._events["probes"] += 1
            return
        self._outcomes[metrics.outcome(status)] += 1
        self._latencies.observe(status, seconds)

    async def _expected(self, request: web.Request) -> web.StreamResponse | None:
        """Lets a caller go on that asks before it sends its body."""
        if request.version < aiohttp.HttpVersion11 or request.transport is None:
            return None
        if request.headers["expect"].strip().lower() != "100-continue":
            self._count(417, 0.0)
            return _message(417, "only 'expect: 100-continue' can be met; leave the header out")
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None

    async def _check_key(self, header: str) -> None:
        scheme, _, key = header.strip().partition(" ")
        if scheme.casefold() == SCHEME and await self._keys.opens(key.strip()):
            return
        raise RefusedError(
            401,
            "the key is missing or wrong; send it as 'Authorization: Bearer <key>', and after a rotation the new one",
            {"www-authenticate": "Bearer"},
        )

    async def _answer(self, request: web.Request, body: bytes) -> web.Response:
        """A deployment's answer. Raises `RefusedError` if there is none."""
        onward = {REQUEST_ID: request[REQUEST_ID], "content-type": "application/json"}
        try:
            route, answer = await self._forward(body, onward, request.headers.get(DEPLOYMENT_HEADER))
        except NoRouteError as error:
            retry = {"retry-after": str(RETRY_AFTER_SECONDS)} if error.status >= 500 else {}
            raise RefusedError(error.status, str(error), retry) from error
        self._mirror(body, onward, route)
        answer.headers[DEPLOYMENT_HEADER] = route.name
        return answer

    async def _forward(self, body: bytes, headers: dict[str, str], wanted: str | None) -> tuple[Route, web.Response]:
        """Sends the request to a deployment. If the connection fails, sends it again, to another if possible: scoring has no effects.

        If there is no other, it waits for the one that is being started again.
        """
        failed: set[int] = set()
        broken: set[int] = set()
        until = time.monotonic() + RESTART_SECONDS
        while True:
            try:
                route = choose(self._routes, random.random(), wanted, {*failed, *self._upstream.suspects()})  # noqa: S311
                return route, await self._upstream.score(route.port, body, headers)
            except NoRouteError as error:
                if error.status < 500 or time.monotonic() > until or not self._comes_back(wanted):
                    raise
            except TimeoutError as error:
                raise NoRouteError(
                    504,
                    f"deployment {route.name!r}: no answer within {ANSWER_SECONDS:.0f} seconds; ask again, for fewer customers",
                ) from error
            except (aiohttp.ClientError, OSError) as error:
                if not isinstance(error, aiohttp.ClientConnectorError):
                    broken.add(route.port)
                if len(broken) >= SERVERS_AT_MOST or time.monotonic() > until or not self._comes_back(wanted):
                    raise NoRouteError(
                        503, f"deployment {route.name!r} cannot be reached; it is being started, try again in a moment"
                    ) from error
                self._events["retried"] += not failed
                if route.port not in failed:
                    failed.add(route.port)
                    continue
            await asyncio.sleep(RETRY_SECONDS)

    def _comes_back(self, wanted: str | None) -> bool:
        """Whether a deployment that could answer was healthy a moment ago, so that it is worth waiting for."""
        since = time.monotonic() - RESTART_SECONDS
        names = [wanted] if wanted is not None else [route.name for route in self._routes.routes if route.traffic > 0]
        return any(self._healthy_at.get(name, since) > since for name in names)

    def _mirror(self, body: bytes, headers: dict[str, str], answered: Route) -> None:
        target = mirrors(self._routes, answered.name, random.random()) if self._routes.mirror else None  # noqa: S311
        if target is None:
            return
        if len(self._mirroring) >= MIRRORS_AT_ONCE:
            self._events["mirrors_dropped"] += 1
            return
        task = asyncio.create_task(self._send_copy(target, body, {**headers, MIRRORED_HEADER: "1"}))
        self._mirroring.add(task)
        task.add_done_callback(self._mirroring.discard)

    async def _send_copy(self, target: Route, body: bytes, headers: dict[str, str]) -> None:
        try:
            with self._room.share() as share:
                share.resize(len(body))
                await self._upstream.score(target.port, body, headers)
            self._events["mirrored"] += 1
        except RefusedError:  # there is no room for it
            self._events["mirrors_dropped"] += 1
        except (aiohttp.ClientError, OSError):
            self._events["mirrors_failed"] += 1

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
            "counts": {**self._outcomes, **self._events},
            "connections": self._open_connections(),
            "key_problem": self._keys.problem,
        }
        return web.json_response(document)

    async def _metrics(self, _: web.Request) -> web.Response:
        ended = self.connections.counts if self.connections is not None else {}
        observed = read_json(self._files.observed)
        text = metrics.page(self._outcomes, self._events, ended, self._open_connections(), self._latencies, observed)
        return web.Response(body=text.encode(), headers={"content-type": metrics.CONTENT_TYPE})

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=self._documents[Dialect.OPENAPI_3_0], content_type="application/json")

    async def _swagger(self, request: web.Request) -> web.Response:
        version = request.query.get("version", next(iter(VERSIONS)))
        if version not in VERSIONS:
            return _message(
                404, f"there is no version {version[:40]!r} of this document; there are: {', '.join(VERSIONS)}"
            )
        return web.Response(body=self._documents[VERSIONS[version]], content_type="application/json")

    def _open_connections(self) -> dict[str, int]:
        phases = self.connections.phases if self.connections is not None else {}
        return {phase.value: len(those) for phase, those in phases.items()}

    async def _live(self, _: web.Application) -> AsyncIterator[None]:
        """Connections are opened before the first request and closed after the last."""
        self._upstream = Upstream()
        self._look()
        watching = [asyncio.create_task(watch()) for watch in (self._watch, self._watch_keys)]
        yield
        for task in watching:
            task.cancel()
        await asyncio.gather(*self._mirroring, return_exceptions=True)
        await self._upstream.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(OSError):  # too many open files for now: the old routes stay good
                self._look()
            ports = [route.port for route in self._routes.routes]
            await self._upstream.keep_only(ports)
            servers = self._upstream.servers(ports)
            if self.connections is not None and servers != self._servers:
                self.connections.limit, self._servers = connection_limit(servers), servers

    async def _watch_keys(self) -> None:
        """Off the loop: another process may hold the lock of the keys."""
        while True:
            await asyncio.sleep(KEY_SECONDS)
            before = self._keys.problem
            await asyncio.to_thread(self._keys.refresh)
            if self._keys.problem not in (None, before):
                logger.warning(self._keys.problem)

    def _look(self) -> None:
        """Takes over new routes. If the supervisor is gone there are none, and the old ones stay valid."""
        document = read_json(self._files.routes)
        if document is not None and document["version"] != self._routes.version:
            self._routes = Routes.from_document(document)
            self._documents = documents(shared_levels(self._routes))
        self._healthy_at |= {route.name: time.monotonic() for route in self._routes.routes if route.healthy}


@web.middleware
async def _in_one_form(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives every answer its request id, every refusal the same form as the inference server's, and every caller the time to read it."""
    connection = connection_of(request)
    if connection is not None:
        connection.enter(Phase.BODY)
    given = request.headers.get(REQUEST_ID, "")
    usable = 0 < len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable()
    request[REQUEST_ID] = given if usable else uuid.uuid4().hex
    try:
        answer = await handler(request)
    except web.HTTPNotFound:
        answer = _message(
            404, f"there is no {request.path[:60]}; POST /score, GET /health, /metrics, /openapi.json or /swagger.json"
        )
    except web.HTTPMethodNotAllowed as error:
        allowed = " or ".join(sorted(error.allowed_methods))
        answer = _message(
            405, f"{request.method} is not supported here; use {allowed}", {"allow": error.headers["allow"]}
        )
    except Exception:
        logger.exception("request %s", request[REQUEST_ID])
        answer = _message(500, f"this is a fault of the gateway; see its log for request {request[REQUEST_ID]}")
    answer.headers[REQUEST_ID] = request[REQUEST_ID]
    answer.headers["server"] = SERVER
    try:
        async with asyncio.timeout(TAKEN_SECONDS):
            with suppress(ConnectionError):  # the caller has gone
                await answer.prepare(request)
                await answer.write_eof()
                await _pass_over(request)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    if connection is not None:
        connection.enter(Phase.IDLE)
    return answer


async def _pass_over(request: web.Request) -> None:
    """Reads what still comes of a body that was refused: who sends it reads the answer only afterwards."""
    with suppress(web.RequestPayloadError):
        while not request.content.at_eof():
            await request.content.readany()


def _message(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"message": text}, status=status, headers={"server": SERVER, **(headers or {})})


async def revive(
    files: EndpointFiles, listeners: Sequence[socket.socket], supervisor: ProcessId | None, arguments: list[str]
) -> None:
    """Starts a successor if the supervisor was killed, and hands it the sockets; it goes on with this process and the others."""
    successor: subprocess.Popen[bytes] | None = None
    not_before = 0.0
    while True:
        await asyncio.sleep(ORPHAN_LOOK_SECONDS)
        if successor is not None and successor.poll() is not None:
            successor, not_before = None, time.monotonic() + NEXT_SUCCESSOR_SECONDS
        if supervisor is not None and supervisor.alive:
            continue
        if not works_in(files.folder):
            print(
                f"{files.folder} was moved, removed or replaced; the endpoint that was started for it ends", flush=True
            )
            await asyncio.to_thread(end_orphans, EndpointFiles(Path()))
            signal.raise_signal(signal.SIGTERM)
            return
        try:
            supervisor = await asyncio.to_thread(files.supervisor)
            if supervisor is not None or files.stopped.exists() or time.monotonic() < not_before:
                continue
            if any(listener.fileno() < 0 for listener in listeners):
                return  # this process ends itself
            successor = spawn_supervisor(files, arguments, listeners)
            not_before = time.monotonic() + SUCCESSOR_SECONDS
        except (OSError, EndpointError) as error:
            logger.warning("the supervisor was killed, and no other can be started: %s; trying again", error)


async def serve(gateway: Gateway, listeners: Sequence[socket.socket]) -> None:
    """Answers on listening sockets until SIGTERM or SIGINT; then takes no more, and ends when the last answer is given."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        gateway.application(), access_log=None, shutdown_timeout=GRACE_SECONDS, auto_decompress=False
    )
    await runner.setup()
    http = cast("Callable[[], asyncio.Protocol]", runner.server)
    gateway.connections = connections = Connections(http, connection_limit(1))
    servers = []
    for listener in listeners:
        servers.append(await loop.create_server(connections.protocol, sock=listener, backlog=ACCEPTED_AT_ONCE))
        listener.listen(BACKLOG)  # so many may wait in the system; asyncio takes `ACCEPTED_AT_ONCE` of them at a time
    sweeping = asyncio.create_task(connections.keep())
    await stop.wait()
    for server in servers:
        server.close()
    sweeping.cancel()
    await runner.cleanup()


async def _run(
    files: EndpointFiles, listeners: Sequence[socket.socket], supervisor: ProcessId | None, arguments: list[str]
) -> None:
    reviving = asyncio.create_task(revive(files, listeners, supervisor, arguments))
    await serve(Gateway(files, AcceptedKeys(files)), listeners)
    reviving.cancel()


def main() -> None:
    """`python -m resources.endpoint.local.gateway FOLDER DESCRIPTOR,… SUPERVISOR_PID ARGUMENT...`."""
    folder, descriptors, supervisor, *arguments = sys.argv[1:]
    # what is not HTTP is worth no traceback: a log without end
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.basicConfig(format="%(asctime)s %(levelname)s [%(process)d] %(name)s - %(message)s")
    parent = find_process(int(supervisor)) if os.getppid() == int(supervisor) else None
    asyncio.run(_run(EndpointFiles(Path(folder)), sockets(descriptors), parent, arguments))


if __name__ == "__main__":
    main()
