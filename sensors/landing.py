"""From a listing of the landing zone to run requests, for the file sensors and `globolatte run`; and the sensor of a landing folder.

`look` compares a listing with the ledger, and the ledger with Dagster's runs. `left_by` leaves out what runs work on already.
`requests_for` divides the rest into batches of one run each, and requests a batch again when its runs failed.
"""

import datetime as dt
import math
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import dagster as dg

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES, AssetJob, job_named
from globolatte_assets.keys import MISPLACED_FILES, SALES_TRANSACTIONS, WEATHER
from globolatte_assets.partitions import partition_key
from globolatte_assets.raw.reference_data import REFERENCE_ASSETS
from globolatte_assets.raw.sales_transactions import DATA_VERSION_TAG
from globolatte_ingest.discovery import (
    MOST_HASHED_BYTES,
    LoadRange,
    Pending,
    RetryPolicy,
    Turn,
    coalesce,
    find_pending,
    last_dates,
    listing_digest,
    loadable_folders,
    steps_in,
    unrecorded,
    without_known_content,
)
from globolatte_ingest.ledger import Announcement, Attempts, Ledger
from globolatte_ingest.paths import USUAL_LAYOUT, PathRules, SalesLayout, is_weather, layout_of
from globolatte_ingest.weather import weather_version
from resources.clock import Clock
from resources.environment import landing_of, warehouse_with_short_timeout
from resources.landing.landing_zone import LandedFile, LandingZone
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Warehouse, WarehouseBusyError
from sensors.run_health import ACTIVE, UNFINISHED

# A look ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Backlog:
    """What is to be done: `pending` files; and `unreported` ranges: rows that are loaded but whose run never reported them to Dagster, and
    dates for which a person requested a step that is not done.
    """

    pending: Pending
    unreported: tuple[LoadRange, ...] = ()
    ready_folders: frozenset[str] = frozenset()
    """Landing folders whose sales can be loaded: their unit is in the reference data, and so are products."""
    is_all_reported: bool = True
    """Whether no run has materializations of rows that it committed still to report."""
    is_partial: bool = False
    """Whether only a part of the landing zone was looked at."""
    layout: SalesLayout = USUAL_LAYOUT

    @property
    def loads(self) -> tuple[LoadRange, ...]:
        """The ranges to ingest: one per business unit, wide enough for new files and for unreported ones. Files without a date go apart."""
        loads = sorted((*self.pending.ranges, *self.unreported), key=_kind_of)
        return tuple(_joined(list(of_unit)) for _, of_unit in groupby(loads, key=_kind_of))

    @property
    def without_reference_data(self) -> tuple[LoadRange, ...]:
        """Those of the ranges that cannot be loaded yet."""
        return tuple(load for load in self.loads if load.folder not in self.ready_folders)


def _kind_of(load: LoadRange) -> tuple[str, bool]:
    return load.folder, load.is_undated


def _joined(loads: Sequence[LoadRange]) -> LoadRange:
    files = dict.fromkeys(item for load in loads for item in load.files)
    first, last = min(load.first for load in loads), max(load.last for load in loads)
    return LoadRange(loads[0].folder, first, last, tuple(files), loads[0].is_undated)


def path_rules(settings: Settings, clock: Clock, own_dates: Mapping[str, dt.date]) -> PathRules:
    """What makes a sales path belong to a partition of this deployment. `own_dates`: today by the units' own clocks, by folder."""
    folders, layout = sorted(settings.business_units), layout_of(settings)
    return PathRules(folders, settings.first_business_date, clock.today(), own_dates, layout)


def state_of(listing: Iterable[LandedFile], settings: Settings, clock: Clock) -> str:
    """A name for what lies in the landing zone and what its paths mean. It changes by the hour, too: somewhere a new day begins."""
    return f"{listing_digest(listing)} {path_rules(settings, clock, {})} {clock.now():%H}"


REQUESTED_BY_A_PERSON = RetryPolicy(max_attempts=sys.maxsize, base_seconds=0.0)
"""A pass started by a person tries every load at once, however often it crashed before."""


def retry_policy(settings: Settings) -> RetryPolicy:
    """When a crashed load is requested again in this deployment."""
    return RetryPolicy(settings.max_load_attempts, settings.retry_base_seconds)


def listing_of(landing: LandingZone) -> list[LandedFile]:
    """Everything in the landing zone."""
    return list(landing.files())


