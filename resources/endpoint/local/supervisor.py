"""Starts and ends processes so that what runs is what should run: `python -m resources.endpoint.local.supervisor FOLDER`.

One supervisor runs for a folder: it holds a lock. It has a session of its own when started on demand. SIGTERM, SIGINT and
SIGHUP end it and everything it started. After a SIGKILL its children go on serving; the gateway, finding itself an orphan,
starts a successor and hands it the sockets. The successor goes on with what lives and answers (`survivors.py`).
"""

import argparse
import datetime as dt
import os
import signal
import sys
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, Any

from resources.endpoint.endpoint import Deployment, DesiredState, EndpointError
from resources.endpoint.local.files import EndpointFiles, read_desired, version_of, write_json
from resources.endpoint.local.ports import Ports, sockets
from resources.endpoint.local.processes import Child, end_orphans, start_deployment, start_gateway
from resources.endpoint.local.routing import Route, Routes
from resources.endpoint.local.slots import DeploymentSlot, Slot
from resources.endpoint.local.survivors import declared_by, leave_to_gateway, survivors
from resources.processes import HeldError, this_process

TICK_SECONDS = 0.1
DRAIN_SECONDS = 30.0
ALREADY_RUNNING = 3


class Lock:
    """The lock of a folder, held by its supervisor for as long as it lives; the file says which process that is.

    Raises `AlreadyRunningError` if another process has it.
    """

    def __init__(self, files: EndpointFiles) -> None:
        self._files, self._stream = files, self._take(files)
        self._folder = files.folder.stat()

    def keep(self) -> None:
        """Takes the lock again if its file was removed. Raises `MovedError` if the folder is gone or another one is in its place."""
        try:
            is_here = os.path.samestat(self._folder, self._files.folder.stat())
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            is_here = False
        if not is_here:
            raise MovedError(
                f"{self._files.folder} was moved, removed or replaced, so the endpoint that was started for it ends; where the home "
                "is now, start it with `globolatte endpoints start`"
            )
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._stream.fileno()), self._files.lock.stat()):
                return
        again = self._take(self._files)  # where it cannot be made, on a full disk, the old one is still held
        self._stream.close()
        self._stream = again
        _say(f"{self._files.lock} was removed; it is there again")

    @staticmethod
    def _take(files: EndpointFiles) -> IO[str]:
        try:
            stream = files.take_lock()
        except HeldError as taken:
            raise _taken(files) from taken
        try:
            stream.truncate(0)
            stream.write(files.lock_record(this_process()))
            stream.flush()
        except OSError:
            with suppress(OSError):  # closing writes once more
                stream.close()
            raise
        return stream

    def announce_end(self) -> None:
        """Writes into the lock that its holder is about to end: who starts an endpoint waits for that, and starts another one."""
        with suppress(OSError):  # the folder is gone, or another one in its place
            if os.path.samestat(os.fstat(self._stream.fileno()), self._files.lock.stat()):
                with self._files.lock.open("r+", encoding="utf-8") as stream:
                    stream.write(self._files.lock_record(this_process(), ending=True))

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._stream.close()


@dataclass(frozen=True)
class Options:
    """A supervisor's options. `port` is the gateway's; default: the one it had before, else a free one.

    `listeners`: descriptors of the sockets that the gateway handed over, if it started this supervisor.
    """

    folder: Path
    port: int | None = None
    log_seconds: float = 30.0
    listeners: str = ""

    def arguments(self) -> list[str]:
        """The command line that gives these options."""
        port = [] if self.port is None else ["--port", str(self.port)]
        return [str(self.folder), "--log-seconds", str(self.log_seconds), *port]


class AlreadyRunningError(RuntimeError):
    """Another supervisor has this folder."""


def _taken(files: EndpointFiles) -> AlreadyRunningError:
    return AlreadyRunningError(f"another supervisor keeps {files.folder}; stop it first")


class MovedError(RuntimeError):
    """The folder is no longer where it was when the supervisor started."""


