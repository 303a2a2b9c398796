"""The command line in processes that have everything imported: forks of one process, which did so once for all workers of a session.

The first run of the shared home and `globolatte dev` start as a person's shell starts them.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import wait
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.session import Shared

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

MODULES = (
    "alembic.command",
    "azure.ai.ml",
    "azure.identity",
    "dagster_azure.blob",
    "dbt.adapters.duckdb",
    "dbt.cli.main",
    "evidently",
    "matplotlib.pyplot",
    "mlflow.pyfunc",
    "mlflow.tracking",
    "pandas",
    "rich.live",
    "scipy.stats",
    "sklearn",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
    "sqlglot",
    "structlog.dev",
    "globolatte_cli.main",
    "globolatte_cli.run_pass",
    "globolatte_assets.endpoints.definitions",
    "globolatte_assets.features.definitions",
    "globolatte_assets.models.definitions",
    "globolatte_assets.monitoring.definitions",
    "globolatte_assets.raw.definitions",
    "resources.endpoint.local.endpoint",
    "resources.ml.local.platform",
    "resources.warehouse.duckdb_file",
    "sensors.definitions",
)
"""Nothing of these starts a thread or reads a setting of ours when it is imported; `definitions` does."""

ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 120
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(list(MODULES))


class Commands:
    """Starts commands, and waits for them. Workers call that of their session, each from a thread of its own."""

    def __init__(self) -> None:
        self._started: dict[int, ForkServerProcess] = {}
        self._lock = (
            threading.Lock()
        )  # multiprocessing reads how a process ended once, and looks at all when it starts one

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path, script: Path | None
    ) -> int:
        """Starts a command; gives its process' id. See `start`."""
        process = FORKED.Process(target=_run, args=(list(arguments), dict(environment), output, errors, script))
        with self._lock:
            process.start()
            assert process.pid is not None
            self._started[process.pid] = process
        return process.pid

    def exit_code(self, pid: int, seconds: float | None) -> int | None:
        """How the process ended, negative for a signal; none if it is still alive after so many seconds."""
        process = self._started[pid]
        if not wait([process.sentinel], seconds):
            return None
        with self._lock:
            process.join()
            return process.exitcode

    def kill(self, pid: int) -> None:
        """Ends the process at once."""
        self._started[pid].kill()


class _Server(BaseManager):
    """`Commands` behind a socket."""


@dataclass(frozen=True)
class Command:
    """One command that was started."""

    pid: int

    def wait(self, seconds: float | None = None) -> int | None:
        """See `Commands.exit_code`."""
        return _commands().exit_code(self.pid, seconds)

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.wait(0) is None

    def kill(self) -> None:
        """Ends it at once."""
        _commands().kill(self.pid)


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: Path,
    errors: Path | None = None,
    script: Path | None = None,
) -> Command:
    """Starts `globolatte`, or a script, with these arguments, in a process group of its own.

    What it prints is added to files, errors to the output's if they have none.
    """
    return Command(_commands().start(arguments, environment, output, errors or output, script))


@cache
def _commands() -> Commands:
    """The session's; outside one, this process' own."""
    session = Shared.of_this_process()
    if session is None:
        return Commands()
    _Server.register("commands")
    server = _Server(str(session.serve("commands", _serve)["socket"]), authkey=session.mark.encode())
    server.connect()
    commands: Commands = server.commands()
    return commands


def _serve(folder: Path) -> tuple[int, dict[str, object]]:
    socket = folder / "socket"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from tests.warm_commands import serve; serve({str(socket)!r})"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + SECONDS_TO_START
    while not socket.exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
    return process.pid, {"socket": str(socket)}


def _run(
    arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path, script: Path | None
) -> None:
    os.setpgid(0, 0)  # what it leaves running is not ended with the server, but found
    os.environ.clear()
    os.environ.update(environment)
    for file, stream in ((output, sys.stdout), (errors, sys.stderr)):
        with file.open("ab") as opened:
            os.dup2(opened.fileno(), stream.fileno())
    sys.argv = [str(script or "globolatte"), *arguments]
    if script is not None:
        runpy.run_path(str(script), run_name="__main__")
        return
    from globolatte_cli.main import main

    main()


def serve(socket: str) -> None:
    """Answers the workers of the session that has started this process, until it is ended."""
    session = Shared.of_this_process()
    assert session is not None
    commands = Commands()
    _Server.register("commands", lambda: commands, exposed=["start", "exit_code", "kill"])
    _Server(socket, authkey=session.mark.encode()).get_server().serve_forever()
