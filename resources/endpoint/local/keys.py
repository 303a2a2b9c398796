"""Which keys open the endpoint: the one of now, and those that it replaced a short while ago.

The key is rotated by a command or by hand, in the file or the environment. The gateway reads it again while it runs; the one before stays
good for `OVERLAP`, so that callers can change theirs one by one. Of the keys before only hashes are on record.
"""

import datetime as dt
import fcntl
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
    read_json,
    usable_key,
    write_json,
    write_key,
)

OVERLAP_HOURS = 24
OVERLAP = dt.timedelta(hours=OVERLAP_HOURS)


class AcceptedKeys:
    """The keys that the gateway accepts. Raises `EndpointError` if there is none that a header can carry."""

    def __init__(self, files: EndpointFiles) -> None:
        self._files = files
        self.problem: str | None = None
        """Why the newest key is not taken over, if it is not."""
        self._digests = _accepted(files, endpoint_key)

    def accepts(self, key: str, *, look_again: bool = True) -> bool:
        """Whether a key is good; takes the same time for every wrong one. A key that is not known is looked for once more."""
        given = _digest(key).encode()
        good = [hmac.compare_digest(given, digest.encode()) for digest in self._digests]
        if any(good):
            return True
        return look_again and self.refresh() and self.accepts(key, look_again=False)

    def refresh(self) -> bool:
        """Reads the key and the record again; true if anything changed. What cannot be read changes nothing."""
        try:
            digests = _accepted(self._files, _present)
        except (OSError, EndpointError) as error:
            self.problem = f"the key cannot be read ({error}); the ones before stay good"
            return False
        changed, self._digests, self.problem = digests != self._digests, digests, None
        return changed


def rotate_key(files: EndpointFiles, *, at_once: bool) -> None:
    """Makes a new key. `at_once`: no other one is good from now on; else those before are, for `OVERLAP`.

    Raises `EndpointError` if the key comes from the environment, which only its owner can change.
    """
    if os.environ.get(KEY_VARIABLE, "").strip():
        raise EndpointError(
            f"the key comes from {KEY_VARIABLE}: set that to the new one where the endpoint runs, and start it again with "
            f"`globolatte endpoints stop` and `start`; the one before stays good for {OVERLAP_HOURS} hours"
        )
    _accepted(files, endpoint_key)  # it is on record even if no gateway has run yet
    new = secrets.token_urlsafe(32)
    with _locked(files):
        if at_once:
            write_json(_record(files), {"current": _digest(new), "former": {}})
        write_key(files, new)
    _accepted(files, _present)


def remedy(files: EndpointFiles) -> str:
    """What to do about a key that is refused, for people at this machine."""
    return (
        f"send the key that is in {files.key} (or {KEY_VARIABLE}, as the endpoint was started with it); "
        f"the one before is good for {OVERLAP_HOURS} hours after a rotation"
    )


def _present(files: EndpointFiles) -> str:
    """The key as it stands, made by nobody here: a person may be writing it just now."""
    given = os.environ.get(KEY_VARIABLE, "").strip()
    return usable_key(given, KEY_VARIABLE) if given else usable_key(files.key.read_text().strip(), str(files.key))


def _accepted(files: EndpointFiles, key_of: Callable[[EndpointFiles], str]) -> list[str]:
    """The hashes of all keys that are good, the newest first. Records that the key of now replaced another one, if it did.

    The key is read under the lock: one read before a rotation would be recorded after it, as the newest.
    """
    with _locked(files):
        digest, now = _digest(key_of(files)), dt.datetime.now(dt.UTC)
        record = _read(files)
        former = {name: until for name, until in record["former"].items() if _moment(until) > now and name != digest}
        if record["current"] not in (None, digest):
            former[record["current"]] = (now + OVERLAP).isoformat()
        new = {"current": digest, "former": former}
        with suppress(OSError):  # a full disk must not keep out who has the new key; it is written at the next look
            if record != new:
                write_json(_record(files), new)
    return [digest, *former]


def _read(files: EndpointFiles) -> dict[str, Any]:
    """The record; an empty one if there is none or it is damaged: then only the key of now is good."""
    document = read_json(_record(files))
    try:
        former = {str(name): _moment(until).isoformat() for name, until in document["former"].items()}
        return {"current": document["current"], "former": former}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {"current": None, "former": {}}


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def _record(files: EndpointFiles) -> Path:
    return files.folder / "known_keys.json"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


@contextmanager
def _locked(files: EndpointFiles) -> Iterator[None]:
    files.folder.mkdir(parents=True, exist_ok=True)
    with (files.folder / ".keys.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