def look(
    instance: dg.DagsterInstance,
    settings: Settings,
    listing: Iterable[LandedFile],
    warehouse: Warehouse,
    clock: Clock,
    policy: RetryPolicy,
    *,
    is_partial: bool = False,
) -> Backlog:
    """Compares a listing with the ledger, and the ledger with Dagster's runs; `policy` says which crashed loads are due.

    `is_partial` says that the listing is of a part of the landing zone only.
    """
    now = clock.timestamp()
    listing = list(listing)
    with warehouse.transaction() as transaction:
        ledger = Ledger(transaction)
        news = unrecorded(transaction, listing)
        crashed = ledger.crashed_loads()
        announced = ledger.outstanding_announcements()
        succeeded, lost = _sort_announcements(instance, announced)
        ledger.mark_reported(succeeded, now)
        references = ledger.loaded_references()
        requested = steps_in(ledger, layout_of(settings))
        ready_folders = loadable_folders(transaction)
        own_dates = last_dates(transaction, clock.today)
    at_most = math.inf if policy is REQUESTED_BY_A_PERSON else MOST_HASHED_BYTES  # a tick has a minute
    news = without_known_content(warehouse, landing_of(settings), news, now, at_most)
    rules = path_rules(settings, clock, own_dates)
    pending = find_pending(news, crashed, rules, policy, now)
    pending = replace(
        pending, reference=tuple(sorted({*pending.reference, *_unreported_references(instance, listing, references)}))
    )
    ranges = (
        *((item.folder, item.first, item.last) for item in lost),
        *((step.folder, step.business_date, step.business_date) for step in requested),
    )
    unreported = tuple(
        LoadRange(folder, first, last, is_undated=rules.layout.is_home(first, last)) for folder, first, last in ranges
    )
    is_all_reported = {item.run_id for item in announced} <= {*succeeded}
    return Backlog(pending, unreported, ready_folders, is_all_reported, is_partial, rules.layout)


def _unreported_references(
    instance: dg.DagsterInstance, listing: Iterable[LandedFile], references: Mapping[str, str]
) -> Iterator[LandedFile]:
    """Loaded reference files that were not reported to Dagster because the run died between the commit and the event."""
    files = [file for file in listing if file.path in references]
    assets = {file: WEATHER if is_weather(file.path) else REFERENCE_ASSETS.get(file.path) for file in files}
    reported = {key: _reported_version(instance, key) for key in {*assets.values()} if key is not None}
    weather = weather_version(references) if WEATHER in assets.values() else ""  # of all its files together
    for file, key in assets.items():
        version = weather if key == WEATHER else references[file.path]
        if key is not None and reported[key] != version[:16]:
            yield file


def _reported_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    """The data version of an asset's latest materialization."""
    event = instance.get_latest_materialization_event(key)
    reported = event.asset_materialization if event is not None else None
    return (reported.tags or {}).get(DATA_VERSION_TAG) if reported is not None else None


def _sort_announcements(
    instance: dg.DagsterInstance, announced: list[Announcement]
) -> tuple[list[str], list[Announcement]]:
    """The runs that succeeded, and the announcements that no running run will report."""
    if not announced:
        return [], []
    runs = instance.get_runs(dg.RunsFilter(run_ids=[item.run_id for item in announced]))
    succeeded = [run.run_id for run in runs if run.is_success]
    alive = {run.run_id for run in runs if run.status in ACTIVE}
    return succeeded, [item for item in announced if item.run_id not in alive.union(succeeded)]


# What runs work on already ---------------------------------------------------------------------------------------------

PARTITION = "dagster/partition"

WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING)
"""Runs that have not listed the landing zone yet."""
AT_WORK = (dg.DagsterRunStatus.QUEUED, *UNFINISHED)
"""Runs that wait, and runs that have started and not ended."""

RUNS_LOOKED_AT = 500


def range_of(tags: Mapping[str, str]) -> LoadRange | None:
    """The unit's dates that a run loads; none for runs of another kind."""
    start, end = (tags.get(name, tags.get(PARTITION, "")).partition("|") for name in (RANGE_START, RANGE_END))
    if not start[2] or not end[2]:
        return None
    return LoadRange(start[0], dt.date.fromisoformat(start[2]), dt.date.fromisoformat(end[2]))


def ranges_at_work(
    instance: dg.DagsterInstance, statuses: Iterable[dg.DagsterRunStatus], *, requested_by_sensors: bool = False
) -> set[LoadRange]:
    """What the ingest runs in these states load.

    With `requested_by_sensors`, only runs that sensors requested: those are requested again when they fail, which matters where
    nothing else remembers a file.
    """
    runs = instance.get_runs(dg.RunsFilter(job_name=INGEST_SALES, statuses=list(statuses)), limit=RUNS_LOOKED_AT)
    found = (range_of(run.tags) for run in runs if BATCH_TAG in run.tags or not requested_by_sensors)
    return {load for load in found if load is not None}


