"""Sends requests to deployments and returns their answers, over connections that stay open."""

import time
from collections import Counter
from collections.abc import Collection

import aiohttp
from aiohttp import web

from resources.endpoint.local.processes import LOOPBACK

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 30.0
CONNECTIONS = 32
"""To one deployment, which answers fewer at a time; further requests wait here."""
IDLE_SECONDS = 30.0
"""Shorter than the servers' keep-alive, so that none of them closes a connection just as we send on it."""
SUSPECT_SECONDS = 1.0
PASSED_ON = ("content-type", "x-ms-run-fn-exec-ms")
"""The headers of an answer that are passed on."""


class Upstream:
    """The connections to all deployments; made and closed inside the running loop."""

    def __init__(self) -> None:
        self._sessions: dict[int, aiohttp.ClientSession] = {}
        self.in_flight: Counter[int] = Counter()
        self._suspects: dict[int, float] = {}

    async def score(self, port: int, body: bytes, headers: dict[str, str]) -> web.Response:
        """Posts a body to a deployment; returns its answer unchanged.

        Raises `TimeoutError` without an answer in time, `aiohttp.ClientError` or `OSError` if the connection failed: nothing was
        answered then.
        """
        self.in_flight[port] += 1
        try:
            async with self._session(port).post("/score", data=body, headers=headers) as response:
                passed_on = {name: response.headers[name] for name in PASSED_ON if name in response.headers}
                return web.Response(status=response.status, body=await response.read(), headers=passed_on)
        except (aiohttp.ClientError, OSError):
            self._suspects[port] = time.monotonic() + SUSPECT_SECONDS
            raise
        finally:
            self.in_flight[port] -= 1
            if not self.in_flight[port]:
                del self.in_flight[port]

    def suspects(self) -> set[int]:
        """Ports that failed a moment ago."""
        now = time.monotonic()
        return {port for port, until in self._suspects.items() if until > now}

    def servers(self, ports: Collection[int]) -> int:
        """To how many servers connections are or may be opened, if those on `ports` are in use."""
        return len({*ports, *self._sessions})

    async def keep_only(self, ports: Collection[int]) -> None:
        """Closes idle connections to every other deployment, which cannot end while they are open."""
        for port in [port for port in self._sessions if port not in ports and port not in self.in_flight]:
            await self._sessions.pop(port).close()
            self._suspects.pop(port, None)

    async def close(self) -> None:
        """Closes all connections."""
        self.in_flight.clear()
        await self.keep_only(())

    def _session(self, port: int) -> aiohttp.ClientSession:
        if port not in self._sessions:
            self._sessions[port] = aiohttp.ClientSession(
                f"http://{LOOPBACK}:{port}",
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS),
                auto_decompress=False,
            )
        return self._sessions[port]
