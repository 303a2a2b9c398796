"""The reconciliation sensor: finds the blobs whose event was lost and asks again for loads that failed, with bounded listings."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import dagster as dg

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES, AssetJob, job_named
from globolatte_ingest.discovery import (
    Look,
    RetryPolicy,
    next_look,
    places_to_try_again,
    recent_crashes,
    stray_folders,
)
from globolatte_ingest.kill_points import point
from resources.clock import Clock
from resources.environment import warehouse_with_short_timeout
from resources.landing.landing_zone import LandedFile, LandingZone
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Warehouse, WarehouseBusyError
from sensors.landing import (
    AT_WORK,
    RANGE_END,
    RANGE_START,
    Backlog,
    Batch,
    Turn,
    failed_batches,
    look,
    range_of,
    ranges_at_work,
    requests_for,
    retry_policy,
    run_request,
    runs_of,
    turn_of,
)

LISTINGS_AT_ONCE = 8
MOST_STRAY_LEVELS = 20
"""Levels of folders out of place that one tick walks through; a level is listed up to `MOST_OF_A_LEVEL`."""
MOST_PLACES_TO_TRY_AGAIN = 20
RUNS_LOOKED_AT = 50


def listing_of(landing: LandingZone, where: Look, more: Sequence[str], folders: Sequence[str]) -> list[LandedFile]:
    """The files of a look, and of `more` prefixes; of folders out of place as many as the bounds allow."""
    prefixes = list(dict.fromkeys([*where.prefixes, *more]))
    with ThreadPoolExecutor(LISTINGS_AT_ONCE) as listing:
        levels = list(listing.map(landing.level, where.levels))
        files = {
            file for listed in listing.map(lambda prefix: list(landing.files(prefix)), prefixes) for file in listed
        }
    strays: list[str] = []
    for prefix, level in zip(where.levels, levels, strict=True):
        files.update(level.files)
        strays += stray_folders(prefix, level, folders)
    for _ in range(MOST_STRAY_LEVELS):
        if strays:
            level = landing.level(strays.pop(0))
            files.update(level.files)
            strays += level.folders
    return sorted(files)


def failed_ranges(instance: dg.DagsterInstance, policy: RetryPolicy) -> Iterator[tuple[Batch, dg.RunRequest]]:
    """Ranges whose latest run failed and that are due again, also where the run died before the ledger knew of it."""
    for (_, name), tags in failed_batches(instance, RUNS_LOOKED_AT, INGEST_SALES).items():
        if not {RANGE_START, RANGE_END} <= set(tags):
            continue
        batch = Batch(INGEST_SALES, name, (), {end: tags[end] for end in (RANGE_START, RANGE_END)})
        runs = runs_of(instance, batch)
        latest_failed = runs[0].dagster_run.is_finished and not runs[0].dagster_run.is_success
        if latest_failed and turn_of(runs, policy) is Turn.DUE:
            yield batch, run_request(batch, len(runs))


def find(
    instance: dg.DagsterInstance,
    settings: Settings,
    landing: LandingZone,
    warehouse: Warehouse,
    clock: Clock,
    last_month: str | None,
) -> tuple[Look, Backlog]:
    """One look and what it leaves to be done."""
    policy, now, folders = retry_policy(settings), clock.timestamp(), sorted(settings.business_units)
    where = next_look(folders, settings.first_business_date, clock.today(), settings.reconcile_days, last_month)
    with warehouse.transaction() as transaction:
        again = places_to_try_again(recent_crashes(transaction, now), policy, now, MOST_PLACES_TO_TRY_AGAIN)
    listing = listing_of(landing, where, again, folders)  # while others may use the warehouse
    point("reconciliation: listed")
    return where, look(instance, settings, listing, warehouse, clock, policy, is_partial=True)


def reconciliation_sensor(settings: Settings, jobs: Sequence[AssetJob]) -> dg.SensorDefinition:
    """Builds the sensor. Its cursor names the older month that it looked at last."""

    @dg.sensor(
        name="reconciliation_sensor",
        jobs=[job_named(jobs, name) for name in (LOAD_REFERENCE_DATA, INGEST_SALES, RECORD_MISPLACED_FILES)],
        minimum_interval_seconds=settings.reconcile_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Compares the container with the ledger: the last days of every unit at each tick, one older month in turn. "
        "Asks for what no event told of, and again for loads that failed.",
    )
    def reconcile(
        context: dg.SensorEvaluationContext, landing: dg.ResourceParam[LandingZone], clock: Clock
    ) -> dg.SensorResult | dg.SkipReason:
        instance, warehouse = context.instance, warehouse_with_short_timeout(settings)
        try:
            where, backlog = find(instance, settings, landing, warehouse, clock, context.cursor)
        except WarehouseBusyError as busy:
            return dg.SkipReason(f"{busy}. Looking again in {settings.reconcile_seconds} seconds.")
        policy = retry_policy(settings)
        new = {batch.name: request for batch, request in requests_for(instance, backlog, policy)}
        point("reconciliation: requests made")
        again = {batch.name: request for batch, request in failed_ranges(instance, policy)}
        occupied = {load.folder for load in ranges_at_work(instance, AT_WORK)}  # what a run leaves is found later
        requests = [
            request
            for request in {**again, **new}.values()
            if (load := range_of(request.tags)) is None or load.folder not in occupied
        ]
        found = f"{backlog.pending.file_count} files not in the ledger"
        return dg.SensorResult(
            run_requests=requests,
            cursor=where.month,
            skip_reason=None if requests else dg.SkipReason(f"Older month: {where.month or 'none'}. {found}."),
        )

    return reconcile
