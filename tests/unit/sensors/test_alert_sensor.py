"""The alert sensor reports each problem once, and again only when it happens again."""

import datetime as dt
import logging
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest

from globolatte_assets.jobs import BUILD_FEATURES, INGEST_SALES
from globolatte_cli.run_pass import Pass, execute_pass
from resources.alerts import WEBHOOK_VARIABLE, AlertNotTakenError, Alerts
from resources.environment import clock_of
from resources.landing.landing_zone import LandingUnreachableError
from sensors.alerts import report_headless
from tests.blob_builders import BlobDeployment
from tests.builders import NOW, Deployment, csv, deliver, deployment, line, load, put_reference_data, sales_path
from tests.emulators.azurite_server import Azurite


@pytest.fixture
def ready(tmp_path: Path, instance: dg.DagsterInstance) -> Deployment:
    """Units that owe nothing: the first business date is today."""
    made = deployment(tmp_path, instance, first_business_date=NOW.date(), max_load_attempts=2, retry_base_seconds=1e-9)
    put_reference_data(made.warehouse)
    made.settings.landing_folder.mkdir()
    return made


def tick(
    deployed: Deployment, caplog: pytest.LogCaptureFixture, cursor: str | None = None
) -> tuple[list[str], str | None]:
    """What a tick tells, and its cursor."""
    caplog.clear()
    caplog.set_level(logging.ERROR, "globolatte.alerts")
    context = dg.build_sensor_context(
        instance=deployed.instance,
        cursor=cursor,
        definitions=deployed.definitions,
        resources={"alerts": Alerts(), "landing": deployed.landing, "clock": clock_of(deployed.settings)},
    )
    result = deployed.definitions.resolve_sensor_def("alert_sensor")(context)
    reported = [r.getMessage().removeprefix("ALERT ") for r in caplog.records if r.name == "globolatte.alerts"]
    return reported, result.cursor if isinstance(result, dg.SensorResult) else None


