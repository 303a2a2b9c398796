"""The local endpoint's files, among them the desired state. All are written whole or not at all."""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any, NamedTuple

from resources.atomic import write_text
from resources.endpoint.endpoint import Deployment, DesiredState, EndpointError, Mirror
from resources.ml.local.model_files import model_below
from resources.processes import HeldError, ProcessId, is_held, take

KEY_VARIABLE = "GLOBOLATTE_ENDPOINT_KEY"
MARK_VARIABLE = "GLOBOLATTE_ENDPOINT_PROCESS"
"""An environment variable of every process of an endpoint, with its folder: it identifies them if all records are lost."""

OF_THE_HOME = "relative to the home"
NAMING_SECONDS = 2.0
"""How long the process that took the lock has to write into it who it is."""
RETAINED_LOGS = 2
LOG_BYTES = 5 * 1024 * 1024


class EndpointFiles:
    """The files under the endpoints folder. Customer states (`states/`, `current_state`) belong to `resources.endpoint.serving_state`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.desired = folder / "desired.json"
        """What should run."""
        self.observed = folder / "run" / "observed.json"
        """What runs."""
        self.routes = folder / "run" / "routes.json"
        """The gateway's routes; written only by the supervisor."""
        self.lock = folder / "run" / "supervisor.lock"
        """Locked by the supervisor for as long as it lives."""
        self.stopped = folder / "run" / "stopped"
        """Exists while the endpoint is stopped on purpose."""
        self.port = folder / "port"
        """The gateway's port, so that the URL stays the same."""
        self.key = folder / "key"
        """The key, unless the environment has one."""
        self.probe = folder / "run" / "probe_id"
        """How the id of a request begins by which doctor checks the endpoint; no caller knows it."""
        self.state_pointer = folder / "current_state"
        """Names the current customer state."""
        self.server_folder = folder / "run" / "server"
        """The inference servers' working folder, with their logging configuration."""
        self.prediction_log = folder / "prediction_log"
        """Where deployments write their answers."""

    def supervisor(self) -> ProcessId | None:
        """The process that really holds the lock of this folder; none if nobody does, whatever a record or a copy of one says."""
        keeper = self.keeper()
        return keeper.process if keeper is not None else None

    def keeper(self) -> "Keeper | None":
        """The supervisor, where its folder was when it was started, and whether it is about to end.

        A copy made of hard links shares the lock's file with the original: whose it is says the folder that stands in it.
        """
        deadline = time.monotonic() + NAMING_SECONDS
        while is_held(self.lock):
            holder = read_json(self.lock)
            if isinstance(holder, dict):
                return Keeper.from_document(holder) if self._is_ours(holder["folder"]) else None
            if holder:  # of an earlier version
                return Keeper(ProcessId(*holder))
            if time.monotonic() > deadline:
                raise EndpointError(
                    f"a process holds {self.lock} and does not say which; end it, then start the endpoint again"
                )
            time.sleep(0.01)
        return None

    def lock_record(self, process: ProcessId, *, ending: bool = False) -> str:
        """What stands in the lock: who holds it, for which folder, and whether that is about to end; as long in both cases.

        Of the folder its inode: hard links never reach beyond one file system, and within it no two folders share one. And its path,
        by which a folder is known that was moved.
        """
        found = {"process": process, "folder": self.folder.stat().st_ino, "path": str(self.folder)}
        return json.dumps({**found, "ending": int(ending)})

    def take_lock(self) -> IO[str]:
        """Takes the lock of this folder. Raises `HeldError` if another process has it.

        If what is held is another folder's, of which this one is a copy made of hard links, it gets a file of its own.
        """
        try:
            return take(self.lock)
        except HeldError:
            if self.supervisor() is not None:
                raise
        write_text(self.lock, "")
        return take(self.lock)

    def _is_ours(self, folder: int) -> bool:
        """Whether a lock was taken for this folder. One that no other folder shares was, whatever the folder's inode seems to be."""
        with suppress(FileNotFoundError):
            return self.lock.stat().st_nlink < 2 or self.folder.stat().st_ino == folder
        return False

    def probe_id(self) -> str:
        """The beginning of a probe's request id, made once."""
        if not self.probe.exists():
            write_text(self.probe, f"probe-{secrets.token_hex(16)}-")
        return self.probe.read_text(encoding="utf-8")

    def log(self, name: str) -> Path:
        """The output of a process."""
        return self.folder / "logs" / f"{name}.log"


