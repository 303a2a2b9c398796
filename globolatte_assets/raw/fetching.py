"""Fetching a batch of landed files: content, its hash, and what it says. Touches the landing zone, not the warehouse."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from globolatte_assets.raw.alike_files import read_alike_files
from globolatte_assets.raw.delimited import RefusedError
from globolatte_assets.raw.landing_paths import SalesFile
from globolatte_assets.raw.sales_file import ReadSales, read_sales
from resources.landing import LandingZone, SupersededError

FILES_READ_AT_ONCE = 8
"""Files of a batch that are read at the same time: hides the latency of a remote landing zone."""


@dataclass(frozen=True)
class FetchedFile:
    """One file version as read: its content's hash and its rows, or why it is refused."""

    sales_file: SalesFile
    sha256: str
    sales: ReadSales | None
    refusal: str | None = None


def fetch(landing: LandingZone, files: Sequence[SalesFile], max_bytes: int) -> list[FetchedFile | None]:
    """Reads files; none in the place of one that cannot be read now.

    It was replaced or removed meanwhile, or reading it failed (no permission, a network fault): it stays pending, and is asked for
    again as the retry policy says.
    """
    fitting = [item for item in files if item.file.size <= max_bytes]
    with ThreadPoolExecutor(FILES_READ_AT_ONCE) as readers:
        contents = dict(zip(fitting, readers.map(lambda item: _content(landing, item), fitting), strict=True))
    present = [item for item in fitting if contents[item] is not None]
    bodies = [contents[item] or b"" for item in present]
    alike = read_alike_files([item.file.path for item in present], bodies)
    fetched = {
        item: _fetched(item, content, alike.get(place), max_bytes)
        for place, (item, content) in enumerate(zip(present, bodies, strict=True))
    }
    return [fetched.get(item) if item.file.size <= max_bytes else _too_large(item, max_bytes) for item in files]


def _content(landing: LandingZone, item: SalesFile) -> bytes | None:
    try:
        with landing.open(item.file) as stream:
            return stream.read()
    except (SupersededError, OSError):
        return None


def _fetched(item: SalesFile, content: bytes, sales: ReadSales | None, max_bytes: int) -> FetchedFile:
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        return FetchedFile(item, sha256, sales or read_sales(item.file.path, content, max_bytes))
    except RefusedError as refused:
        return FetchedFile(item, sha256, None, str(refused))


def _too_large(item: SalesFile, max_bytes: int) -> FetchedFile:
    reason = f"has {item.file.size} bytes, more than {max_bytes} (GLOBOLATTE_MAX_FILE_BYTES); split the file"
    return FetchedFile(item, "", None, reason)
