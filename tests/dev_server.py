"""`globolatte dev` on a home: the UI and the daemon, started as a person does, ended so that nothing is left."""

import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.homes import GLOBOLATTE, Home

START_SECONDS = 90
STOP_SECONDS = 60


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def developing(home: Home, log: Path, **environment: str) -> Iterator[str]:
    """The address of the UI, once it answers; what the processes say goes into `log`."""
    url = f"http://127.0.0.1:{free_port()}"
    with log.open("wb") as stream:
        command = [GLOBOLATTE, "dev", "--port", url.rpartition(":")[2]]
        process = subprocess.Popen(
            command, env=home.environment(**environment), stdout=stream, stderr=stream, start_new_session=True
        )
        try:
            _wait_for(url, process, log)
            yield url
        finally:
            _stop(process)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"the UI did not start:\n{log.read_text()[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends it as a person would, and holds it to leaving nothing behind."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
        _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
        assert not left, f"still running: {left}"
    finally:
        for one in [process, *family]:
            if one.is_running() if isinstance(one, psutil.Process) else one.poll() is None:
                one.kill()
