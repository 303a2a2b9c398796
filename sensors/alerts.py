"""The alert sensor: reports each problem that needs a person once, and again if it returns after it was resolved."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from globolatte_assets.raw.definitions import delivery_policy
from globolatte_ingest.deliveries import missing_of_units
from globolatte_ingest.discovery import RetryPolicy, Turn, given_up, recent_crashes
from globolatte_ingest.waiting import NOT_LOADED
from resources.alerts import AlertNotTakenError, Alerts, has_webhook
from resources.atomic import write_text
from resources.clock import Clock
from resources.environment import event_queue_of, has_event_queue, ml_of, warehouse_with_short_timeout
from resources.landing.landing_zone import LandingUnreachableError, LandingZone
from resources.settings.choices import MissingDelivery
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Warehouse, WarehouseBusyError
from sensors.landing import BATCH_TAG, Batch, failed_batches, retry_policy, runs_of, turn_of
from sensors.outstanding import latest_places
from sensors.waiting import waiting_in

FAILED_RUNS_LOOKED_AT = 100
FAILURES_LOOKED_BACK = dt.timedelta(days=30)
LONGEST_FAULT = 200


def incidents(
    instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse, landing: LandingZone, clock: Clock
) -> Iterator[tuple[str, str]]:
    """The problems that need a person now: for each a name that stays the same while it lasts, and the message."""
    policy, delivery = retry_policy(settings), delivery_policy(settings)
    with warehouse.transaction() as transaction:
        crashed = given_up(recent_crashes(transaction, clock.timestamp()), policy)
        watched = delivery.severity is not MissingDelivery.OFF
        missing = (
            missing_of_units(transaction, sorted(settings.business_units), delivery, clock.now()) if watched else []
        )
    for item in crashed:
        yield (
            f"crashed {item.path} {item.etag}",
            f"{item.path}: {item.attempts.count} loads of it crashed, and it is no longer requested; see the failed ingest_sales "
            "runs, then materialize its partition by hand or deliver it again",
        )
    for unit in missing:
        if unit.dates:
            yield f"missing {unit.folder} {unit.dates[-1]}", str(unit)
    try:
        for waiting in waiting_in(settings, warehouse, landing, ml_of(settings), clock):
            if waiting.name != NOT_LOADED:  # what is still tried is no incident yet
                yield f"waiting {waiting.name} {waiting.latest or ''}".rstrip(), waiting.text
    except OSError as fault:
        yield "landing zone", f"the landing zone cannot be read: {fault}"
    yield from _failed_runs(instance, policy)
    if has_event_queue(settings):
        events = event_queue_of(settings)
        _, poisoned = events.lengths()
        if poisoned:
            yield (
                f"poison {poisoned}",
                f"{events.describe()}: {poisoned} messages in its poison queue; read their reasons",
            )


def _failed_runs(instance: dg.DagsterInstance, policy: RetryPolicy) -> Iterator[tuple[str, str]]:
    """Runs that failed and were not mended since. A batch of files that is still to be tried again by itself is no incident yet."""
    batches = failed_batches(instance, FAILED_RUNS_LOOKED_AT)
    for job, name in sorted(batches):
        of_batch = runs_of(instance, Batch(job, name, ()))
        succeeded = any(record.dagster_run.is_success for record in of_batch)
        if not succeeded and turn_of(of_batch, policy) is Turn.GIVEN_UP:
            latest = of_batch[0].dagster_run.run_id
            yield (
                f"given up {job} {name}",
                f"{job}: {len(of_batch)} runs of one batch failed, the last one {latest}; no more are requested",
            )
    filters = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE],
        updated_after=dt.datetime.now(dt.UTC) - FAILURES_LOOKED_BACK,  # of Dagster's clock
    )
    for record in instance.get_run_records(filters, limit=FAILED_RUNS_LOOKED_AT):
        run = record.dagster_run
        if BATCH_TAG not in run.tags and not _is_mended(instance, record):
            made = sorted(key.to_user_string() for key in run.asset_selection or ())
            what = run.job_name if not made or not run.job_name.startswith("__") else ", ".join(made[:3])
            yield (
                f"failed {run.job_name} {' '.join(made)}",
                f"{what}: a run failed, {run.run_id}: {_fault(instance, run.run_id)}; what depends on it is not up to date until a "
                "later one succeeds (the runs page of the UI, or `globolatte run`)",
            )


def _is_mended(instance: dg.DagsterInstance, failed: dg.RunRecord) -> bool:
    """Whether everything that a failed run was to make was made later, or it is being tried again."""
    run = failed.dagster_run
    later = instance.get_run_records(
        dg.RunsFilter(job_name=run.job_name, created_after=failed.create_timestamp), limit=FAILED_RUNS_LOOKED_AT
    )
    wanted = frozenset(run.asset_selection or ())
    for record in later:
        again = record.dagster_run
        covers = not again.asset_selection or (wanted and wanted <= again.asset_selection)
        if again.run_id != run.run_id and covers and (again.is_success or not again.is_finished):
            return True
    planned = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    ).records
    places = {one.asset_key: one.storage_id for one in planned if one.asset_key is not None}
    made = latest_places(instance, places)
    return bool(places) and all(made.get(key, -1) > place for key, place in places.items())


def _fault(instance: dg.DagsterInstance, run_id: str) -> str:
    """The first line of what the first failed step says."""
    failures = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1).records
    for record in failures:
        event = record.event_log_entry.dagster_event
        failure = event.step_failure_data if event is not None else None
        if event is not None and failure is not None and failure.error is not None:
            error = failure.error.cause or failure.error
            own = failure.user_failure_data
            text = own.description if own is not None and own.description else error.message
            return f"{event.step_key}: {text.strip().splitlines()[0][:LONGEST_FAULT]}"
    return "see its log"


def _record(settings: Settings) -> Path:
    """Where the names of the reported incidents that last are recorded, by sensor and passes alike: each incident is sent once."""
    return settings.home / "alerts_sent.json"


def _reported(record: Path, cursor: str | None = None) -> set[str]:
    """The names of the incidents that were reported; by the sensor's cursor, if the home has no record."""
    text = record.read_text(encoding="utf-8") if record.is_file() else cursor
    return set(json.loads(text or "[]"))


