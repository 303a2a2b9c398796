"""What was loaded can be read again, byte by byte, after its file was replaced, removed or retracted."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from globolatte_ingest.kept_files import CannotKeepError, KeptFiles, NotKeptError
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.reference import PRODUCTS_FILE, load_reference
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import NOW, PRODUCTS_CSV, csv, deliver, fetch, line, load, sales_path

A, B_AS_A = sales_path("a.csv"), sales_path("b.csv")


@pytest.fixture
def kept(tmp_path: Path) -> KeptFiles:
    return KeptFiles(tmp_path / "kept_files")


def versions(warehouse: DuckDBWarehouse, kept: KeptFiles, path: str) -> list[tuple[str | None, str]]:
    """Pack and SHA-256 of each version of a path, oldest first."""
    with warehouse.transaction() as transaction:
        hashes = [str(version["sha256"]) for version in Ledger(transaction).history(path).versions]
        return [(kept.place_of(transaction, sha256).pack, sha256) for sha256 in hashes]


def test_a_replaced_version_is_read_as_it_landed(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, kept: KeptFiles, tmp_path: Path
) -> None:
    first, second = csv(line(1)), csv(line(1), line(2))
    load(warehouse, landing, deliver(landing, A, first), kept=kept)
    load(warehouse, landing, deliver(landing, A, second), kept=kept)
    (Path(landing.folder) / A).unlink()

    for version, content in zip(versions(warehouse, kept, A), (first, second), strict=True):
        kept.copy(*version, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content


def test_a_file_too_large_for_memory_is_kept_whole(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, kept: KeptFiles, tmp_path: Path
) -> None:
    from globolatte_ingest.reading.landed_bytes import FileLimits

    content = csv(*(line(number) for number in range(3000)))
    limits = FileLimits(10_000_000, most_in_memory=10_000)
    assert load(warehouse, landing, deliver(landing, A, content), kept=kept, limits=limits).rows_loaded == 3000
    [version] = versions(warehouse, kept, A)
    kept.copy(*version, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content


def test_a_refused_file_is_not_kept(warehouse: DuckDBWarehouse, landing: FolderLandingZone, kept: KeptFiles) -> None:
    assert load(warehouse, landing, deliver(landing, A, b"%PDF-1.7"), kept=kept).refused
    assert [pack for pack, _ in versions(warehouse, kept, A)] == [None]
    assert not kept.folder.exists()


def test_what_cannot_be_kept_is_not_loaded(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, tmp_path: Path
) -> None:
    (tmp_path / "a_file").write_text("where a folder should be")
    with pytest.raises(CannotKeepError, match=r"a_file: .* nothing of them is loaded"):
        load(warehouse, landing, deliver(landing, A, csv(line(1))), kept=KeptFiles(tmp_path / "a_file"))
    assert fetch(warehouse, "select count(*) from sales_data.sales_transactions") == [(0,)]


def test_months_over_for_longer_than_the_days_are_removed(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, kept: KeptFiles, tmp_path: Path
) -> None:
    load(warehouse, landing, deliver(landing, A, csv(line(1))), kept=kept)
    [version] = versions(warehouse, kept, A)
    month = str(version[0]).partition("/")[0]
    limited = KeptFiles(kept.folder, days=40)

    assert limited.months_over(NOW + dt.timedelta(days=40)) == []
    assert limited.months_over(NOW + dt.timedelta(days=80)) == [month]
    limited.forget(warehouse, [month])
    with pytest.raises(NotKeptError, match="before files were kept"):
        limited.copy(*versions(warehouse, kept, A)[0], tmp_path / "copy")

    load(warehouse, landing, deliver(landing, B_AS_A, csv(line(1))), kept=limited)
    assert versions(warehouse, kept, B_AS_A)[0][0], "what comes again is kept again"


def test_a_damaged_pack_is_said(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, kept: KeptFiles, tmp_path: Path
) -> None:
    load(warehouse, landing, deliver(landing, A, csv(line(1))), kept=kept)
    [version] = versions(warehouse, kept, A)
    pack = kept.folder / str(version[0])
    data = bytearray(pack.read_bytes())
    data[len(data) // 3] ^= 0xFF
    pack.write_bytes(bytes(data))
    with pytest.raises(NotKeptError, match="damaged; restore it from a backup"):
        kept.copy(*version, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_content_is_kept_once_however_often_it_is_delivered(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, kept: KeptFiles
) -> None:
    content = csv(line(1))
    for path in (A, sales_path("again.csv"), sales_path("once_more.csv")):
        load(warehouse, landing, deliver(landing, path, content), kept=kept)
    assert fetch(warehouse, "select count(*), min(size_bytes) from sales_data.kept_files") == [(1, len(content))]
    assert len(list(kept.folder.rglob("*.zip"))) == 1


@dataclass
class LandingWithVersions:
    """A stand-in for a container with versioning on, which the emulator has not: it keeps what was opened, whatever becomes of the file."""

    inner: FolderLandingZone
    versions: dict[str, bytes] = field(default_factory=dict)

    def files(self, prefix: str = "") -> Iterator[LandedFile]:
        yield from self.inner.files(prefix)

    @contextmanager
    def open(self, file: LandedFile) -> Iterator[BinaryIO]:
        with self.inner.open(file) as stream:
            content = stream.read()
        self.versions[f"version of {file.etag}"] = content
        yield BytesIO(content)

    def describe(self) -> str:
        return self.inner.describe()

    def version_id(self, file: LandedFile) -> str | None:
        return f"version of {file.etag}"

    @contextmanager
    def open_version(self, path: str, version_id: str) -> Iterator[BinaryIO]:
        if version_id not in self.versions:
            raise FileNotFoundError(version_id)
        yield BytesIO(self.versions[version_id])


def test_where_the_landing_zone_keeps_versions_their_ids_are_remembered_and_nothing_is_packed(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, kept: KeptFiles, tmp_path: Path
) -> None:
    zone = LandingWithVersions(landing)
    first, second = csv(line(1)), csv(line(2))
    for content in (first, second):
        load(warehouse, zone, deliver(landing, A, content), kept=kept)
    (Path(landing.folder) / A).unlink()
    assert not kept.folder.exists()
    with warehouse.transaction() as transaction:
        hashes = [str(version["sha256"]) for version in Ledger(transaction).history(A).versions]
        places = [kept.place_of(transaction, sha256) for sha256 in hashes]
    assert [place.path for place in places] == [A, A]
    for place, sha256, content in zip(places, hashes, (first, second), strict=True):
        kept.fetch(place, sha256, zone, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content
    with pytest.raises(NotKeptError, match="is not what was loaded"):
        kept.fetch(places[0], hashes[1], zone, tmp_path / "other")
    with pytest.raises(NotKeptError, match="keeps no versions; set the landing zone that it was loaded from"):
        kept.fetch(places[0], hashes[0], landing, tmp_path / "other")
    zone.versions.clear()
    with pytest.raises(NotKeptError, match="cannot be read"):
        kept.fetch(places[0], hashes[0], zone, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_each_loaded_content_of_a_reference_file_is_kept(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, kept: KeptFiles, tmp_path: Path
) -> None:
    contents = (PRODUCTS_CSV, PRODUCTS_CSV.replace(b"3.50", b"3.60"))
    for content in (*contents, contents[1]):
        deliver(landing, PRODUCTS_FILE.path, content)
        load_reference(PRODUCTS_FILE, landing, warehouse, "run", NOW, kept=kept)
    found = versions(warehouse, kept, PRODUCTS_FILE.path)
    for version, content in zip(found, contents, strict=True):
        kept.copy(*version, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content


def test_equal_content_makes_an_equal_pack(tmp_path: Path) -> None:
    from globolatte_ingest.kept_files import packed

    packs = []
    for name in ("one", "two"):
        kept = KeptFiles(tmp_path / name)
        packs.append((kept.folder / str(kept.keep({"ab": packed([b"some ", b"bytes"], 100)}, NOW))).read_bytes())
    assert packs[0] == packs[1]
