"""Names of files are text: never SQL, never a path outside of the landing zone, whatever is in them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from globolatte_ingest.ledger import Ledger
from globolatte_ingest.load import load_batch
from globolatte_ingest.paths import MisplacedFile, SalesFile
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile, SupersededError
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import NOW, RULES, csv, fetch, ledger, line, load_context, sales

TABLES = "select table_schema, table_name from information_schema.tables order by all"

LOADED_NAMES = [
    "it's.csv",
    'say "hi".csv',
    "100%.csv",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd.csv",
    "..csv",
    "...csv",
    "a..b.csv",
    "';DROP TABLE sales_data.load_ledger;--.csv",
    '"; drop schema sales_data cascade; --.csv',
    "$(touch hacked).csv",
    "`id`.csv",
    "{{ 7*7 }}.csv",
    "{first}.csv",
    "?.csv",
    "☕🎉👩‍🚀 ñandú 日本 العربية.csv",
    "\u202efdp.csv",
    "new\nline.csv",
    "\ttab.csv",
    "a" * 996 + ".csv",
    "☕" * 332 + ".csv",
    "-rf.csv",
    "~.csv",
    "nul.csv",
    "a?b#c&d=e.csv",
    "=1+1.csv",
]
MISPLACED_PATHS = [
    "sales/usa/2022/01/31/../../../../../../etc/passwd.csv",
    "sales/../usa/2022/01/31/a.csv",
    "sales/usa/2022/01/31/../a.csv",
    "sales//usa/2022/01/31/a.csv",
    "sales/usa'; drop table x; --/2022/01/31/a.csv",
    "sales/../../a.csv",
    "sales/usa/2022/01/31/a\\..\\b.csv",
    "sales/USA/2022/01/31/a.csv",
    "sales/usa/２０２２/01/31/a.csv",
    "sales/usa/2022/1/31/a.csv",
    "sales/" + "x" * 990 + ".csv",
    "sales/%2e%2e/2022/01/31/a.csv",
]


@dataclass
class NamedBlobs:
    """A landing zone whose names no file system would take: blobs are named freely."""

    blobs: dict[str, bytes] = field(default_factory=dict)

    def files(self, prefix: str = "") -> Iterator[LandedFile]:
        yield from (LandedFile(p, "1", len(c)) for p, c in sorted(self.blobs.items()) if p.startswith(prefix))

    @contextmanager
    def open(self, file: LandedFile) -> Iterator[BinaryIO]:
        yield io.BytesIO(self.blobs[file.path])

    def describe(self) -> str:
        return "blobs in memory"


def test_files_of_hostile_names_are_loaded_under_exactly_these_names(warehouse: DuckDBWarehouse) -> None:
    paths = [f"sales/usa/2022/01/31/{name}" for name in LOADED_NAMES]
    blobs = NamedBlobs({path: csv(line(number)) for number, path in enumerate(paths)})
    before = fetch(warehouse, TABLES)
    placed = [RULES.place(file) for file in blobs.files("sales/")]
    assert all(isinstance(item, SalesFile) for item in placed)
    report = load_batch(warehouse, blobs, placed, load_context())
    assert set(report.loaded) == set(paths)
    assert {path for path, *_ in sales(warehouse)} == set(paths)
    assert {path for path, _ in ledger(warehouse)} == set(paths)
    assert fetch(warehouse, TABLES) == before
    again = load_batch(warehouse, blobs, placed, load_context())
    assert (again.loaded, again.refused) == ((), ())


@pytest.mark.parametrize("path", MISPLACED_PATHS)
def test_paths_that_lead_elsewhere_are_recorded_in_the_ledger_and_not_opened(
    warehouse: DuckDBWarehouse, path: str
) -> None:
    before = fetch(warehouse, TABLES)
    found = RULES.place(LandedFile(path, "1", 10))
    assert isinstance(found, MisplacedFile)
    with warehouse.transaction() as transaction:
        Ledger(transaction).refuse_misplaced([found], "run", NOW)
    assert ledger(warehouse, "path, status, reason_code") == [(path, "refused", "misplaced")]
    assert fetch(warehouse, TABLES) == before


@pytest.mark.parametrize(
    "path", ["../outside.csv", "sales/../../outside.csv", "/etc/hostname", "sales/../../landing/../outside.csv"]
)
def test_a_folder_gives_nothing_from_outside_of_it(landing: FolderLandingZone, path: str) -> None:
    outside = Path(landing.folder).parent / "outside.csv"
    outside.write_bytes(b"secret")
    parent = FolderLandingZone(folder=str(outside.parent))
    etag = next(parent.files("outside.csv")).etag
    with pytest.raises(SupersededError), landing.open(LandedFile(path, etag, 6)):
        pass