def report_headless(
    instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse, landing: LandingZone, clock: Clock
) -> str | None:
    """For a pass without the daemon: sends what is new to the webhook. Returns why that could not be; none if it could, or if there is
    no webhook."""
    if not has_webhook():
        return None
    record = _record(settings)
    reported = _reported(record)
    try:
        try:
            now = dict(incidents(instance, settings, warehouse, landing, clock))
        except LandingUnreachableError as fault:  # whatever else was reported may last
            now = {**dict.fromkeys(reported, ""), "landing zone": str(fault)}
        Alerts().send([text for name, text in now.items() if name not in reported])
    except (WarehouseBusyError, AlertNotTakenError) as fault:
        return f"Alerts are not sent: {fault}. The next pass sends them."
    write_text(record, json.dumps(sorted(now)))
    return None


def alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """Builds the sensor. Its cursor, and a record in the home, name the reported incidents that still last. If the process dies, one may
    be reported twice."""

    @dg.sensor(
        name="alert_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports what waits for a person, failed runs, loads given up, poison messages and missing deliveries, each once "
        "until it is settled, in the log and by webhook.",
        target=[],
    )
    def alert(
        context: dg.SensorEvaluationContext, alerts: Alerts, landing: dg.ResourceParam[LandingZone], clock: Clock
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            now = dict(incidents(context.instance, settings, warehouse_with_short_timeout(settings), landing, clock))
        except (WarehouseBusyError, LandingUnreachableError) as fault:
            return dg.SkipReason(f"{fault} Looking again in a minute.")
        record = _record(settings)
        reported = _reported(record, context.cursor)
        news = [text for name, text in now.items() if name not in reported]
        try:
            alerts.send(news)
        except AlertNotTakenError as fault:
            return dg.SkipReason(f"{fault}. The alerts are in the log; sending them again in a minute.")
        write_text(record, json.dumps(sorted(now)))
        return dg.SensorResult(
            cursor=json.dumps(sorted(now)), skip_reason=dg.SkipReason(f"{len(now)} incidents, {len(news)} of them new.")
        )

    return alert
