"""The reconciliation sensor: files without an event are found, and failed loads are requested again."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.jobs import LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES
from resources.landing.blob import BlobLandingZone
from resources.landing.landing_zone import LandedFile
from tests.blob_builders import BlobDeployment
from tests.builders import NOW, csv, ledger, line, put_reference_data, sales, sales_path
from tests.emulators.azurite_server import Azurite

UNITS = {"usa": "BU_US", "canada": "BU_CA", "mexico": "BU_MX"}
SENSOR = "reconciliation_sensor"
TODAY = NOW.date()


@pytest.fixture
def ready(azurite: Azurite, tmp_path: Path, instance: dg.DagsterInstance) -> BlobDeployment:
    made = BlobDeployment.new(
        azurite, tmp_path, instance, first_business_date=dt.date(2021, 6, 15), reconcile_days=3, max_load_attempts=3
    )
    put_reference_data(made.deployed.warehouse)
    return made


def put(deployed: BlobDeployment, date: dt.date, folder: str = "usa", name: str = "sales.csv") -> LandedFile:
    """A blob without an event."""
    content = csv(line(date.toordinal(), business_unit=UNITS[folder], transaction_date=str(date)))
    return deployed.bay.put(sales_path(name, folder, date), content)


def ranges(result: dg.SensorResult) -> list[tuple[str, str]]:
    names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    return [(request.tags[names[0]], request.tags[names[1]]) for request in result.run_requests or []]


def rounds(deployed: BlobDeployment, count: int) -> None:
    """Ticks, each with the runs that it requests."""
    cursor = None
    for _ in range(count):
        result = deployed.tick(SENSOR, cursor)
        for request in result.run_requests or []:
            assert deployed.execute(request).success
        cursor = result.cursor


def test_a_recent_file_without_an_event_is_found_at_once(ready: BlobDeployment) -> None:
    put(ready, TODAY)
    put(ready, TODAY - dt.timedelta(days=2), "canada")
    result = ready.tick(SENSOR)
    assert ranges(result) == [("canada|2022-02-08", "canada|2022-02-08"), ("usa|2022-02-10", "usa|2022-02-10")]
    for request in result.run_requests or []:
        assert ready.execute(request).success
    assert not ready.tick(SENSOR).run_requests


def test_an_old_file_is_found_when_its_month_has_its_turn(ready: BlobDeployment) -> None:
    put(ready, dt.date(2021, 7, 4))
    seen = []
    cursor = None
    for _ in range(9):  # February 2022 back to June 2021
        result = ready.tick(SENSOR, cursor)
        cursor = result.cursor
        seen.append((cursor, len(result.run_requests or [])))
    assert seen == [
        ("2022-02", 0), ("2022-01", 0), ("2021-12", 0), ("2021-11", 0), ("2021-10", 0), ("2021-09", 0), ("2021-08", 0),
        ("2021-07", 1), ("2021-06", 0),
    ]  # fmt: skip
    assert ready.tick(SENSOR, cursor).cursor == "2022-02"


def test_reference_data_without_an_event_is_found_and_goes_first(
    azurite: Azurite, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    bare = BlobDeployment.new(azurite, tmp_path, instance)
    from tests.builders import BUSINESS_UNITS_CSV, CUSTOMERS_CSV, PRODUCTS_CSV

    for name, content in (
        ("business_units", BUSINESS_UNITS_CSV),
        ("products", PRODUCTS_CSV),
        ("customers", CUSTOMERS_CSV),
    ):
        bare.bay.put(f"reference/{name}.csv", content)
    put(bare, TODAY)
    result = bare.tick(SENSOR)
    assert [request.job_name for request in result.run_requests or []] == [LOAD_REFERENCE_DATA]
    rounds(bare, 3)
    assert len(sales(bare.deployed.warehouse)) == 1


def test_misplaced_files_are_found_without_going_through_the_others(ready: BlobDeployment) -> None:
    strays = [
        "sales/stray.csv",
        "sales/france/2022/01/03/a.csv",
        "sales/usa/latest/a.csv",
        "sales/usa/2022/13/01/a.csv",
        "sales/usa/2022/02/31/a.csv",
        "reference/notes.txt",
    ]
    for path in strays:
        ready.bay.put(path, b"x")
    result = ready.tick(SENSOR)
    assert [request.job_name for request in result.run_requests or []] == [RECORD_MISPLACED_FILES]
    rounds(ready, 2)
    assert {path for path, _ in ledger(ready.deployed.warehouse)} == set(strays)
    assert not ready.tick(SENSOR).run_requests


def test_what_an_event_reported_is_not_requested_again(ready: BlobDeployment) -> None:
    file = put(ready, TODAY)
    ready.events.tell(file)
    ready.work()
    assert not ready.tick(SENSOR).run_requests


def test_files_without_a_date_are_found_in_pages_and_what_comes_after_the_last_name_at_once(
    azurite: Azurite, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    made = BlobDeployment.new(azurite, tmp_path, instance, sales_paths="exports/*.csv")
    put_reference_data(made.deployed.warehouse)
    zone = BlobLandingZone(**{**made.bay.zone.model_dump(), "page_size": 3})
    made = replace(made, bay=replace(made.bay, zone=zone))

    def export(number: int, quantity: str = "1") -> None:
        lines = line(number, business_unit="BU_CA", quantity=quantity), line(number, quantity=quantity)
        made.bay.put(f"exports/{number}.csv", csv(*lines))

    def tick(cursor: str | None) -> tuple[list[str], str | None]:
        result = made.tick(SENSOR, cursor)
        asked = [
            request.run_config["ops"]["raw__sales_transactions"]["config"]["paths"] for request in result.run_requests
        ]
        for request in result.run_requests:
            assert request.tags["dagster/asset_partition_range_start"] == "canada|2022-01-01"
            assert made.execute(request).success
        return [path.removeprefix("exports/") for paths in asked for path in paths], result.cursor

    for number in range(10, 18):
        export(number)
    found, cursor = tick(None)
    assert found == ["10.csv", "11.csv", "12.csv"]
    found, cursor = tick(cursor)
    assert found == ["13.csv", "14.csv", "15.csv"]
    found, cursor = tick(cursor)
    assert found == ["16.csv", "17.csv"]
    export(18)
    export(11, "2")
    found, cursor = tick(cursor)
    assert found == ["11.csv", "18.csv"], "the last page again; of everything the first page"
    assert tick(cursor)[0] == []
    assert len(sales(made.deployed.warehouse)) == 18


def note(deployed: BlobDeployment, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    job = deployed.deployed.definitions.resolve_job_def(str(request.job_name))
    tags = {**request.tags, "dagster/run_key": str(request.run_key)}
    deployed.deployed.instance.create_run_for_job(job, tags=tags, status=status, run_config=request.run_config)


def named(result: dg.SensorResult) -> list[list[str]]:
    """The files that each requested run is to look at."""
    return [one.run_config["ops"]["raw__sales_transactions"]["config"]["paths"] for one in result.run_requests or []]


@pytest.fixture
def dated(azurite: Azurite, tmp_path: Path, instance: dg.DagsterInstance) -> BlobDeployment:
    """Files with a date that no prefix lists."""
    made = BlobDeployment.new(
        azurite, tmp_path, instance, sales_paths="exports/*_{date:%Y%m%d}.csv;daily/{date}.csv", max_load_attempts=3
    )
    put_reference_data(made.deployed.warehouse)
    return made


def export(deployed: BlobDeployment, day: int, path: str) -> LandedFile:
    content = csv(line(day, transaction_date=f"2022-01-{day:02}"))
    return deployed.bay.put(path, content)


def test_dated_files_that_cannot_be_listed_by_date_are_named_to_the_run_that_loads_them(
    dated: BlobDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = "exports/a_20220103.csv", "exports/b_20220105.csv"
    export(dated, 3, a)
    export(dated, 5, b)
    result = dated.tick(SENSOR)
    assert (ranges(result), named(result)) == ([("canada|2022-01-03", "canada|2022-01-05")], [[a, b]])
    listed: list[str] = []
    files = BlobLandingZone.files

    def seen(zone: BlobLandingZone, prefix: str = "") -> Iterator[LandedFile]:
        listed.append(prefix)
        return files(zone, prefix)

    monkeypatch.setattr(BlobLandingZone, "files", seen)
    assert dated.execute(result.run_requests[0]).success
    assert "exports/" not in listed
    assert len(sales(dated.deployed.warehouse)) == 2
    monkeypatch.undo()
    export(dated, 4, "daily/2022-01-04.CSV")
    result = dated.tick(SENSOR, result.cursor)
    assert named(result) == [["daily/2022-01-04.CSV"]]
    listed.clear()
    monkeypatch.setattr(BlobLandingZone, "files", seen)
    assert dated.execute(result.run_requests[0]).success
    assert "exports/" not in listed, "a run of files that are listed by date does not list the others as a whole"
    assert len(sales(dated.deployed.warehouse)) == 3


def test_a_failed_run_of_named_files_is_repeated_with_their_names(dated: BlobDeployment) -> None:
    path = "exports/a_20220103.csv"
    dated.events.tell(export(dated, 3, path))
    result = dated.tick()
    [request] = result.run_requests or []
    note(dated, request, dg.DagsterRunStatus.FAILURE)
    nothing_new = json.dumps({"": path, "exports/": path})  # the pages after the file
    result = dated.tick(SENSOR, nothing_new)
    assert named(result) == [[path]]
    assert result.run_requests[0].run_key != request.run_key


def test_a_file_that_cannot_be_listed_by_date_is_not_left_to_a_waiting_run_of_other_names(
    dated: BlobDeployment,
) -> None:
    dated.events.tell(export(dated, 3, "exports/a_20220103.csv"))
    result = dated.tick()
    [request] = result.run_requests or []
    note(dated, request, dg.DagsterRunStatus.STARTING)
    dated.events.tell(export(dated, 3, "exports/b_20220103.csv"))
    assert named(dated.tick(cursor=result.cursor)) == [["exports/b_20220103.csv"]]


def test_a_run_that_died_before_the_ledger_knew_of_it_is_requested_again_and_given_up_in_the_end(
    ready: BlobDeployment,
) -> None:
    """Its message is gone, its month has no turn for long: nothing else would."""
    ready.events.tell(put(ready, dt.date(2021, 7, 4)))
    [request] = ready.tick().run_requests or []
    keys = {request.run_key}
    for _ in range(2):
        note(ready, request, dg.DagsterRunStatus.FAILURE)
        [request] = ready.tick(SENSOR, "2021-12").run_requests or []
        assert request.run_key not in keys
        keys.add(request.run_key)
    note(ready, request, dg.DagsterRunStatus.FAILURE)
    assert not ready.tick(SENSOR, "2021-12").run_requests


def test_a_run_that_failed_and_succeeded_since_is_let_be(ready: BlobDeployment) -> None:
    ready.events.tell(put(ready, dt.date(2021, 7, 4)))
    [request] = ready.tick().run_requests or []
    note(ready, request, dg.DagsterRunStatus.FAILURE)
    [again] = ready.tick(SENSOR, "2021-12").run_requests or []
    assert ready.execute(again).success
    assert len(sales(ready.deployed.warehouse)) == 1
    assert not ready.tick(SENSOR, "2021-12").run_requests


def test_a_load_that_crashed_is_requested_again_wherever_its_file_lies(ready: BlobDeployment) -> None:
    file = put(ready, dt.date(2021, 7, 4))
    with ready.deployed.warehouse.transaction() as transaction:
        transaction.execute(
            "insert into sales_data.load_attempts values (?, ?, 1, 'run', ?)",
            (file.path, file.etag, NOW - dt.timedelta(hours=1)),
        )
    result = ready.tick(SENSOR, "2021-12")
    assert ranges(result) == [("usa|2021-07-04", "usa|2021-07-04")]
    assert ready.execute(result.run_requests[0]).success
    assert ledger(ready.deployed.warehouse, "attempt") == [(2,)]
    assert not ready.tick(SENSOR, "2021-12").run_requests


def test_an_unreachable_container_fails_the_tick_and_changes_nothing(
    azurite: Azurite, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    from resources.landing.landing_zone import LandingUnreachableError

    ready = BlobDeployment.new(azurite, tmp_path, instance)
    put_reference_data(ready.deployed.warehouse)
    ready.bay.container.delete_container()
    with pytest.raises(LandingUnreachableError, match="Container"):
        ready.tick(SENSOR)


def test_a_unit_that_a_run_is_at_is_let_be_until_the_next_tick(ready: BlobDeployment) -> None:
    put(ready, TODAY)
    put(ready, TODAY, "canada")
    usa = next(request for request in ready.tick(SENSOR).run_requests or [] if "usa" in str(request.tags))
    note(ready, usa, dg.DagsterRunStatus.STARTED)
    put(ready, TODAY - dt.timedelta(days=1))
    assert ranges(ready.tick(SENSOR)) == [("canada|2022-02-10", "canada|2022-02-10")]
