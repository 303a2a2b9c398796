"""Carrying a request to a deployment and its answer back, over connections that stay open."""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDictProxy

from resources.endpoint.local.children import LOOPBACK

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 30.0
IDLE_SECONDS = 30.0
"""Shorter than the servers', so that none of them closes a connection on which we just send."""
SUSPECT_SECONDS = 1.0


class UnreachableError(Exception):
    """The connection failed: nothing was answered."""


class SlowError(Exception):
    """No answer within `ANSWER_SECONDS`."""


@dataclass(frozen=True)
class Answer:
    """A deployment's answer, as it came."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class Upstream:
    """The connections to all deployments; made and closed inside the running loop."""

    def __init__(self) -> None:
        self._sessions: dict[int, aiohttp.ClientSession] = {}
        self.in_flight: Counter[int] = Counter()
        self.failures: Counter[int] = Counter()
        self._suspects: dict[int, float] = {}

    async def score(self, port: int, body: bytes, headers: dict[str, str]) -> Answer:
        """Posts a body to a deployment. Raises `UnreachableError` or `SlowError`."""
        self.in_flight[port] += 1
        try:
            async with self._session(port).post(
                f"http://{LOOPBACK}:{port}/score", data=body, headers=headers
            ) as response:
                return Answer(response.status, response.headers, await response.read())
        except TimeoutError as error:
            self._suspect(port)
            raise SlowError(f"no answer within {ANSWER_SECONDS:.0f} seconds") from error
        except (aiohttp.ClientError, OSError) as error:
            self._suspect(port)
            raise UnreachableError(str(error) or type(error).__name__) from error
        finally:
            self.in_flight[port] -= 1
            if not self.in_flight[port]:
                del self.in_flight[port]

    def suspects(self) -> set[int]:
        """Ports that failed a moment ago."""
        if not self._suspects:
            return set()
        now = time.monotonic()
        self._suspects = {port: until for port, until in self._suspects.items() if until > now}
        return set(self._suspects)

    async def keep_only(self, ports: Collection[int]) -> None:
        """Closes the connections to every other deployment that nobody waits for: it cannot end while they are open."""
        for port in [port for port in self._sessions if port not in ports and port not in self.in_flight]:
            await self._sessions.pop(port).close()

    async def close(self) -> None:
        """Closes all connections."""
        for session in self._sessions.values():
            await session.close()

    def _session(self, port: int) -> aiohttp.ClientSession:
        if port not in self._sessions:
            timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
            self._sessions[port] = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        return self._sessions[port]

    def _suspect(self, port: int) -> None:
        self.failures[port] += 1
        self._suspects[port] = time.monotonic() + SUSPECT_SECONDS