class Keeper(NamedTuple):
    """Who holds the lock of a folder. `path`: where the folder was then; empty if an earlier version wrote the record."""

    process: ProcessId
    path: str = ""
    ending: bool = False

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Keeper":
        """As it stands in the lock."""
        return cls(ProcessId(*document["process"]), document.get("path", ""), bool(document.get("ending")))


def write_json(path: Path, content: Any) -> None:
    """Replaces a file by a JSON document: a reader sees the old one or the new one."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True))


def read_json(path: Path) -> Any:
    """The document; none if the file is missing or damaged, since its writer will write it again."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def read_desired(files: EndpointFiles) -> DesiredState | None:
    """What should run; none if there is no such file. Raises `ValueError` naming the file."""
    try:
        document = json.loads(files.desired.read_text(encoding="utf-8"))
        mirror, is_ours = document.get("mirror"), document.get("folders") == OF_THE_HOME
        return DesiredState(
            {name: _found(files, Deployment(**one), is_ours=is_ours) for name, one in document["deployments"].items()},
            {name: int(percent) for name, percent in document["traffic"].items()},
            Mirror(**mirror) if mirror else None,
        )
    except FileNotFoundError:
        return None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        fault = error if isinstance(error, ValueError) else f"is no desired state ({error!r})"
        raise ValueError(
            f"{files.desired}: {fault}; what runs goes on running; deploy again with `globolatte endpoints deploy`"
        ) from error


def write_desired(files: EndpointFiles, desired: DesiredState) -> None:
    """Declares what should run. Models in the home are named by their place in it."""
    home, document = files.folder.parent, asdict(desired)
    for one in document["deployments"].values():
        folder = Path(one["model_folder"])
        one["model_folder"] = (
            str(folder.resolve().relative_to(home)) if folder.resolve().is_relative_to(home) else str(folder)
        )
    write_json(files.desired, {**document, "folders": OF_THE_HOME})


def _found(files: EndpointFiles, declared: Deployment, *, is_ours: bool) -> Deployment:
    """A deployment with its model where it is in this home now. An earlier version wrote where it was, maybe in another home."""
    if is_ours and Path(declared.model_folder).is_absolute():  # declared so by somebody, outside of any home
        return declared
    return replace(
        declared, model_folder=str(model_below(files.folder.parent, declared.model_folder, declared.content_hash))
    )


def version_of(desired: DesiredState) -> str:
    """A name for this content, wherever the models are."""
    document = asdict(desired)
    for one in document["deployments"].values():
        del one["model_folder"]
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def endpoint_key(files: EndpointFiles) -> str:
    """The key that callers must show: `GLOBOLATTE_ENDPOINT_KEY`, else made once into a file that only its owner can read.

    It is not a setting, because settings are printed and passed on; it is never printed, logged or put into metadata.
    """
    given = os.environ.get(KEY_VARIABLE, "").strip()
    return usable_key(given, KEY_VARIABLE) if given else key_of_file(files)


def key_of_file(files: EndpointFiles) -> str:
    """The key in the file, made if there is none."""
    files.folder.mkdir(parents=True, exist_ok=True)
    if files.key.exists() and not files.key.read_text().strip():
        files.key.unlink()  # an empty key would let everybody in
    if not files.key.exists():
        with _key_beside(files, secrets.token_urlsafe(32)) as new, suppress(FileExistsError):
            os.link(new, files.key)  # the first process to link it wins, and no process reads half a key
    return usable_key(files.key.read_text().strip(), str(files.key))


def write_key(files: EndpointFiles, key: str) -> None:
    """Replaces the key in the file."""
    with _key_beside(files, key) as new:
        new.replace(files.key)


@contextmanager
def _key_beside(files: EndpointFiles, key: str) -> Iterator[Path]:
    """A new file with the key, which only its owner can read; gone afterwards under this name."""
    new = files.key.with_name(f".key.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(key)
        yield new
    finally:
        new.unlink(missing_ok=True)


def usable_key(key: str, place: str) -> str:
    """The key itself. Raises `EndpointError`, which names the key's place but never the key, if it cannot be sent in a header."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise EndpointError(f"{place}: the key is empty or no header can carry it; use printable ASCII without spaces")
    return key


def rotate_log(path: Path) -> None:
    """Moves a log aside that has grown too large, or is also another home's; `RETAINED_LOGS` older ones are retained."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and (path.stat().st_size >= LOG_BYTES or path.stat().st_nlink > 1):
        RotatingFileHandler(path, backupCount=RETAINED_LOGS, delay=True).doRollover()


def last_lines(path: Path, count: int = 20) -> str:
    """The end of a log."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 64 * 1024))
            return "\n".join(stream.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
