"""From the bytes that landed to text in UTF-8: gzip unpacked within limits, the encoding declared or certain from the file."""

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from globolatte_ingest.reading.content import BLOCK_BYTES, Content
from globolatte_ingest.reasons import ReasonCode, RefusedError

RATIO_IS_FREE_UP_TO = 8 * 1024 * 1024
"""Unpacked bytes up to which any ratio is fine: so little harms nobody."""

DETECTED_BY = 64
"""Bytes by which UTF-16 without a mark is told: column names are ASCII, so every other byte is zero."""

LANDED_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class FileLimits:
    """Bounds of one file: its size, also unpacked; how much larger than packed; from which size on it is read piece by piece."""

    max_bytes: int
    max_ratio: float = 200.0
    most_in_memory: int = 64 * 1024 * 1024


def unpacked(content: Content, limits: FileLimits) -> Content:
    """What a gzip file holds. Raises `RefusedError` if it is damaged, cut off, or grows past the limits."""
    try:
        text = Content.copied(_unpacked_blocks(content, limits), limits.most_in_memory)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RefusedError(
            ReasonCode.DAMAGED_GZIP, f"the gzip data is damaged or cut off ({error}); upload it again"
        ) from error
    if not text.size:
        raise RefusedError(ReasonCode.EMPTY_FILE, "the gzip file holds nothing, not even a header; upload it again")
    return text


def _unpacked_blocks(content: Content, limits: FileLimits) -> Iterator[bytes]:
    size = 0
    with gzip.GzipFile(fileobj=content.stream()) as stream:
        while block := stream.read(min(BLOCK_BYTES, limits.max_bytes + 1)):
            size += len(block)
            if size > limits.max_bytes:
                raise RefusedError(
                    ReasonCode.DECOMPRESSION_BOMB,
                    f"unpacks to more than {limits.max_bytes} bytes (GLOBOLATTE_MAX_FILE_BYTES); split the file",
                )
            if size > max(RATIO_IS_FREE_UP_TO, limits.max_ratio * content.size):
                raise RefusedError(
                    ReasonCode.DECOMPRESSION_BOMB,
                    f"unpacks to more than {limits.max_ratio:g} times its size (GLOBOLATTE_MAX_COMPRESSION_RATIO), as no sales "
                    "file does; upload the real one",
                )
            yield block


def encoding_of(start: bytes, declared: str | None) -> str:
    """Python's name of the encoding of text that starts like this: told by its mark, else declared, else certain from its bytes."""
    for mark, encoding in LANDED_MARKS.items():
        if start.startswith(mark):
            return encoding
    if declared is not None:
        return "utf-16-le" if declared == "utf-16" else declared
    head = start[:DETECTED_BY]
    if len(head) >= 2 and len(head) % 2 == 0 and not any(head[1::2]) and all(head[::2]):
        return "utf-16-le"
    if len(head) >= 2 and len(head) % 2 == 0 and not any(head[::2]) and all(head[1::2]):
        return "utf-16-be"
    return "utf-8"


def as_utf8(content: Content, declared: str | None, limits: FileLimits) -> Content:
    """The text in UTF-8, without a byte order mark. Raises `RefusedError` if it is no text in its encoding."""
    encoding = encoding_of(content.read(0, DETECTED_BY), declared)
    data = content.in_memory
    if data is not None and encoding == "utf-8":
        _check_utf8(data)
        return content
    checked = _decoded_blocks(content.blocks(), encoding)
    if encoding == "utf-8":
        for _ in checked:
            pass
        return content
    return Content.copied((block.encode() for block in checked), limits.most_in_memory)


def _check_utf8(data: bytes) -> None:
    if b"\x00" in data:
        raise _no_text("it holds zero bytes")
    if data.isascii():
        return
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _undecodable("utf-8", data.count(b"\n", 0, error.start) + 1) from error


def _decoded_blocks(blocks: Iterable[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    for block in blocks:
        text = _decoded(decoder, block, encoding, line, final=False)
        line += text.count("\n")
        yield text
    yield _decoded(decoder, b"", encoding, line, final=True)


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, encoding: str, line: int, *, final: bool) -> str:
    try:
        text = decoder.decode(block, final)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(error.encoding, "ignore").count("\n")
        raise _undecodable(encoding, line + before) from error
    if "\x00" in text:
        raise _no_text("it holds zero bytes")
    return text


def _undecodable(encoding: str, line: int) -> RefusedError:
    name = {"utf-8-sig": "UTF-8"}.get(encoding, encoding.upper())
    return RefusedError(
        ReasonCode.NOT_TEXT,
        f"is not text in {name} (line {line}); save it as CSV UTF-8 and upload that, or declare its encoding in "
        "reference/business_units.csv",
    )


def _no_text(why: str) -> RefusedError:
    return RefusedError(ReasonCode.NOT_TEXT, f"is not a text file ({why}); export it as CSV and upload that")
