"""The online endpoint under load: beside callers who are idle or slow, over many requests, and while its processes are started again."""

import http.client
import json
import multiprocessing
import os
import resource
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arrangement import GLOBOLATTE, family, start
from benchmarks.rows import Row
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import endpoint_key, read_json
from resources.endpoint.local.processes import LOOPBACK, listen
from resources.processes import ProcessId

SLOWEST, MOST_SLOWER = 99, 1.5
MOST_GROWTH, MEGABYTE = 10.0, 1_000_000
MOST_REFUSED_SECONDS = 2.0
SLOW_PAUSE, SLOW_BYTES = 0.5, 4
"""Slow callers send so many bytes, and then none for so many seconds."""
BACK_SECONDS, AFTER_SECONDS = 90.0, 0.5
"""How long a process may take until it is there again, and how long callers go on after that."""
LOGGED_SECONDS = 5.0
DESCRIPTORS = 8192


@dataclass(frozen=True)
class Sizes:
    """How much: callers of each kind, for how long, how many requests in all and before the memory is looked at."""

    idle: int = 1_000
    slow: int = 100
    busy: int = 16
    seconds: float = 60.0
    requests: int = 100_000
    warm: int = 10_000


@dataclass
class Asked:
    """What busy callers got: seconds for each answer, when and why there was none, and the ids of the requests that were answered."""

    waited: list[float] = field(default_factory=list)
    failures: list[tuple[float, str]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        """Milliseconds that all but one in a hundred answers took at most."""
        return float(1000 * np.percentile(self.waited, SLOWEST))

    @property
    def failed_seconds(self) -> float:
        """From the first failure to the last."""
        moments = [moment for moment, _ in self.failures]
        return max(moments) - min(moments) if moments else 0.0

    def __iadd__(self, other: "Asked") -> "Asked":
        self.waited += other.waited
        self.failures += other.failures
        self.answered += other.answered
        return self


class Callers:
    """Busy callers: each has one connection, and asks again as soon as it was answered."""

    def __init__(self, endpoint: LocalEndpoint, question: bytes, count: int) -> None:
        self._endpoint, self._question, self._count = endpoint, question, count
        self.port = int(str(endpoint.observed().url).rpartition(":")[2])
        self.key = endpoint_key(endpoint.files)

    def during(self, work: Callable[[], object]) -> Asked:
        """Asks for as long as `work` takes."""
        over, everything = threading.Event(), [Asked() for _ in range(self._count)]
        threads = [threading.Thread(target=self._ask, args=(asked, over.is_set)) for asked in everything]
        for thread in threads:
            thread.start()
        try:
            work()
        finally:
            over.set()
            for thread in threads:
                thread.join()
        return _sum(everything)

    def times(self, requests: int) -> Asked:
        """Asks so often in all."""
        left, everything = iter(range(requests)), [Asked() for _ in range(self._count)]
        lock = threading.Lock()

        def enough() -> bool:
            with lock:
                return next(left, None) is None

        threads = [threading.Thread(target=self._ask, args=(asked, enough)) for asked in everything]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return _sum(everything)

    def _ask(self, asked: Asked, is_over: Callable[[], bool]) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=40)
        while not is_over():
            request_id, began = f"held-{uuid.uuid4().hex}", time.monotonic()
            headers = {
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
                "x-request-id": request_id,
            }
            try:
                connection.request("POST", "/score", self._question, headers)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                asked.failures.append((time.monotonic(), repr(error)))
                connection.close()
                time.sleep(0.01)
                continue
            if response.status == http.client.OK:
                asked.waited.append(time.monotonic() - began)
                asked.answered.append(request_id)
            else:
                asked.failures.append((time.monotonic(), f"{response.status} {content[:200]!r}"))
        connection.close()


def _sum(everything: list[Asked]) -> Asked:
    total = Asked()
    for asked in everything:
        total += asked
    return total


# Beside others -----------------------------------------------------------------------------------------------------------


