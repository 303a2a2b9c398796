"""The supervisor's children: how an inference server and the gateway are started."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from resources.endpoint.endpoint import Deployment
from resources.endpoint.local.files import KEY_VARIABLE, MARK_VARIABLE, EndpointFiles, rotate_log, write_json
from resources.endpoint.local.processes import ProcessId, end_all, members_of_group

PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent.parent
ENTRY_SCRIPT = PROJECT_ROOT / "globolatte_ml" / "score.py"
LOOPBACK = "127.0.0.1"
BACKLOG = 512
GRACE_SECONDS = 15.0
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


@dataclass
class Child:
    """A process of ours, leader of its own group."""

    process: subprocess.Popen[bytes]
    id: ProcessId
    port: int
    started_at: float

    @property
    def alive(self) -> bool:
        """Whether it runs; a child that ended is reaped on the way."""
        return self.process.poll() is None

    def end(self, grace: float = GRACE_SECONDS) -> None:
        """Ends it and whatever it started: gently first, by force after `grace` seconds."""
        end_all([self.id], grace)
        end_all(members_of_group(self.id.pid), grace=1.0)
        self.process.wait()


def listen(port: int | None) -> socket.socket:
    """A listening socket on the loopback address. Raises `OSError` if the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port or 0))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    return listener


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
        "GUNICORN_CMD_ARGS": SERVER_OPTIONS,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with listen(None) as listener:
        port = listener.getsockname()[1]
        server = ["--model_dir", deployment.model_folder, "--entry_script", str(ENTRY_SCRIPT), "--port", str(port)]
        command = [sys.executable, "-m", "resources.endpoint.local.inference_server", str(listener.fileno()), *server]
        return _start(files, name, command, environment, listener)


def start_gateway(files: EndpointFiles, listener: socket.socket, options: list[str]) -> Child:
    """The gateway, on the supervisor's own socket: while it starts again, callers wait instead of being refused.

    `options` are the supervisor's own, with which the gateway would start another one, should it find itself an orphan.
    """
    command = [
        sys.executable,
        "-m",
        "resources.endpoint.local.gateway_process",
        str(files.folder),
        str(listener.fileno()),
    ]
    return _start(files, "gateway", [*command, str(os.getpid()), *options], dict(os.environ), listener)


def _start(
    files: EndpointFiles, name: str, command: list[str], environment: dict[str, str], listener: socket.socket
) -> Child:
    log = files.log(name)
    rotate_log(log)
    environment[MARK_VARIABLE] = str(files.folder)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT_ROOT), environment.get("PYTHONPATH")]))
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
            process_group=0,
        )
    found = ProcessId.of(process.pid) or ProcessId(process.pid, time.time())
    return Child(process, found, listener.getsockname()[1], time.monotonic())
