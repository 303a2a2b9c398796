"""Fetching a batch of landed files: content, its hash, and what it says. Touches the landing zone, not the warehouse."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reading.file_format import USUAL, FileFormat
from globolatte_ingest.reading.landed_bytes import BLOCK_BYTES, Content, FileLimits
from globolatte_ingest.reading.sales import SalesRows, read_alike_files, read_sales
from globolatte_ingest.reasons import ReasonCode, RefusedError
from resources.landing.landing_zone import LandingZone, SupersededError

FILES_READ_AT_ONCE = 8
"""Files of a batch that are read at the same time: hides the latency of a remote landing zone."""


@dataclass(frozen=True)
class FetchedFile:
    """One file version as read: its content's hash and what it says, or why it is refused."""

    sales_file: SalesFile
    sha256: str
    sales: SalesRows | None
    refusal: str | None = None
    refusal_code: ReasonCode | None = None

    def refused(self, why: RefusedError) -> "FetchedFile":
        """The same file version, refused."""
        return FetchedFile(self.sales_file, self.sha256, None, str(why), why.code)


def fetch(
    landing: LandingZone, files: Sequence[SalesFile], limits: FileLimits, formats: Mapping[str, FileFormat]
) -> list[FetchedFile | None]:
    """Reads files; none in the place of one that cannot be read now. `formats` are what units declare, by folder.

    It was replaced or removed meanwhile, or reading it failed (no permission, a network fault): it stays pending, and is asked for
    again as the retry policy says.
    """
    fitting = [item for item in files if item.file.size <= limits.max_bytes]
    with ThreadPoolExecutor(FILES_READ_AT_ONCE) as readers:
        landed = list(readers.map(lambda item: _landed(landing, item, limits), fitting))
    contents = {item: content for item, content in zip(fitting, landed, strict=True) if content is not None}
    own = [formats.get(item.folder, USUAL) for item in contents]
    bodies = [content.in_memory for content, _ in contents.values()]
    alike = read_alike_files([item.file.path for item in contents], bodies, own)
    fetched = {
        item: _fetched(item, content, sha256, alike.get(place), (limits, own[place]))
        for place, (item, (content, sha256)) in enumerate(contents.items())
    }
    return [fetched.get(item) if item.file.size <= limits.max_bytes else _too_large(item, limits) for item in files]


def _landed(landing: LandingZone, item: SalesFile, limits: FileLimits) -> tuple[Content, str] | None:
    """The file's bytes and their hash."""
    digest = hashlib.sha256()
    try:
        with landing.open(item.file) as stream:
            if item.file.size <= limits.most_in_memory:
                data = stream.read()
                digest.update(data)
                return Content(data), digest.hexdigest()
            return Content.copied(_hashed(stream, digest), limits.most_in_memory), digest.hexdigest()
    except (SupersededError, OSError):
        return None


def _hashed(stream: BinaryIO, digest: "hashlib._Hash") -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        digest.update(block)
        yield block


def _fetched(
    item: SalesFile, content: Content, sha256: str, sales: SalesRows | None, how: tuple[FileLimits, FileFormat]
) -> FetchedFile:
    limits, unit_format = how
    fetched = FetchedFile(item, sha256, sales)
    try:
        return FetchedFile(item, sha256, sales or read_sales(item.file.path, content, limits, unit_format))
    except RefusedError as why:
        return fetched.refused(why)


def _too_large(item: SalesFile, limits: FileLimits) -> FetchedFile:
    reason = f"has {item.file.size} bytes, more than {limits.max_bytes} (GLOBOLATTE_MAX_FILE_BYTES); split the file"
    return FetchedFile(item, "", None, reason, ReasonCode.TOO_LARGE)
