"""From landed bytes to text in UTF-8: recognizes the file type, unpacks gzip within limits, decodes (encoding declared or detected)."""

import codecs
import gzip
import hashlib
import io
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from globolatte_ingest.reasons import ReasonCode, RefusedError

BLOCK_BYTES = 4 * 1024 * 1024
"""Bytes that are unpacked, decoded or copied at a time."""

RATIO_IS_FREE_UP_TO = 8 * 1024 * 1024
"""Unpacked bytes up to which any compression ratio is accepted: so few bytes do no harm."""

DETECTED_BY = 64
"""Bytes by which the kind of a file is known, and UTF-16 without a mark: column names are ASCII, so every other byte is zero."""

BYTE_ORDER_MARK = codecs.BOM_UTF8
BYTE_ORDER_MARKS = {BYTE_ORDER_MARK: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"

EXPORT_AS_CSV = "export the sales as CSV and upload that"
UPLOAD_PLAIN = "upload it unencrypted"
PACK_WITH_GZIP = "pack it with gzip as .csv.gz and upload that"

SIGNATURES: dict[bytes, tuple[ReasonCode, str]] = {
    b"PK\x03\x04": (ReasonCode.OFFICE_FILE, f"is an Excel workbook or another zip file; {EXPORT_AS_CSV}"),
    b"PK\x05\x06": (ReasonCode.OFFICE_FILE, f"is an empty zip file; {EXPORT_AS_CSV}"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        ReasonCode.OFFICE_FILE,
        f"is an old Excel file or a password-protected office file; {EXPORT_AS_CSV}",
    ),
    b"%PDF": (ReasonCode.OFFICE_FILE, f"is a PDF; {EXPORT_AS_CSV}"),
    b"{\\rtf": (ReasonCode.OFFICE_FILE, f"is a text-processor document; {EXPORT_AS_CSV}"),
    b"-----BEGIN PGP": (ReasonCode.ENCRYPTED_FILE, f"is encrypted (PGP); {UPLOAD_PLAIN}"),
    b"age-encryption.org/": (ReasonCode.ENCRYPTED_FILE, f"is encrypted (age); {UPLOAD_PLAIN}"),
    b"-----BEGIN AGE": (ReasonCode.ENCRYPTED_FILE, f"is encrypted (age); {UPLOAD_PLAIN}"),
    b"Salted__": (ReasonCode.ENCRYPTED_FILE, f"is encrypted (openssl); {UPLOAD_PLAIN}"),
    b"PARE": (ReasonCode.ENCRYPTED_FILE, f"is encrypted Parquet; {UPLOAD_PLAIN}"),
    b"7z\xbc\xaf\x27\x1c": (ReasonCode.WRONG_FILE_TYPE, f"is a 7z archive; {EXPORT_AS_CSV}"),
    b"Rar!\x1a\x07": (ReasonCode.WRONG_FILE_TYPE, f"is a rar archive; {EXPORT_AS_CSV}"),
    b"BZh": (ReasonCode.WRONG_FILE_TYPE, f"is compressed with bzip2; {PACK_WITH_GZIP}"),
    b"\xfd7zXZ\x00": (ReasonCode.WRONG_FILE_TYPE, f"is compressed with xz; {PACK_WITH_GZIP}"),
    b"\x28\xb5\x2f\xfd": (ReasonCode.WRONG_FILE_TYPE, f"is compressed with zstd; {PACK_WITH_GZIP}"),
    b"SQLite format 3\x00": (ReasonCode.WRONG_FILE_TYPE, f"is a database file; {EXPORT_AS_CSV}"),
}
"""First bytes of files that are not sales files, and what they mean. No CSV header of a sales file starts with them."""


class HashedBlocks:
    """The blocks of a stream, read once; `sha256` is the hash of those that were read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._digest = stream, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        while block := self._stream.read(BLOCK_BYTES):
            self._digest.update(block)
            yield block

    @property
    def sha256(self) -> str:
        """The hash as the ledger has it."""
        return self._digest.hexdigest()


class Content:
    """Bytes that can be read from any place, by one reader at a time. A temporary file behind it is gone when it is closed."""

    def __init__(self, data: bytes | IO[bytes], size: int | None = None) -> None:
        self._data = data
        self.size = len(data) if isinstance(data, bytes) else int(size or 0)

    @classmethod
    def copied(cls, blocks: Iterable[bytes], most_in_memory: int) -> "Content":
        """What the blocks hold: in memory up to so many bytes, else in a temporary file without a name."""
        with ExitStack() as stack:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(most_in_memory, prefix="globolatte-"))
            for block in blocks:
                file.write(block)
            size = file.tell()
            if size > most_in_memory:
                stack.pop_all()  # it lives as long as this content
                return cls(cast("IO[bytes]", file), size)
            file.seek(0)
            return cls(file.read())

    @property
    def in_memory(self) -> bytes | None:
        """All of it, if it is in memory."""
        return self._data if isinstance(self._data, bytes) else None

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on."""
        if isinstance(self._data, bytes):
            return self._data if offset == 0 and length >= self.size else self._data[offset : offset + length]
        self._data.seek(offset)
        return self._data.read(min(length, max(self.size - offset, 0)))

    def cut(self, size: int) -> "Content":
        """Its first bytes. A temporary file behind it is shared."""
        return Content(self._data[:size] if isinstance(self._data, bytes) else self._data, size)

    def blocks(self) -> Iterator[bytes]:
        """All of it, one block after the other."""
        size = self.size if isinstance(self._data, bytes) else BLOCK_BYTES
        yield from (self.read(offset, size) for offset in range(0, self.size, size or 1))

    def stream(self) -> BinaryIO:
        """All of it, as a stream from the start."""
        if isinstance(self._data, bytes):
            return io.BytesIO(self._data)
        self._data.seek(0)
        return cast("BinaryIO", self._data)

    def close(self) -> None:
        """Frees the temporary file, if there is one."""
        if not isinstance(self._data, bytes):
            self._data.close()


@dataclass(frozen=True)
class FileLimits:
    """Bounds of one file: its size, also unpacked; how much larger than packed; from which size on it is read piece by piece."""

    max_bytes: int
    max_ratio: float = 200.0
    most_in_memory: int = 64 * 1024 * 1024

    def check_unpacked(self, size: int, packed: int) -> None:
        """Raises `RefusedError` if a file of `packed` bytes that unpacks to `size` grows past the limits."""
        if size > self.max_bytes:
            raise RefusedError(
                ReasonCode.DECOMPRESSION_BOMB,
                f"unpacks to more than {self.max_bytes} bytes (GLOBOLATTE_MAX_FILE_BYTES); split the file",
            )
        if size > max(RATIO_IS_FREE_UP_TO, self.max_ratio * packed):
            raise RefusedError(
                ReasonCode.DECOMPRESSION_BOMB,
                f"unpacks to more than {self.max_ratio:g} times its size (GLOBOLATTE_MAX_COMPRESSION_RATIO), as no sales file "
                "does; upload the real one",
            )


def refuse_other_kinds(path: str, start: bytes) -> None:
    """Raises `RefusedError` if a file that starts like this cannot be of the kind that its name says."""
    path = path.lower()
    for signature, (code, message) in SIGNATURES.items():
        if start.startswith(signature):
            raise RefusedError(code, message)
    if start.startswith(PARQUET) and not path.endswith(".parquet"):
        raise RefusedError(
            ReasonCode.WRONG_FILE_TYPE, "is Parquet under another name; name it .parquet and upload it again"
        )
    if start.startswith(GZIP) and not path.endswith(".gz"):
        raise RefusedError(ReasonCode.WRONG_FILE_TYPE, "is packed with gzip; name it .csv.gz and upload it again")


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
            limits.check_unpacked(size, content.size)
            yield block


def encoding_of(start: bytes, declared: str | None) -> str:
    """Python's name of the encoding of text that starts like this: by its mark, else declared, else certain from its bytes."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    if declared is not None:
        return "utf-16-le" if declared == "utf-16" else declared
    head = start[:DETECTED_BY]
    if len(head) >= 2 and len(head) % 2 == 0:
        if all(head[::2]) and not any(head[1::2]):
            return "utf-16-le"
        if all(head[1::2]) and not any(head[::2]):
            return "utf-16-be"
    return "utf-8"


def as_utf8(content: Content, declared: str | None, limits: FileLimits) -> Content:
    """The text in UTF-8, without a byte order mark. Raises `RefusedError` if it is no text in its encoding."""
    encoding = encoding_of(content.read(0, DETECTED_BY), declared)
    decoded = _decoded_blocks(content.blocks(), encoding)
    if encoding != "utf-8":
        return Content.copied((block.encode() for block in decoded), limits.most_in_memory)
    if content.in_memory is None or b"\x00" in content.in_memory or not content.in_memory.isascii():
        for _ in decoded:
            pass
    return content


def _decoded_blocks(blocks: Iterable[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    for block in blocks:
        text = _decoded(decoder, block, encoding, line, final=False)
        line += text.count("\n")
        yield text
    yield _decoded(decoder, b"", encoding, line, final=True)


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, encoding: str, line: int, *, final: bool) -> str:
    is_wide = encoding.startswith("utf-16")
    if not is_wide and b"\x00" in block:
        raise _holds_zeros()
    try:
        text = decoder.decode(block, final)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(error.encoding, "ignore").count("\n")
        name = {"utf-8-sig": "UTF-8"}.get(encoding, encoding.upper())
        raise RefusedError(
            ReasonCode.NOT_TEXT,
            f"is not text in {name} (line {line + before}); save it as CSV UTF-8 and upload that, or declare its encoding in "
            "reference/units.toml, then `globolatte quarantine retry` this file",
        ) from error
    if is_wide and "\x00" in text:
        raise _holds_zeros()
    return text


def _holds_zeros() -> RefusedError:
    return RefusedError(
        ReasonCode.NOT_TEXT, "is not a text file (it holds zero bytes); export it as CSV and upload that"
    )
