"""The endpoint's one URL: key, traffic split, mirror, health, request ids. A small ASGI application.

`POST /score` needs `Authorization: Bearer <key>`; the header `azureml-model-deployment` picks a deployment, as on Azure ML.
`GET /health` needs no key. Every answer carries `x-request-id`, the caller's own if it sent one.
"""

import asyncio
import hmac
import json
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from resources.endpoint.local.files import EndpointFiles, read_json, stamp
from resources.endpoint.local.routing import RETRY_AFTER_SECONDS, NoRouteError, Route, Routes, choose, mirrors
from resources.endpoint.local.upstream import Answer, SlowError, UnreachableError, Upstream

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

DEPLOYMENT_HEADER = "azureml-model-deployment"
MIRRORED_HEADER = "x-globolatte-mirrored"
REQUEST_ID = "x-request-id"
MAX_BODY_BYTES = 4 * 1024 * 1024
LONGEST_REQUEST_ID = 100
LOOK_SECONDS = 0.05
MIRRORS_AT_ONCE = 32
SECRET_PREFIX = "Bearer "  # noqa: S105 - the scheme's name


@dataclass
class Reply:
    """What goes back to the caller."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def message(cls, status: int, text: str, **headers: str) -> "Reply":
        """An error or a notice, in the form of the inference server's own."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps({"message": text}).encode(), named)


class Gateway:
    """The application. `key` is what callers must show."""

    def __init__(self, files: EndpointFiles, key: str) -> None:
        self._files, self._secret = files, f"{SECRET_PREFIX}{key}".encode()
        self._routes = Routes()
        self._stamp: tuple[int, int] | None = None
        self._upstream: Upstream
        self._counts: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._mirroring = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
            request_id = _request_id(headers)
            reply = await self._reply(scope, receive, headers, request_id)
            reply.headers[REQUEST_ID] = request_id
            await _send(send, reply)

    async def _reply(self, scope: Scope, receive: Receive, headers: dict[str, bytes], request_id: str) -> Reply:
        path, method = scope["path"], scope["method"]
        if path in ("/health", "/"):
            return self._health() if method in ("GET", "HEAD") else _not_allowed(method, "GET")
        if path != "/score":
            return Reply.message(404, f"there is no {path[:60]}; POST /score or GET /health")
        if method != "POST":
            return _not_allowed(method, "POST")
        if not hmac.compare_digest(headers.get("authorization", b""), self._secret):
            self._counts["refused"] += 1
            text = "the key is missing or wrong; send it as 'Authorization: Bearer <key>'"
            return Reply.message(401, text, www_authenticate="Bearer")
        body = await _body(receive, headers)
        if body is None:
            return Reply.message(413, f"the body is over {MAX_BODY_BYTES:,} bytes; split it over several calls")
        return await self._score(body, headers, request_id)

    async def _score(self, body: bytes, headers: dict[str, bytes], request_id: str) -> Reply:
        self._counts["requests"] += 1
        wanted = headers[DEPLOYMENT_HEADER].decode("latin-1") if DEPLOYMENT_HEADER in headers else None
        onward = {REQUEST_ID: request_id, "content-type": "application/json"}
        try:
            route, answer = await self._ask(body, onward, wanted)
        except NoRouteError as error:
            self._counts["unanswered"] += 1
            retry = {"retry_after": str(RETRY_AFTER_SECONDS)} if error.status >= 500 else {}
            return Reply.message(error.status, str(error), **retry)
        self._mirror(body, onward, route)
        kept = {
            name: answer.headers[name] for name in ("content-type", "x-ms-run-fn-exec-ms") if name in answer.headers
        }
        return Reply(answer.status, answer.body, {**kept, DEPLOYMENT_HEADER: route.name})

    async def _ask(self, body: bytes, headers: dict[str, str], wanted: str | None) -> tuple[Route, Answer]:
        """Asks a deployment, and once more another one (or the same anew) if the connection failed: scoring changes nothing."""
        failed: set[int] = set()
        for attempt in (1, 2):
            route = choose(self._routes, random.random(), wanted, {*failed, *self._upstream.suspects()})  # noqa: S311
            try:
                return route, await self._upstream.score(route.port, body, headers)
            except UnreachableError:
                failed.add(route.port)
                self._counts["retried"] += attempt == 1
            except SlowError as error:
                raise NoRouteError(
                    504, f"deployment {route.name!r}: {error}; ask again, for fewer customers"
                ) from error
        raise NoRouteError(
            503, f"deployment {route.name!r} cannot be reached; it is being started, try again in a moment"
        )

    def _mirror(self, body: bytes, headers: dict[str, str], answered: Route) -> None:
        target = mirrors(self._routes, answered.name, random.random()) if self._routes.mirror else None  # noqa: S311
        if target is None:
            return
        if self._mirroring >= MIRRORS_AT_ONCE:
            self._counts["mirrors_dropped"] += 1
            return
        task = asyncio.create_task(self._send_copy(target, body, {**headers, MIRRORED_HEADER: "1"}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_copy(self, target: Route, body: bytes, headers: dict[str, str]) -> None:
        self._mirroring += 1
        try:
            await self._upstream.score(target.port, body, headers)
            self._counts["mirrored"] += 1
        except (UnreachableError, SlowError):
            self._counts["mirrors_failed"] += 1
        finally:
            self._mirroring -= 1

    def _health(self) -> Reply:
        routes = self._routes
        healthy = any(route.healthy and route.traffic > 0 for route in routes.routes)
        document = {
            "healthy": healthy,
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
        return Reply(200, json.dumps(document).encode())

    async def _live(self, receive: Receive, send: Send) -> None:
        """ASGI's lifespan: connections are opened before the first request and closed after the last."""
        await receive()
        self._upstream = Upstream()
        self._look()
        watching = asyncio.create_task(self._watch())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watching.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._upstream.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._look()
            await self._upstream.keep_only([route.port for route in self._routes.routes])

    def _look(self) -> None:
        """Takes over new routes. None are left when the supervisor has gone: the old ones stay good."""
        now = stamp(self._files.routes)
        if now is None or now == self._stamp:
            return
        self._routes, self._stamp = Routes.from_document(read_json(self._files.routes)), now


def _request_id(headers: dict[str, bytes]) -> str:
    """The caller's, if it can be used in a header and a log, else a new one."""
    given = headers.get(REQUEST_ID, b"").decode("latin-1")
    usable = 0 < len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable()
    return given if usable else uuid.uuid4().hex


async def _body(receive: Receive, headers: dict[str, bytes]) -> bytes | None:
    """The request's body; none if it is too large, which is known before it is read where its length is given."""
    length = headers.get("content-length", b"")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        return None
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _not_allowed(method: str, allowed: str) -> Reply:
    return Reply.message(405, f"{method} is not supported here; use {allowed}", allow=allowed)


async def _send(send: Send, reply: Reply) -> None:
    headers = {"content-type": "application/json", **reply.headers, "content-length": str(len(reply.body))}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    await send({"type": "http.response.body", "body": reply.body})
