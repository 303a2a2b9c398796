"""The weather feed: each file replaces its own rows or is refused with line and value, and is taken up like any reference file."""

import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pytest

from globolatte_assets.jobs import LOAD_REFERENCE_DATA
from globolatte_ingest.paths import is_weather, needs_a_place
from globolatte_ingest.reasons import RefusedError
from globolatte_ingest.weather import MEANINGS, WMO_CODES, load_weather, read_weather
from resources.environment import clock_of
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile
from resources.warehouse.duckdb_file import DuckDBWarehouse
from sensors.landing import REQUESTED_BY_A_PERSON, listing_of, look
from tests.builders import (
    BUSINESS_UNITS_CSV,
    NOW,
    Deployment,
    checks,
    deliver,
    deliver_reference_data,
    failure_of,
    fetch,
    ledger,
    materialized_keys,
    put_reference_data,
)

UNITS = ("BU_CA", "BU_US")
JANUARY, LATER = "reference/weather/january.csv", "reference/weather/later.csv"
LANDING_PAGE = Path(__file__).parents[3] / "docs" / "landing.md"


def said(content: str) -> list[tuple[object, ...]]:
    rows = read_weather("feed.csv", content.encode(), UNITS).to_pylist()
    return [(row["business_unit"], row["store_id"], str(row["date"]), row["hour"], row["weather"]) for row in rows]


def weather(warehouse: DuckDBWarehouse) -> list[tuple[object, ...]]:
    return fetch(warehouse, "select business_unit, date::varchar, weather from sales_data.weather order by all")


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("reference/weather/january.csv", True),
        ("reference/weather/Ön 2024.CSV", True),
        ("reference/weather/2024/january.csv", False),
        ("reference/weather/january.xlsx", False),
        ("reference/weather/.csv", False),
        ("reference/weather.csv", False),
        ("reference/Weather/january.csv", False),
        ("sales/usa/2024/01/01/weather.csv", False),
    ],
)
def test_any_csv_file_of_the_folder_is_a_weather_file_and_what_else_lies_there_is_misplaced(
    path: str, is_one: bool
) -> None:
    assert is_weather(path) is is_one
    assert needs_a_place(LandedFile(path, "etag", 1)) is not is_one


def test_a_row_names_a_unit_or_a_store_a_date_an_hour_if_any_and_a_type_or_a_wmo_code() -> None:
    assert said(
        "business_unit_id;Store_ID;date;hour;weather\nBU_US;;2024-01-31;;rainy\n;7;2024-01-30;0;SNOWY\nBU_CA;7;2024-01-29;23;0\n"
    ) == [
        ("BU_CA", "7", "2024-01-29", 23, "Sunny"),
        (None, "7", "2024-01-30", 0, "Snowy"),
        ("BU_US", None, "2024-01-31", None, "Rainy"),
    ]
    assert said("business_unit,date,weather_code\nBU_US,2024-01-31,3.0\n") == [
        ("BU_US", None, "2024-01-31", None, "Cloudy")
    ]


