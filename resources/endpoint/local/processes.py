"""How the supervisor and its children are started, which of them live, and how they are ended.

A process belongs to the folder in which the kernel has it working: moving the folder takes it along, a copy of the folder has none.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from resources.endpoint.endpoint import Deployment
from resources.endpoint.local.files import KEY_VARIABLE, MARK_VARIABLE, EndpointFiles, rotate_log, write_json
from resources.processes import HERE, ProcessId, find_process

PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent.parent
ENTRY_SCRIPT = PROJECT_ROOT / "globolatte_ml" / "score.py"
LOOPBACK = "127.0.0.1"
BACKLOG = 512
GRACE_SECONDS, ORPHANS_SECONDS = 15.0, 10.0
SERVER_THREADS = 4
SERVER_OPTIONS = (
    f"--worker-class gthread --threads {SERVER_THREADS} --keep-alive 75 --graceful-timeout {GRACE_SECONDS:.0f} "
    "--no-control-socket"
)
"""gunicorn's default worker closes the connection after each answer; this one keeps it for the gateway's next request."""

LOGGING = {
    "version": 1,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s [%(process)d] %(name)s - %(message)s"}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"}},
    "loggers": {
        "azmlinfsrv": {"level": "WARNING", "handlers": ["stdout"], "propagate": False},
        "azmlinfsrv.globolatte": {"level": "INFO"},
        "azmlinfsrv.user_script": {"level": "INFO"},
        "azmlinfsrv.trace": {"level": "CRITICAL"},
        "gunicorn.access": {"level": "WARNING", "handlers": ["stdout"], "propagate": False},
        "gunicorn.error": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
    },
}
"""The inference server's own configuration writes three lines for each request: a log without end. Errors stay."""


def end_all(targets: Iterable[ProcessId], grace: float = GRACE_SECONDS) -> None:
    """Terminates processes, and kills those that have not ended within `grace` seconds."""
    left = [target for target in targets if target.alive]
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, float("inf"))):
        for target in left:
            with suppress(ProcessLookupError):
                os.kill(target.pid, number)
        deadline = time.monotonic() + seconds
        while (left := [target for target in left if target.alive]) and time.monotonic() < deadline:
            time.sleep(0.02)


@dataclass
class Child:
    """A process of ours, leader of its own group. `process`: none if an earlier supervisor started it."""

    id: ProcessId
    port: int
    started_at: float
    process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs; a child that ended is reaped on the way."""
        return self.id.alive if self.process is None else self.process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        return "ended" if self.process is None else f"ended with code {self.process.returncode}"

    def terminate(self) -> None:
        """Asks it to end."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.id.pid, signal.SIGTERM)

    def end(self, grace: float = GRACE_SECONDS) -> None:
        """Ends it and whatever it started: by a signal first, by force after `grace` seconds."""
        end_all([self.id], grace)
        end_all(_living(lambda process: os.getpgid(process.pid) == self.id.pid), grace=1.0)
        if self.process is not None:
            self.process.wait()


def listen(port: int | None) -> socket.socket:
    """A listening socket on the loopback address. Raises `OSError` if the port is taken."""
    return socket.create_server((LOOPBACK, port or 0), backlog=BACKLOG)