def crowd_rows(endpoint: LocalEndpoint, question: bytes, sizes: Sizes) -> Iterator[Row]:
    """The busy callers beside those who are idle or slow, against the same ones alone, before and afterwards."""
    callers = Callers(endpoint, question, sizes.busy)
    callers.times(10 * sizes.busy)
    alone = callers.during(lambda: time.sleep(sizes.seconds / 2))
    with _bystanders(callers, question, sizes) as there:
        crowded = callers.during(lambda: time.sleep(sizes.seconds))
        idle, slow = there()
    alone += callers.during(lambda: time.sleep(sizes.seconds / 2))
    others = f"{idle:,} idle and {slow:,} slow connections"
    yield Row(
        f"{sizes.busy} busy callers beside {others} for {sizes.seconds:.0f} s: failed / answered",
        len(crowded.failures),
        len(crowded.waited),
        unit="requests",
        limit=0.0,
        note=crowded.failures[0][1] if crowded.failures else "",
    )
    yield Row(
        f"{sizes.busy} busy callers, p{SLOWEST}: beside {others} / alone",
        crowded.slowest,
        alone.slowest,
        unit="ms",
        limit=MOST_SLOWER,
    )


@contextmanager
def _bystanders(callers: Callers, question: bytes, sizes: Sizes) -> Iterator[Callable[[], tuple[int, int]]]:
    """Idle and slow callers, in a process of their own; gives a call that says how many of them are connected."""
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, callers.port, callers.key, question, sizes.idle, sizes.slow)
    process = multiprocessing.get_context("spawn").Process(target=_stand_by, args=arguments)
    process.start()
    try:
        ours.recv()  # all are connected

        def connected() -> tuple[int, int]:
            ours.send("how many?")
            counts: tuple[int, int] = ours.recv()
            return counts

        yield connected
    finally:
        process.terminate()
        process.join()


def _stand_by(pipe: Connection, port: int, key: str, question: bytes, idle: int, slow: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, DESCRIPTORS), hard), hard))
    head = f"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(question)}\r\n\r\n"
    with ExitStack() as stack:

        def connected() -> socket.socket:
            return stack.enter_context(socket.create_connection((LOOPBACK, port), timeout=30))

        waiting = [connected() for _ in range(idle)]
        sending = [(connected(), [b""]) for _ in range(slow)]
        pipe.send("ready")
        while True:
            if pipe.poll(SLOW_PAUSE):
                pipe.recv()
                pipe.send((sum(map(_is_open, waiting)), len(sending)))
            for place, (connection, left) in enumerate(sending):
                if not left[0]:  # a body begins when the last answer has come
                    left[0] = question
                    connection.sendall(head.encode())
                try:
                    connection.sendall(left[0][:SLOW_BYTES])
                    left[0] = left[0][SLOW_BYTES:]
                    if not left[0]:
                        connection.recv(65536)
                except OSError:  # it took too long
                    connection.close()
                    sending[place] = (connected(), [b""])


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


# Memory ------------------------------------------------------------------------------------------------------------------


def memory_rows(endpoint: LocalEndpoint, question: bytes, sizes: Sizes) -> Iterator[Row]:
    """How much the gateway and the server grow after the first requests."""
    callers = Callers(endpoint, question, sizes.busy)
    asked = callers.times(sizes.warm)
    before = {name: _megabytes(_process(endpoint, name)) for name in _names(endpoint)}
    asked += callers.times(sizes.requests - sizes.warm)
    yield Row(
        f"{sizes.requests:,} requests: failed / answered",
        len(asked.failures),
        len(asked.waited),
        unit="requests",
        limit=0.0,
    )
    for name, megabytes in before.items():
        grown = max(0.0, _megabytes(_process(endpoint, name)) - megabytes)
        what = f"memory of {name}, grown after the first {sizes.warm:,} of {sizes.requests:,} requests / allowed"
        yield Row(what, grown, MOST_GROWTH, unit="MB", limit=1.0)


def _megabytes(process: ProcessId) -> float:
    return sum(member.memory_info().rss for member in family(process.pid)) / MEGABYTE


# Restarts ----------------------------------------------------------------------------------------------------------------


