"""The endpoint of one machine: `EndpointClient`, the caller's side of it, and `LocalEndpoint`, the same as a Dagster resource."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from resources.endpoint.endpoint import Deployment, DesiredState, EndpointError, ObservedDeployment, ObservedState
from resources.endpoint.local import desired_state
from resources.endpoint.local.children import LOOPBACK, PROJECT_ROOT
from resources.endpoint.local.files import MARK_VARIABLE, EndpointFiles, endpoint_key, last_lines, read_json, rotate_log
from resources.endpoint.local.processes import ProcessId, end_all, end_orphans, recorded
from resources.endpoint.local.supervisor import ALREADY_RUNNING, Options

START_SECONDS = 30.0
STOP_SECONDS = 45.0
ANSWER_SECONDS = 40.0
POLL_SECONDS = 0.05
FAILED_STARTS = 2
"""A deployment that ended so often before it was ever healthy is given up."""
DEPLOYMENT_HEADER = "azureml-model-deployment"


Found = TypeVar("Found")


class EndpointClient:
    """One endpoint, known by its folder. `options` are for the supervisor, should it be started."""

    def __init__(self, options: Options) -> None:
        self.files, self._options = EndpointFiles(options.folder.resolve()), options

    def supervisor(self) -> ProcessId | None:
        """The supervisor, if it lives."""
        process, _ = recorded(self.files)
        return process if process is not None and process.alive else None

    def ensure_running(self) -> None:
        """Starts the supervisor, detached from this process, unless it runs. Raises `EndpointError` with its last words."""
        if self.supervisor() is not None:
            return
        self.files.stopped.unlink(missing_ok=True)
        started = self._spawn()

        def up() -> bool:
            if started.poll() not in (None, ALREADY_RUNNING):
                raise EndpointError(f"the endpoint cannot start:\n{last_lines(self.files.log('supervisor'), 5)}")
            return self.supervisor() is not None and bool((self._document().get("gateway") or {}).get("healthy"))

        if not _wait(up, START_SECONDS):
            raise EndpointError(
                f"the endpoint did not start within {START_SECONDS:.0f} seconds; see {self.files.log('supervisor')}"
            )

    def stop(self) -> int:
        """Ends everything, and anything that an earlier supervisor left; returns how many processes that were left over."""
        if self.files.folder.exists():
            self.files.stopped.parent.mkdir(parents=True, exist_ok=True)
            self.files.stopped.touch()
        supervisor = self.supervisor()
        if supervisor is not None:
            os.kill(supervisor.pid, signal.SIGTERM)
            if not _wait(lambda: not supervisor.alive, STOP_SECONDS):
                end_all([supervisor], grace=0.0)
        return end_orphans(self.files)

    def declare(self, desired: DesiredState) -> None:
        """Writes what should run."""
        desired_state.write(self.files, desired)

    def desired(self) -> DesiredState:
        """What should run. Raises `EndpointError` if the file is damaged."""
        try:
            return desired_state.read(self.files)
        except ValueError as error:
            raise EndpointError(str(error)) from error

    def observed(self) -> ObservedState:
        """What runs. Of what a supervisor wrote down before it died, nothing counts as healthy: the next one replaces it all."""
        document, supervisor = self._document(), self.supervisor()
        gateway = document.get("gateway") or {}
        writer = _written_by(document)
        is_news = supervisor is not None and writer is not None and writer.pid == supervisor.pid and writer.alive
        same = not self._is_damaged() and document.get("desired") == desired_state.version_of(self.desired())
        return ObservedState(
            url=f"http://{LOOPBACK}:{gateway['port']}" if gateway.get("port") else None,
            running=supervisor is not None,
            healthy=is_news and bool(gateway.get("healthy")),
            routed=is_news and bool(document.get("routed")),
            settled=is_news and same and bool(document.get("settled")),
            deployments=[
                ObservedDeployment(
                    name=entry["name"],
                    deployment=Deployment(**entry["deployment"]),
                    phase=entry["phase"],
                    healthy=is_news and entry["healthy"],
                    restarts=entry["restarts"],
                    since=entry["since"],
                    traffic=entry["traffic"],
                    status=entry["status"],
                    last_error=entry["last_error"],
                )
                for entry in document.get("deployments", [])
            ],
            page=f"http://{LOOPBACK}:{gateway['port']}/health" if gateway.get("port") else None,
        )

    def _is_damaged(self) -> bool:
        """Whether what should run cannot be read."""
        try:
            self.desired()
        except EndpointError:
            return True
        return False

    def is_up(self) -> bool:
        """Whether a request would be answered."""
        return (
            any(item.healthy and item.traffic > 0 for item in self.observed().deployments) and self.observed().healthy
        )

    def wait_healthy(self, name: str, seconds: float) -> ObservedDeployment:
        """Waits until a deployment serves what is declared for it. Raises `EndpointError` with the last lines of its log."""
        wanted = self.desired().deployments.get(name)
        if wanted is None:
            raise EndpointError(f"deployment {name!r} is not declared; deploy it first")

        def found() -> ObservedDeployment | None:
            if self.files.stopped.exists():
                raise EndpointError("the endpoint was stopped meanwhile; start it with `globolatte endpoints start`")
            state = self.observed()
            items = [item for item in state.deployments if item.name == name and item.deployment == wanted]
            item = items[0] if items else None
            if item is not None and not item.since and item.restarts >= FAILED_STARTS:
                raise EndpointError(self._words(name, f"does not start: it {item.last_error}"))
            fits = item is not None and item.healthy and item.status.get("model_version") == wanted.model_version
            return item if fits and state.routed else None

        item = _wait(found, seconds)
        if item is None:
            raise EndpointError(self._words(name, f"was not healthy within {seconds:.0f} seconds"))
        return item

    def wait_settled(self, seconds: float) -> ObservedState:
        """Waits until what runs is what should. Raises `EndpointError`."""
        state = _wait(lambda: state if (state := self.observed()).settled else None, seconds)
        if state is None:
            raise EndpointError(
                f"the endpoint was not as declared within {seconds:.0f} seconds; see `globolatte endpoints list`"
            )
        return state

    def score(self, requests: Sequence[Mapping[str, Any]], deployment: str | None = None) -> dict[str, Any]:
        """The answer to one call. Raises `EndpointError` with the endpoint's own message."""
        port = (self._document().get("gateway") or {}).get("port")
        if port is None:
            raise EndpointError("the endpoint does not run; start it with `globolatte endpoints start`")
        headers = {"Authorization": f"Bearer {endpoint_key(self.files)}", "Content-Type": "application/json"}
        if deployment is not None:
            headers[DEPLOYMENT_HEADER] = deployment
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", "/score", json.dumps({"requests": list(requests)}), headers)
            response = connection.getresponse()
            document: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EndpointError(f"the endpoint cannot be reached ({error}); see `globolatte endpoints list`") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise EndpointError(str(document.get("message", response.reason)))
        return document

    def _document(self) -> dict[str, Any]:
        return read_json(self.files.observed) or {}

    def _words(self, name: str, what: str) -> str:
        return (
            f"deployment {name} {what}. The last lines of {self.files.log(name)}:\n{last_lines(self.files.log(name))}"
        )

    def _spawn(self) -> subprocess.Popen[bytes]:
        log = self.files.log("supervisor")
        rotate_log(log)
        environment = {name: value for name, value in os.environ.items() if name != MARK_VARIABLE}
        command = [sys.executable, "-m", "resources.endpoint.local.supervisor", *self._options.arguments()]
        with log.open("ab") as stream:
            return subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def _written_by(document: Mapping[str, Any]) -> ProcessId | None:
    """The supervisor that wrote down what it observed."""
    process = (document.get("supervisor") or {}).get("process")
    return ProcessId(*process) if process else None


