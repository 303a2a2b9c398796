"""Where the local endpoint keeps its files, and the one way they are written: whole or not at all."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.atomic import write_text
from resources.endpoint.endpoint import EndpointError

KEY_VARIABLE = "GLOBOLATTE_ENDPOINT_KEY"
MARK_VARIABLE = "GLOBOLATTE_ENDPOINT_PROCESS"
"""In the environment of every process of an endpoint, with its folder: by it they are known when all records are lost."""

KEPT_LOGS = 2
LOG_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class EndpointFiles:
    """The files under the endpoints folder. Customer states (`states/`, `current_state`) belong to `resources.endpoint.serving_state`."""

    folder: Path

    @property
    def desired(self) -> Path:
        """What should run."""
        return self.folder / "desired.json"

    @property
    def observed(self) -> Path:
        """What runs."""
        return self.folder / "run" / "observed.json"

    @property
    def routes(self) -> Path:
        """What the gateway is to do; written by the supervisor alone."""
        return self.folder / "run" / "routes.json"

    @property
    def lock(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.folder / "run" / "supervisor.lock"

    @property
    def stopped(self) -> Path:
        """Is there while the endpoint was stopped on purpose."""
        return self.folder / "run" / "stopped"

    @property
    def port(self) -> Path:
        """The gateway's port, so that the URL stays the same."""
        return self.folder / "port"

    @property
    def key(self) -> Path:
        """The key, unless the environment has one."""
        return self.folder / "key"

    @property
    def state_pointer(self) -> Path:
        """Names the current customer state."""
        return self.folder / "current_state"

    @property
    def server_folder(self) -> Path:
        """The inference servers' working folder, with their logging configuration."""
        return self.folder / "run" / "server"

    @property
    def prediction_log(self) -> Path:
        """Where deployments write their answers."""
        return self.folder / "prediction_log"

    def log(self, name: str) -> Path:
        """What a process prints."""
        return self.folder / "logs" / f"{name}.log"


def write_json(path: Path, content: Any) -> None:
    """Replaces a file by a JSON document: a reader sees the old one or the new one."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True))


def read_json(path: Path) -> Any:
    """The document, or none if the file is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def stamp(path: Path) -> tuple[int, int] | None:
    """Changes whenever the file is replaced; none if it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino


def endpoint_key(files: EndpointFiles) -> str:
    """The key that callers must show: `GLOBOLATTE_ENDPOINT_KEY`, else made once into a file that only its owner can read.

    It is not a setting, because settings are printed and handed on; it is never printed, logged or put into metadata.
    """
    given = os.environ.get(KEY_VARIABLE, "").strip()
    if given:
        return _usable(given, KEY_VARIABLE)
    files.folder.mkdir(parents=True, exist_ok=True)
    new = files.key.with_name(f".key.{os.getpid()}.{secrets.token_hex(4)}")
    if files.key.exists() and not files.key.read_text().strip():
        files.key.unlink()  # an empty key would let everybody in
    if not files.key.exists():
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(32))
        try:
            os.link(new, files.key)  # whoever comes first wins, and nobody reads half a key
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return _usable(files.key.read_text().strip(), str(files.key))


def _usable(key: str, place: str) -> str:
    """The key itself. Raises `EndpointError` that names its place, never the key, if no header can carry it."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise EndpointError(f"{place}: the key is empty or no header can carry it; use printable ASCII without spaces")
    return key


def rotate_log(path: Path) -> None:
    """Moves a log that has grown too large aside; `KEPT_LOGS` older ones are kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.stat().st_size < LOG_BYTES:
        return
    for number in range(KEPT_LOGS, 0, -1):
        older = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))


def last_lines(path: Path, count: int = 20) -> str:
    """The end of a log."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 64 * 1024))
            return "\n".join(stream.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
