"""The landing sensor: asks for exactly the partitions with new or changed files, a backlog as one range per business unit."""

from collections.abc import Sequence

import dagster as dg

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES, AssetJob, job_named
from resources.clock import Clock
from resources.environment import has_event_queue, impatient_warehouse_of
from resources.landing.landing_zone import LandingZone
from resources.settings.choices import LandingKind
from resources.settings.settings import Settings
from resources.warehouse.warehouse import WarehouseBusyError
from sensors.backlog import (
    AT_WORK,
    coverage_of,
    left_by,
    listing_digest,
    listing_of,
    look,
    path_rules,
    requests_for,
    retry_policy,
)
from sensors.blob_events import blob_event_sensor
from sensors.reconciliation import reconciliation_sensor


def landing_sensor(settings: Settings, jobs: Sequence[AssetJob]) -> dg.SensorDefinition:
    """Builds the sensor. Its cursor names the landing zone's last fully handled state, so an untouched one costs a listing."""

    @dg.sensor(
        name="landing_sensor",
        jobs=[job_named(jobs, name) for name in (LOAD_REFERENCE_DATA, INGEST_SALES, RECORD_MISPLACED_FILES)],
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks into the landing zone and asks for the loads of new or changed files.",
    )
    def look_into_landing_zone(
        context: dg.SensorEvaluationContext,
        landing: dg.ResourceParam[LandingZone],
        clock: Clock,
    ) -> dg.SensorResult | dg.SkipReason:
        listing = listing_of(landing)
        digest = f"{listing_digest(listing)} {path_rules(settings, clock)}"
        if digest == context.cursor:
            return dg.SkipReason("The landing zone is as it was, and everything in it is on the record.")
        policy = retry_policy(settings)
        try:
            backlog = look(context.instance, settings, listing, impatient_warehouse_of(settings), clock, policy)
        except WarehouseBusyError as busy:
            return dg.SkipReason(f"{busy}. Looking again in {settings.landing_poll_seconds} seconds.")
        pending = backlog.pending
        left = left_by(backlog, coverage_of(context.instance, AT_WORK))
        requests = [request for _, request in requests_for(context.instance, left, policy)]
        if requests:
            return dg.SensorResult(run_requests=requests)
        if pending.exhausted:
            paths = ", ".join(item.file.path for item in pending.exhausted[:5])
            context.log.error(
                f"{len(pending.exhausted)} files crashed {settings.max_load_attempts} loads each and are no longer asked for: {paths}. "
                "See the failed ingest_sales runs, then materialize their partitions by hand."
            )
        if backlog.without_reference_data:
            folders = ", ".join(load.folder for load in backlog.without_reference_data)
            return dg.SkipReason(
                f"Sales of {folders} wait until reference/business_units.csv names that folder and reference/products.csv is loaded."
            )
        if not pending.file_count and not backlog.unreported and not pending.waiting and backlog.is_settled:
            return dg.SensorResult(
                cursor=digest, skip_reason=dg.SkipReason(f"{len(listing)} files, all on the record.")
            )
        return dg.SkipReason(
            f"{pending.file_count} files are being loaded, {len(pending.waiting)} wait for their next attempt."
        )

    return look_into_landing_zone


def file_sensors(settings: Settings, jobs: Sequence[AssetJob]) -> list[dg.SensorDefinition]:
    """What watches this deployment's landing zone: a look at the folder, or a container's events and what reconciles them."""
    if settings.landing is LandingKind.FOLDER:
        return [landing_sensor(settings, jobs)]
    events = [blob_event_sensor(settings, jobs)] if has_event_queue(settings) else []
    return [*events, reconciliation_sensor(settings, jobs)]
