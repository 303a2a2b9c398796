"""fakesnow, an emulator of Snowflake (DuckDB behind Snowflake's protocol), on a free port.

What runs on it executes on the emulator; it is not verified on Snowflake.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.session import Shared

SECONDS_TO_START = 60
_databases = itertools.count(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FakeSnowflake:
    """One running emulator, its databases in memory and its stages in `folder`: all of it is gone when it stops."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def shared(cls, session: Shared) -> "FakeSnowflake":
        """The server of a test session, which ends it; started at the first request."""

        def start(folder: Path) -> tuple[int, dict[str, object]]:
            started = cls(folder).start()
            assert started.process is not None
            return started.process.pid, {"port": started.port}

        server = cls(session.folder / "fakesnow")
        server.port = session.serve("fakesnow", start)["port"]
        return server

    @property
    def log(self) -> Path:
        return self.folder / "fakesnow.log"

    def start(self) -> "FakeSnowflake":
        """Starts it; returns when it answers."""
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fakesnow", "--server", "--port", str(self.port)],
                env={**os.environ, "TMPDIR": str(self.folder)},  # it keeps what is staged in a temporary folder
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"fakesnow did not start within a minute: {self.log.read_text()}"
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def new_database(self) -> str:
        """The name of a database that is not in use yet; the first connection creates it."""
        return f"GLOBO_LATTE_{os.getpid()}_{next(_databases)}"

    def kill(self) -> None:
        """Ends it at once, in the middle of whatever it does."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
