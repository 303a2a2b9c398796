"""A file's bytes, in memory or, when there are many, in a temporary file: read piece by piece either way."""

import io
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, BinaryIO, cast

BLOCK_BYTES = 4 * 1024 * 1024
"""Bytes that are unpacked, decoded or copied at a time."""


class Content:
    """Bytes that can be read from any place, by one reader at a time. A temporary file behind it is gone when it is closed."""

    def __init__(self, data: bytes | IO[bytes], size: int | None = None) -> None:
        self._data = data
        self.size = len(data) if isinstance(data, bytes) else int(size or 0)

    @classmethod
    def copied(cls, blocks: Iterable[bytes], most_in_memory: int) -> "Content":
        """What the blocks hold: in memory up to so many bytes, else in a temporary file without a name."""
        with io.BytesIO() as head:
            blocks = iter(blocks)
            for block in blocks:
                head.write(block)
                if head.tell() > most_in_memory:
                    return cls._spooled(head.getvalue(), blocks)
            return cls(head.getvalue())

    @classmethod
    def _spooled(cls, head: bytes, blocks: Iterator[bytes]) -> "Content":
        file = tempfile.TemporaryFile(prefix="globolatte-")  # noqa: SIM115 - lives as long as this content
        try:
            file.write(head)
            for block in blocks:
                file.write(block)
            size = file.tell()
        except BaseException:
            file.close()
            raise
        return cls(file, size)

    @property
    def in_memory(self) -> bytes | None:
        """All of it, if it is in memory."""
        return self._data if isinstance(self._data, bytes) else None

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on."""
        if isinstance(self._data, bytes):
            return self._data if offset == 0 and length >= self.size else self._data[offset : offset + length]
        self._data.seek(offset)
        return self._data.read(length)

    def blocks(self) -> Iterator[bytes]:
        """All of it, one block after the other."""
        if isinstance(self._data, bytes):
            yield self._data
            return
        for offset in range(0, self.size, BLOCK_BYTES):
            yield self.read(offset, BLOCK_BYTES)

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