def _wait(look: Callable[[], Found | None], seconds: float) -> Found | None:
    """What `look` gives, as soon as it gives something that counts as true; none after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found or None
        time.sleep(POLL_SECONDS)


class LocalEndpoint(dg.ConfigurableResource):
    """The endpoint under `folder`. `port`: of its URL; `log_seconds`: see the setting prediction_log_seconds."""

    folder: str
    port: int | None = None
    log_seconds: float = 30.0
    wait_seconds: float = 90.0

    @property
    def client(self) -> EndpointClient:
        """The caller's side."""
        return EndpointClient(Options(Path(self.folder), self.port, self.log_seconds))

    def desired(self) -> DesiredState:
        """What should run."""
        return self.client.desired()

    def deploy(self, desired: DesiredState) -> None:
        """Declares what should run, and starts the supervisor if it does not run."""
        self.client.declare(desired)
        self.client.ensure_running()

    def wait_healthy(self, name: str, seconds: float | None = None) -> ObservedDeployment:
        """Waits until a deployment serves what is declared for it. Raises `EndpointError` with the last lines of its log."""
        return self.client.wait_healthy(name, seconds or self.wait_seconds)

    def wait_settled(self, seconds: float | None = None) -> ObservedState:
        """Waits until what runs is what should. Raises `EndpointError`."""
        return self.client.wait_settled(seconds or self.wait_seconds)

    def observed(self) -> ObservedState:
        """What runs."""
        return self.client.observed()

    def score(self, requests: Sequence[Mapping[str, Any]], deployment: str | None = None) -> dict[str, Any]:
        """The answer to one call. Raises `EndpointError` with the endpoint's own message."""
        return self.client.score(requests, deployment)

    def describe(self) -> str:
        """The URL and the folder."""
        return f"{self.observed().url or 'not running'}, kept in {self.folder}"