def left_by(backlog: Backlog, at_work: Collection[LoadRange]) -> Backlog:
    """The backlog without the sales files and the unreported ranges that are within `at_work`."""

    def is_left(folder: str, first: dt.date, last: dt.date) -> bool:
        return not any(load.covers(folder, first, last) for load in at_work)

    files = [item for load in backlog.pending.ranges for item in load.files]
    left = coalesce(
        item
        for item in files
        # of the files that cannot be listed by their date, a run that was told which to load loads these alone
        if (backlog.is_partial and not backlog.layout.lists_by_date(item.file.path))
        or is_left(item.folder, item.date, item.date)
    )
    return replace(
        backlog,
        pending=replace(backlog.pending, ranges=left),
        unreported=tuple(load for load in backlog.unreported if is_left(load.folder, load.first, load.last)),
    )


# Run requests ----------------------------------------------------------------------------------------------------------

BATCH_TAG = "globolatte/batch"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

FAILURES_LOOKED_BACK = dt.timedelta(days=1)
MOST_PATHS_OF_ONE_RUN = 500
"""The most files, misplaced or such as cannot be listed by their date, that are passed to one run by path."""


def range_tags(load: LoadRange) -> dict[str, str]:
    """The tags that make a run of the ingest job load one range."""
    return {
        RANGE_START: partition_key(load.folder, load.first),
        RANGE_END: partition_key(load.folder, load.last),
        BATCH_TAG: load.digest,
    }


def named_paths(files: Iterable[LandedFile]) -> dict[str, object]:
    """The run config of an ingest run that looks at these files alone, among those that cannot be listed by their date."""
    return {"ops": {SALES_TRANSACTIONS.to_python_identifier(): {"config": {"paths": [file.path for file in files]}}}}