def restart_rows(endpoint: LocalEndpoint, question: bytes, sizes: Sizes) -> Iterator[Row]:
    """Each process is ended under load, the server and the gateway in both ways; then all answers are looked for in the log."""
    callers, total = Callers(endpoint, question, sizes.busy), Asked()
    server = next(name for name in _names(endpoint) if name != "gateway")
    for what, name, number in (
        ("a server restarts", server, signal.SIGTERM),
        ("the supervisor is killed", "supervisor", signal.SIGKILL),
        ("the gateway restarts", "gateway", signal.SIGTERM),
        ("the gateway is killed", "gateway", signal.SIGKILL),
    ):
        asked = callers.during(_restarted(endpoint, name, number))
        total += asked
        if name == "gateway":
            yield Row(
                f"{what}: refused for / allowed",
                asked.failed_seconds,
                MOST_REFUSED_SECONDS,
                limit=1.0,
                note=f"{len(asked.failures)} requests",
            )
        else:
            yield _failed(what, asked)
    missing = len(set(total.answered) - logged(endpoint.files.prediction_log, set(total.answered)))
    yield Row(
        "answers given meanwhile that are missing in the log / given",
        missing,
        len(total.answered),
        unit="answers",
        limit=0.0,
    )
    asked = callers.during(_restarted(endpoint, server, signal.SIGKILL))  # it takes its last moment's lines along
    yield _failed("a server is killed", asked)


def daemon_rows(endpoint: LocalEndpoint, question: bytes, sizes: Sizes, home: Path) -> Iterator[Row]:
    """`globolatte dev`, with the daemon and all that belongs to it, is killed and started again under load."""
    callers = Callers(endpoint, question, sizes.busy)

    def twice() -> None:
        for _ in range(2):
            with listen(None) as listener:
                port = listener.getsockname()[1]
            process = start([GLOBOLATTE, "dev", "--port", str(port)], home)
            try:
                _until(lambda at=port: _listens(at))
            finally:
                for member in reversed(family(process.pid)):
                    with suppress(ProcessLookupError):
                        os.kill(member.pid, signal.SIGKILL)
                process.wait()

    yield _failed("the daemon is killed and started again", callers.during(twice))


def logged(folder: Path, ids: set[str]) -> set[str]:
    """Those of the ids of requests that the log has; waits for the last lines of a moment ago."""
    until = time.monotonic() + LOGGED_SECONDS
    while True:
        found = set[str]()
        for path in folder.glob("*.jsonl*"):
            with suppress(FileNotFoundError), path.open(encoding="utf-8") as lines:  # it was finished just now
                found |= {json.loads(line).get("request_id", "") for line in lines if line.endswith("\n")}
        if ids <= found or time.monotonic() > until:
            return ids & found
        time.sleep(0.1)


def _failed(what: str, asked: Asked) -> Row:
    note = asked.failures[0][1] if asked.failures else ""
    return Row(
        f"{what}: failed / answered", len(asked.failures), len(asked.waited), unit="requests", limit=0.0, note=note
    )


def _restarted(endpoint: LocalEndpoint, name: str, number: signal.Signals) -> Callable[[], None]:
    """Ends a process, and waits until another one is in its place and has been there for a moment."""

    def restart() -> None:
        before = _process(endpoint, name)
        os.kill(before.pid, number)
        _until(lambda: not before.alive)
        _until(lambda: endpoint.observed().converged and _process(endpoint, name) != before)
        time.sleep(AFTER_SECONDS)

    return restart


def _entries(endpoint: LocalEndpoint) -> dict[str, dict[str, Any]]:
    document = read_json(endpoint.files.observed) or {}
    return {entry["name"]: entry for entry in [document["gateway"], *document["deployments"]]} if document else {}


def _names(endpoint: LocalEndpoint) -> list[str]:
    return list(_entries(endpoint))


def _process(endpoint: LocalEndpoint, name: str) -> ProcessId:
    """The process of that name. Raises `ProcessLookupError` if there is none."""
    found = endpoint.supervisor() if name == "supervisor" else None
    recorded = _entries(endpoint).get(name, {}).get("process")
    if found is None and recorded is None:
        raise ProcessLookupError(f"{name} does not run; see {endpoint.files.log('supervisor')}")
    return found or ProcessId(*recorded)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def _until(look: Callable[[], bool]) -> None:
    """Raises `TimeoutError` if it does not become so."""
    deadline = time.monotonic() + BACK_SECONDS
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {BACK_SECONDS:.0f} seconds")
        time.sleep(0.05)
