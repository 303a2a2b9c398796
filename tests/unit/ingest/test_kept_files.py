"""What was loaded can be read again, byte by byte, after its file was replaced, removed or retracted."""

import datetime as dt
from pathlib import Path

import pytest

from globolatte_ingest.kept_files import CannotKeepError, KeptFiles, NotKeptError
from globolatte_ingest.ledger import Ledger
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import NOW, csv, deliver, fetch, line, load, sales_path

A, B_AS_A = sales_path("a.csv"), sales_path("b.csv")


@pytest.fixture
def kept(tmp_path: Path) -> KeptFiles:
    return KeptFiles(tmp_path / "kept_files")


def versions(warehouse: DuckDBWarehouse, kept: KeptFiles, path: str) -> list[tuple[str | None, str]]:
    """Pack and SHA-256 of each version of a path, oldest first."""
    with warehouse.transaction() as transaction:
        hashes = [str(version["sha256"]) for version in Ledger(transaction).history(path).versions]
        return [(kept.pack_of(transaction, sha256), sha256) for sha256 in hashes]


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


def test_equal_content_makes_an_equal_pack(tmp_path: Path) -> None:
    from globolatte_ingest.kept_files import packed

    packs = []
    for name in ("one", "two"):
        kept = KeptFiles(tmp_path / name)
        packs.append((kept.folder / str(kept.keep({"ab": packed([b"some ", b"bytes"], 100)}, NOW))).read_bytes())
    assert packs[0] == packs[1]
