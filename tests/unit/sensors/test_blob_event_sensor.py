"""The blob event sensor, tick by tick, with a real queue, container, warehouse and run storage."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES
from globolatte_ingest.discovery import LoadRange
from resources.landing.landing_zone import LandedFile
from sensors.container import MOST_TRIES, from_cursor
from sensors.landing import range_tags
from tests.blob_builders import BlobDeployment, event_of, text_of
from tests.builders import (
    BUSINESS_UNITS_CSV,
    CUSTOMERS_CSV,
    PRODUCTS_CSV,
    csv,
    ledger,
    line,
    put_reference_data,
    sales,
    sales_path,
)
from tests.emulators.azurite_server import Azurite

UNITS = {"usa": "BU_US", "canada": "BU_CA", "mexico": "BU_MX"}


@pytest.fixture
def bare(azurite: Azurite, tmp_path: Path, instance: dg.DagsterInstance) -> BlobDeployment:
    """Nothing was uploaded or loaded yet; messages hide for a second."""
    return BlobDeployment.new(azurite, tmp_path, instance, hidden_seconds=1)


@pytest.fixture
def ready(bare: BlobDeployment) -> BlobDeployment:
    """The same, with reference data loaded."""
    put_reference_data(bare.deployed.warehouse)
    return bare


def sell(deployed: BlobDeployment, day: int, folder: str = "usa", *numbers: int, **how: object) -> LandedFile:
    date = dt.date(2022, 1, day)
    lines = (line(n, business_unit=UNITS[folder], transaction_date=str(date)) for n in numbers or (day,))
    return deployed.upload(sales_path(folder=folder, date=date), csv(*lines), **how)


def ranges(result: dg.SensorResult) -> list[tuple[str, str]]:
    names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    return [(request.tags[names[0]], request.tags[names[1]]) for request in result.run_requests or []]


def loaded(deployed: BlobDeployment) -> int:
    return len(sales(deployed.deployed.warehouse))


def test_a_written_blob_is_loaded_and_its_message_deleted_when_its_run_exists(ready: BlobDeployment) -> None:
    sell(ready, 3)
    result = ready.tick()
    assert ranges(result) == [("usa|2022-01-03", "usa|2022-01-03")]
    assert ready.events.left == 1
    assert ready.execute(result.run_requests[0]).success
    assert loaded(ready) == 1
    assert ready.events.left == 1
    ready.tick(cursor=result.cursor)
    assert ready.events.left == 0


def test_a_backlog_becomes_one_range_for_each_unit(ready: BlobDeployment) -> None:
    for day in range(1, 29):
        for folder in UNITS:
            sell(ready, day, folder, cloud=day % 2 == 0)
    result = ready.tick()
    assert ranges(result) == [(f"{folder}|2022-01-01", f"{folder}|2022-01-28") for folder in sorted(UNITS)]
    for request in result.run_requests or []:
        assert ready.execute(request).success
    assert loaded(ready) == 84
    assert not ready.tick(cursor=result.cursor).run_requests
    assert ready.events.left == 0


def test_a_message_whose_run_was_never_made_comes_again_and_is_requested_again(ready: BlobDeployment) -> None:
    """The process died before Dagster wrote the tick down: requests and cursor are lost together."""
    sell(ready, 3)
    lost = ready.tick()
    assert len(lost.run_requests or []) == 1
    assert not ready.tick().run_requests
    ready.events.come_again()
    again = ready.tick()
    assert [request.run_key for request in again.run_requests or []] == [lost.run_requests[0].run_key]
    assert ready.events.left == 1


def test_a_message_given_out_twice_loads_once(ready: BlobDeployment) -> None:
    file = sell(ready, 3)
    ready.work()
    before = ledger(ready.deployed.warehouse, "*")
    ready.events.tell(file, file)
    ready.events.tell(file, cloud=True)
    result = ready.tick()
    assert not result.run_requests
    assert ready.events.left == 0
    assert ledger(ready.deployed.warehouse, "*") == before


def test_the_same_event_twice_in_one_tick_is_one_request_and_both_are_deleted(ready: BlobDeployment) -> None:
    file = sell(ready, 3)
    ready.events.tell(file)
    result = ready.tick()
    assert len(result.run_requests or []) == 1
    assert len(from_cursor(result.cursor)[str(result.run_requests[0].run_key)]) == 2


def test_events_in_the_wrong_order_end_with_the_latest_version(ready: BlobDeployment) -> None:
    first = ready.bay.put(sales_path(), csv(line(1)))
    second = ready.bay.put(sales_path(), csv(line(1), line(2)))
    ready.events.tell(second)
    cursor = ready.work()
    ready.events.tell(first)
    ready.work(cursor=cursor)
    assert loaded(ready) == 2
    assert ledger(ready.deployed.warehouse) == [(sales_path(), "loaded")]
    assert ready.events.left == 0


def test_a_batch_that_a_run_is_at_is_not_requested_twice_and_its_messages_are_deleted(ready: BlobDeployment) -> None:
    sell(ready, 3)
    [request] = ready.tick().run_requests or []
    job = ready.deployed.definitions.resolve_job_def(INGEST_SALES)
    tags = {**request.tags, "dagster/run_key": str(request.run_key)}
    ready.deployed.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    ready.events.come_again()
    assert not ready.tick().run_requests
    assert ready.events.left == 0


@pytest.mark.parametrize(
    ("status", "is_asked"), [(dg.DagsterRunStatus.STARTING, False), (dg.DagsterRunStatus.STARTED, True)]
)
def test_a_blob_that_a_run_is_yet_to_look_for_is_not_requested_and_its_message_is_deleted(
    ready: BlobDeployment, status: dg.DagsterRunStatus, *, is_asked: bool
) -> None:
    """A run lists its dates when it starts: one that waits finds the blob, one that has started may have missed it."""
    job = ready.deployed.definitions.resolve_job_def(INGEST_SALES)
    tags = range_tags(LoadRange("usa", dt.date(2022, 1, 1), dt.date(2022, 1, 9)))
    ready.deployed.instance.create_run_for_job(job, tags=tags, status=status)
    sell(ready, 3)
    result = ready.tick()
    assert ranges(result) == ([("usa|2022-01-03", "usa|2022-01-03")] if is_asked else [])
    assert ready.events.left == is_asked


def test_a_failed_run_is_not_the_end_of_an_event_that_comes_again(ready: BlobDeployment) -> None:
    sell(ready, 3)
    result = ready.tick()
    job = ready.deployed.definitions.resolve_job_def(INGEST_SALES)
    tags = dict(result.run_requests[0].tags)
    ready.deployed.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.FAILURE)
    ready.events.come_again()
    [again] = ready.tick().run_requests or []
    assert again.run_key != result.run_requests[0].run_key


def test_reference_data_goes_first_and_sales_follow(bare: BlobDeployment) -> None:
    sell(bare, 3)
    for name, content in (
        ("business_units", BUSINESS_UNITS_CSV),
        ("products", PRODUCTS_CSV),
        ("customers", CUSTOMERS_CSV),
    ):
        bare.upload(f"reference/{name}.csv", content)
    result = bare.tick()
    assert [request.job_name for request in result.run_requests or []] == [LOAD_REFERENCE_DATA]
    assert bare.execute(result.run_requests[0]).success
    bare.events.come_again()
    bare.work(cursor=result.cursor)
    assert loaded(bare) == 1
    assert bare.events.left == 0


def test_misplaced_blobs_are_recorded_in_the_ledger_by_name_with_no_look_at_the_others(ready: BlobDeployment) -> None:
    ready.bay.put("sales/france/never told of.csv", b"x")
    odd = [
        "sales/france/2022/01/03/a.csv",
        "sales/usa/2022/01/03/'; DROP TABLE x; --.txt",
        "reference/☕.csv",
        "models/not ours.bin",
    ]
    for path in odd:
        ready.upload(path, b"x")
    ready.events.tell(LandedFile("sales/usa/../../etc/passwd.csv", "0x1", 1))
    result = ready.tick()
    assert [request.job_name for request in result.run_requests or []] == [RECORD_MISPLACED_FILES]
    assert ready.execute(result.run_requests[0]).success
    assert {path for path, _ in ledger(ready.deployed.warehouse)} == set(odd)
    assert not ready.tick(cursor=result.cursor).run_requests
    assert ready.events.left == 0


def test_irrelevant_messages_are_deleted(ready: BlobDeployment) -> None:
    file = ready.bay.put("sales/usa/2022/01/03/a.csv", b"x")
    ready.events.tell(file, api="CreateFile")
    ready.events.tell(file, kind="BlobDeleted")
    ready.events.say(text_of(event_of(file, "another-container")))
    assert not ready.tick().run_requests
    assert ready.events.left == 0


def test_poison_goes_aside_after_its_tries_with_the_reason_and_holds_nobody_up(ready: BlobDeployment) -> None:
    ready.events.say("this is no event")
    sell(ready, 3)
    cursor = ready.work()
    assert loaded(ready) == 1
    for _ in range(MOST_TRIES - 1):
        if not ready.events.poison():  # on a slow machine it has come again before
            ready.events.come_again()
            cursor = ready.tick(cursor=cursor).cursor
    [poison] = ready.events.poison()
    assert poison["tries"] == MOST_TRIES
    assert poison["message"] == "this is no event"
    assert "neither JSON nor base64" in str(poison["reason"])
    assert ready.events.left == 0


def test_an_event_of_a_unit_that_reference_data_does_not_know_waits_then_says_so(ready: BlobDeployment) -> None:
    with ready.deployed.warehouse.transaction() as transaction:
        transaction.execute("delete from sales_data.business_units where folder = 'canada'")
    sell(ready, 3, "canada")
    sell(ready, 3)
    cursor = ready.work()
    assert loaded(ready) == 1
    assert ready.events.left == 1
    for _ in range(MOST_TRIES - 1):
        ready.events.come_again()
        cursor = ready.tick(cursor=cursor).cursor
    assert "reference/business_units.csv" in str(ready.events.poison()[0]["reason"])


def test_a_busy_warehouse_leaves_the_messages_where_they_are(ready: BlobDeployment) -> None:
    import subprocess
    import sys

    sell(ready, 3)
    hold = f"import duckdb, time; c = duckdb.connect({ready.deployed.warehouse.file!r}); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        result = ready.tick()
        holder.kill()
    assert not result.run_requests
    [message] = ready.events.client.peek_messages(1)
    assert message.dequeue_count == 0
    ready.work(cursor=result.cursor)
    assert loaded(ready) == 1


def test_messages_of_runs_that_exist_are_deleted_even_while_the_warehouse_is_busy(ready: BlobDeployment) -> None:
    sell(ready, 3)
    result = ready.tick()
    with ready.deployed.warehouse.keep_open():
        assert ready.execute(result.run_requests[0]).success
        assert "1 messages acknowledged" in str(ready.tick(cursor=result.cursor).skip_reason)
