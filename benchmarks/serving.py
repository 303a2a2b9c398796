"""The online endpoint against `mlflow models serve` of the same model: CPU per request, waiting times and errors under load.

CPU is what the server's processes used, as the system counts it, so that a busy machine does not matter.
"""

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import held
from benchmarks.arrangement import GLOBOLATTE, family, run
from benchmarks.rows import Row
from globolatte_ml.data.model_rows import model_rows
from globolatte_ml.data.orders import Contexts
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import resolve_model_folder
from globolatte_ml.scoring.state_bundle import read_state_bundle
from resources.endpoint.endpoint import Deployment, DesiredState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import endpoint_key
from resources.endpoint.local.processes import listen
from resources.endpoint.serving_state import ServingStates
from resources.environment import ml_of
from resources.ml.ml_platform import CHAMPION
from resources.settings.settings import Settings
from simulator import simulate, write

REQUESTS, WARM_UP, ROUNDS = 1_500, 200, 3
CLIENTS, LOAD_SECONDS, COMPARED_SECONDS = 8, 60.0, 10.0
SLOWEST = 99
DAY, DAYPART, WEATHER = "2024-01-10", "morning", "Sunny"


@dataclass
class Load:
    """The answers to clients that send requests without pause, and the seconds that each of them waited for each answer."""

    errors: int = 0
    waited: list[float] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        """Milliseconds that all but one in a hundred answers took at most."""
        return float(1000 * np.percentile(self.waited, SLOWEST))


def rows(settings: Settings) -> Iterator[Row]:
    """`settings` names a new home: it is filled with the reference dataset and run first."""
    write(simulate(), settings.home)
    run([GLOBOLATTE, "run"], settings.home)
    champion = ml_of(settings).model(CHAMPION)
    assert champion is not None, "the first model was refused"
    state = ServingStates(folder=str(settings.endpoints_folder)).current()
    endpoint = LocalEndpoint(folder=str(settings.endpoints_folder))
    wanted = Deployment(str(champion.folder), champion.version, champion.content_hash)
    try:
        endpoint.deploy(DesiredState({"blue": wanted}, {"blue": 100}))
        endpoint.wait_healthy("blue", 60)
        observed = json.loads(endpoint.files.observed.read_text())
        question, flat = _questions(state, champion.folder)
        server = Server(*_place(observed["deployments"][0]), "/score", question)
        direct = server.ms_per_request()
        with _mlflow(champion.folder) as process_and_port:
            mlflow = Server(*process_and_port, "/invocations", flat)
            reference = mlflow.ms_per_request()
            loads = [(server.load(COMPARED_SECONDS), mlflow.load(COMPARED_SECONDS)) for _ in range(ROUNDS)]
        yield Row("CPU per request: inference server / mlflow models serve", direct, reference, unit="ms", limit=1.0)
        ours, theirs = (min(load.slowest for load in side) for side in zip(*loads, strict=True))
        yield Row(f"{CLIENTS} clients, p{SLOWEST}: inference server / mlflow", ours, theirs, unit="ms", limit=1.0)
        key = {"Authorization": f"Bearer {endpoint_key(endpoint.files)}"}
        gateway = Server(*_place(observed["gateway"]), "/score", question, key)
        yield Row("CPU per request: gateway alone / inference server", gateway.ms_per_request(), direct, unit="ms")
        load = gateway.load(LOAD_SECONDS)
        name = f"{CLIENTS} clients for {LOAD_SECONDS:.0f} s: failed / answered"
        yield Row(name, load.errors, len(load.waited), unit="requests", limit=0.0)
        sizes = held.Sizes()
        for measure in (held.crowd_rows, held.memory_rows, held.restart_rows):
            yield from measure(endpoint, question, sizes)
        yield from held.daemon_rows(endpoint, question, sizes, settings.home)
    finally:
        endpoint.stop()


@dataclass(frozen=True)
class Server:
    """A process that answers one question on a port of this machine."""

    pid: int
    port: int
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def ms_per_request(self) -> float:
        """CPU milliseconds of the process and its descendants per request: the best of `ROUNDS`, on one open connection."""

        def used_for(count: int) -> float:
            before = self._used()
            for _ in range(count):
                status, content = self._answer(connection)
                assert status == http.client.OK, content
            return self._used() - before

        with closing(self._connection()) as connection:
            used_for(WARM_UP)
            return 1000 * min(used_for(REQUESTS) for _ in range(ROUNDS)) / REQUESTS

    def load(self, duration: float) -> Load:
        """The answers to `CLIENTS` that send requests without pause for so many seconds."""
        until = time.monotonic() + duration

        def send(_: int) -> Load:
            load, connection = Load(), self._connection()
            while (started := time.monotonic()) < until:
                try:
                    status, _content = self._answer(connection)
                    load.waited.append(time.monotonic() - started)
                    load.errors += status != http.client.OK
                except (OSError, http.client.HTTPException):
                    load.errors += 1
                    connection.close()
            connection.close()
            return load

        with ThreadPoolExecutor(CLIENTS) as clients:
            loads = list(clients.map(send, range(CLIENTS)))
        return Load(sum(load.errors for load in loads), [seconds for load in loads for seconds in load.waited])

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def _answer(self, connection: http.client.HTTPConnection) -> tuple[int, bytes]:
        connection.request("POST", self.path, self.body, {"Content-Type": "application/json", **self.headers})
        response = connection.getresponse()
        return response.status, response.read()

    def _used(self) -> float:
        times = [member.cpu_times() for member in family(self.pid)]
        return sum(time.user + time.system for time in times)


def _place(observed: dict[str, Any]) -> tuple[int, int]:
    """Process and port of what the supervisor observed."""
    return observed["process"][0], observed["port"]


def _questions(state: Path, model_folder: Path) -> tuple[bytes, bytes]:
    """One question as our server wants it, and as MLflow's scoring server does: with the customer's state in it."""
    bundle = read_state_bundle(state)
    model = PreferenceModel.load(resolve_model_folder(model_folder))
    customer, unit = bundle.customer_ids[0], bundle.home_business_unit[0]
    document = {"customer_id": customer, "region": unit, "weather": WEATHER, "date": DAY, "daypart": DAYPART}
    contexts = Contexts(
        business_unit=bundle.home_business_unit[:1],
        date=np.array([DAY], dtype="datetime64[D]"),
        weather=np.array([WEATHER]),
        daypart=np.array([DAYPART]),
        is_holiday=np.array([False]),
    )
    states = bundle.states(model.space_.vocabulary.products).take(np.array([0]))
    flat = json.loads(model_rows(states, contexts).to_json(orient="split", index=False))
    return json.dumps(document).encode(), json.dumps({"dataframe_split": flat}).encode()


@contextmanager
def _mlflow(model_folder: Path) -> Iterator[tuple[int, int]]:
    """MLflow's scoring server with the model: process and port."""
    with listen(None) as listener:
        port = listener.getsockname()[1]
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", str(model_folder)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # it looks for uvicorn there
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 90
        while not _is_up(port):
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing answers on port {port}")
            time.sleep(0.2)
        yield server.pid, port
    finally:
        for process in reversed(family(server.pid)):
            process.kill()
        server.wait()


def _is_up(port: int) -> bool:
    with (
        suppress(OSError, http.client.HTTPException),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5),
    ):
        return True
    return False
