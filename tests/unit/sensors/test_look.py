"""What a look finds beyond new files: what a killed process committed and did not report, and what a person wants tried now."""

import datetime as dt

import dagster as dg
import pytest

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA
from globolatte_ingest import load
from globolatte_ingest.discovery import LoadRange, RetryPolicy
from globolatte_ingest.load import LoadReport, batches, load_batch
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reference import PRODUCTS_FILE, load_reference
from resources.environment import clock_of
from resources.landing.landing_zone import LandedFile
from sensors.landing import REQUESTED_BY_A_PERSON, Backlog, listing_of, look, range_tags
from tests.builders import NOW, Deployment, csv, deliver, line, sales_path

PATIENT = RetryPolicy(max_attempts=5, base_seconds=30.0)


def backlog(deployed: Deployment, policy: RetryPolicy = PATIENT) -> Backlog:
    listing = listing_of(deployed.landing)
    return look(deployed.instance, deployed.settings, listing, deployed.warehouse, clock_of(deployed.settings), policy)


def sell(deployed: Deployment, day: int) -> None:
    date = dt.date(2022, 1, day)
    deliver(deployed.landing, sales_path(date=date), csv(line(day, transaction_date=str(date))))


def test_what_was_committed_before_a_crash_between_two_batches_is_reported_later(
    ready: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (3, 4, 5):
        sell(ready, day)
    calls = []

    def crash_at_the_second(*arguments: object) -> LoadReport:
        calls.append(arguments)
        if len(calls) == 2:
            raise RuntimeError("killed between two batches")
        return load_batch(*arguments)

    january = LoadRange("usa", dt.date(2022, 1, 1), dt.date(2022, 1, 31))
    with monkeypatch.context() as patched:
        patched.setattr(load, "batches", lambda files, _bytes, _crashed: ([file] for file in files))
        patched.setattr(load, "load_batch", crash_at_the_second)
        assert not ready.run(INGEST_SALES, range_tags(january)).success
    found = backlog(ready, REQUESTED_BY_A_PERSON)
    [left] = found.loads
    assert (left.first, left.last) == (dt.date(2022, 1, 3), dt.date(2022, 1, 5))
    assert ready.run(INGEST_SALES, range_tags(left)).success
    key = dg.AssetKey(["raw", "sales_transactions"])
    assert ready.instance.get_materialized_partitions(key) == {f"usa|2022-01-{day:02d}" for day in (3, 4, 5)}
    assert backlog(ready).loads == ()


def test_a_person_gets_tried_now_what_a_sensor_would_let_wait(ready: Deployment) -> None:
    sell(ready, 3)
    with ready.warehouse.transaction() as transaction:
        path = sales_path(date=dt.date(2022, 1, 3))
        etag = next(file.etag for file in listing_of(ready.landing) if file.path == path)
        now = clock_of(ready.settings).timestamp()
        transaction.execute("insert into sales_data.load_attempts values (?, ?, 5, 'crashed', ?)", (path, etag, now))
    assert [item.file.path for item in backlog(ready).pending.exhausted] == [path]
    assert backlog(ready).loads == ()
    assert len(backlog(ready, REQUESTED_BY_A_PERSON).loads) == 1


def test_a_reference_file_whose_load_was_never_reported_is_loaded_again(deployed: Deployment) -> None:
    content = b"product_id,product_name,category,price,stock_quantity\nP001,Espresso,Coffee,3.00,1\n"
    deliver(deployed.landing, PRODUCTS_FILE.path, content)
    load_reference(PRODUCTS_FILE, deployed.landing, deployed.warehouse, "killed before the event", NOW)
    assert [file.path for file in backlog(deployed).pending.reference] == [PRODUCTS_FILE.path]
    deployed.run(LOAD_REFERENCE_DATA, {})
    assert backlog(deployed).pending.reference == ()


def test_a_file_that_may_have_crashed_a_load_is_loaded_alone() -> None:
    files = [SalesFile(LandedFile(name, "e", 10), "usa", dt.date(2022, 1, 1)) for name in "abcd"]
    split = [[item.file.path for item in batch] for batch in batches(files, 1000, {"b", "d"})]
    assert split == [["b"], ["d"], ["a", "c"]]
