"""Kept files: the bytes of each file version that was loaded, so that they can be read after the file was replaced or removed.

The files of a load transaction are packed into one zip, `<yyyy-mm>/<digest>.zip` under the folder, each as a member named by its SHA-256
and compressed with Zstandard (`<sha256>.zst`). `sales_data.kept_files` says which pack has a content. A pack is named by what it holds,
written whole before the transaction commits, and never changed: after a kill the next try writes the same one, or it stays unused.
Where the landing zone keeps the versions of its files itself, the version's id is remembered instead. Reference files are packed alike.
"""

import datetime as dt
import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from globolatte_ingest.reading.landed_bytes import Content, HashedBlocks
from resources.atomic import replacing
from resources.landing.landing_zone import LandingZone, VersionedLandingZone
from resources.warehouse.warehouse import Transaction, Warehouse

CODEC = "zstd"
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)


KEPT_CONTENTS = pa.schema(
    [
        *((name, pa.string()) for name in ("sha256", "pack", "path", "version_id")),
        ("size_bytes", pa.int64()),
    ]
)
"""Columns of the relation `kept_contents`."""

KNOWN = "select sha256 from sales_data.kept_files where sha256 in (select sha256 from kept_contents)"
REMEMBER = """
insert into sales_data.kept_files (sha256, pack, path, version_id, size_bytes, kept_at)
select sha256, pack, path, version_id, size_bytes, ? from kept_contents
"""


class NotKeptError(Exception):
    """The bytes of a file version are not there any more, or never were. The message says which, and what to do."""


class CannotKeepError(RuntimeError):
    """The folder of the kept files cannot be written: nothing of the batch is loaded."""


@dataclass(frozen=True)
class KeptContent:
    """A content to be kept: its bytes, compressed, or the id of the version that the landing zone keeps. `size` is that as it landed."""

    packed: Content | None
    size: int
    path: str | None = None
    version_id: str | None = None


@dataclass(frozen=True)
class KeptPlace:
    """Where a content is: in a pack, or in the landing zone as a version of a path."""

    pack: str | None = None
    path: str | None = None
    version_id: str | None = None


NOWHERE = KeptPlace()


def packed(blocks: Iterable[bytes], most_in_memory: int) -> Content:
    """The compressed blocks: in memory up to so many bytes, else in a temporary file."""
    return Content.copied(_compressed(blocks), most_in_memory)


def kept_content(content: bytes) -> KeptContent:
    """A small content, to be kept in a pack."""
    return KeptContent(packed([content], len(content)), len(content))


def _compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """One Zstandard frame. What is compressed so far is handed on after each block."""
    sink = _Collected()
    with pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), CODEC) as stream:
        for block in blocks:
            stream.write(block)
            yield sink.taken()
    yield sink.taken()


