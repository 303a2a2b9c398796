"""A dbt that has imported itself and read the project before it is told what to build: half of a day's build.

A headless pass starts one first of all, not knowing yet whether there is anything to build. `globolatte-dbt` is dbt's command
line: if a warm process listens where `GLOBOLATTE_WARM_DBT` says, that one does the work in this one's name (folder, environment,
output, exit code, interrupts); else it imports dbt here. Only the standard library is imported before that is known.
"""

import gc
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
from typing import Any

VARIABLE = "GLOBOLATTE_WARM_DBT"
"""Names the socket of a warm dbt, for as long as one waits."""

PARENT_WATCH_SECONDS = 1.0
INTERRUPT, READY = b"i", b"r"
REQUEST_BYTES = 1 << 20
LONGEST_ADDRESS = 100
"""Bytes of a socket's address that every system takes."""


@contextmanager
def warm_dbt(project: Path, parsed: Path) -> Iterator[None]:
    """Meanwhile, the next `globolatte-dbt` for `project` finds a dbt ready. One build, then it is used up.

    In `parsed` lies what dbt parsed the last time, if it did (`partial_parse.msgpack`).
    """
    environment = {
        **os.environ,
        "DBT_PROJECT_DIR": str(project),
        "DBT_PROFILES_DIR": str(project),
        "DBT_TARGET_PATH": str(parsed),
        "DBT_LOG_PATH": str(parsed),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    with tempfile.TemporaryDirectory(prefix="globolatte-dbt-") as folder, socket.socket(socket.AF_UNIX) as listener:
        address = str(Path(folder, "socket"))
        if len(os.fsencode(address)) > LONGEST_ADDRESS:
            yield  # the machine's folder for temporary files is too deep for a socket: dbt is started when it is needed
            return
        listener.bind(address)
        listener.listen(1)
        command = [sys.executable, "-u", "-m", "resources.warm_dbt", str(os.getpid())]
        process = subprocess.Popen(
            command,
            stdin=listener.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        listener.close()
        os.environ[VARIABLE] = address
        try:
            yield
        finally:
            os.environ.pop(VARIABLE, None)
            process.kill()  # a request to end may be ignored, as everything is that the starter of this process told to ignore
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
    """A connection to the warm process once that is ready; none if it is used up or dead, or dies before."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        return None
    try:
        is_ready = connection.recv(len(READY)) == READY
    except OSError:
        is_ready = False
    if is_ready:
        return connection
    connection.close()
    sys.stderr.write("globolatte-dbt: the dbt that was started ahead died; starting another\n")
    return None


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


def wait_for_work(parent: int) -> None:
    """What the warm process does: parse, wait, build, end. It ends too when `parent`, the process that started it, is gone.

    If it dies, dbt is started in the usual way and says what is wrong.
    """
    listener = socket.socket(fileno=0)
    manifest = _parsed()
    gc.freeze()  # looking through what was parsed for garbage, again and again, takes a fifth of a build
    listener.settimeout(PARENT_WATCH_SECONDS)
    while os.getppid() == parent:
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            os.dup2(os.open(os.devnull, os.O_RDONLY), listener.detach())
            _serve(connection, manifest)
            return


def _parsed() -> Any:
    """dbt's manifest of the project, for `dbt.cli.main.cli`."""
    from dbt.cli.main import dbtRunner

    parsed = dbtRunner().invoke(["--no-write-json", "--log-level-file", "none", "parse"])
    if not parsed.success:
        raise RuntimeError("dbt could not parse the project") from parsed.exception
    return parsed.result


def _serve(connection: socket.socket, manifest: Any) -> None:
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # which a starter in the background may have told us to ignore
    connection.settimeout(None)
    connection.sendall(READY)
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
        _run_dbt(request["arguments"], manifest)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        gc.unfreeze()
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


def _run_dbt(arguments: list[str], manifest: Any = None) -> None:
    from dbt.cli.main import cli

    sys.argv = ["dbt", *arguments[1:]]
    sys.exit(cli(prog_name="dbt", obj={} if manifest is None else {"manifest": manifest}))


if __name__ == "__main__":
    wait_for_work(int(sys.argv[1]))
