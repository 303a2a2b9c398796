"""`LocalEndpoint`: the interface to the endpoint of one machine."""

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from resources.endpoint.endpoint import (
    DEPLOYMENT_HEADER,
    Deployment,
    DesiredState,
    EndpointError,
    ObservedDeployment,
    ObservedState,
)
from resources.endpoint.local.files import (
    EndpointFiles,
    last_lines,
    read_desired,
    read_json,
    version_of,
    write_desired,
)
from resources.endpoint.local.keys import present_key, remedy
from resources.endpoint.local.processes import LOOPBACK, end_all, end_orphans, marked, spawn_supervisor
from resources.endpoint.local.supervisor import ALREADY_RUNNING, Options
from resources.processes import ProcessId, Standing, find_process

START_SECONDS = 30.0
STOP_SECONDS = 45.0
ANSWER_SECONDS = 40.0
POLL_SECONDS = 0.05
FAILED_STARTS = 2
"""A deployment that ended this many times before it was ever healthy is given up."""
AS_WRITTEN = ("name", "phase", "restarts", "since", "traffic", "status", "last_error")


Found = TypeVar("Found")


class LocalEndpoint(dg.ConfigurableResource):
    """The endpoint under `folder`. `port`: of its URL; `log_seconds`: see the setting prediction_log_seconds."""

    folder: str
    port: int | None = None
    log_seconds: float = 30.0
    wait_seconds: float = 90.0

    @property
    def options(self) -> Options:
        """The options that its supervisor is started with."""
        return Options(Path(self.folder), self.port, self.log_seconds)

    @property
    def files(self) -> EndpointFiles:
        """Where it keeps its files."""
        return EndpointFiles(Path(self.folder).resolve())

    def describe(self) -> str:
        """The URL and the folder."""
        return f"{self.observed().url or 'not running'}, kept in {self.folder}"

    def supervisor(self) -> ProcessId | None:
        """The supervisor, if it lives: the process that holds the lock of this folder."""
        return self.files.supervisor()

    def ensure_running(self) -> None:
        """Starts the supervisor, detached from this process, unless it runs. Raises `EndpointError` with the end of its log."""
        files = self.files
        if not _wait(lambda: not self._is_ending(), STOP_SECONDS):
            raise EndpointError(
                f"an endpoint that is to end still holds {files.lock}: process {self.supervisor()}; end it, then start this one again"
            )
        files.stopped.unlink(missing_ok=True)
        if self.supervisor() is not None:
            return
        started = spawn_supervisor(files, self.options.arguments())

        def up() -> bool:
            if started.poll() not in (None, ALREADY_RUNNING):
                raise EndpointError(f"the endpoint cannot start:\n{last_lines(files.log('supervisor'), 5)}")
            return self.supervisor() is not None and bool(self._document().get("gateway", {}).get("healthy"))

        if not _wait(up, START_SECONDS):
            raise EndpointError(
                f"the endpoint did not start within {START_SECONDS:.0f} seconds; see {files.log('supervisor')}"
            )

    def _is_ending(self) -> bool:
        """Whether the supervisor that lives is about to end: it was stopped, or its folder moved, or is another than it was started for."""
        keeper = self.files.keeper()
        if keeper is None or keeper.process.standing is Standing.UNSEEN:
            return False
        try:
            return keeper.ending or (bool(keeper.path) and not Path(keeper.path).samefile(self.files.folder))
        except OSError:  # there is nothing any more where it was started
            return True

    def stop(self) -> int:
        """Ends everything, including what an earlier supervisor left; returns the number of these leftover processes.

        Raises `EndpointError` if it goes on nevertheless: never is something said to have stopped that serves.
        """
        files = self.files
        _from_here(self.supervisor())  # a stop that is refused leaves no mark
        with suppress(OSError):  # on a full disk there is no mark, and it ends all the same
            if files.folder.exists():
                files.stopped.parent.mkdir(parents=True, exist_ok=True)
                files.stopped.touch()
        end_all(_from_here(self.supervisor()), STOP_SECONDS)  # of one that starts from now on the mark is the end
        left = end_orphans(files)
        if not _wait(lambda: self.supervisor() is None, STOP_SECONDS) or marked(files):
            raise EndpointError(
                f"the endpoint of {files.folder} still runs: process {self.supervisor() or marked(files)}"
            )
        return left

    def desired(self) -> DesiredState:
        """What should run. Raises `EndpointError` if the file is damaged."""
        try:
            return read_desired(self.files) or DesiredState()
        except ValueError as error:
            raise EndpointError(str(error)) from error

    def deploy(self, desired: DesiredState) -> None:
        """Declares what should run, and starts the supervisor if it does not run."""
        write_desired(self.files, desired)
        self.ensure_running()

    def bring_back(self) -> bool:
        """Starts the supervisor again if something is declared and nothing runs, unless somebody stopped it. Does not wait for it."""
        if not self.observed().missing:
            return False
        spawn_supervisor(self.files, self.options.arguments())
        return True

    def observed(self) -> ObservedState:
        """What runs. What was recorded counts only if its writer holds the lock of this folder: it may be dead, or another home's."""
        supervisor, document = self.supervisor(), self._document()
        gateway, is_news = document.get("gateway", {}), supervisor is not None and bool(document)
        same, missing = False, ""
        with suppress(EndpointError):  # the desired state cannot be read
            desired = self.desired()
            same = document.get("desired") == version_of(desired)
            if supervisor is None and not self.files.stopped.exists():
                missing = ", ".join(f"{name} ({percent} %)" for name, percent in desired.traffic.items() if percent)
        url = f"http://{LOOPBACK}:{gateway['port']}" if gateway else None
        return ObservedState(
            url=url,
            running=supervisor is not None,
            healthy=is_news and bool(gateway.get("healthy")),
            routed=is_news and bool(document.get("routed")),
            converged=is_news and same and bool(document.get("settled")),
            deployments=[
                ObservedDeployment(
                    deployment=Deployment(**entry["deployment"]),
                    healthy=is_news and entry["healthy"],
                    **{name: entry[name] for name in AS_WRITTEN},
                )
                for entry in document.get("deployments", [])
            ],
            page=url and f"{url}/health",
            gateway_restarts=gateway.get("restarts", 0),
            gateway_error=gateway.get("last_error"),
            missing=missing,
            note=gateway.get("note", "") or self._other_port(gateway),
        )

    def _other_port(self, gateway: Mapping[str, Any]) -> str:
        """That it was started with another port than is asked for now, and goes on with that; empty if it was not."""
        if not gateway or self.port in (None, gateway["port"]):
            return ""
        return f"answers on port {gateway['port']}, not on {self.port}: it was started so; end it, then start it again, to change that"

    def is_up(self) -> bool:
        """Whether a request would be answered."""
        state = self.observed()
        return state.healthy and any(item.healthy and item.traffic > 0 for item in state.deployments)

    def wait_healthy(self, name: str, seconds: float | None = None) -> ObservedDeployment:
        """Waits until a deployment serves what is declared for it. Raises `EndpointError` with the last lines of its log."""
        files, seconds, wanted = self.files, seconds or self.wait_seconds, self.desired().deployments.get(name)
        if wanted is None:
            raise EndpointError(f"deployment {name!r} is not declared; deploy it first")

        def fault(what: str) -> EndpointError:
            log = files.log(name)
            return EndpointError(f"deployment {name} {what}. The last lines of {log}:\n{last_lines(log)}")

        def found() -> ObservedDeployment | None:
            if files.stopped.exists():
                raise EndpointError("the endpoint was stopped meanwhile; start it with `globolatte endpoints start`")
            state = self.observed()
            items = [item for item in state.deployments if item.name == name and item.deployment == wanted]
            item = items[0] if items else None
            if item is not None and not item.since and item.restarts >= FAILED_STARTS:
                raise fault(f"does not start: it {item.last_error}")
            fits = item is not None and item.healthy and item.status.get("model_version") == wanted.model_version
            return item if fits and state.routed else None

        item = _wait(found, seconds)
        if item is None:
            raise fault(f"was not healthy within {seconds:.0f} seconds")
        return item

    def wait_until_converged(self, seconds: float | None = None) -> ObservedState:
        """Waits until what runs is what should run. Raises `EndpointError`."""
        seconds = seconds or self.wait_seconds
        state = _wait(lambda: state if (state := self.observed()).converged else None, seconds)
        if state is None:
            raise EndpointError(
                f"the endpoint was not as declared within {seconds:.0f} seconds; see `globolatte endpoints list`"
            )
        return state

    def score(
        self, requests: Sequence[Mapping[str, Any]], deployment: str | None = None, *, request_id: str | None = None
    ) -> dict[str, Any]:
        """The answer to one call. Raises `EndpointError` with the endpoint's own message."""
        port = self._document().get("gateway", {}).get("port")
        if port is None:
            raise EndpointError("the endpoint does not run; start it with `globolatte endpoints start`")
        headers = {"Authorization": f"Bearer {present_key(self.files)}", "Content-Type": "application/json"}
        if deployment is not None:
            headers[DEPLOYMENT_HEADER] = deployment
        if request_id is not None:
            headers["x-request-id"] = request_id
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", "/score", json.dumps({"requests": list(requests)}), headers)
            response = connection.getresponse()
            document: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EndpointError(f"the endpoint cannot be reached ({error}); see `globolatte endpoints list`") from error
        finally:
            connection.close()
        if response.status == http.client.UNAUTHORIZED:
            raise EndpointError(f"the endpoint refuses the key; {remedy(self.files)}")
        if response.status != http.client.OK:
            raise EndpointError(str(document.get("message", response.reason)))
        return document

    def _document(self) -> dict[str, Any]:
        """What the supervisor recorded that runs now; nothing while none runs."""
        document, supervisor = read_json(self.files.observed) or {}, self.supervisor()
        written_by = document.get("supervisor", {}).get("process")
        return document if supervisor is not None and written_by == list(supervisor) else {}


def _from_here(supervisor: ProcessId | None) -> list[ProcessId]:
    """The supervisor, if there is one, as a process that can be ended. Raises `EndpointError` if it is none that can be seen from here."""
    if supervisor is None:
        return []
    if supervisor.standing is Standing.UNSEEN:
        raise EndpointError(
            f"the endpoint is kept by process {supervisor.pid} of {supervisor.host}, in another container or on another machine; stop "
            "it there"
        )
    return [find_process(supervisor.pid) or supervisor]


def _wait(look: Callable[[], Found | None], seconds: float) -> Found | None:
    """The first true value that `look` returns; none after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found or None
        time.sleep(POLL_SECONDS)