class Supervisor:
    """Keeps one endpoint running. `tick` does one round of all checks; `run` repeats it until it is stopped."""

    def __init__(self, options: Options) -> None:
        self._files, self._options = EndpointFiles(options.folder.resolve()), options
        self._desired, self._problem = DesiredState(), ""
        self._ports: Ports
        self._gateway = Slot("gateway", self._start_gateway, "/health")
        self._deployments: list[DeploymentSlot] = []
        self._routes = Routes()
        self._stop = False
        self._written: dict[Path, Any] = {}

    def run(self) -> None:
        """Runs until a signal. Raises `AlreadyRunningError` if another supervisor does.

        Raises `MovedError`, after it has ended everything, if the folder is no longer its own.
        """
        inherited = sockets(self._options.listeners)
        if not inherited:
            leave_to_gateway(self._files)
            if (
                self._files.supervisor() is not None
            ):  # not waited for: should it be killed now, the gateway starts the next one
                raise _taken(self._files)
        self._lock = Lock(self._files)
        with self._lock:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self._on_stop_signal)
            is_stopped = self._files.stopped.exists()
            try:
                self._take_over(nobody=is_stopped, gateway=bool(inherited))
                if is_stopped:
                    _say("stopped before it began")
                    return
                with closing(Ports(self._files, self._options.port, inherited)) as self._ports:
                    _say(f"serving on http://127.0.0.1:{self._ports.port}")
                    if self._ports.note:
                        _say(self._ports.note)
                    self._loop()
            finally:
                self._end_everything()

    def _take_over(self, *, nobody: bool, gateway: bool) -> None:
        """Goes on with what an earlier supervisor left, if it answers, and ends the rest. Without its sockets the gateway is of no use."""
        found = [] if nobody else survivors(self._files, self._options.log_seconds)
        found = [one for one in found if gateway or one.deployment is not None]
        ended = end_orphans(self._files, keep=[one.child for one in found])
        if ended:
            _say(f"ended {ended} processes that an earlier supervisor left")
        for one in found:
            slot = self._gateway if one.deployment is None else self._add(one.name, one.deployment)
            slot.take_over(one.child, one.recorded, one.status)
            if isinstance(slot, DeploymentSlot) and one.is_draining:
                slot.draining_since = time.monotonic()
        self._desired = declared_by(found)
        if found:
            _say(f"goes on with what an earlier supervisor left: {', '.join(one.name for one in found)}")

    def _start_gateway(self) -> Child:
        return start_gateway(self._files, self._ports.listeners, self._options.arguments())

    def _add(self, name: str, deployment: Deployment) -> DeploymentSlot:
        launch = partial(start_deployment, self._files, name, deployment, self._options.log_seconds)
        self._deployments.append(DeploymentSlot(name, launch, "/score", deployment=deployment))
        return self._deployments[-1]

    def _loop(self) -> None:
        while not self._stop:
            try:
                self._lock.keep()
                self.tick()
            except (
                OSError,
                EndpointError,
            ) as error:  # a full disk, too many files, a lock of nobody: what runs goes on running
                _say(f"{error}; trying again")
                time.sleep(1.0)
            time.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Reads the desired state, checks every process once, and records what it found."""
        self._read_desired()
        self._reconcile()
        if self._ports.take_back():
            _say(f"port {self._ports.port} is free again; serving on http://127.0.0.1:{self._ports.port}")
            self._gateway.end()  # another one starts at once, on both ports; callers wait
        for slot in [self._gateway, *self._deployments]:
            if not self._stop and not (isinstance(slot, DeploymentSlot) and slot.draining_since is not None):
                before = slot.restarts
                slot.tend()
                if slot.restarts > before:
                    _say(f"{slot.name} {slot.last_error}; it is started again (restart {slot.restarts})")
        self._route()
        if not self._routed:
            self._gateway.look_soon()
        self._end_drained()
        self._write(self._files.observed, self._observed())

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True
        self._lock.announce_end()

    def _read_desired(self) -> None:
        before, self._problem = self._problem, ""
        try:
            desired = read_desired(self._files)
            if desired is not None:
                self._desired = desired
            elif self._desired.deployments:
                self._problem = f"{self._files.desired} is gone; what runs goes on running"
        except (ValueError, OSError) as error:
            self._problem = str(error)
        if self._problem not in ("", before):
            _say(self._problem)

    def _reconcile(self) -> None:
        wanted = self._desired.deployments
        for name, deployment in wanted.items():
            if not any(slot.name == name and slot.deployment == deployment for slot in self._active()):
                _say(f"{name}: model version {deployment.model_version}")
                self._add(name, deployment)
        for slot in self._active():
            if slot.name not in wanted or (wanted[slot.name] != slot.deployment and self._replaced(slot)):
                slot.draining_since = time.monotonic()

    def _active(self) -> list[DeploymentSlot]:
        return [slot for slot in self._deployments if slot.draining_since is None]

    def _replaced(self, slot: DeploymentSlot) -> bool:
        """Whether a healthy process has replaced this one, or this one is not healthy itself."""
        wanted = self._desired.deployments[slot.name]
        others = [other for other in self._active() if other.name == slot.name and other.deployment == wanted]
        return not slot.healthy or any(other.healthy for other in others)

    def _serving(self) -> dict[str, DeploymentSlot]:
        """For each name the newest healthy process, else the newest one."""
        found: dict[str, DeploymentSlot] = {}
        for slot in self._active():
            if slot.name not in found or slot.healthy or not found[slot.name].healthy:
                found[slot.name] = slot
        return found

    def _route(self) -> None:
        """Writes the routes for the gateway, with a new version if they changed."""
        traffic = self._desired.traffic
        routes = tuple(
            Route(
                name,
                slot.child.port if slot.child else 0,
                slot.healthy,
                traffic.get(name, 0),
                slot.deployment.model_version,
                slot.status.get("levels", {}),
            )
            for name, slot in self._serving().items()
        )
        problems = {slot.name: slot.last_error for slot in self._active() if slot.last_error is not None}
        now = Routes(self._routes.version, routes, self._desired.mirror, problems)
        if now != self._routes or not now.version:
            self._routes = replace(now, version=f"{time.time_ns():x}")
        self._write(self._files.routes, asdict(self._routes))

    @property
    def _routed(self) -> bool:
        """Whether the gateway has reported that it uses the newest routes."""
        return bool(self._gateway.status.get("routes") == self._routes.version)

    def _end_drained(self) -> None:
        """Ends draining processes once the gateway sends them nothing more and waits for no answer of theirs."""
        status = self._gateway.status
        for slot in [slot for slot in self._deployments if slot.draining_since is not None]:
            child, waited = slot.child, time.monotonic() - (slot.draining_since or 0.0)
            at_work = child is not None and status.get("in_flight", {}).get(str(child.port), 0) > 0
            knows = not self._gateway.healthy or self._routed
            if (child is None or (knows and not at_work) or waited > DRAIN_SECONDS) and slot.ended():
                self._deployments.remove(slot)
                _say(f"{slot.name}: model version {slot.deployment.model_version} ended")

    def _observed(self) -> dict[str, Any]:
        converged = self._routed and len(self._deployments) == len(self._active())
        return {
            "supervisor": {"process": this_process(), "log_seconds": self._options.log_seconds},
            "desired": version_of(self._desired),
            "problem": self._problem,
            "routed": self._routed,
            "settled": converged and all(slot.healthy for slot in self._deployments),
            "gateway": {**_entry(self._gateway), "port": self._ports.port, "note": self._ports.note},
            "deployments": [
                {
                    **_entry(slot),
                    "deployment": asdict(slot.deployment),
                    "phase": slot.phase,
                    "traffic": self._desired.traffic.get(slot.name, 0) if slot.draining_since is None else 0,
                    "status": slot.status,
                }
                for slot in self._deployments
            ],
        }

    def _write(self, path: Path, content: Any) -> None:
        if self._written.get(path) != content or not path.exists():
            if not path.parent.is_dir():  # never made again where the home has been
                raise FileNotFoundError(f"{path.parent} is gone")
            write_json(path, content)
            self._written[path] = content

    def _end_everything(self) -> None:
        """Ends the gateway first, so that it finishes requests under way while its deployments still answer."""
        self._lock.announce_end()
        for slot in [self._gateway, *self._deployments]:
            slot.end()
        with suppress(
            MovedError, AlreadyRunningError, EndpointError, OSError
        ):  # what another home has in this place is its own
            self._lock.keep()
            end_orphans(self._files)  # what could not be taken over
            self._files.observed.unlink(missing_ok=True)
            self._files.routes.unlink(missing_ok=True)
        _say("stopped")


def _entry(slot: Slot) -> dict[str, Any]:
    child = slot.child
    return {
        "name": slot.name,
        "process": child.id if child is not None else None,
        "port": child.port if child is not None else None,
        "healthy": slot.healthy,
        "restarts": slot.restarts,
        "since": slot.since,
        "last_error": slot.last_error,
    }


def _say(message: str) -> None:
    sys.stdout.write(f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} supervisor [{os.getpid()}] {message}\n")
    sys.stdout.flush()


def main() -> int:
    """The command line of a supervisor started on demand."""
    parser = argparse.ArgumentParser(description="Keeps an endpoint running.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=None)
    parser.add_argument("--log-seconds", type=float, default=30.0)
    parser.add_argument("--listeners", default="")
    try:
        Supervisor(Options(**vars(parser.parse_args()))).run()
    except AlreadyRunningError as error:
        _say(str(error))
        return ALREADY_RUNNING
    except MovedError as error:
        _say(str(error))
        return 1
    except (OSError, ValueError, EndpointError) as error:
        _say(f"cannot serve: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
