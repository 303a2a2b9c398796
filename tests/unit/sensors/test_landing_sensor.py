"""The landing sensor, tick by tick, with the real landing zone, warehouse and run storage."""

import datetime as dt
import os
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES
from globolatte_ingest.discovery import LoadRange
from globolatte_ingest.ledger import Announcement, Ledger
from sensors.landing import range_tags
from tests.builders import (
    NOW,
    Deployment,
    csv,
    deliver,
    deliver_reference_data,
    deployment,
    landed,
    line,
    load,
    put_reference_data,
    sales_path,
)

FAILURE, STARTED, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS


def tick(deployed: Deployment, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    sensor = deployed.definitions.resolve_sensor_def("landing_sensor")
    return sensor(deployed.sensor_context(cursor))


def requested(deployed: Deployment) -> list[dg.RunRequest]:
    result = tick(deployed)
    return list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []


def jobs(requests: list[dg.RunRequest]) -> list[str | None]:
    return [request.job_name for request in requests]


def ranges(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    return [(request.tags[names[0]], request.tags[names[1]]) for request in requests]


def note(deployed: Deployment, request: dg.RunRequest, status: dg.DagsterRunStatus) -> str:
    """Puts the run of a request into Dagster's storage, in this state."""
    job = deployed.definitions.resolve_job_def(str(request.job_name))
    return deployed.instance.create_run_for_job(job, tags=dict(request.tags), status=status).run_id


def sell(deployed: Deployment, day: int, folder: str = "usa", *numbers: int) -> str:
    """A unit's file of a day in January."""
    date = dt.date(2022, 1, day)
    path = sales_path(folder=folder, date=date)
    unit = {"usa": "BU_US", "canada": "BU_CA", "mexico": "BU_MX"}[folder]
    lines = (line(number, business_unit=unit, transaction_date=str(date)) for number in numbers or (1,))
    deliver(deployed.landing, path, csv(*lines))
    return path


def run(deployed: Deployment, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    return deployed.run(str(request.job_name), dict(request.tags))


def test_reference_data_is_requested_first_and_alone(deployed: Deployment) -> None:
    deliver_reference_data(deployed.landing)
    sell(deployed, 3)
    [request] = requested(deployed)
    assert request.job_name == LOAD_REFERENCE_DATA
    note(deployed, request, STARTED)
    assert requested(deployed) == []


def test_sales_follow_as_soon_as_reference_data_is_loaded(deployed: Deployment) -> None:
    deliver_reference_data(deployed.landing)
    sell(deployed, 3)
    assert run(deployed, requested(deployed)[0]).success
    assert jobs(requested(deployed)) == [INGEST_SALES]


def test_a_backlog_is_requested_as_one_range_for_each_unit(ready: Deployment) -> None:
    for day in (3, 4, 20):
        sell(ready, day)
    sell(ready, 31, "canada")
    requests = requested(ready)
    assert jobs(requests) == [INGEST_SALES, INGEST_SALES]
    assert ranges(requests) == [("canada|2022-01-31", "canada|2022-01-31"), ("usa|2022-01-03", "usa|2022-01-20")]
    assert len({request.run_key for request in requests}) == 2


def test_what_is_requested_gets_done_and_then_there_is_nothing_left(ready: Deployment) -> None:
    sell(ready, 3)
    sell(ready, 4, "canada")
    for request in requested(ready):
        assert run(ready, request).success
    result = tick(ready)
    assert isinstance(result, dg.SensorResult)
    assert (result.run_requests, result.skip_reason) == ([], dg.SkipReason("2 files, all in the ledger."))
    assert tick(ready, result.cursor) == dg.SkipReason(
        "The landing zone is as it was, and everything in it is in the ledger."
    )


def test_an_untouched_landing_zone_is_looked_at_again_when_it_changes_and_on_the_next_day(ready: Deployment) -> None:
    sell(ready, 3)
    run(ready, requested(ready)[0])
    cursor = tick(ready).cursor
    assert isinstance(tick(ready, cursor), dg.SkipReason)
    tomorrow = ready.at(dt.datetime(2022, 2, 11, 12, tzinfo=dt.UTC))
    assert isinstance(tick(tomorrow, cursor), dg.SensorResult)
    sell(ready, 4)
    assert len(tick(ready, cursor).run_requests or []) == 1


def test_a_changed_file_requests_exactly_its_day(ready: Deployment) -> None:
    for day in (3, 4, 5):
        sell(ready, day)
    run(ready, requested(ready)[0])
    sell(ready, 4, "usa", 7)
    requests = requested(ready)
    assert ranges(requests) == [("usa|2022-01-04", "usa|2022-01-04")]
    run(ready, requests[0])
    assert requested(ready) == []


def test_a_refused_file_is_not_requested_again_until_it_changes(ready: Deployment) -> None:
    path = sales_path()
    deliver(ready.landing, path, b"refused")
    run(ready, requested(ready)[0])
    assert requested(ready) == []
    deliver(ready.landing, path, csv(line(1)))
    assert jobs(requested(ready)) == [INGEST_SALES]


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ],
)
def test_a_range_that_a_run_is_at_is_not_requested_twice(ready: Deployment, status: dg.DagsterRunStatus) -> None:
    sell(ready, 3)
    note(ready, requested(ready)[0], status)
    result = tick(ready)
    assert isinstance(result, dg.SkipReason)
    assert "1 files are being loaded" in str(result.skip_message)


WAITS, AT_IT = dg.DagsterRunStatus.STARTING, STARTED


def test_files_that_come_for_dates_that_a_run_waits_to_load_are_not_requested_again(ready: Deployment) -> None:
    """However long the queue is: a run lists its dates when it starts."""
    sell(ready, 3)
    sell(ready, 20)
    note(ready, requested(ready)[0], WAITS)
    for day in (3, 10, 20):
        sell(ready, day, "usa", 7, 8)
    assert requested(ready) == []
    sell(ready, 25)
    assert ranges(requested(ready)) == [("usa|2022-01-25", "usa|2022-01-25")]
    sell(ready, 10, "canada")
    assert ("canada|2022-01-10", "canada|2022-01-10") in ranges(requested(ready))


def test_a_file_that_a_run_came_too_early_for_is_requested_when_that_run_is_over(ready: Deployment) -> None:
    sell(ready, 3)
    sell(ready, 20)
    run_id = note(ready, requested(ready)[0], AT_IT)
    sell(ready, 10)
    assert requested(ready) == []
    ready.instance.report_run_canceled(ready.instance.get_run_by_id(run_id))
    assert ranges(requested(ready)) == [("usa|2022-01-03", "usa|2022-01-20")]


def test_a_run_of_a_single_partition_covers_that_day(ready: Deployment) -> None:
    """As the UI starts it."""
    job = ready.definitions.resolve_job_def(INGEST_SALES)
    ready.instance.create_run_for_job(job, tags={"dagster/partition": "usa|2022-01-03"}, status=WAITS)
    sell(ready, 3)
    assert requested(ready) == []


def hasty(deployed: Deployment, **settings: object) -> Deployment:
    """The same deployment, which does not wait before it requests again."""
    return deployment(deployed.settings.home, deployed.instance, retry_base_seconds=1e-9, **settings)


def test_a_failed_run_is_requested_again_under_a_new_run_key_and_given_up_after_its_attempts(ready: Deployment) -> None:
    """Dagster takes a run key once, failed or not."""
    quick = hasty(ready, max_load_attempts=3)
    sell(quick, 3)
    keys = []
    for _ in range(3):
        [request] = requested(quick)
        keys.append(request.run_key)
        note(quick, request, FAILURE)
    assert len(set(keys)) == 3
    assert requested(quick) == []


def test_a_run_that_failed_just_now_is_not_requested_again_at_once(ready: Deployment) -> None:
    sell(ready, 3)
    note(ready, requested(ready)[0], FAILURE)
    assert requested(ready) == []
    assert len(requested(hasty(ready))) == 1


def test_sales_wait_while_reference_data_whose_load_failed_waits_for_its_next_attempt(ready: Deployment) -> None:
    deliver_reference_data(ready.landing)
    sell(ready, 3)
    [request] = requested(ready)
    for _ in range(ready.settings.max_load_attempts - 1):
        note(ready, request, FAILURE)
    assert requested(ready) == []
    note(ready, request, FAILURE)
    assert jobs(requested(ready)) == [INGEST_SALES]


def test_sales_do_not_wait_for_weather_whose_load_failed(ready: Deployment) -> None:
    deliver(ready.landing, "reference/weather/a.csv", b"business_unit,date,weather\nBU_US,2022-01-03,Rainy\n")
    sell(ready, 3)
    [request] = requested(ready)
    assert request.job_name == LOAD_REFERENCE_DATA
    note(ready, request, FAILURE)
    assert jobs(requested(ready)) == [INGEST_SALES]


def test_reference_data_that_a_run_left_pending_although_it_succeeded_is_not_requested_for_ever(
    ready: Deployment,
) -> None:
    quick = hasty(ready, max_load_attempts=3)
    deliver_reference_data(ready.landing)
    for _ in range(3):
        [request] = requested(quick)
        note(quick, request, SUCCESS)
        assert requested(ready) == []
    assert requested(quick) == []


def test_the_same_look_makes_requests_under_the_same_run_key(ready: Deployment) -> None:
    """So that a tick that is repeated because its result was lost starts nothing twice."""
    sell(ready, 3)
    assert requested(ready)[0].run_key == requested(ready)[0].run_key


def test_a_version_that_crashed_waits_and_is_given_up_after_its_attempts(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    deployed = deployment(tmp_path, instance, max_load_attempts=2, retry_base_seconds=60)
    put_reference_data(deployed.warehouse)
    crashing, path = sell(deployed, 3), sell(deployed, 4)
    etag = landed(deployed.landing, crashing).etag

    def crashed(attempt: int, seconds_ago: int) -> None:
        with deployed.warehouse.transaction() as transaction:
            transaction.execute(
                "insert into sales_data.load_attempts values (?, ?, ?, 'run', ?)",
                (crashing, etag, attempt, NOW - dt.timedelta(seconds=seconds_ago)),
            )

    crashed(1, 59)
    assert ranges(requested(deployed)) == [("usa|2022-01-04", "usa|2022-01-04")]
    load(deployed.warehouse, deployed.landing, landed(deployed.landing, path))
    assert "1 wait for their next attempt" in str(tick(deployed).skip_message)
    later = deployed.at(NOW.replace(tzinfo=dt.UTC) + dt.timedelta(seconds=1))
    assert ranges(requested(later)) == [("usa|2022-01-03", "usa|2022-01-03")]
    crashed(2, 1000)
    assert requested(later) == []
    sell(later, 3, "usa", 9)
    assert ranges(requested(later)) == [("usa|2022-01-03", "usa|2022-01-03")]


# Announcements that were not kept --------------------------------------------------------------------------------------


def promise(deployed: Deployment, run_id: str) -> None:
    """A run that loaded the first nine days of January and may not have reported them to Dagster."""
    announcement = Announcement(run_id, "usa", dt.date(2022, 1, 1), dt.date(2022, 1, 9))
    with deployed.warehouse.transaction() as transaction:
        Ledger(transaction).announce(announcement, NOW)


@pytest.mark.parametrize(("status", "ask"), [(FAILURE, True), (STARTED, False), (SUCCESS, False), (None, True)])
def test_an_announcement_is_requested_again_when_no_living_run_will_report_it(
    ready: Deployment, status: dg.DagsterRunStatus | None, ask: bool
) -> None:
    Path(ready.landing.folder).mkdir(exist_ok=True)
    load_range = LoadRange("usa", dt.date(2022, 1, 1), dt.date(2022, 1, 9))
    request = dg.RunRequest(job_name=INGEST_SALES, tags=range_tags(load_range))
    promise(ready, note(ready, request, status) if status is not None else "a run that Dagster has forgotten")
    assert ranges(requested(hasty(ready))) == ([("usa|2022-01-01", "usa|2022-01-09")] if ask else [])


def test_an_announcement_that_was_not_reported_is_reported_once(ready: Deployment) -> None:
    path = sell(ready, 3)
    load(ready.warehouse, ready.landing, landed(ready.landing, path), run_id="killed")
    promise(ready, "killed")
    [request] = requested(ready)
    assert run(ready, request).success
    assert ready.instance.get_materialized_partitions(dg.AssetKey(["raw", "sales_transactions"])) == {"usa|2022-01-03"}
    assert requested(ready) == []


def test_an_announcement_of_which_everything_was_reported_already_is_marked_done_by_one_run(ready: Deployment) -> None:
    sell(ready, 3)
    run(ready, requested(ready)[0])
    promise(ready, "killed after its last event")
    [request] = requested(ready)
    assert run(ready, request).success
    assert requested(ready) == []


def test_new_files_and_a_broken_announcement_of_a_unit_become_one_range(ready: Deployment) -> None:
    promise(ready, "killed")
    sell(ready, 20)
    assert ranges(requested(ready)) == [("usa|2022-01-01", "usa|2022-01-20")]


# Files that are out of place -------------------------------------------------------------------------------------------


def test_misplaced_files_are_requested_beside_the_sales_and_then_left_alone(ready: Deployment) -> None:
    sell(ready, 3)
    deliver(ready.landing, "sales/france/2022/01/03/a.csv", b"x")
    requests = requested(ready)
    assert jobs(requests) == [RECORD_MISPLACED_FILES, INGEST_SALES]
    for request in requests:
        assert run(ready, request).success
    assert requested(ready) == []


def test_a_stray_file_beside_the_reference_files_does_not_hold_sales_up(deployed: Deployment) -> None:
    deliver_reference_data(deployed.landing)
    deliver(deployed.landing, "reference/README.txt", b"read me")
    sell(deployed, 3)
    run(deployed, requested(deployed)[0])
    requests = requested(deployed)
    assert jobs(requests) == [RECORD_MISPLACED_FILES, INGEST_SALES]
    for request in requests:
        assert run(deployed, request).success
    assert requested(deployed) == []


def test_a_name_that_is_not_utf_8_is_recorded_in_the_ledger_like_any_misplaced_file(ready: Deployment) -> None:
    sell(ready, 3)
    name = os.fsdecode(b"caf\xe9.csv")
    Path(ready.landing.folder, "sales/usa/2022/01/03", name).write_bytes(csv(line(2, transaction_date="2022-01-03")))
    for request in requested(ready):
        assert run(ready, request).success
    assert requested(ready) == []


def test_a_misplaced_file_is_looked_at_again_when_its_unit_is_configured(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    before = deployment(tmp_path, instance, business_units=("usa", "canada"))
    put_reference_data(before.warehouse)
    sell(before, 3, "mexico")
    run(before, requested(before)[0])
    cursor = tick(before).cursor
    assert isinstance(tick(before, cursor), dg.SkipReason)
    after = deployment(tmp_path, instance, business_units=("usa", "canada", "mexico"))
    requests = tick(after, cursor).run_requests
    assert ranges(list(requests or [])) == [("mexico|2022-01-03", "mexico|2022-01-03")]


# What cannot be loaded yet ---------------------------------------------------------------------------------------------


def test_sales_without_any_reference_data_wait_and_say_so(deployed: Deployment) -> None:
    sell(deployed, 3)
    result = tick(deployed)
    assert isinstance(result, dg.SkipReason)
    assert "reference/business_units.csv" in str(result.skip_message)


def test_sales_of_a_unit_that_reference_data_does_not_know_wait_and_the_others_do_not(ready: Deployment) -> None:
    with ready.warehouse.transaction() as transaction:
        transaction.execute("delete from sales_data.business_units where folder = 'canada'")
    sell(ready, 3)
    sell(ready, 3, "canada")
    requests = requested(ready)
    assert ranges(requests) == [("usa|2022-01-03", "usa|2022-01-03")]
    run(ready, requests[0])
    result = tick(ready)
    assert isinstance(result, dg.SkipReason)
    assert "canada" in str(result.skip_message)
    put_reference_data(ready.warehouse)
    assert ranges(requested(ready)) == [("canada|2022-01-03", "canada|2022-01-03")]