def test_nothing_wrong_is_no_alert(ready: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    assert tick(ready, caplog) == ([], "[]")


def test_a_load_that_crashed_as_often_as_allowed_is_reported_once(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(attempt: int) -> None:
        with ready.warehouse.transaction() as transaction:
            transaction.execute(
                "insert into sales_data.load_attempts values (?, 'etag', ?, 'run', ?)", (sales_path(), attempt, NOW)
            )

    crash(1)
    reported, cursor = tick(ready, caplog)
    assert reported == []
    crash(2)
    reported, cursor = tick(ready, caplog, cursor)
    assert len(reported) == 1
    assert reported[0].startswith(f"{sales_path()}: 2 loads of it crashed")
    assert tick(ready, caplog, cursor) == ([], cursor)


def test_a_batch_whose_runs_failed_as_often_as_allowed_is_reported(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    job = ready.definitions.resolve_job_def(INGEST_SALES)
    for _ in range(2):
        assert tick(ready, caplog)[0] == []
        ready.instance.create_run_for_job(job, tags={"globolatte/batch": "b"}, status=dg.DagsterRunStatus.FAILURE)
    reported, _ = tick(ready, caplog)
    assert len(reported) == 1
    assert "ingest_sales: 2 runs of one batch failed" in reported[0]
    ready.instance.create_run_for_job(job, tags={"globolatte/batch": "b"}, status=dg.DagsterRunStatus.SUCCESS)
    assert tick(ready, caplog)[0] == []


def test_a_missing_delivery_is_reported_and_reported_again_when_another_day_is_missing(
    tmp_path: Path, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    first = NOW.date() - dt.timedelta(days=1)
    made = deployment(tmp_path, instance, first_business_date=first, delivery_hours=1)
    put_reference_data(made.warehouse)
    for folder, unit in (("usa", "BU_US"), ("mexico", "BU_MX")):
        path = sales_path(folder=folder, date=first)
        load(
            made.warehouse,
            made.landing,
            deliver(made.landing, path, csv(line(business_unit=unit, transaction_date=str(first)))),
        )
    reported, cursor = tick(made, caplog)
    assert reported == ["canada has not delivered 2022-02-09"]
    assert tick(made, caplog, cursor) == ([], cursor)
    tomorrow = deployment(
        tmp_path,
        instance,
        first_business_date=first,
        delivery_hours=1,
        now=NOW.replace(tzinfo=dt.UTC) + dt.timedelta(days=1),
    )
    assert len(tick(tomorrow, caplog, cursor)[0]) == 3


def test_messages_in_the_poison_queue_are_reported(
    azurite: Azurite, tmp_path: Path, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    made = BlobDeployment.new(azurite, tmp_path, instance, first_business_date=NOW.date())
    put_reference_data(made.deployed.warehouse)
    made.events.say("no event")
    made.events.queue.poison(made.events.queue.receive(1, 1)[0], "is no event")
    reported, _ = tick(made.deployed, caplog)
    assert ["1 messages in its poison queue" in line for line in reported] == [True]


def test_a_landing_zone_that_is_gone_is_reported(ready: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    ready.settings.landing_folder.rmdir()
    reported, cursor = tick(ready, caplog)
    assert [text.partition(":")[0] for text in reported] == ["the landing zone cannot be read"]
    assert tick(ready, caplog, cursor) == ([], cursor)


def test_a_held_file_is_reported_once_until_it_is_settled(ready: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    def hold(name: str) -> None:
        path = sales_path(name, date=NOW.date())
        bad = csv(*(line(number, quantity="x") for number in range(5)))
        load(ready.warehouse, ready.landing, deliver(ready.landing, path, bad), max_bad_share=0.2)

    hold("a.csv")
    reported, cursor = tick(ready, caplog)
    assert [text.partition(",")[0] for text in reported] == ["usa: 1 file held of 2022-02-10"]
    hold("b.csv")
    assert tick(ready, caplog, cursor) == ([], cursor), "more of the same is no news"
    for name in ("a.csv", "b.csv"):
        Path(ready.landing.folder, sales_path(name, date=NOW.date())).unlink()
    assert tick(ready, caplog, cursor) == ([], "[]")
    hold("c.csv")
    assert len(tick(ready, caplog, "[]")[0]) == 1


def test_a_pass_sends_the_same_alerts_as_the_daemon_and_whoever_is_first_sends_them(
    ready: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    posts: list[str] = []

    def headless() -> str | None:
        return report_headless(ready.instance, ready.settings, ready.warehouse, ready.landing, clock_of(ready.settings))

    def post(_: Alerts, address: str, text: str) -> None:
        if address == "https://down":
            raise AlertNotTakenError("the alert webhook answered 503")
        posts.append(text)

    monkeypatch.setattr(Alerts, "_post", post)
    bad = csv(*(line(number, quantity="x") for number in range(5)))
    path = sales_path("a.csv", date=NOW.date())
    load(ready.warehouse, ready.landing, deliver(ready.landing, path, bad), max_bad_share=0.2)
    assert headless() is None
    monkeypatch.setenv(WEBHOOK_VARIABLE, "https://down")
    assert headless() == "Alerts are not sent: the alert webhook answered 503. The next pass sends them."
    monkeypatch.setenv(WEBHOOK_VARIABLE, "https://up")
    assert headless() is None
    assert headless() is None
    [text] = posts
    assert "usa: 1 file held of 2022-02-10" in text
    assert tick(ready, caplog)[0] == []
    later = sales_path("b.csv", date=NOW.date())
    load(
        ready.warehouse,
        ready.landing,
        deliver(ready.landing, later, bad),
        max_bad_share=0.2,
        now=NOW + dt.timedelta(days=1),
    )

    def look(_: Pass) -> NoReturn:
        raise LandingUnreachableError("landing", "gone")

    monkeypatch.setattr(Pass, "look", look)
    with pytest.raises(LandingUnreachableError):
        execute_pass(ready.settings)
    [_, text] = posts  # also of a pass that ends early
    assert "usa: 2 files held of 2022-02-10" in text


def test_a_file_that_is_held_on_a_later_day_is_reported_although_an_earlier_one_still_waits(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    def hold(name: str, now: dt.datetime) -> None:
        path = sales_path(name, date=NOW.date())
        bad = csv(*(line(number, quantity="x") for number in range(5)))
        load(ready.warehouse, ready.landing, deliver(ready.landing, path, bad), max_bad_share=0.2, now=now)

    hold("b.csv", NOW)
    _, cursor = tick(ready, caplog)
    hold("a.csv", NOW + dt.timedelta(days=1))
    reported, cursor = tick(ready, caplog, cursor)
    latest = sales_path("a.csv", date=NOW.date())
    assert len(reported) == 1
    assert reported[0].startswith(f"usa: 2 files held of 2022-02-10, the latest {latest}: ")
    assert tick(ready, caplog, cursor) == ([], cursor)


def failed_run(ready: Deployment, job: str = BUILD_FEATURES, **more: object) -> None:
    run = ready.instance.create_run_for_job(ready.definitions.resolve_job_def(job), **more)
    ready.instance.report_run_failed(run, "dbt broke off")


def test_a_failed_run_is_reported_once_until_a_later_one_succeeds(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    failed_run(ready)
    reported, cursor = tick(ready, caplog)
    assert [text.partition(",")[0] for text in reported] == ["build_features: a run failed"]
    failed_run(ready)
    assert tick(ready, caplog, cursor) == ([], cursor)
    ready.instance.create_run_for_job(
        ready.definitions.resolve_job_def(BUILD_FEATURES), status=dg.DagsterRunStatus.SUCCESS
    )
    assert tick(ready, caplog, cursor) == ([], "[]")
    failed_run(ready)
    assert len(tick(ready, caplog, "[]")[0]) == 1


def test_a_failed_run_of_a_part_is_mended_when_its_assets_were_made_by_another(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    faults = ["the disk is full"]

    @dg.asset
    def figures() -> None:
        if faults:
            raise RuntimeError(faults.pop())

    definitions = dg.Definitions(
        [figures], jobs=[dg.define_asset_job("nightly", "figures"), dg.define_asset_job("by_hand", "figures")]
    )
    definitions.resolve_job_def("nightly").execute_in_process(instance=ready.instance, raise_on_error=False)
    reported, cursor = tick(ready, caplog)
    assert [text.partition("; ")[0].partition(", ")[0] for text in reported] == ["nightly: a run failed"]
    assert "figures: RuntimeError: the disk is full" in reported[0]
    assert definitions.resolve_job_def("by_hand").execute_in_process(instance=ready.instance).success
    assert tick(ready, caplog, cursor) == ([], "[]")


def test_a_canceled_run_and_a_batch_that_is_tried_again_are_no_alert(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    job = ready.definitions.resolve_job_def(BUILD_FEATURES)
    ready.instance.create_run_for_job(job, status=dg.DagsterRunStatus.CANCELED)
    failed_run(ready, INGEST_SALES, tags={"globolatte/batch": "b"})
    assert tick(ready, caplog)[0] == []


def test_an_alert_that_the_webhook_does_not_take_is_sent_again(
    ready: Deployment, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ready.definitions.resolve_job_def(INGEST_SALES)
    for _ in range(2):
        ready.instance.create_run_for_job(job, tags={"globolatte/batch": "b"}, status=dg.DagsterRunStatus.FAILURE)
    monkeypatch.setenv(WEBHOOK_VARIABLE, "http://127.0.0.1:1/hook")
    reported, cursor = tick(ready, caplog)
    assert (len(reported), cursor) == (1, None)
    monkeypatch.delenv(WEBHOOK_VARIABLE)
    assert len(tick(ready, caplog, cursor)[0]) == 1
