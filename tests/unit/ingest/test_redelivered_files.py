"""Corrections: new content under a path replaces exactly what that path had delivered before, or nothing at all."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import (
    csv,
    deliver,
    deliver_and_load,
    everything,
    fetch,
    ledger,
    line,
    load,
    quarantine,
    sales,
    sales_path,
)

PATH = sales_path("a.csv")
OTHER = sales_path("b.csv")
COUNTS = "path, status, rows_in_file, rows_loaded, rows_quarantined"


def test_a_corrected_file_replaces_exactly_its_rows(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    other_day = sales_path("a.csv", date=dt.date(2022, 1, 30))
    deliver_and_load(warehouse, landing, PATH, line(1), line(2, quantity="x"))
    deliver_and_load(warehouse, landing, OTHER, line(3))
    deliver_and_load(warehouse, landing, other_day, line(4, transaction_date="2022-01-30"))
    deliver_and_load(warehouse, landing, PATH, line(2), line(5), line(1, total_price="4.00"))
    assert sales(warehouse, "path, row_number, transaction_id, total_price") == [
        (other_day, 1, "T00000004", Decimal("3.50")),
        (PATH, 1, "T00000002", Decimal("3.50")),
        (PATH, 2, "T00000005", Decimal("3.50")),
        (PATH, 3, "T00000001", Decimal("4.00")),
        (OTHER, 1, "T00000003", Decimal("3.50")),
    ]
    assert quarantine(warehouse) == []


def test_a_correction_supersedes_the_earlier_version_on_the_ledger(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1), run_id="run-1")
    deliver_and_load(warehouse, landing, PATH, line(2), run_id="run-2")
    (first, *was), (second, *now) = ledger(warehouse, "load_id, status, run_id, superseded_by")
    assert first != second
    assert (was, now) == (["superseded", "run-1", second], ["loaded", "run-2", None])


def test_the_quarantine_of_a_superseded_version_stays_in_the_ledger(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1, weather="Hail"))
    deliver_and_load(warehouse, landing, PATH, line(1))
    rows = fetch(
        warehouse,
        "select status, row_number, weather_text from sales_data.quarantine join sales_data.load_ledger using (load_id)",
    )
    assert rows == [("superseded", 1, "Hail")]


def test_a_correction_to_a_header_only_file_takes_the_rows_away(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1), line(2))
    deliver_and_load(warehouse, landing, PATH)
    assert sales(warehouse) == []
    assert ledger(warehouse, COUNTS) == [(PATH, "superseded", 2, 2, 0), (PATH, "loaded", 0, 0, 0)]


def test_a_refused_correction_leaves_the_earlier_version_in_place(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1), line(1))
    before = everything(warehouse)
    report = load(warehouse, landing, deliver(landing, PATH, b"oh no"))
    after = everything(warehouse)
    assert [path for path, _ in report.refused] == [PATH]
    assert ledger(warehouse) == [(PATH, "loaded"), (PATH, "refused")]
    assert "column 'transaction_id'" in str(ledger(warehouse, "reason")[1][0])
    assert after["load_ledger"] != before["load_ledger"]
    assert {**after, "load_ledger": None} == {**before, "load_ledger": None}


def test_a_correction_after_a_refused_one_supersedes_the_version_that_is_loaded(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1))
    load(warehouse, landing, deliver(landing, PATH, b"oh no"))
    deliver_and_load(warehouse, landing, PATH, line(2))
    assert sales(warehouse) == [(PATH, 1, "T00000002")]
    assert ledger(warehouse) == [(PATH, "superseded"), (PATH, "refused"), (PATH, "loaded")]


def test_earlier_content_that_comes_back_is_loaded_anew(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    for number in (1, 2, 1):
        deliver_and_load(warehouse, landing, PATH, line(number))
    assert sales(warehouse) == [(PATH, 1, "T00000001")]
    entries = ledger(warehouse, "load_id, sha256, status")
    assert [status for *_, status in entries] == ["superseded", "superseded", "loaded"]
    assert entries[0][1] == entries[2][1]
    assert len({load_id for load_id, *_ in entries}) == 3


def test_an_earlier_file_moved_back_with_its_old_etag_is_loaded_anew(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    file = deliver(landing, PATH, csv(line(1)))
    load(warehouse, landing, file)
    kept = Path(landing.folder, "kept.csv")
    Path(landing.folder, PATH).rename(kept)
    deliver_and_load(warehouse, landing, PATH, line(2))
    kept.replace(Path(landing.folder, PATH))
    assert next(iter(landing.files(PATH))) == file
    load(warehouse, landing, file)
    assert sales(warehouse) == [(PATH, 1, "T00000001")]
    assert [status for _, status in ledger(warehouse)] == ["superseded", "superseded", "loaded"]


def test_the_same_content_under_another_path_is_another_file(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    for path in (PATH, OTHER):
        deliver_and_load(warehouse, landing, path, line(1))
    assert ledger(warehouse, COUNTS) == [(PATH, "loaded", 1, 1, 0), (OTHER, "loaded", 1, 0, 1)]
