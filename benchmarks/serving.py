"""The online endpoint against `mlflow models serve` of the same model: CPU per request, waiting times and errors under load.

CPU is what the server's processes used, as the system counts it, so that a busy machine does not matter.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.rows import Row
from globolatte_ml.data.flat_rows import flat_rows
from globolatte_ml.data.orders import Contexts
from globolatte_ml.scoring.state_bundle import read_state_bundle
from resources.endpoint.endpoint import Deployment, DesiredState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import endpoint_key
from resources.endpoint.local.processes import listen
from resources.endpoint.serving_state import ServingStates
from resources.environment import ml_of
from resources.ml.ml_platform import CHAMPION, ModelVersion
from resources.settings.settings import PROJECT_ROOT, Settings

REQUESTS, WARM_UP, ROUNDS = 1_500, 200, 3
CLIENTS, LOAD_SECONDS, COMPARED_SECONDS = 8, 60.0, 10.0
SLOWEST = 99
DAY, DAYPART, WEATHER = "2024-01-10", "morning", "Sunny"


@dataclass
class Load:
    """What clients without pause were told, and how many seconds each of them waited for each answer."""

    errors: int = 0
    waited: list[float] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        """Milliseconds that all but one in a hundred answers took at most."""
        return float(1000 * np.percentile(self.waited, SLOWEST))


def rows(settings: Settings, load_seconds: float = LOAD_SECONDS) -> Iterator[Row]:
    """`settings` names a home; one without a champion is filled with the reference dataset and run first."""
    champion = _champion(settings)
    state = ServingStates(folder=str(settings.endpoints_folder)).current()
    endpoint = LocalEndpoint(folder=str(settings.endpoints_folder))
    wanted = Deployment(str(champion.folder), champion.version, champion.content_hash)
    try:
        endpoint.deploy(DesiredState({"blue": wanted}, {"blue": 100}))
        endpoint.wait_healthy("blue", 60)
        server, gateway = _children(endpoint)
        question = _question(state)
        direct = _ms_per_request(server[0], server[1], "/score", question, {})
        with _mlflow(champion.folder) as (pid, port):
            flat = _flat_question(state, champion.folder)
            reference = _ms_per_request(pid, port, "/invocations", flat, {})
            seconds = min(load_seconds, COMPARED_SECONDS)
            loads = [
                (_load(server[1], "/score", question, {}, seconds), _load(port, "/invocations", flat, {}, seconds))
                for _ in range(ROUNDS)
            ]
        yield Row("CPU per request: inference server / mlflow models serve", direct, reference, unit="ms", limit=1.0)
        ours, theirs = (min(load.slowest for load in side) for side in zip(*loads, strict=True))
        yield Row(f"{CLIENTS} clients, p{SLOWEST}: inference server / mlflow", ours, theirs, unit="ms", limit=1.0)
        key = {"Authorization": f"Bearer {endpoint_key(endpoint.files)}"}
        added = _ms_per_request(gateway[0], gateway[1], "/score", question, key)
        yield Row("CPU per request: gateway alone / inference server", added, direct, unit="ms")
        load = _load(gateway[1], "/score", question, key, load_seconds)
        name = f"{CLIENTS} clients for {load_seconds:.0f} s: failed / answered"
        yield Row(name, load.errors, len(load.waited), unit="requests", limit=0.0)
    finally:
        endpoint.stop()


def _champion(settings: Settings) -> ModelVersion:
    from simulator import simulate, write

    champion = ml_of(settings).model(CHAMPION)
    if champion is None:
        write(simulate(), settings.home)
        command = [str(Path(sys.executable).with_name("globolatte")), "run"]
        environment = {**os.environ, "GLOBOLATTE_HOME": str(settings.home)}
        subprocess.run(command, check=True, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.DEVNULL)
        champion = ml_of(settings).model(CHAMPION)
    assert champion is not None, "the first model was refused"
    return champion


def _children(endpoint: LocalEndpoint) -> tuple[tuple[int, int], tuple[int, int]]:
    """Process and port of the inference server and of the gateway."""
    document: dict[str, Any] = json.loads(endpoint.files.observed.read_text())
    server, gateway = document["deployments"][0], document["gateway"]
    return (server["process"][0], server["port"]), (gateway["process"][0], gateway["port"])


def _question(state: Path) -> bytes:
    customer = read_state_bundle(state).customer_ids[0]
    unit = read_state_bundle(state).home_business_unit[0]
    document = {"customer_id": customer, "region": unit, "weather": WEATHER, "date": DAY, "daypart": DAYPART}
    return json.dumps(document).encode()


def _flat_question(state: Path, model_folder: Path) -> bytes:
    """The same question, as MLflow's scoring server wants it: with the customer's state in it."""
    from globolatte_ml.model.model import PreferenceModel
    from globolatte_ml.scoring.scorer import resolve_model_folder

    bundle = read_state_bundle(state)
    model = PreferenceModel.load(resolve_model_folder(model_folder))
    contexts = Contexts(
        business_unit=bundle.home_business_unit[:1],
        date=np.array([DAY], dtype="datetime64[D]"),
        weather=np.array([WEATHER]),
        daypart=np.array([DAYPART]),
        is_holiday=np.array([False]),
    )
    states = bundle.states(model.space_.vocabulary.products).take(np.array([0]))
    frame = flat_rows(states, contexts)
    return json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split", index=False))}).encode()


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
        _wait_for(port, "/ping")
        yield server.pid, port
    finally:
        for process in [*psutil.Process(server.pid).children(recursive=True), psutil.Process(server.pid)]:
            process.kill()
        server.wait()


def _wait_for(port: int, path: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == http.client.OK:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()
    raise TimeoutError(f"nothing answers on port {port}")


def _ms_per_request(pid: int, port: int, path: str, body: bytes, headers: dict[str, str]) -> float:
    """CPU milliseconds of a process and its descendants per request: the best of `ROUNDS`, on one open connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"Content-Type": "application/json", **headers}

    def ask(count: int) -> None:
        for _ in range(count):
            connection.request("POST", path, body, sent)
            response = connection.getresponse()
            content = response.read()
            assert response.status == http.client.OK, content

    ask(WARM_UP)
    best = min(_cpu_seconds(pid, lambda: ask(REQUESTS)) for _ in range(ROUNDS))
    connection.close()
    return 1000 * best / REQUESTS


def _cpu_seconds(pid: int, work: Callable[[], None]) -> float:
    before = _used(pid)
    work()
    return _used(pid) - before


def _used(pid: int) -> float:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    times = [member.cpu_times() for member in family]
    return sum(time.user + time.system for time in times)


def _load(port: int, path: str, body: bytes, headers: dict[str, str], duration: float) -> Load:
    load, lock, until = Load(), threading.Lock(), time.monotonic() + duration
    sent = {"Content-Type": "application/json", **headers}

    def ask() -> None:
        waited, errors = [], 0
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while (asked := time.monotonic()) < until:
            try:
                connection.request("POST", path, body, sent)
                response = connection.getresponse()
                response.read()
                waited.append(time.monotonic() - asked)
                errors += response.status != http.client.OK
            except (OSError, http.client.HTTPException):
                errors += 1
                connection.close()
        connection.close()
        with lock:
            load.waited += waited
            load.errors += errors

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load
