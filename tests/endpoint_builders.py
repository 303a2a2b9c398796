"""A small endpoint to test with: a trained model, a customer state, a home of its own, callers."""

import http.client
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.model.model import PreferenceModel
from resources.endpoint.endpoint import Deployment, DesiredState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import endpoint_key, read_json
from resources.endpoint.serving_state import ServingStates
from resources.processes import ProcessId

QUESTION = {"customer_id": "C0001", "region": "Canada", "weather": "Snowy", "date": "2022-09-01"}


def ml_builders() -> ModuleType:
    """The builders of small chains."""
    name = "globolatte_ml_builders"
    if name not in sys.modules:
        path = Path(__file__).parent / "unit" / "ml" / "ml_builders.py"
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def train_into(folder: Path, seed: int = 0) -> Path:
    """A model of a small chain; the seed makes another one."""
    build = ml_builders()
    snapshot = read_snapshot(build.write_snapshot(build.chain(n_orders=300, seed=seed), folder / "snapshot"))
    model = PreferenceModel().fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)
    model.save(folder / "model")
    return folder / "model"


def deployment(model_folder: Path, version: str) -> Deployment:
    """A model as a deployment."""
    return Deployment(str(model_folder), version, PreferenceModel.load(model_folder).content_hash())


def publish_state(endpoints: Path, version: str, orders: int = 300) -> Path:
    """Makes a state the current one."""
    build, states = ml_builders(), ServingStates(folder=str(endpoints))
    staging = states.staging(version)
    build.write_state(build.chain(n_orders=orders), staging, version)
    return states.publish(staging, version)


def endpoint_in(home: Path, log_seconds: float = 0.5) -> LocalEndpoint:
    """An endpoint under a home, with a state, nothing deployed, nothing running."""
    publish_state(home / "endpoints", "state-1")
    return LocalEndpoint(folder=str(home / "endpoints"), log_seconds=log_seconds, wait_seconds=40)


@dataclass(frozen=True)
class Said:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    document: Any

    @property
    def message(self) -> str:
        """An error's message."""
        return str(self.document["message"])


@dataclass
class Caller:
    """A client with one connection that it keeps, and opens anew when the endpoint closed it."""

    endpoint: LocalEndpoint
    key: str | None = None
    _connection: http.client.HTTPConnection | None = None

    def post(self, body: Any, *, method: str = "POST", path: str = "/score", **headers: str) -> Said:
        """Sends bytes as they are and anything else as JSON; `x_request_id=...` becomes a header."""
        key = self.key if self.key is not None else endpoint_key(self.endpoint.files)
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if self._connection is None:
            port = int(str(self.endpoint.observed().url).rpartition(":")[2])
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            self._connection.request(method, path, content or None, sent)
            response = self._connection.getresponse()
            text = response.read()
        except BaseException:
            self.close()
            raise
        return Said(response.status, {k.lower(): v for k, v in response.getheaders()}, json.loads(text or b"null"))

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Crowd:
    """Callers that send requests without pause; their answers and errors."""

    endpoint: LocalEndpoint
    size: int = 8
    statuses: dict[int, int] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def during(self, work: Callable[[], object]) -> "Crowd":
        """Asks for as long as `work` takes."""
        over = threading.Event()
        threads = [threading.Thread(target=self._ask, args=(over,)) for _ in range(self.size)]
        for thread in threads:
            thread.start()
        try:
            work()
        finally:
            over.set()
            for thread in threads:
                thread.join()
        return self

    def _ask(self, over: threading.Event) -> None:
        caller = Caller(self.endpoint)
        while not over.is_set():
            try:
                answer = caller.post(QUESTION)
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                continue
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            if answer.status == 200:
                self.versions.append(answer.document["model_version"])
            else:
                self.errors.append(answer.message)
        caller.close()


def eventually(look: Callable[[], object], seconds: float = 20.0) -> object:
    """What `look` gives once it gives something true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not so within {seconds} seconds"
        time.sleep(0.05)


def only(name: str, model: Deployment) -> DesiredState:
    """One deployment with all the traffic."""
    return DesiredState({name: model}, {name: 100})


def process_of(endpoint: LocalEndpoint, name: str) -> ProcessId | None:
    """The process of a deployment or of the gateway, as the supervisor wrote it down."""
    document = read_json(endpoint.files.observed)
    entries = [document["gateway"], *document["deployments"]]
    found = next(entry["process"] for entry in entries if entry["name"] == name)
    return ProcessId(*found) if found is not None else None


def children_of(endpoint: LocalEndpoint) -> list[ProcessId]:
    """All processes that the supervisor wrote down."""
    document = read_json(endpoint.files.observed)
    return [
        ProcessId(*entry["process"]) for entry in (document["gateway"], *document["deployments"]) if entry["process"]
    ]


def kill(process: ProcessId) -> None:
    """What nobody can prepare for."""
    os.kill(process.pid, signal.SIGKILL)


def answers(caller: Caller) -> bool:
    """Whether a request is answered just now; a refused connection is no, and so is an endpoint that nobody keeps yet."""
    try:
        return caller.endpoint.observed().url is not None and caller.post(QUESTION).status == 200
    except OSError:
        return False
