"""The callers' connections: how many, how long, in which order they are given up when there are too many.

An HTTP server parses what arrives; this stands before it and knows only when bytes come, when a request begins and when it is
answered. A connection that sends no request in time is closed, and when descriptors run short the one that has been idle longest goes
first, then the one that has been sending longest. A request that is being answered is never cut off.
"""

import asyncio
import json
import resource
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import cast

from aiohttp import web

from resources.endpoint.local.upstream import CONNECTIONS

IDLE_SECONDS = 75.0
"""How long a connection without a request stays open."""
HEAD_SECONDS, HEAD_BYTES = 10.0, 2 * 1024 * 1024
"""How long and how large a request's line and headers may be, together with what arrives of the body before they are read; the parser's
own limits are narrower, but spaces and empty lines count for none of them."""
BODY_SECONDS = 30.0
SWEEP_SECONDS = 0.5
MOST_CONNECTIONS = 4096
DESCRIPTORS_OF_OURS, LEAST_CONNECTIONS = 64, 32
"""What the gateway needs for files, and how many callers it lets in, however few descriptors there are."""
ACCEPTED_AT_ONCE = 32
"""How many waiting connections are taken before the next look at their number."""
LAST_WORD_SECONDS = 0.1
"""How long after its last answer a connection is closed on which the caller has said that nothing more will come."""


class Phase(StrEnum):
    """What a connection does."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    WORK = "work"


SHED_FIRST = (Phase.IDLE, Phase.HEAD, Phase.BODY)


class Connections:
    """All connections of one server. `limit`: how many at most; `counts`: what happened to them, for the metrics."""

    def __init__(self, server: Callable[[], asyncio.Protocol], limit: int) -> None:
        self._server, self.limit = server, limit
        self.phases: dict[Phase, dict[Connection, None]] = {phase: {} for phase in Phase}
        """The connections of each phase, the one that has been in it longest first."""
        self.counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self.phases.values()))

    @property
    def is_full(self) -> bool:
        """Whether so many requests are at work that another one would leave no room for health checks."""
        return len(self.phases[Phase.WORK]) >= self.limit * 3 // 4

    def protocol(self) -> "Connection":
        """For each accepted socket."""
        return Connection(self, self._server())

    def has_room(self) -> bool:
        """Whether one more may come, for whom others are closed if need be: several, if the limit has fallen."""
        while len(self) >= self.limit:
            if not self.make_room():
                return False
        return True

    def make_room(self) -> bool:
        """Closes the connection that can best be spared; false if every one is at work."""
        for phase in SHED_FIRST:
            for connection in self.phases[phase]:
                self.counts["shed"] += 1
                connection.drop()
                return True
        return False

    def sweep(self) -> None:
        """Closes what has been idle or has been sending a request for too long."""
        now = time.monotonic()
        for phase, seconds in ((Phase.IDLE, IDLE_SECONDS), (Phase.HEAD, HEAD_SECONDS)):
            late = [one for one in self.phases[phase] if now - one.since > seconds]
            self.counts["idle" if phase is Phase.IDLE else "slow"] += len(late)
            for connection in late:
                if phase is Phase.IDLE:
                    connection.drop()
                else:
                    connection.drop(
                        "408 Request Timeout",
                        f"the request's headers took over {seconds:.0f} seconds; send them at once",
                    )

    async def keep(self) -> None:
        """Sweeps for as long as the server runs."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()


class Connection(asyncio.Protocol):
    """One connection: passes everything on to the HTTP server's protocol."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._all, self._inner = connections, inner
        self._transport: asyncio.Transport
        self._phase = Phase.IDLE
        self._received, self._ended = 0, False
        self.since = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets the caller in, or turns it away."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._all.has_room():
            self._all.counts["turned_away"] += 1
            self._inner = asyncio.Protocol()
            self.drop("503 Service Unavailable", "there are too many connections; try again in a moment")
            return
        self._all.phases[Phase.IDLE][self] = None
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Passes on what arrived, unless there is too much of it before the request is complete."""
        if self._phase is Phase.IDLE:
            self.enter(Phase.HEAD)
            self._received = 0
        if self._phase is Phase.HEAD:
            self._received += len(data)
            if self._received > HEAD_BYTES:
                self._all.counts["oversized"] += 1
                self.drop(
                    "431 Request Header Fields Too Large", "the headers are too large; send the key and little more"
                )
                return
        self._inner.data_received(data)

    def eof_received(self) -> bool:
        """A caller that sends no more still reads: what it asked is answered before the connection is closed.

        Between two of its requests the connection is idle for a moment, so that idle is no reason to close it at once.
        """
        self._inner.eof_received()
        self._ended = True
        if self._phase is Phase.IDLE:
            self._close_soon()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        if self in self._all.phases[self._phase]:
            del self._all.phases[self._phase][self]
            self._all.counts["unfinished"] += self._phase is Phase.HEAD
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The caller has read enough."""
        self._inner.resume_writing()

    def enter(self, phase: Phase) -> None:
        """Begins a phase."""
        if self in self._all.phases[self._phase]:  # else it is closed
            del self._all.phases[self._phase][self]
            self._all.phases[phase][self] = None
        self._phase, self.since = phase, time.monotonic()
        if phase is Phase.IDLE and self._ended:
            self._close_soon()

    def drop(self, status: str | None = None, message: str = "") -> None:
        """Closes the connection, however much of an answer the caller has not taken yet; says why if no answer was begun."""
        self._all.phases[self._phase].pop(self, None)
        if status is not None:
            body = json.dumps({"message": message})
            head = (
                f"HTTP/1.1 {status}",
                "content-type: application/json",
                f"content-length: {len(body)}",
                "connection: close",
            )
            self._transport.write("\r\n".join((*head, "", body)).encode())
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def _close_soon(self) -> None:
        asyncio.get_running_loop().call_later(LAST_WORD_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self._phase is Phase.IDLE:
            self._transport.close()


def connection_of(request: web.BaseRequest) -> Connection | None:
    """The connection of a request; none if it is closed, or the server runs without `Connections`."""
    protocol = request.transport.get_protocol() if request.transport is not None else None
    return protocol if isinstance(protocol, Connection) else None


def connection_limit(servers: int) -> int:
    """How many callers' connections this process can hold beside those to so many servers.

    Raises the soft limit of descriptors as far as it may first.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ours = DESCRIPTORS_OF_OURS + servers * CONNECTIONS
    wanted = MOST_CONNECTIONS + ours
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(LEAST_CONNECTIONS, min(MOST_CONNECTIONS, soft - ours))
