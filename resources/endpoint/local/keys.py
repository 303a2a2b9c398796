"""Which keys open the endpoint: the one of now, and those that it replaced a short while ago.

The key is rotated by a command or by hand, in the file or the environment. The gateway reads it again while it runs; the one before stays
good for `OVERLAP`, so that callers can change theirs one by one. Of the keys before only hashes are on record.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local.files import (
    KEY_VARIABLE,
    EndpointFiles,
    endpoint_key,
    key_of_file,
    read_json,
    usable_key,
    write_json,
    write_key,
)
from resources.processes import HeldError, take

OVERLAP_HOURS = 24
OVERLAP = dt.timedelta(hours=OVERLAP_HOURS)
LOCK_SECONDS = 5.0


class AcceptedKeys:
    """The keys that the gateway accepts. Raises `EndpointError` if there is none that a header can carry."""

    def __init__(self, files: EndpointFiles) -> None:
        self._files = files
        self.problem: str | None = None
        """Why the newest key is not taken over, if it is not."""
        self._looking, self._looks = asyncio.Lock(), _looks_of(files)
        self._digests = _accepted(files, endpoint_key, of_gateway=True)

    async def opens(self, key: str) -> bool:
        """Whether a key is good. An unknown one costs a look at the file's name; only if that has changed are the keys read again."""
        if not self.accepts(key) and self._looks != _looks_of(self._files):
            async with self._looking:
                if self._looks != _looks_of(self._files):
                    await asyncio.to_thread(self.refresh)
        return self.accepts(key)

    def accepts(self, key: str) -> bool:
        """Whether a key is good, as they were last read; takes the same time for every wrong one."""
        given = _digest(key).encode()
        good = [hmac.compare_digest(given, digest.encode()) for digest in self._digests]
        return any(good)

    def refresh(self) -> None:
        """Reads the key and the record again, under their lock. What cannot be read changes nothing."""
        self._looks = _looks_of(self._files)
        try:
            self._digests, self.problem = _accepted(self._files, present_key, of_gateway=True), None
        except (OSError, EndpointError) as error:
            self.problem = f"the key cannot be read ({error}); the ones before stay good"


def rotate_key(files: EndpointFiles, *, at_once: bool) -> None:
    """Makes a new key. `at_once`: no other one is good from now on; else those before are, for `OVERLAP`.

    Raises `EndpointError` if the key comes from the environment, which only its owner can change.
    """
    if _is_of_environment(files):
        raise EndpointError(
            f"the endpoint's key comes from {KEY_VARIABLE}: set that to the new one where the endpoint is started, and start it again "
            f"there with `globolatte endpoints stop` and `start`; the one before stays good for {OVERLAP_HOURS} hours"
        )
    _accepted(files, key_of_file)  # it is on record even if no gateway has run yet
    new = secrets.token_urlsafe(32)
    with _locked(files):
        if at_once:
            write_json(_record(files), {**_read(files), "current": _digest(new), "former": {}})
        write_key(files, new)
    _accepted(files, key_of_file)


def remedy(files: EndpointFiles) -> str:
    """What to do about a key that is refused, for people at this machine."""
    return (
        f"send the key that is in {files.key} (or {KEY_VARIABLE}, as the endpoint was started with it); "
        f"the one before is good for {OVERLAP_HOURS} hours after a rotation"
    )


def _is_of_environment(files: EndpointFiles) -> bool:
    """Whether the endpoint that runs has its key from its environment, whatever this one holds; or the next one that is started here."""
    recorded = _read(files)["environment"] if files.supervisor() is not None else None
    return bool(os.environ.get(KEY_VARIABLE, "").strip() if recorded is None else recorded)


def _looks_of(files: EndpointFiles) -> tuple[int, ...] | None:
    """What changes when the key's file is replaced or written to; the environment of a process does not change."""
    try:
        found = files.key.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def present_key(files: EndpointFiles) -> str:
    """The key as it stands, made by nobody here: a person may be writing it just now.

    Raises `EndpointError` if there is none, or none that a header can carry.
    """
    given = os.environ.get(KEY_VARIABLE, "").strip()
    if given:
        return usable_key(given, KEY_VARIABLE)
    try:
        return usable_key(files.key.read_text().strip(), str(files.key))
    except FileNotFoundError:
        raise EndpointError(f"{files.key}, the key, is gone") from None


def _accepted(files: EndpointFiles, key_of: Callable[[EndpointFiles], str], *, of_gateway: bool = False) -> list[str]:
    """The hashes of all keys that are good, the newest first. Records that the key of now replaced another one, if it did.

    The key is read under the lock: one read before a rotation would be recorded after it, as the newest. A gateway also records where
    it has its key from.
    """
    with _locked(files):
        digest, now = _digest(key_of(files)), dt.datetime.now(dt.UTC)
        record = _read(files)
        former = {name: until for name, until in record["former"].items() if _moment(until) > now and name != digest}
        if record["current"] not in (None, digest):
            former[record["current"]] = (now + OVERLAP).isoformat()
        environment = bool(os.environ.get(KEY_VARIABLE, "").strip()) if of_gateway else record["environment"]
        new = {"current": digest, "former": former, "environment": environment}
        with suppress(OSError):  # a full disk must not keep out who has the new key; it is written at the next look
            if record != new:
                write_json(_record(files), new)
    return [digest, *former]


def _read(files: EndpointFiles) -> dict[str, Any]:
    """The record; an empty one if there is none or it is damaged: then only the key of now is good."""
    document = read_json(_record(files))
    try:
        former = {str(name): _moment(until).isoformat() for name, until in document["former"].items()}
        return {"current": document["current"], "former": former, "environment": document.get("environment")}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {"current": None, "former": {}, "environment": None}


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def _record(files: EndpointFiles) -> Path:
    return files.folder / "known_keys.json"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


@contextmanager
def _locked(files: EndpointFiles) -> Iterator[None]:
    try:
        lock = take(files.folder / ".keys.lock", LOCK_SECONDS)
    except HeldError as error:
        raise EndpointError(f"{error}, for over {LOCK_SECONDS:.0f} seconds; end it") from error
    with lock:
        yield