@dataclass(frozen=True)
class Batch:
    """File versions that one run loads together. `name` is the same for the same versions."""

    job: str
    name: str
    files: tuple[LandedFile, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    run_config: Mapping[str, object] = field(default_factory=dict)


def batches_of(backlog: Backlog) -> Iterator[Batch]:
    """Everything in a backlog that a run can do now, reference data first."""
    pending = backlog.pending
    if pending.reference:
        yield Batch(LOAD_REFERENCE_DATA, listing_digest(pending.reference), pending.reference)
    misplaced = tuple(item.file for item in pending.misplaced)
    config: dict[str, object] = {}
    if backlog.is_partial:  # the run looks at these paths; without any, everywhere
        misplaced = misplaced[:MOST_PATHS_OF_ONE_RUN]
        paths = {"paths": [file.path for file in misplaced]}
        config = {"ops": {MISPLACED_FILES.to_python_identifier(): {"config": paths}}}
    if misplaced:
        yield Batch(RECORD_MISPLACED_FILES, listing_digest(misplaced), misplaced, run_config=config)
    for load in backlog.loads:
        if load not in backlog.without_reference_data:
            files = tuple(item.file for item in load.files)
            is_named = (
                backlog.is_partial and not backlog.layout.is_listed_by_date and len(files) <= MOST_PATHS_OF_ONE_RUN
            )
            yield Batch(INGEST_SALES, load.digest, files, range_tags(load), named_paths(files) if is_named else {})


def runs_of(instance: dg.DagsterInstance, batch: Batch) -> list[dg.RunRecord]:
    """The runs of a batch, the latest first."""
    return list(
        instance.get_run_records(dg.RunsFilter(job_name=batch.job, tags={BATCH_TAG: batch.name}), ascending=False)
    )


def turn_of(runs: Sequence[dg.RunRecord], policy: RetryPolicy) -> Turn:
    """The retry state of a batch, from its runs; by the real clock even if `GLOBOLATTE_NOW` sets another time."""
    if any(run.dagster_run.status in ACTIVE for run in runs):
        return Turn.RUNNING
    ended = [run.update_timestamp.astimezone(dt.UTC) for run in runs if _is_attempt(run.dagster_run)]
    attempts = Attempts(len(ended), max(ended).replace(tzinfo=None)) if ended else None
    return policy.turn(attempts, dt.datetime.now(dt.UTC).replace(tzinfo=None))


def _is_attempt(run: dg.DagsterRun) -> bool:
    """Whether an ended run counts against its batch: one that failed, and any of a reference file, which is done when it is recorded."""
    return not run.is_success or run.job_name == LOAD_REFERENCE_DATA


def failed_batches(
    instance: dg.DagsterInstance, limit: int, job: str | None = None
) -> dict[tuple[str, str], dg.DagsterRun]:
    """A run of each batch of which one failed lately, by job and name."""
    filters = dg.RunsFilter(
        job_name=job,
        statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
        updated_after=dt.datetime.now(dt.UTC) - FAILURES_LOOKED_BACK,  # of Dagster's clock
    )
    runs = [record.dagster_run for record in instance.get_run_records(filters, limit=limit)]
    return {(run.job_name, run.tags[BATCH_TAG]): run for run in runs if BATCH_TAG in run.tags}


def run_request(batch: Batch, earlier: int) -> dg.RunRequest:
    """The request for a run of a batch. The run key counts earlier runs: Dagster accepts a key only once, even if its run failed."""
    return dg.RunRequest(
        run_key=f"{batch.job}:{batch.name}:{earlier}",
        job_name=batch.job,
        tags={**batch.tags, BATCH_TAG: batch.name},
        run_config=batch.run_config,
    )


def is_running(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of the job is under way or waits for its turn."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=ACTIVE)) > 0


def requests_for(
    instance: dg.DagsterInstance, backlog: Backlog, policy: RetryPolicy
) -> Iterator[tuple[Batch, dg.RunRequest]]:
    """The run requests of a backlog. Reference data goes first: sales cannot be validated without it.

    A batch whose runs failed is requested again after a wait that doubles, until they have failed as often as the policy allows.
    If this batch is reference data, sales are then loaded with the reference data that was loaded before; if it is only weather, which
    sales are not validated with, as soon as its first run failed.
    """
    for batch in batches_of(backlog):
        if batch.job != LOAD_REFERENCE_DATA and is_running(instance, LOAD_REFERENCE_DATA):
            return
        runs = runs_of(instance, batch)
        turn = turn_of(runs, policy)
        if turn is Turn.DUE:
            yield batch, run_request(batch, len(runs))
        is_needed = any(not is_weather(file.path) for file in batch.files)
        goes_first = turn in (Turn.DUE, Turn.RUNNING) or (turn is Turn.WAITING and is_needed)
        if batch.job == LOAD_REFERENCE_DATA and goes_first:
            return


# The folder's sensor ---------------------------------------------------------------------------------------------------


def landing_sensor(settings: Settings, jobs: Sequence[AssetJob]) -> dg.SensorDefinition:
    """Builds the sensor. Its cursor names the last fully handled state of the landing zone, so an unchanged one costs only a listing."""

    @dg.sensor(
        name="landing_sensor",
        jobs=[job_named(jobs, name) for name in (LOAD_REFERENCE_DATA, INGEST_SALES, RECORD_MISPLACED_FILES)],
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks into the landing zone and requests the loads of new or changed files.",
    )
    def look_into_landing_zone(
        context: dg.SensorEvaluationContext,
        landing: dg.ResourceParam[LandingZone],
        clock: Clock,
    ) -> dg.SensorResult | dg.SkipReason:
        listing = listing_of(landing)
        digest = state_of(listing, settings, clock)
        if digest == context.cursor:
            return dg.SkipReason("The landing zone is as it was, and everything in it is in the ledger.")
        policy = retry_policy(settings)
        try:
            backlog = look(context.instance, settings, listing, warehouse_with_short_timeout(settings), clock, policy)
        except WarehouseBusyError as busy:
            return dg.SkipReason(f"{busy}. Looking again in {settings.landing_poll_seconds} seconds.")
        pending = backlog.pending
        left = left_by(backlog, ranges_at_work(context.instance, AT_WORK))
        requests = [request for _, request in requests_for(context.instance, left, policy)]
        if requests:
            return dg.SensorResult(run_requests=requests)
        if pending.exhausted:
            paths = ", ".join(item.file.path for item in pending.exhausted[:5])
            context.log.error(
                f"{len(pending.exhausted)} files crashed {settings.max_load_attempts} loads each and are no longer requested: {paths}. "
                "See the failed ingest_sales runs, then materialize their partitions by hand."
            )
        if backlog.without_reference_data:
            folders = ", ".join(load.folder for load in backlog.without_reference_data)
            return dg.SkipReason(
                f"Sales of {folders} wait until reference/business_units.csv names that folder and reference/products.csv is loaded."
            )
        if not pending.file_count and not backlog.unreported and not pending.waiting and backlog.is_all_reported:
            return dg.SensorResult(
                cursor=digest, skip_reason=dg.SkipReason(f"{len(listing)} files, all in the ledger.")
            )
        return dg.SkipReason(
            f"{pending.file_count} files are being loaded, {len(pending.waiting)} wait for their next attempt."
        )

    return look_into_landing_zone
