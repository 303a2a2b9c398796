"""Loading: what is in the tables and on the ledger after files came, were refused, came again."""

import datetime as dt
import gzip
import hashlib
from decimal import Decimal

import pytest

from globolatte_assets.monitoring.conservation import ledger_conservation
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.load import LoadReport, batches, load_batch
from globolatte_ingest.paths import SalesFile
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import (
    DAY,
    NOW,
    RULES,
    csv,
    deliver,
    deliver_and_load,
    everything,
    fetch,
    ledger,
    line,
    load,
    load_context,
    quarantine,
    sales,
    sales_path,
)

PATH = sales_path("a.csv")
OTHER = sales_path("b.csv")
COUNTS = "path, status, rows_in_file, rows_loaded, rows_quarantined"


def test_a_row_is_loaded_as_it_was_delivered(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    deliver_and_load(warehouse, landing, PATH, line(7, quantity="2", total_price="7.00", payment_method="cash"))
    [row] = warehouse.read("sales_data.sales_transactions").to_pylist()
    assert row == {
        "business_unit": "BU_US",
        "business_date": DAY,
        "transaction_id": "T00000007",
        "order_id": "O0000007",
        "product_id": "P001",
        "customer_id": "C0001",
        "quantity": 2,
        "total_price": Decimal("7.00"),
        "transaction_date": dt.datetime.fromisoformat("2022-01-31T08:15"),
        "payment_method": "cash",
        "weather": "Sunny",
        "kind": "sale",
        **dict.fromkeys(
            ("store_id", "discount", "promotion", "currency", "refunded_order_id", "refunded_date", "weight")
        ),
        "load_id": ledger(warehouse, "load_id")[0][0],
        "row_number": 1,
    }


def test_the_ledger_says_which_content_was_loaded_by_whom_and_when(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    content = csv(line(1, note="x"), columns=(*line(), "note"))
    file = deliver(landing, PATH, content)
    load(warehouse, landing, file, run_id="run-1")
    [entry] = warehouse.read("sales_data.load_ledger").to_pylist()
    assert entry == {
        "load_id": entry["load_id"],
        "sequence": 1,
        "path": PATH,
        "etag": file.etag,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "business_unit": "BU_US",
        "business_date": DAY,
        "status": "loaded",
        "reason": None,
        "reason_code": None,
        "rows_in_file": 1,
        "rows_loaded": 1,
        "rows_quarantined": 0,
        "extra_columns": "note",
        "attempt": 1,
        "run_id": "run-1",
        "recorded_at": NOW,
        "superseded_by": None,
    }


def test_every_row_of_a_loaded_file_is_loaded_or_quarantined(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    content = csv(line(1), line(1), line(2, quantity="x"), line(3)) + b"short\n\n" + b"1,2,3\n"
    report = load(warehouse, landing, deliver(landing, PATH, content))
    assert ledger(warehouse, COUNTS) == [(PATH, "loaded", 6, 2, 4)]
    assert sales(warehouse) == [(PATH, 1, "T00000001"), (PATH, 4, "T00000003")]
    assert quarantine(warehouse) == [
        (PATH, 2, "duplicate_in_file"),
        (PATH, 3, "bad_number"),
        (PATH, 5, "wrong_field_count"),
        (PATH, 6, "wrong_field_count"),
    ]
    assert report == LoadReport(
        loaded=(PATH,),
        rows_loaded=2,
        rows_quarantined=4,
        reasons={"bad_number": 1, "duplicate_in_file": 1, "wrong_field_count": 2},
    )


def test_a_header_only_file_is_loaded_with_no_rows(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    report = deliver_and_load(warehouse, landing, PATH)
    assert ledger(warehouse, COUNTS) == [(PATH, "loaded", 0, 0, 0)]
    assert report == LoadReport(loaded=(PATH,))


def test_an_empty_batch_changes_nothing(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    before = everything(warehouse)
    assert load(warehouse, landing) == LoadReport()
    assert everything(warehouse) == before


def test_all_kinds_of_files_load_in_one_batch(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    plain = deliver(landing, sales_path("a.csv"), csv(line(1)))
    packed = deliver(landing, sales_path("b.csv.gz"), gzip.compress(csv(line(2))))
    elsewhere = sales_path("c.csv", "canada", dt.date(2022, 2, 1))
    there = line(1, business_unit="BU_CA", transaction_date="2022-02-01T09:00:00")
    canada = deliver(landing, elsewhere, csv(there))
    empty = deliver(landing, sales_path("d.csv"), b"")
    report = load(warehouse, landing, plain, packed, canada, empty)
    assert sales(warehouse, "path, transaction_id, business_unit, business_date") == [
        (elsewhere, "T00000001", "BU_CA", dt.date(2022, 2, 1)),
        (plain.path, "T00000001", "BU_US", DAY),
        (packed.path, "T00000002", "BU_US", DAY),
    ]
    assert report.loaded == (plain.path, packed.path, elsewhere)
    assert report.refused == ((empty.path, "the file is empty, without even a header; upload it again"),)
    assert [status for _, status in ledger(warehouse)] == ["loaded", "loaded", "loaded", "refused"]


ODD_NAMES = [
    "it's.csv",
    'say "hi".csv',
    "100%.csv",
    ";DROP TABLE sales_data.load_ledger;--.csv",
    "☕ ñandú 日本.csv",
    " two words .csv",
    "new\nline.csv",
    "comma, and ; semicolon.csv",
]


def test_a_file_of_an_odd_name_is_loaded_under_that_name(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    files = [deliver(landing, sales_path(name), csv(line(number))) for number, name in enumerate(ODD_NAMES)]
    load(warehouse, landing, *files)
    assert {path for path, *_ in sales(warehouse)} == {sales_path(name) for name in ODD_NAMES}


def test_loading_the_same_version_again_gives_the_same_rows_and_one_loaded_entry(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    file = deliver(landing, PATH, csv(line(1), line(2), line(2)))
    load(warehouse, landing, file)
    before = everything(warehouse)
    report = load(warehouse, landing, file)
    assert everything(warehouse) == before
    assert report == LoadReport()


# What can go wrong with a file -----------------------------------------------------------------------------------------


def test_a_file_replaced_since_the_listing_is_left_for_the_next_look_and_the_others_are_loaded(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    stale = deliver(landing, PATH, csv(line(1)))
    deliver(landing, PATH, csv(line(2)))
    report = load(warehouse, landing, stale, deliver(landing, OTHER, csv(line(3))))
    assert (report.not_read, report.loaded) == ((PATH,), (OTHER,))
    assert ledger(warehouse) == [(OTHER, "loaded")]


def test_a_file_over_the_size_limit_is_refused_unread(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    file = deliver(landing, PATH, csv(line(1)))
    report = load_batch(warehouse, landing, [placed(file)], load_context(max_file_bytes=file.size - 1))
    reason = f"has {file.size} bytes, more than {file.size - 1} (GLOBOLATTE_MAX_FILE_BYTES); split the file"
    assert report.refused == ((PATH, reason),)
    assert ledger(warehouse, "path, status, reason, sha256") == [(PATH, "refused", reason, "")]
    just_fits = deliver(landing, OTHER, csv(line(1)))
    assert load_batch(warehouse, landing, [placed(just_fits)], load_context(max_file_bytes=file.size)).loaded == (
        OTHER,
    )


def test_attempts_at_a_version_are_counted(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    first = deliver(landing, PATH, csv(line(1)))
    deliver(landing, PATH, csv(line(2)))
    for run_id in ("run-1", "run-2"):
        load(warehouse, landing, first, run_id=run_id)  # superseded: it never gets to the ledger
    deliver_and_load(warehouse, landing, PATH, line(3), run_id="run-3")
    attempts = fetch(warehouse, "select attempt, run_id, started_at from sales_data.load_attempts order by run_id")
    assert attempts == [(1, "run-1", NOW), (2, "run-2", NOW), (1, "run-3", NOW)]
    assert ledger(warehouse, "attempt, run_id") == [(1, "run-3")]


def placed(file: LandedFile) -> SalesFile:
    item = RULES.place(file)
    assert isinstance(item, SalesFile)
    return item


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        ([], 10, []),
        ([3], 10, [[3]]),
        ([3, 3, 4], 10, [[3, 3, 4]]),
        ([3, 3, 5], 10, [[3, 3], [5]]),
        ([11], 10, [[11]]),
        ([1, 11, 1], 10, [[1], [11], [1]]),
        ([0, 0, 0], 1, [[0, 0, 0]]),
        ([5, 5, 5, 5, 5], 10, [[5, 5], [5, 5], [5]]),
    ],
)
def test_a_batch_holds_as_many_files_as_its_bytes_allow(
    sizes: list[int], limit: int, expected: list[list[int]]
) -> None:
    files = [SalesFile(LandedFile(f"{number}.csv", "etag", size), "usa", DAY) for number, size in enumerate(sizes)]
    made = list(batches(files, limit))
    assert [[item.file.size for item in batch] for batch in made] == expected
    assert [item for batch in made for item in batch] == files


def test_reports_of_batches_add_up() -> None:
    one = LoadReport(
        ("a",), (("b", "why"),), (("h", "many"),), ("c",), 5, 2, {"bad_date": 1, "bad_number": 1}, ("note",)
    )
    other = LoadReport(("d",), (), (), (), 1, 1, {"bad_date": 1}, ("note", "cashier"))
    assert one + other == LoadReport(
        ("a", "d"),
        (("b", "why"),),
        (("h", "many"),),
        ("c",),
        6,
        3,
        {"bad_date": 2, "bad_number": 1},
        ("cashier", "note"),
    )
    assert LoadReport() + one == one


# The watch over the whole ledger ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm",
    [
        "delete from sales_data.sales_transactions where row_number = 1",
        "insert into sales_data.sales_transactions select * from sales_data.sales_transactions limit 1",
        "delete from sales_data.quarantine",
        "update sales_data.load_ledger set rows_in_file = 9",
        "update sales_data.load_ledger set rows_loaded = 1, rows_quarantined = 2",
    ],
)
def test_a_row_that_is_lost_or_doubled_later_is_found(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, harm: str
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1), line(2), line(3, quantity="x"))
    with warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []
        transaction.execute(harm)
        assert [row["path"] for row in Ledger(transaction).unbalanced_files()] == [PATH]


def test_the_check_over_the_whole_ledger_names_the_files_that_do_not_add_up(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1), line(2))
    deliver_and_load(warehouse, landing, OTHER, line(3))
    assert ledger_conservation(warehouse=warehouse).passed
    with warehouse.transaction() as transaction:
        transaction.execute("delete from sales_data.sales_transactions where transaction_id = 'T00000002'")
    found = ledger_conservation(warehouse=warehouse)
    assert not found.passed
    assert found.metadata["files"].value == f"- `{PATH}`: 2 in file, 1 loaded, 0 quarantined"
