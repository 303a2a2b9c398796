"""Deployments at work: for each, a real `azmlinfsrv` that runs the deployed `score.py` on the deployed model."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulators.azureml.jobs.command import INHERITED
from tests.emulators.azureml.locations import UnknownAddressError, asset, place_of_asset
from tests.emulators.azureml.operations import OperationFailed
from tests.emulators.azureml.serving.collecting import Agent
from tests.emulators.azureml.store import Resource

if TYPE_CHECKING:
    from tests.emulators.azureml.world import World

START_SECONDS = 120
GRACE_SECONDS = 5
CRASHED = "User container has crashed or terminated: {last}. Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-resourcenotready"
MLFLOW_SCORE = Path(__file__).with_name("mlflow_score.py")


@dataclass
class Server:
    """One process that scores."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    agent: Agent | None = None
    """What takes the data that the script collects."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def healthy(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """Ends it and all that it started."""
        for signal_number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal_number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        if self.agent is not None:
            self.agent.stop()


class Servers:
    """The servers of all deployments, by the deployment's id, and how many requests each got."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._lock = threading.Lock()
        self._all: dict[str, Server] = {}
        self.dice = random.Random(0)
        self.scored: Counter[tuple[str, str]] = Counter()
        """Answers by (endpoint, deployment)."""
        self.mirrored: Counter[tuple[str, str]] = Counter()
        """Copies sent, by (endpoint, deployment)."""

    def get(self, deployment: str) -> Server | None:
        return self._all.get(deployment.lower())

    def provision(self, deployment: Resource) -> None:
        """Starts what a deployment describes, in place of what ran before. Raises `OperationFailed`."""
        server = self._start(deployment)
        try:
            _wait_healthy(server)
        except OperationFailed:
            server.stop()
            raise
        with self._lock:
            before = self._all.get(deployment["id"].lower())
            self._all[deployment["id"].lower()] = server
        if server.agent is not None:
            server.agent.register()
        if before is not None:
            before.stop()

    def remove(self, deployment: str) -> None:
        """Ends the server of a deployment, and of all deployments below an endpoint's id."""
        gone = deployment.lower()
        with self._lock:
            keys = [key for key in self._all if key == gone or key.startswith(gone + "/")]
            servers = [self._all.pop(key) for key in keys]
        for server in servers:
            server.stop()

    def stop(self) -> None:
        """Ends them all."""
        for deployment in list(self._all):
            self.remove(deployment)

    def _start(self, deployment: Resource) -> Server:
        folder = self._world.folder / "deployments" / uuid.uuid4().hex[:12]
        folder.mkdir(parents=True)
        script, models = self._fetch(deployment, folder)
        log = folder / "inference-server.log"
        agent = Agent(self._world, deployment, folder) if deployment["properties"].get("dataCollector") else None
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
            descriptor = str(listening.fileno())
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "resources.endpoint.local.inference_server", descriptor,
                    "--entry_script", str(script), "--model_dir", str(models),
                ],
                cwd=script.parent,
                env=self._environment(deployment, folder, models) | (agent.environment if agent else {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )  # fmt: skip
            return Server(process, int(listening.getsockname()[1]), log, agent)

    def _fetch(self, deployment: Resource, folder: Path) -> tuple[Path, Path]:
        """The script and the folder of the model, as a container of Azure has them."""
        world, properties = self._world, deployment["properties"]
        workspace = deployment["id"].partition("/onlineEndpoints/")[0]
        models = folder / "azureml-models"
        models.mkdir()
        try:
            if properties.get("model"):
                models = _fetch_model(world, workspace, model_id(properties), models)
            configuration = properties.get("codeConfiguration")
            code = folder / "code"
            code.mkdir()
            if configuration is None:
                shutil.copy(MLFLOW_SCORE, code / "score.py")
                return code / "score.py", models
            found = asset(world, workspace, configuration["codeId"], ("codes",))
            world.storage.download(place_of_asset(world, found), code)
        except UnknownAddressError as error:
            raise OperationFailed("BadArgument", str(error)) from error
        script = code / configuration["scoringScript"]
        if not script.exists():
            raise OperationFailed(
                "BadArgument", f"scoring script {configuration['scoringScript']} not found in the code"
            )
        return script, models

    def _environment(self, deployment: Resource, folder: Path, models: Path) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {
            **inherited,
            "OMP_NUM_THREADS": "1",
            **self._world.environment,
            "AML_APP_ROOT": str(folder / "code"),
            "AZUREML_MODEL_DIR": str(models),
            **(deployment["properties"].get("environmentVariables") or {}),
        }


def model_id(properties: dict[str, Any]) -> str:
    """Which model a deployment names; older versions of the API give an object."""
    named = properties["model"]
    return str(named["assetId"] if isinstance(named, dict) else named)


def _fetch_model(world: "World", workspace: str, address: str, models: Path) -> Path:
    found = asset(world, workspace, address, ("models",))
    place = place_of_asset(world, found)
    parts = found["id"].split("/")
    folder = models / parts[-3] / parts[-1]
    name = place.path.rpartition("/")[2]
    if not world.storage.download(place, folder / name):
        raise UnknownAddressError(f"model {address} has no files")
    if (folder / name / name).is_file():  # one file, not a folder
        (folder / name / name).rename(folder / f".{name}")
        (folder / name).rmdir()
        (folder / f".{name}").rename(folder / name)
    return folder


def _wait_healthy(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.healthy():
        if server.process.poll() is not None or time.monotonic() > deadline:
            lines = server.log.read_text(errors="replace").strip().splitlines()
            raise OperationFailed("ResourceNotReady", CRASHED.format(last=lines[-1] if lines else "no output"))
        time.sleep(0.1)
