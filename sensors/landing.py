"""The landing sensor: asks for exactly the partitions with new or changed files, a backlog as one range per business unit."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES, AssetJob, job_named
from globolatte_assets.partitions import partition_key
from globolatte_assets.raw.pending import LoadRange
from resources.clock import Clock
from resources.environment import impatient_warehouse_of
from resources.landing import LandedFile, LandingZone
from resources.settings import Settings
from resources.warehouse import WarehouseBusyError
from sensors.backlog import Backlog, listing_of, look, path_rules, retry_policy
from sensors.run_health import ACTIVE

BATCH_TAG = "globolatte/batch"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def range_tags(load: LoadRange) -> dict[str, str]:
    """The tags that make a run of the ingest job load one range."""
    return {
        RANGE_START: partition_key(load.folder, load.first),
        RANGE_END: partition_key(load.folder, load.last),
        BATCH_TAG: load.digest,
    }


def listing_digest(listing: Iterable[LandedFile]) -> str:
    """A name for the state of the landing zone."""
    content = "\n".join(f"{file.path} {file.etag}" for file in listing)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _request(
    instance: dg.DagsterInstance, job: str, batch: str, tags: dict[str, str], most_failures: int
) -> dg.RunRequest | None:
    """Asks for a batch, unless a run is at it or it failed too often. The run key counts earlier runs: Dagster takes a key once."""
    earlier = instance.get_runs(dg.RunsFilter(job_name=job, tags={BATCH_TAG: batch}))
    failures = sum(run.is_finished and not run.is_success for run in earlier)
    if failures >= most_failures or any(run.status in ACTIVE for run in earlier):
        return None
    return dg.RunRequest(run_key=f"{job}:{batch}:{len(earlier)}", job_name=job, tags=tags)


def requests_for(instance: dg.DagsterInstance, backlog: Backlog, most_failures: int) -> Iterator[dg.RunRequest]:
    """The runs to ask for. Reference data goes first: sales cannot be judged without it.

    A batch whose runs failed `most_failures` times is asked for no more; for reference data, sales then go on with what was
    loaded before.
    """
    pending = backlog.pending
    if pending.reference:
        batch = listing_digest(pending.reference)
        request = _request(instance, LOAD_REFERENCE_DATA, batch, {BATCH_TAG: batch}, most_failures)
        if request is not None:
            yield request
            return
    if instance.get_runs_count(dg.RunsFilter(job_name=LOAD_REFERENCE_DATA, statuses=ACTIVE)):
        return
    if pending.misplaced:
        batch = listing_digest(item.file for item in pending.misplaced)
        request = _request(instance, RECORD_MISPLACED_FILES, batch, {BATCH_TAG: batch}, most_failures)
        if request is not None:
            yield request
    for load in backlog.loads:
        if load in backlog.without_reference_data:
            continue
        request = _request(instance, INGEST_SALES, load.digest, range_tags(load), most_failures)
        if request is not None:
            yield request


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
        try:
            backlog = look(
                context.instance, settings, listing, impatient_warehouse_of(settings), clock, retry_policy(settings)
            )
        except WarehouseBusyError as busy:
            return dg.SkipReason(f"{busy}. Looking again in {settings.landing_poll_seconds} seconds.")
        pending = backlog.pending
        requests = list(requests_for(context.instance, backlog, settings.max_load_attempts))
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