def start_deployment(files: EndpointFiles, name: str, deployment: Deployment, log_seconds: float) -> Child:
    """An inference server with our scoring script, on a free port."""
    write_json(files.server_folder / "logging.json", LOGGING)
    environment = {
        **{variable: value for variable, value in os.environ.items() if variable != KEY_VARIABLE},
        "AML_APP_ROOT": str(files.server_folder),
        "GLOBOLATTE_DEPLOYMENT": name,
        "GLOBOLATTE_MODEL_VERSION": deployment.model_version,
        "GLOBOLATTE_STATE_POINTER": str(files.state_pointer),
        "GLOBOLATTE_PREDICTION_LOG": str(files.prediction_log),
        "GLOBOLATTE_PREDICTION_LOG_SECONDS": str(log_seconds),
        "GLOBOLATTE_PROBE_ID": files.probe_id(),
        "GUNICORN_CMD_ARGS": SERVER_OPTIONS,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with listen(None) as listener:
        port = listener.getsockname()[1]
        server = ["--model_dir", deployment.model_folder, "--entry_script", str(ENTRY_SCRIPT), "--port", str(port)]
        command = [sys.executable, "-m", "resources.endpoint.local.inference_server", str(listener.fileno()), *server]
        return _start(files, name, command, environment, listener)


def start_gateway(files: EndpointFiles, listeners: Sequence[socket.socket], options: list[str]) -> Child:
    """The gateway, on the supervisor's own sockets: while it starts again, callers wait instead of being refused.

    `options` are the supervisor's own, with which the gateway would start another one, should it find itself an orphan.
    """
    command = [sys.executable, "-m", "resources.endpoint.local.gateway", str(files.folder)]
    descriptors = ",".join(str(listener.fileno()) for listener in listeners)
    return _start(files, "gateway", [*command, descriptors, str(os.getpid()), *options], dict(os.environ), *listeners)


def _start(
    files: EndpointFiles, name: str, command: list[str], environment: dict[str, str], *listeners: socket.socket
) -> Child:
    environment[MARK_VARIABLE] = str(files.folder)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT_ROOT), environment.get("PYTHONPATH")]))
    where = {"cwd": files.folder, "process_group": 0}
    process = _popen(files, name, command, environment, pass_fds=[listener.fileno() for listener in listeners], **where)
    found = find_process(process.pid) or ProcessId(process.pid, "ended")
    return Child(found, listeners[0].getsockname()[1], time.monotonic(), process)


def spawn_supervisor(
    files: EndpointFiles, arguments: list[str], listeners: Sequence[socket.socket] = ()
) -> subprocess.Popen[bytes]:
    """Starts a supervisor in a session of its own, so that it outlives the process that starts it.

    `listeners`: the gateway's sockets, when it is the gateway that starts a successor.
    """
    environment = {name: value for name, value in os.environ.items() if name != MARK_VARIABLE}
    descriptors = [listener.fileno() for listener in listeners]
    inherited = ["--listeners", ",".join(map(str, descriptors))] if descriptors else []
    command = [sys.executable, "-m", "resources.endpoint.local.supervisor", *arguments, *inherited]
    where = {"cwd": PROJECT_ROOT, "start_new_session": True}
    return _popen(files, "supervisor", command, environment, pass_fds=descriptors, **where)


def _popen(
    files: EndpointFiles, name: str, command: list[str], environment: dict[str, str], **how: Any
) -> subprocess.Popen[bytes]:
    """Starts a process; all that it prints goes into the log of this name."""
    log = files.log(name)
    rotate_log(log)
    with log.open("ab") as stream:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            **how,
        )


def marked(files: EndpointFiles) -> list[ProcessId]:
    """The living processes of this endpoint: all children, and the processes that they started.

    They are found by what the kernel knows of them, not by a record: it may be lost, or be a copy of another folder's.
    """
    return list(_living(lambda process: _belongs(process, files.folder)))


def started_for(files: EndpointFiles, process: ProcessId) -> bool:
    """Whether exactly this process lives, works in the folder, and was started for it where it is now: a move leaves it behind."""
    with suppress(psutil.Error, OSError):
        found = psutil.Process(process.pid)
        mark = found.environ().get(MARK_VARIABLE)
        return process.alive and mark == str(files.folder) and _belongs(found, files.folder)
    return False


def works_in(folder: Path) -> bool:
    """Whether a folder still is the one that this process was started in."""
    try:
        return Path().samefile(folder)
    except OSError:
        return False


def _belongs(process: psutil.Process, folder: Path) -> bool:
    """Whether a process works in the folder, or, started by an earlier version, has its path as a mark."""
    mark = process.environ().get(MARK_VARIABLE)
    if mark is None or HERE.space_of(process.pid) != HERE.space:
        return False
    where = HERE.working_folder(process.pid)
    return mark == str(folder) if where.samefile(PROJECT_ROOT) else where.samefile(folder)


def _living(fits: Callable[[psutil.Process], bool]) -> Iterator[ProcessId]:
    """The living processes that match, without this one and those that we have no permission to inspect."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and fits(process) and (found := find_process(process.pid)) is not None:
                yield found


def end_orphans(files: EndpointFiles, keep: Iterable[Child] = ()) -> int:
    """Ends the living processes of an earlier supervisor but those to `keep`, with all in their groups; returns how many there were."""
    groups = {child.id.pid for child in keep}
    found = [process for process in marked(files) if _group(process) not in groups]
    end_all(found, ORPHANS_SECONDS)
    return len(found)


def _group(process: ProcessId) -> int | None:
    with suppress(ProcessLookupError):
        return os.getpgid(process.pid)
    return None