class _Collected:
    """A file object that collects what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken

    def flush(self) -> None:
        """Nothing is buffered here."""

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class KeptFiles:
    """The folder of the packs. Packs are removed once the whole of their month is older than `days`; never, if that is none."""

    folder: Path
    days: int | None = None

    def keep(self, contents: Mapping[str, Content], now: dt.datetime) -> str | None:
        """Writes a pack of compressed contents by SHA-256 and returns its name for the ledger; none if there is nothing to keep.

        Raises `CannotKeepError`.
        """
        if not contents:
            return None
        try:
            return self._keep(contents, now)
        except OSError as fault:
            raise CannotKeepError(
                f"{self.folder}: the loaded files cannot be kept there ({fault.strerror or fault}), so nothing of them is loaded; make "
                "room or give the right to write, then load again"
            ) from fault

    def _keep(self, contents: Mapping[str, Content], now: dt.datetime) -> str:
        digest = hashlib.sha256("\n".join(sorted(contents)).encode()).hexdigest()[:20]
        name = f"{now:%Y-%m}/{digest}.zip"
        with replacing(self.folder / name) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as members:
            for sha256, content in sorted(contents.items()):
                member = zipfile.ZipInfo(f"{sha256}.zst")  # without a time: equal content gives equal bytes
                with members.open(member, "w", force_zip64=True) as stream:
                    for block in content.blocks():
                        stream.write(block)
        return name

    @contextmanager
    def open(self, pack: str | None, sha256: str) -> Iterator[BinaryIO]:
        """The bytes of a version as they landed. Raises `NotKeptError`."""
        if pack is None:
            raise NotKeptError(
                "this version was loaded before files were kept, was never loaded, or is forgotten (GLOBOLATTE_KEEP_FILES_DAYS)"
            )
        file = self.folder / pack
        if not file.is_file():
            raise NotKeptError(f"its pack {file} is not there; restore the folder from a backup")
        with (
            zipfile.ZipFile(file) as members,
            members.open(f"{sha256}.zst") as member,
            pa.CompressedInputStream(pa.PythonFile(member, mode="r"), CODEC) as stream,
        ):
            yield stream

    def copy(self, pack: str | None, sha256: str, to: Path) -> None:
        """Writes the bytes of a packed version to a file. Raises `NotKeptError`, also if they are not those that were loaded."""
        damaged = NotKeptError(f"its pack {self.folder / str(pack)} is damaged; restore it from a backup")
        try:
            _copy(self.open(pack, sha256), sha256, to, damaged)
        except (zipfile.BadZipFile, pa.ArrowException, OSError, KeyError) as fault:
            raise damaged from fault

    def fetch(self, place: KeptPlace, sha256: str, landing: LandingZone, to: Path) -> None:
        """Writes the bytes of a version to a file, from its pack or from the landing zone that keeps it. Raises `NotKeptError`."""
        if place.version_id is None or place.path is None:
            self.copy(place.pack, sha256, to)
            return
        where = f"version {place.version_id} of {place.path} in {landing.describe()}"
        if not isinstance(landing, VersionedLandingZone):
            raise NotKeptError(
                f"it is kept as {where}, which keeps no versions; set the landing zone that it was loaded from"
            )
        try:
            other = NotKeptError(f"{where} is not what was loaded")
            _copy(landing.open_version(place.path, place.version_id), sha256, to, other)
        except OSError as fault:
            raise NotKeptError(
                f"{where} cannot be read ({fault}); restore the container, or look in a backup of it"
            ) from fault

    def remember(self, transaction: Transaction, contents: Mapping[str, KeptContent], now: dt.datetime) -> None:
        """Keeps contents by SHA-256, each once, and writes down where they are.

        Raises `CannotKeepError`. The relation `kept_contents` is defined by the caller.
        """
        transaction.stage("kept_contents", _rows(contents, None))
        kept = set(transaction.fetch(KNOWN)["sha256"].to_pylist())
        new = {sha256: content for sha256, content in contents.items() if sha256 not in kept}
        pack = self.keep({sha256: one.packed for sha256, one in new.items() if one.packed is not None}, now)
        transaction.stage("kept_contents", _rows(new, pack))
        transaction.execute(REMEMBER, (now,))

    def place_of(self, transaction: Transaction, sha256: str) -> KeptPlace:
        """Where a content is kept; nowhere if it never was, or is forgotten."""
        found = transaction.fetch(
            "select pack, path, version_id from sales_data.kept_files where sha256 = ?", (sha256,)
        ).to_pylist()
        return KeptPlace(**found[0]) if found else NOWHERE

    def months_over(self, now: dt.datetime) -> list[str]:
        """The months with packs that are over for more than `days`. Costs no more than a listing of the months."""
        if self.days is None or not self.folder.is_dir():
            return []
        oldest = f"{now - dt.timedelta(days=self.days):%Y-%m}"
        months = (month.name for month in self.folder.iterdir() if MONTH.fullmatch(month.name))
        return sorted(month for month in months if month < oldest)

    def forget(self, warehouse: Warehouse, months: Iterable[str]) -> None:
        """Removes the packs of these months. First what is written down of them: a content that comes again is kept again."""
        for month in months:
            with warehouse.transaction() as transaction:
                transaction.execute("delete from sales_data.kept_files where pack like ? || '/%'", (month,))
            shutil.rmtree(self.folder / month)


def _copy(opened: AbstractContextManager[BinaryIO], sha256: str, to: Path, other: NotKeptError) -> None:
    """Writes what is opened to a file; raises `other` if that has not this hash."""
    with replacing(to) as new, new.open("wb") as file, opened as stream:
        blocks = HashedBlocks(stream)
        for block in blocks:
            file.write(block)
        if blocks.sha256 != sha256:
            raise other


def _rows(contents: Mapping[str, KeptContent], pack: str | None) -> pa.Table:
    rows = [
        {
            "sha256": sha256,
            "pack": None if one.packed is None else pack,
            "path": one.path,
            "version_id": one.version_id,
            "size_bytes": one.size,
        }
        for sha256, one in contents.items()
    ]
    return pa.Table.from_pylist(rows, KEPT_CONTENTS)
