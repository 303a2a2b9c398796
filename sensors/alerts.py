"""The alert sensor: reports each problem that needs a person once, and again if it returns after it was resolved."""

import json
from collections.abc import Iterator

import dagster as dg

from globolatte_assets.raw.definitions import delivery_policy
from globolatte_ingest.deliveries import missing_of_units
from globolatte_ingest.discovery import RetryPolicy, Turn, given_up, recent_crashes
from resources.alerts import AlertNotTakenError, Alerts
from resources.clock import Clock
from resources.environment import event_queue_of, has_event_queue, warehouse_with_short_timeout
from resources.landing.landing_zone import LandingUnreachableError
from resources.settings.choices import MissingDelivery
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Warehouse, WarehouseBusyError
from sensors.landing import Batch, failed_batches, retry_policy, runs_of, turn_of

FAILED_RUNS_LOOKED_AT = 100


def incidents(
    instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse, clock: Clock
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
    yield from _given_up_runs(instance, policy)
    if has_event_queue(settings):
        events = event_queue_of(settings)
        _, poisoned = events.lengths()
        if poisoned:
            yield (
                f"poison {poisoned}",
                f"{events.describe()}: {poisoned} messages in its poison queue; read their reasons",
            )


def _given_up_runs(instance: dg.DagsterInstance, policy: RetryPolicy) -> Iterator[tuple[str, str]]:
    for job, name in sorted(failed_batches(instance, FAILED_RUNS_LOOKED_AT)):
        of_batch = runs_of(instance, Batch(job, name, ()))
        succeeded = any(record.dagster_run.is_success for record in of_batch)
        if not succeeded and turn_of(of_batch, policy) is Turn.GIVEN_UP:
            latest = of_batch[0].dagster_run.run_id
            yield (
                f"given up {job} {name}",
                f"{job}: {len(of_batch)} runs of one batch failed, the last one {latest}; no more are requested",
            )


def alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """Builds the sensor. Its cursor names the reported incidents that still last. If the process dies, one may be reported twice."""

    @dg.sensor(
        name="alert_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports loads given up, poison messages and missing deliveries, in the log and by webhook.",
        target=[],
    )
    def alert(context: dg.SensorEvaluationContext, alerts: Alerts, clock: Clock) -> dg.SensorResult | dg.SkipReason:
        try:
            now = dict(incidents(context.instance, settings, warehouse_with_short_timeout(settings), clock))
        except (WarehouseBusyError, LandingUnreachableError) as fault:
            return dg.SkipReason(f"{fault} Looking again in a minute.")
        reported = set(json.loads(context.cursor or "[]"))
        news = [text for name, text in now.items() if name not in reported]
        try:
            alerts.send(news)
        except AlertNotTakenError as fault:
            return dg.SkipReason(f"{fault}. The alerts are in the log; sending them again in a minute.")
        return dg.SensorResult(
            cursor=json.dumps(sorted(now)), skip_reason=dg.SkipReason(f"{len(now)} incidents, {len(news)} of them new.")
        )

    return alert
