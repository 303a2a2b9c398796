"""Reads messages of the event queue: which blob was written. Pure: it touches no queue and opens no blob.

Event Grid writes one event into each message, in its own schema or as a CloudEvent, as base64 or plain JSON.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from resources.landing.landing_zone import UNFINISHED_NAME, LandedFile

BLOB_CREATED = "Microsoft.Storage.BlobCreated"
COMPLETE_WRITES = frozenset({"PutBlob", "PutBlockList", "CopyBlob", "FlushWithClose", "SftpCommit"})
"""Operations after which a blob is whole. An account with a hierarchical namespace also reports `CreateFile` and `SftpCreate`, when the
file has no bytes yet, and of each `FlushFile`."""

SUBJECT = "/blobServices/default/containers/"


class UnreadableEventError(ValueError):
    """The message is not an event of a known form; the text says why."""


def blob_written(text: str) -> tuple[str, LandedFile] | None:
    """The container and the version of the blob that a message reports as written (the event may lack its etag).

    None if it reports something else. Raises `UnreadableEventError`.
    """
    event = _json(text)
    if isinstance(event, list) and len(event) == 1:
        [event] = event
    if not isinstance(event, Mapping):
        raise UnreadableEventError("is no event: Event Grid writes one JSON object into each message")
    kind = event.get("eventType") or event.get("type")  # Event Grid's schema, or a CloudEvent
    if not isinstance(kind, str):
        raise UnreadableEventError("is no event: it has neither eventType nor type")
    if kind != BLOB_CREATED:
        return None
    data = event.get("data")
    if not isinstance(data, Mapping):
        raise UnreadableEventError(f"is a {kind} without data")
    if data.get("api") not in COMPLETE_WRITES:
        return None
    container, path = _place(event.get("subject"), data.get("url"))
    if UNFINISHED_NAME.search(path):
        return None
    size = data.get("contentLength")
    etag = str(data.get("eTag") or data.get("etag") or "").strip('"')
    return container, LandedFile(path, etag, size if isinstance(size, int) else 0)


def _json(text: str) -> Any:
    body = text.strip().removeprefix("\ufeff")
    if not body.startswith(("{", "[")):
        try:
            body = base64.b64decode(body, validate=True).decode("utf-8-sig")
        except (binascii.Error, UnicodeDecodeError, ValueError) as fault:
            raise UnreadableEventError(f"is neither JSON nor base64 of it: {fault}") from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise UnreadableEventError(f"is no JSON: {fault}") from None


def _place(subject: object, url: object) -> tuple[str, str]:
    """Container and path. The subject names both, but the percent-encoded address is more reliable for unusual characters."""
    if not isinstance(subject, str) or not subject.startswith(SUBJECT):
        raise UnreadableEventError(f"subject {str(subject)[:100]!r} does not name a blob")
    container, _, path = subject.removeprefix(SUBJECT).partition("/blobs/")
    if not container or not path:
        raise UnreadableEventError(f"subject {subject[:100]!r} does not name a blob")
    if isinstance(url, str):
        try:
            _, found, address = urlsplit(url).path.partition(f"/{container}/")
        except ValueError as fault:
            raise UnreadableEventError(f"url {url[:100]!r} is no address: {fault}") from None
        path = unquote(address) if found and address else path
    return container, path
