"""A dbt that has imported itself before it is told what to build: importing takes a third of a day's build.

A headless pass starts one while files are loaded. `globolatte-dbt` is dbt's command line: if a warm process listens where
`GLOBOLATTE_WARM_DBT` says, that one does the work in this one's name (folder, environment, output, exit code, interrupts); else it
imports dbt here. Only the standard library is imported before that is known.
"""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

VARIABLE = "GLOBOLATTE_WARM_DBT"
"""Names the socket of a warm dbt, for as long as one waits."""

PARENT_WATCH_SECONDS = 1.0
INTERRUPT = b"i"
REQUEST_BYTES = 1 << 20


@contextmanager
def warm_dbt(adapter: str) -> Iterator[None]:
    """Meanwhile, the next `globolatte-dbt` finds a dbt with `adapter` (`duckdb`, `snowflake`) ready. One build, then it is used up."""
    with tempfile.TemporaryDirectory(prefix="globolatte-dbt-") as folder, socket.socket(socket.AF_UNIX) as listener:
        address = str(Path(folder, "socket"))
        listener.bind(address)
        listener.listen(1)
        command = [sys.executable, "-u", "-m", "resources.warm_dbt", adapter, str(os.getpid())]
        process = subprocess.Popen(command, stdin=listener.fileno(), start_new_session=True)
        listener.close()
        os.environ[VARIABLE] = address
        try:
            yield
        finally:
            os.environ.pop(VARIABLE, None)
            process.terminate()
            process.wait()


def main() -> None:
    """The command `globolatte-dbt`: takes what `dbt` takes, ends as `dbt` ends."""
    address = os.environ.pop(VARIABLE, None)
    connection = _connected(address) if address else None
    if connection is None:
        _run_dbt(sys.argv)
    else:
        with connection:
            sys.exit(_done_by(connection))


def _connected(address: str) -> socket.socket | None:
    """A connection to the warm process; none if it is used up or dead."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        return None
    return connection


def _done_by(connection: socket.socket) -> int:
    """The exit code of the warm process, which writes to this process' output."""
    request = json.dumps({"arguments": sys.argv, "folder": str(Path.cwd()), "environment": dict(os.environ)}).encode()
    signal.signal(signal.SIGINT, lambda *_: connection.sendall(INTERRUPT))
    socket.send_fds(connection, [len(request).to_bytes(8, "big")], [1, 2])
    connection.sendall(request)
    answer = connection.recv(1)
    if not answer:
        sys.stderr.write("globolatte-dbt: the dbt that was started ahead died; run again\n")
        return 1
    return answer[0]


def wait_for_work(adapter: str, parent: int) -> None:
    """What the warm process does: import, wait, build, end. It ends too when `parent`, the process that started it, is gone."""
    listener = socket.socket(fileno=0)
    for module in ("dbt.cli.main", "dbt.task.build", f"dbt.adapters.{adapter}"):
        importlib.import_module(module)
    listener.settimeout(PARENT_WATCH_SECONDS)
    while os.getppid() == parent:
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            os.dup2(os.open(os.devnull, os.O_RDONLY), listener.detach())
            _serve(connection)
            return


def _serve(connection: socket.socket) -> None:
    connection.settimeout(None)
    length, outputs, _, _ = socket.recv_fds(connection, 8, 2)
    request = json.loads(_received(connection, int.from_bytes(length, "big")))
    for output, number in zip(outputs, (1, 2), strict=True):
        os.dup2(output, number)
        os.close(output)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    finished = threading.Event()
    threading.Thread(target=_pass_interrupts_on, args=(connection, finished), daemon=True).start()
    code = 1
    try:
        _run_dbt(request["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        finished.set()
        with suppress(BrokenPipeError):
            connection.sendall(bytes([code]))


def _received(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length and (part := connection.recv(min(REQUEST_BYTES, length - len(parts)))):
        parts += part
    return bytes(parts)


def _pass_interrupts_on(connection: socket.socket, finished: threading.Event) -> None:
    """Interrupts this process when the one it works for is interrupted, or ends before the work does."""
    told = INTERRUPT
    while told and not finished.is_set():
        told = connection.recv(1)
        if not finished.is_set():
            os.kill(os.getpid(), signal.SIGINT)


def _run_dbt(arguments: list[str]) -> None:
    from dbt.cli.main import cli

    sys.argv = ["dbt", *arguments[1:]]
    sys.exit(cli(prog_name="dbt"))


if __name__ == "__main__":
    wait_for_work(sys.argv[1], int(sys.argv[2]))