def test_a_header_without_rows_says_nothing() -> None:
    assert said("business_unit,date,weather\n") == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("business_unit,date,weather\n\nBU_US,2024-01-31,Foggy\n", "line 3: weather 'Foggy' is none of Cloudy, Rainy,"),
        ("business_unit,date,weather\nBU_US,2024-01-31,12\n", "line 2: weather '12' is none of"),
        ("business_unit,date,weather\nBU_US,2024-01-31,\n", "line 2: weather '' is none of"),
        ("business_unit,date,weather\nBU_US,2024-02-30,0\n", "line 2: date '2024-02-30' is no date, written as"),
        ("business_unit,date,weather\nBU_US,31.01.2024,0\n", "line 2: date '31.01.2024' is no date, written as"),
        (
            "business_unit,date,weather\nBU_FR,2024-01-31,0\n",
            "line 2: business_unit 'BU_FR' is no id of reference/busi",
        ),
        ("store_id,date,weather\n\n,2024-01-31,0\n", "line 3: business_unit '' is empty, and so is store_id"),
        ("store_id,date,hour,weather\n7,2024-01-31,24,0\n", "line 2: hour '24' is none of 0 to 23"),
        ("store_id,date,hour,weather\n7,2024-01-31,9.5,0\n", "line 2: hour '9.5' is none of 0 to 23"),
        ('store_id,date,weather\n"7\n7",2024-01-31,0\n8,2024-01-31,x\n', "line 4: weather 'x' is none of"),
        ("store_id,date,weather\n7,2024-01-31\n", "line 2 has 2 fields, the header has 3"),
        ("date,weather\n2024-01-31,0\n", "column 'business_unit' or 'store_id' is missing"),
        ("store_id,weather\n7,0\n", "column 'date' is missing"),
        ("store_id,date,weather,weather_code\n7,2024-01-31,Rainy,61\n", "column 'weather' stands more than once"),
        (
            "store_id,date,weather\n7,2024-01-31,0\n8,2024-01-31,0\n7,2024-01-31,Snowy\n",
            "line 4: weather 'Snowy' contradicts line 2, which says '0' of the same place and time",
        ),
        ("", "the file is empty"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_line_and_value(content: str, fault: str) -> None:
    with pytest.raises(RefusedError) as refused:
        said(content)
    assert str(refused.value).startswith(fault)


def test_the_same_said_twice_is_no_contradiction() -> None:
    assert len(said("store_id,date,weather\n7,2024-01-31,0\n7,2024-01-31,Sunny\n")) == 2


def test_the_documented_table_of_codes_is_the_one_that_is_used() -> None:
    rows = re.findall(r"^\| (Sunny|Cloudy|Rainy|Snowy) \| ([\d, ]+) \|", LANDING_PAGE.read_text(encoding="utf-8"), re.M)
    assert {weather: tuple(map(int, codes.split(", "))) for weather, codes in rows} == dict(WMO_CODES)
    assert len(MEANINGS) == 4 + 28


def test_each_file_replaces_its_own_rows_and_no_others(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    put_reference_data(warehouse)
    deliver(landing, JANUARY, b"business_unit,date,weather\nBU_US,2024-01-30,0\nBU_US,2024-01-31,0\n")
    deliver(landing, LATER, b"business_unit,date,weather\nBU_US,2024-02-01,Snowy\n")
    assert load_weather(landing, warehouse, "run", NOW) == ([JANUARY, LATER], [], [])
    assert load_weather(landing, warehouse, "again", NOW) == ([], [], [])
    deliver(landing, JANUARY, b"business_unit,date,weather\nBU_US,2024-01-31,Rainy\n")
    assert load_weather(landing, warehouse, "corrected", NOW) == ([JANUARY], [], [])
    assert weather(warehouse) == [("BU_US", "2024-01-31", "Rainy"), ("BU_US", "2024-02-01", "Snowy")]
    assert ledger(warehouse, "path, status, rows_in_file, rows_loaded") == [
        (JANUARY, "superseded", 2, 2),
        (LATER, "loaded", 1, 1),
        (JANUARY, "loaded", 1, 1),
    ]


def test_a_file_that_was_copied_is_read_once_more_and_one_that_is_put_back_is_loaded_again(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_reference_data(warehouse)
    good = b"business_unit,date,weather\nBU_US,2024-01-30,0\n"
    read = []

    def counted(path: str, content: bytes, units: Collection[str]) -> pa.Table:
        read.append(path)
        return read_weather(path, content, units)

    monkeypatch.setattr("globolatte_ingest.weather.read_weather", counted)
    deliver(landing, JANUARY, good)
    assert load_weather(landing, warehouse, "run", NOW).loaded == [JANUARY]
    deliver(landing, JANUARY, good)
    for _ in range(3):
        load_weather(landing, warehouse, "copied", NOW)
    assert len(read) == 2
    file = Path(landing.folder, JANUARY)
    aside = file.rename(file.with_suffix(".aside"))
    deliver(landing, JANUARY, b"broken")
    assert [path for path, _ in load_weather(landing, warehouse, "broken", NOW).refused] == [JANUARY]
    aside.rename(file)
    assert load_weather(landing, warehouse, "put back", NOW).loaded == [JANUARY]
    assert ledger(warehouse)[-1] == (JANUARY, "loaded")


def test_a_file_that_is_refused_stops_no_other_and_is_read_again_when_its_unit_is_known(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    put_reference_data(warehouse)
    deliver(landing, JANUARY, b"business_unit,date,weather\nBU_FR,2024-01-31,0\n")
    deliver(landing, LATER, b"business_unit,date,weather\nBU_US,2024-02-01,Snowy\n")
    for _ in range(2):
        _, refused, _ = load_weather(landing, warehouse, "run", NOW)
        assert [path for path, _ in refused] == [JANUARY]
    assert weather(warehouse) == [("BU_US", "2024-02-01", "Snowy")]
    assert sorted(ledger(warehouse)) == [(JANUARY, "refused"), (LATER, "loaded")]
    with warehouse.transaction() as transaction:
        transaction.execute(
            "insert into sales_data.business_units values ('BU_FR', 'France', 'F', 'france', 'UTC'" + ", null" * 5 + ")"
        )
    assert load_weather(landing, warehouse, "run", NOW) == ([JANUARY], [], [])


def test_the_job_takes_weather_up_says_what_is_refused_and_goes_on(deployed: Deployment) -> None:
    def pending() -> list[str]:
        listing = listing_of(deployed.landing)
        clock = clock_of(deployed.settings)
        found = look(deployed.instance, deployed.settings, listing, deployed.warehouse, clock, REQUESTED_BY_A_PERSON)
        assert not found.pending.misplaced
        return [file.path for file in found.pending.reference]

    deliver_reference_data(deployed.landing)
    result = deployed.run(LOAD_REFERENCE_DATA)
    assert "raw/weather" in materialized_keys(result)
    assert checks(result)["no_weather_file_refused"].passed
    deliver(deployed.landing, JANUARY, b"business_unit,date,weather\nBU_US,2024-01-31,Hail\n")
    deliver(deployed.landing, LATER, b"business_unit,date,weather\nBU_US,2024-02-01,Snowy\n")
    assert pending() == [JANUARY, LATER]
    result = deployed.run(LOAD_REFERENCE_DATA)
    assert result.success
    check = checks(result)["no_weather_file_refused"]
    assert not check.passed
    assert str(check.description).startswith(f"{JANUARY}: line 2: weather 'Hail' is none of")
    assert pending() == []


def test_a_file_that_cannot_be_read_fails_the_job_and_what_the_others_say_is_loaded_and_reported(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pending() -> list[str]:
        listing = listing_of(deployed.landing)
        clock = clock_of(deployed.settings)
        found = look(deployed.instance, deployed.settings, listing, deployed.warehouse, clock, REQUESTED_BY_A_PERSON)
        return [file.path for file in found.pending.reference]

    deliver_reference_data(deployed.landing)
    deliver(deployed.landing, JANUARY, b"business_unit,date,weather\nBU_US,2024-01-31,Rainy\n")
    deliver(deployed.landing, LATER, b"business_unit,date,weather\nBU_US,2024-02-01,Snowy\n")
    opened = FolderLandingZone.open

    def closed(landing: FolderLandingZone, file: LandedFile) -> AbstractContextManager[BinaryIO]:
        if file.path == JANUARY:
            raise PermissionError(13, "Permission denied", "/somewhere/january.csv")
        return opened(landing, file)

    with monkeypatch.context() as patched:
        patched.setattr(FolderLandingZone, "open", closed)
        result = deployed.run(LOAD_REFERENCE_DATA)
    assert failure_of(result).startswith(f"{JANUARY}: Permission denied. Give GloboLatte the right to read it")
    assert "raw/weather" in materialized_keys(result)
    assert weather(deployed.warehouse) == [("BU_US", "2024-02-01", "Snowy")]
    assert pending() == [JANUARY]
    assert deployed.run(LOAD_REFERENCE_DATA).success
    assert pending() == []


def test_weather_that_was_loaded_by_a_run_that_died_is_reported_by_the_next(deployed: Deployment) -> None:
    deliver(deployed.landing, "reference/business_units.csv", BUSINESS_UNITS_CSV)
    deliver_reference_data(deployed.landing)
    deployed.run(LOAD_REFERENCE_DATA)
    deliver(deployed.landing, LATER, b"business_unit,date,weather\nBU_US,2024-02-01,Snowy\n")
    load_weather(deployed.landing, deployed.warehouse, "killed before the event", NOW)
    listing = listing_of(deployed.landing)
    clock = clock_of(deployed.settings)

    def pending() -> list[str]:
        found = look(deployed.instance, deployed.settings, listing, deployed.warehouse, clock, REQUESTED_BY_A_PERSON)
        return [file.path for file in found.pending.reference]

    assert pending() == [LATER]
    deployed.run(LOAD_REFERENCE_DATA)
    assert pending() == []
