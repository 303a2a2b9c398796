"""The body of a request as callers send it: in time, not too large, plain or by gzip."""

import asyncio
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from resources.endpoint.local.connections import BODY_SECONDS

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Of a body as it is sent, and of what gzip makes of it."""
GZIP = ("gzip", "x-gzip")


MOST_BYTES_AT_WORK = 256 * 1024 * 1024
"""Of all bodies that are being read, answered and mirrored, together."""
RETRY_AFTER_SECONDS = 2


class RefusedError(Exception):
    """A request that gets no answer of a deployment: HTTP status, message, further headers."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}


def too_many() -> RefusedError:
    """That there is no room for another request."""
    return RefusedError(
        503, "too many requests at once; try again in a moment", {"retry-after": str(RETRY_AFTER_SECONDS)}
    )


class Room:
    """The memory that all bodies may take together. `used`: how much of it they take."""

    def __init__(self, most: int = MOST_BYTES_AT_WORK) -> None:
        self.most, self.used = most, 0

    @contextmanager
    def share(self) -> "Iterator[Share]":
        """One body's part, given back afterwards."""
        share = Share(self)
        try:
            yield share
        finally:
            share.resize(0)


class Share:
    """What one body takes of the room."""

    def __init__(self, room: Room) -> None:
        self._room, self._size = room, 0

    def resize(self, size: int) -> None:
        """Takes so many bytes instead of those before. Raises `RefusedError` if there are not so many left."""
        more = size - self._size
        if more > 0 and self._room.used + more > self._room.most:
            raise too_many()
        self._room.used += more
        self._size = size


async def read_body(request: web.Request, share: Share) -> bytes:
    """The whole body, inflated; `share` grows with what arrives.

    Raises `RefusedError` for one that is too slow, too large, broken off, or encoded in another way, and if there is no room for it.
    """
    transfer = request.headers.get("transfer-encoding", "chunked").strip().lower()
    if transfer != "chunked":
        raise RefusedError(
            501, f"transfer-encoding {transfer[:40]!r} is not supported; use chunked, or a content-length"
        )
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in (*GZIP, "identity", ""):
        raise RefusedError(
            415,
            f"content-encoding {encoding[:40]!r} is not supported; use gzip, or send the body as it is",
            {"accept-encoding": "gzip, identity"},
        )
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    arrived = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while chunk := await request.content.readany():
                if len(arrived) + len(chunk) > MAX_BODY_BYTES:
                    raise _too_large()
                share.resize(len(arrived) + len(chunk))
                arrived += chunk
    except TimeoutError:
        message = f"the body did not arrive within {BODY_SECONDS:.0f} seconds; send it faster, or less of it"
        raise RefusedError(408, message, {"connection": "close"}) from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise RefusedError(400, f"the body is broken off ({error})", {"connection": "close"}) from error
    if encoding not in GZIP or not arrived:
        return bytes(arrived)
    share.resize(len(arrived) + MAX_BODY_BYTES)
    body = await asyncio.to_thread(_inflated, bytes(arrived))
    share.resize(len(body))
    return body


def _inflated(body: bytes) -> bytes:
    """What a gzip body holds; no more is inflated than may be sent."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
            whole = stream.read(MAX_BODY_BYTES + 1)
    except EOFError:
        raise RefusedError(400, "the body is not gzip, as its content-encoding says: it ends too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise RefusedError(400, f"the body is not gzip, as its content-encoding says ({error})") from error
    if len(whole) > MAX_BODY_BYTES:
        raise _too_large()
    return whole


def _too_large() -> RefusedError:
    return RefusedError(
        413, f"the body is over {MAX_BODY_BYTES:,} bytes; split it over several calls", {"connection": "close"}
    )
