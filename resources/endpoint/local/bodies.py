"""The body of a request as callers send it: in time, not too large, plain or by gzip."""

import asyncio
import gzip
import io
import zlib

from aiohttp import web

from resources.endpoint.local.connections import BODY_SECONDS

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Of a body as it is sent, and of what gzip makes of it."""
GZIP = ("gzip", "x-gzip")


class RefusedError(Exception):
    """A request that gets no answer of a deployment: HTTP status, message, further headers."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}


async def read_body(request: web.Request) -> bytes:
    """The whole body, inflated. Raises `RefusedError` for one that is too slow, too large, broken off, or encoded in another way."""
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
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError:
        message = f"the body did not arrive within {BODY_SECONDS:.0f} seconds; send it faster, or less of it"
        raise RefusedError(408, message, {"connection": "close"}) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise RefusedError(400, f"the body is broken off ({error})", {"connection": "close"}) from error
    return await asyncio.to_thread(_inflated, body) if encoding in GZIP and body else body


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
