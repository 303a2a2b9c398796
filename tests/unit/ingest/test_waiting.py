"""What waits for a person: one list over the whole ledger, until it is settled."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from globolatte_assets.jobs import INGEST_SALES
from globolatte_ingest.discovery import LoadRange, placed, unrecorded
from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.paths import MisplacedFile, PathRules
from globolatte_ingest.waiting import Waiting, delivered_twice, still_there, what_waits
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from sensors.landing import range_tags
from tests.builders import (
    DAY,
    NOW,
    RULES,
    Deployment,
    ask_for,
    checks,
    csv,
    deliver,
    line,
    load,
    put_reference_data,
    sales_path,
)

TEN_BAD = csv(*(line(number, quantity="x") for number in range(10)))
GOOD = csv(line(1))


@pytest.fixture(autouse=True)
def _reference_data(warehouse: DuckDBWarehouse) -> None:
    put_reference_data(warehouse)


def waits(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, rules: PathRules = RULES, *, lists_whole: bool = True
) -> dict[str, str]:
    found: list[Waiting] = what_waits(warehouse, landing, rules, NOW, lists_whole=lists_whole)
    assert len({item.name for item in found}) == len(found)
    return {item.name: item.text for item in found}


def record_misplaced(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    with warehouse.transaction() as transaction:
        found = placed(unrecorded(transaction, list(landing.files())), RULES)
        Ledger(transaction).refuse_misplaced([item for item in found if isinstance(item, MisplacedFile)], "run", NOW)


def test_nothing_waits_in_a_chain_in_order(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    load(warehouse, landing, deliver(landing, sales_path(), GOOD))
    assert waits(warehouse, landing) == {}


@pytest.mark.parametrize("lists_whole", [True, False])
def test_a_unit_whose_files_are_held_day_after_day_is_named_however_well_the_others_send(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, *, lists_whole: bool
) -> None:
    for day in range(1, 14):
        date = dt.date(2022, 1, day)
        load(warehouse, landing, deliver(landing, sales_path("a.csv", "mexico", date), TEN_BAD), max_bad_share=0.2)
        good = csv(line(1, transaction_date=f"{date}T08:00"))
        load(warehouse, landing, deliver(landing, sales_path("a.csv", "usa", date), good))
    found = waits(warehouse, landing, lists_whole=lists_whole)
    assert list(found) == ["held mexico"]
    assert "13 files held of 2022-01-01 to 2022-01-13" in found["held mexico"]
    assert "sales/mexico/2022/01/13/a.csv" in found["held mexico"]
    assert "quarantine release" in found["held mexico"]


@pytest.mark.parametrize("settled_by", ["correction", "approval", "retraction", "removal"])
def test_a_held_file_waits_until_it_is_settled(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, settled_by: str
) -> None:
    from globolatte_ingest.discovery import work_in
    from globolatte_ingest.load import do_work
    from tests.builders import load_context

    held = deliver(landing, sales_path(), TEN_BAD)
    load(warehouse, landing, held, max_bad_share=0.2)
    assert list(waits(warehouse, landing)) == ["held usa"]
    if settled_by == "correction":
        load(warehouse, landing, deliver(landing, sales_path(), GOOD), max_bad_share=0.2)
    elif settled_by == "removal":
        Path(landing.folder, sales_path()).unlink()
    else:
        ask_for(warehouse, Step.APPROVE if settled_by == "approval" else Step.RETRACT, sales_path())
        assert "steps" in waits(warehouse, landing)
        work = work_in(warehouse, landing, "usa", {DAY}, RULES)
        do_work(warehouse, landing, work, load_context(max_bad_share=0.2))
    assert waits(warehouse, landing) == {}


def test_refused_files_are_said_by_unit_and_reason_with_the_remedy(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    load(warehouse, landing, deliver(landing, sales_path("a.csv"), b"no,sales,file\n"))
    load(warehouse, landing, deliver(landing, sales_path("b.csv"), b"no,sales,file\n"))
    load(warehouse, landing, deliver(landing, sales_path("c.csv"), b""))
    found = waits(warehouse, landing)
    assert list(found) == ["refused usa missing_column", "refused usa empty_file"]
    assert found["refused usa missing_column"].startswith(
        f"usa: 2 files refused of {DAY}, the latest {sales_path('b.csv')}: "
    )
    assert found["refused usa missing_column"].endswith("Upload a corrected one, or remove it")


def test_files_before_the_first_business_date_name_the_setting_that_would_load_them(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    for number in range(4):
        deliver(landing, sales_path(date=dt.date(2021, 5, 1) + dt.timedelta(number)), GOOD)
    record_misplaced(warehouse, landing)
    assert waits(warehouse, landing) == {
        "before the first business date": "4 files lie before GLOBOLATTE_FIRST_BUSINESS_DATE (2022-01-01), the earliest of 2021-05-01; "
        "to load them, set GLOBOLATTE_FIRST_BUSINESS_DATE=2021-05-01 and run again"
    }
    earlier = PathRules(RULES.folders, dt.date(2021, 5, 1), RULES.last_business_date)
    assert waits(warehouse, landing, earlier) == {}, "they are loaded now"


def test_misplaced_files_are_said_by_folder_and_what_comes_by_itself_is_not(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    tomorrow = RULES.last_business_date + dt.timedelta(1)
    for path in (
        "sales/france/2022/01/31/a.csv",
        "sales/france/2022/01/31/b.csv",
        "notes.txt",
        "sales/usa/2022/01/31/a.xlsx",
        sales_path(date=tomorrow),
    ):
        deliver(landing, path, GOOD)
    record_misplaced(warehouse, landing)
    found = waits(warehouse, landing)
    assert list(found) == ["misplaced the landing zone", "misplaced sales/france/", "misplaced sales/usa/"]
    assert found["misplaced sales/france/"].startswith(
        "sales/france/: 2 files misplaced, such as sales/france/2022/01/31/b.csv: no business"
    )


def units(warehouse: DuckDBWarehouse, **folders: str) -> None:
    rows = [
        {"business_unit_id": unit, "country": "C", "unit_name": "N", "folder": folder, "time_zone": "UTC"}
        for unit, folder in folders.items()
    ]
    warehouse.replace("sales_data.business_units", pa.Table.from_pylist(rows))


@pytest.mark.parametrize("lists_whole", [True, False])
def test_a_unit_without_a_partition_and_a_partition_without_a_unit_are_said_with_the_files_that_nobody_claims(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, *, lists_whole: bool
) -> None:
    units(warehouse, BU_US="unitedstates", BU_CA="canada", BU_MX="mexico")
    deliver(landing, sales_path(folder="usa"), GOOD)
    found = waits(warehouse, landing, lists_whole=lists_whole)
    assert list(found) == ["unit unitedstates", "partition usa"]
    assert (
        "the folder of BU_US is 'unitedstates', which is not in GLOBOLATTE_BUSINESS_UNITS" in found["unit unitedstates"]
    )
    assert (
        "no unit of reference/business_units.csv has that folder, so 1 file under sales/usa/ is not loaded"
        in found["partition usa"]
    )


def test_a_load_that_was_tried_and_left_nothing_is_said(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    with warehouse.transaction() as transaction:
        Ledger(transaction).note_attempts([deliver(landing, sales_path(), GOOD)], "run", NOW)
    assert (
        f"1 file could not be read or loaded, such as {sales_path()} (1 try)" in waits(warehouse, landing)["not loaded"]
    )


def test_beyond_a_bound_files_count_as_there(landing: FolderLandingZone) -> None:
    paths = [sales_path(f"{number}.csv") for number in range(60)]
    assert still_there(landing, paths, None) == set(paths[:10])


def test_files_that_are_not_looked_for_are_said_to_be_so(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    files = [deliver(landing, sales_path(f"{number:02d}.csv"), b"refused") for number in range(53)]
    load(warehouse, landing, *files)
    assert waits(warehouse, landing, lists_whole=False)["not looked for"].startswith(
        "3 held or refused files, recorded"
    )
    assert "not looked for" not in waits(warehouse, landing)


def test_of_many_refused_files_the_check_of_a_load_names_none_that_was_removed(ready: Deployment) -> None:
    """However many there are: a folder is listed as a whole then."""
    files = [deliver(ready.landing, sales_path(f"{number:02d}.csv"), b"refused") for number in range(53)]
    load(ready.warehouse, ready.landing, *files)
    for file in files[:2]:
        Path(ready.landing.folder, file.path).unlink()
    deliver(ready.landing, sales_path("good.csv"), GOOD)
    result = ready.run(INGEST_SALES, range_tags(LoadRange("usa", DAY, DAY)))
    assert str(checks(result)["no_file_refused"].description).startswith("51 refused, such as ")


def day_of(number: int, date: dt.date = DAY, **fields: str) -> list[dict[str, str]]:
    return [
        line(number + row, product_id=f"P00{row % 3 + 1}", transaction_date=f"{date}T0{row}:15", **fields)
        for row in range(6)
    ]


def test_a_day_that_came_twice_under_other_ids_is_named_with_both_files(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    a, b = sales_path("a.csv"), sales_path("b.csv")
    load(warehouse, landing, deliver(landing, a, csv(*day_of(1))), deliver(landing, b, csv(*day_of(101)[::-1])))
    load(warehouse, landing, deliver(landing, sales_path("c.csv"), csv(*day_of(201, total_price="9.99"))))
    with warehouse.transaction() as transaction:
        [twice] = delivered_twice(transaction)
    assert (twice.business_unit, twice.business_date, twice.rows, twice.one, twice.another) == ("BU_US", DAY, 6, a, b)
    assert f"globolatte retract {b}" in str(twice)


def test_of_the_days_that_may_have_come_twice_those_that_a_file_came_for_last_are_compared(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    days = [DAY, DAY - dt.timedelta(1), DAY - dt.timedelta(2)]
    for place, day in enumerate(days):
        for name in ("a", "b"):
            rows = day_of(1000 * place + (100 if name == "b" else 0), day)
            load(warehouse, landing, deliver(landing, sales_path(f"{name}.csv", date=day), csv(*rows)))
    with warehouse.transaction() as transaction:
        assert [twice.business_date for twice in delivered_twice(transaction)] == days[::-1]
        assert [twice.business_date for twice in delivered_twice(transaction, 2)] == [days[2], days[1]]


def test_other_days_other_rows_and_a_handful_that_agree_by_chance_are_no_day_delivered_twice(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    load(warehouse, landing, deliver(landing, sales_path("a.csv"), csv(*day_of(1)[:4])))
    load(warehouse, landing, deliver(landing, sales_path("b.csv"), csv(*day_of(101)[:4])))
    load(warehouse, landing, deliver(landing, sales_path("c.csv"), csv(*day_of(201, quantity="2"))))
    with warehouse.transaction() as transaction:
        assert delivered_twice(transaction) == []
