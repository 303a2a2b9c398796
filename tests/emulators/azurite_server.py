"""Azurite, the emulator of Azure's blob and queue storage, on free ports and with a key made when it starts."""

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.session import Shared

PACKAGE = Path(__file__).parent / "azurite"
SCRIPT = PACKAGE / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
ACCOUNT = "globolatte"
LISTENING = re.compile(r"Azurite (Blob|Queue) service is successfully listening at (https?://127\.0\.0\.1:\d+)")


def node() -> str | None:
    """Node of this environment, else the machine's; none if there is none."""
    own = Path(sys.executable).with_name("node")
    return str(own) if own.exists() else shutil.which("node")


def why_not() -> str | None:
    """Why Azurite cannot be started here, or none."""
    if node() is None or not SCRIPT.exists():
        return "Azurite is not installed: run `make test`, which installs it"
    return None


class Azurite:
    """One running emulator. What is stored is gone when it stops, unless it keeps it in `folder`.

    With a `certificate` (files of certificate and key) it speaks TLS, and takes Entra's tokens beside keys and signatures.
    """

    def __init__(self, log: Path, folder: Path | None = None, certificate: tuple[Path, Path] | None = None) -> None:
        self.key = base64.b64encode(os.urandom(64)).decode()
        self.log, self.folder, self.certificate = log, folder, certificate
        self.ports = {"Blob": "0", "Queue": "0"}
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def shared(cls, session: Shared) -> "Azurite":
        """The server of a test session, which ends it; started at the first request."""

        def start(folder: Path) -> tuple[int, dict[str, object]]:
            started = cls(folder / "azurite.log").start()
            assert started.process is not None
            return started.process.pid, {"key": started.key, "ports": started.ports}

        known = session.serve("azurite", start)
        server = cls(session.folder / "azurite" / "azurite.log")
        server.key, server.ports = known["key"], known["ports"]
        return server

    @property
    def account_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['Blob']}/{ACCOUNT}"

    @property
    def queue_account_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['Queue']}/{ACCOUNT}"

    def start(self) -> "Azurite":
        """Starts it, on the ports it had before if it ran before; returns when it answers."""
        executable = node()
        assert executable is not None, why_not()
        where = ["--location", str(self.folder)] if self.folder else ["--inMemoryPersistence"]
        ports = ["--blobPort", self.ports["Blob"], "--queuePort", self.ports["Queue"], "--tablePort", "0"]
        hosts = [part for service in ("blob", "queue", "table") for part in (f"--{service}Host", "127.0.0.1")]
        tls: list[str] = []
        if self.certificate is not None:
            tls = ["--cert", str(self.certificate[0]), "--key", str(self.certificate[1]), "--oauth", "basic"]
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [executable, str(SCRIPT), *where, *hosts, *ports, *tls, "--disableTelemetry", "--skipApiVersionCheck"],
                env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.key}"},
                stdout=output,
                stderr=output,
                start_new_session=True,  # a node from PyPI is a wrapper around the real one: both are in this group
            )
        deadline = time.monotonic() + 60
        while len(found := dict(LISTENING.findall(self.log.read_text()))) < 2:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"Azurite did not start within a minute: {self.log.read_text()}"
            time.sleep(0.05)
        self.ports = {service: address.rpartition(":")[2] for service, address in found.items()}
        return self

    def wait_until_kept(self, name: str) -> None:
        """Returns when what it knows of `name` is in its folder: it writes every few seconds."""
        assert self.folder is not None
        deadline = time.monotonic() + 30
        while not any(name in file.read_text() for file in self.folder.glob("__azurite_db_*.json")):
            assert time.monotonic() < deadline, f"{name} was not kept"
            time.sleep(0.2)

    def kill(self) -> None:
        """Ends it at once, in the middle of whatever it does."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
