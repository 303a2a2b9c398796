"""The sensors of a container: the blob event sensor receives events of written blobs, the reconciliation sensor lists blobs.

The event sensor turns Event Grid's messages about the landing container into runs that load the written blobs. A message is deleted only
when the run that loads its file exists. Dagster writes a tick's requests and its cursor together, after the tick; so if the process dies
before that, whatever the tick itself did is lost or done twice. The cursor names the messages that the last tick handed out. The next tick
deletes those whose run exists; the queue delivers all others again by itself.

The reconciliation finds the blobs whose event was lost and requests failed loads again, with bounded listings.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import dagster as dg

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES, AssetJob, job_named
from globolatte_ingest.blob_events import UnreadableEventError, blob_written
from globolatte_ingest.discovery import (
    Look,
    RetryPolicy,
    Turn,
    next_look,
    places_to_try_again,
    recent_crashes,
    stray_folders,
)
from globolatte_ingest.kill_points import point
from globolatte_ingest.paths import layout_of
from resources.clock import Clock
from resources.environment import warehouse_with_short_timeout
from resources.landing.event_queue import EventQueue, Message
from resources.landing.landing_zone import LandedFile, LandingZone
from resources.settings.settings import Settings
from resources.warehouse.warehouse import WarehouseBusyError
from sensors.landing import (
    AT_WORK,
    RANGE_END,
    RANGE_START,
    WAITING,
    Backlog,
    Batch,
    batches_of,
    failed_batches,
    is_running,
    left_by,
    look,
    range_of,
    ranges_at_work,
    requests_for,
    retry_policy,
    run_request,
    runs_of,
    turn_of,
)

# Events ---------------------------------------------------------------------------------------------------------------

MOST_MESSAGES_OF_ONE_TICK = 1024
LONGEST_RECEIVING_SECONDS = 15.0
"""A tick has a minute in all."""
MOST_TRIES = 5
"""A message that was received this many times without a run that loads its file goes to the poison queue."""

RUN_KEY_TAG = "dagster/run_key"


HandedOut = dict[str, list[Message]]
"""The messages that a tick turned into run requests, by run key: what its cursor holds."""


def as_cursor(handed_out: HandedOut) -> str:
    """The cursor for the next tick."""
    return json.dumps({key: [[one.id, one.receipt] for one in held] for key, held in handed_out.items()})


def from_cursor(cursor: str | None) -> HandedOut:
    """Reads what `as_cursor` wrote; without a cursor, nothing was handed out."""
    found: dict[str, list[tuple[str, str]]] = json.loads(cursor) if cursor else {}
    return {key: [Message(name, receipt) for name, receipt in pairs] for key, pairs in found.items()}


@dataclass
class Mailing:
    """What a tick does with its messages."""

    requests: list[dg.RunRequest] = field(default_factory=list)
    handed_out: HandedOut = field(default_factory=dict)
    done: list[Message] = field(default_factory=list)
    """Messages that can be deleted: irrelevant, already in the ledger, or loaded by a run that exists."""
    stuck: list[tuple[Message, str]] = field(default_factory=list)
    """Messages that are unreadable or that no run can take now, with the reason."""


def sorted_mail(messages: Iterable[Message], container: str) -> tuple[dict[LandedFile, list[Message]], Mailing]:
    """Reads messages: returns those of each file, and the others. Messages about other containers or other events are irrelevant."""
    by_file: dict[LandedFile, list[Message]] = defaultdict(list)
    others = Mailing()
    for message in messages:
        try:
            written = blob_written(message.text)
        except UnreadableEventError as fault:
            others.stuck.append((message, str(fault)))
            continue
        if written is None or written[0] != container:
            others.done.append(message)
        else:
            by_file[written[1]].append(message)
    return by_file, others


def acknowledge(instance: dg.DagsterInstance, events: EventQueue, handed_out: HandedOut) -> int:
    """Deletes the messages whose run exists; returns how many."""
    done = [
        message
        for key, messages in handed_out.items()
        if instance.get_runs_count(dg.RunsFilter(tags={RUN_KEY_TAG: key}))
        for message in messages
    ]
    events.delete(done)
    return len(done)


def hand_out(
    instance: dg.DagsterInstance,
    by_file: Mapping[LandedFile, list[Message]],
    backlog: Backlog,
    policy: RetryPolicy,
    result: Mailing,
) -> None:
    """Turns the messages about files into run requests, one per business unit whatever the size of the backlog."""
    left = dict(by_file)

    def taken(files: Iterable[LandedFile]) -> list[Message]:
        return [message for file in files for message in left.pop(file, [])]

    left_over = left_by(backlog, ranges_at_work(instance, WAITING, requested_by_sensors=True))
    for batch, request in requests_for(instance, left_over, policy):
        result.requests.append(request)
        result.handed_out[str(request.run_key)] = taken(batch.files)
    for batch in batches_of(left_over):
        turn = turn_of(runs_of(instance, batch), policy)
        if turn is Turn.RUNNING:
            result.done += taken(batch.files)
        else:
            result.stuck += [(message, f"its load {turn.value}") for message in taken(batch.files)]
    for file, reason in _waiting(backlog).items():
        result.stuck += [(message, reason) for message in taken([file])]
    result.done += taken(list(left))  # the ledger has this very version, the path is none that is ever loaded, or a run
    # that exists and has not looked yet will find the file


def _waiting(backlog: Backlog) -> dict[LandedFile, str]:
    """Files that no run can load now, and why."""
    crashed = [item.file for item in (*backlog.pending.waiting, *backlog.pending.exhausted)]
    unknown = [item.file for load in backlog.without_reference_data for item in load.files]
    return {
        **dict.fromkeys(crashed, "its load crashed; the reconciliation sensor requests it again"),
        **dict.fromkeys(
            unknown, "reference/business_units.csv has no unit with that folder, or reference/products.csv is missing"
        ),
    }


def blob_event_sensor(settings: Settings, jobs: Sequence[AssetJob]) -> dg.SensorDefinition:
    """Builds the sensor."""

    @dg.sensor(
        name="blob_event_sensor",
        jobs=[job_named(jobs, name) for name in (LOAD_REFERENCE_DATA, INGEST_SALES, RECORD_MISPLACED_FILES)],
        minimum_interval_seconds=settings.landing_poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the load of every blob that Event Grid reports, a backlog as one range per business unit. A message "
        "is deleted when its run exists; one that cannot be handled goes to the poison queue after five tries.",
    )
    def take_blob_events(
        context: dg.SensorEvaluationContext, events: dg.ResourceParam[EventQueue], clock: Clock
    ) -> dg.SensorResult:
        acknowledged = acknowledge(context.instance, events, from_cursor(context.cursor))
        point("acknowledging: done, cursor not written")
        report = f"{acknowledged} messages acknowledged"

        def nothing(why: str) -> dg.SensorResult:
            return dg.SensorResult(cursor=as_cursor({}), skip_reason=dg.SkipReason(f"{report}; {why}"))

        if is_running(context.instance, LOAD_REFERENCE_DATA):
            return nothing("reference data is being loaded; sales wait for it")
        warehouse = warehouse_with_short_timeout(settings)
        try:
            with warehouse.keep_open():
                point("event tick: before receiving")
                messages = events.receive(MOST_MESSAGES_OF_ONE_TICK, LONGEST_RECEIVING_SECONDS)
                point("event tick: received")
                by_file, mailing = sorted_mail(messages, settings.blob_container)
                policy = retry_policy(settings)
                backlog = look(context.instance, settings, by_file, warehouse, clock, policy, is_partial=True)
        except WarehouseBusyError as busy:
            return nothing(str(busy))
        hand_out(context.instance, by_file, backlog, policy, mailing)
        point("event tick: requests made")
        events.delete(mailing.done)
        poison = [(message, reason) for message, reason in mailing.stuck if message.tries >= MOST_TRIES]
        for message, reason in poison:
            context.log.error(f"message {message.id} goes to the poison queue after {message.tries} tries: {reason}")
            events.poison(message, reason)
        report += (
            f"; {len(messages)} received: {sum(map(len, mailing.handed_out.values()))} handed out, "
            f"{len(mailing.done)} with nothing to do, {len(mailing.stuck)} stuck, {len(poison)} poisoned"
        )
        return dg.SensorResult(
            run_requests=mailing.requests,
            cursor=as_cursor(mailing.handed_out),
            skip_reason=None if mailing.requests else dg.SkipReason(report),
        )

    return take_blob_events


# The reconciliation --------------------------------------------------------------------------------------------------

LISTINGS_AT_ONCE = 8
MOST_STRAY_LEVELS = 20
"""Levels of misplaced folders that one tick lists; of each level at most `MOST_OF_A_LEVEL` entries."""
MOST_PLACES_TO_TRY_AGAIN = 20
FAILED_RUNS_LOOKED_AT = 50


def listing_of_look(landing: LandingZone, where: Look, more: Sequence[str], folders: Sequence[str]) -> list[LandedFile]:
    """The files of a look and of `more` prefixes; of misplaced folders as many as the bounds allow."""
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


@dataclass(frozen=True)
class Seen:
    """What the cursor of the reconciliation says: the older month listed last, or where the next page of each prefix begins."""

    month: str | None = None
    pages: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "Seen":
        """Reads what `as_cursor` wrote."""
        return cls(pages=json.loads(cursor)) if cursor and cursor.startswith("{") else cls(cursor)

    def as_cursor(self, where: Look) -> str | None:
        """The cursor after a look at these places."""
        return json.dumps(self.pages) if where.is_paged else where.month


def listed_pages(landing: LandingZone, where: Look, seen: Seen) -> tuple[list[LandedFile], Seen]:
    """The pages whose turn it is, and what to look at next: of everything the next page, from the start after the last one; of each tail
    the next page until the last one, and then that one again, with whatever came after it.
    """
    files: list[LandedFile] = []
    following: dict[str, str | None] = {}
    for prefix in ("", *where.tails) if where.is_paged else ():
        begins = seen.pages.get(prefix)
        page = landing.page(prefix, begins)
        files += page.files
        following[prefix] = page.next or (begins if prefix else None)
    return files, Seen(where.month, following)


def failed_ranges(instance: dg.DagsterInstance, policy: RetryPolicy) -> Iterator[tuple[Batch, dg.RunRequest]]:
    """Ranges whose latest run failed and that are due again, including runs that died before they recorded an attempt in the ledger."""
    for (_, name), run in failed_batches(instance, FAILED_RUNS_LOOKED_AT, INGEST_SALES).items():
        if not {RANGE_START, RANGE_END} <= set(run.tags):
            continue
        ends = {end: run.tags[end] for end in (RANGE_START, RANGE_END)}
        batch = Batch(INGEST_SALES, name, (), ends, run.run_config)
        runs = runs_of(instance, batch)
        latest_failed = runs[0].dagster_run.is_finished and not runs[0].dagster_run.is_success
        if latest_failed and turn_of(runs, policy) is Turn.DUE:
            yield batch, run_request(batch, len(runs))


def reconciliation_sensor(settings: Settings, jobs: Sequence[AssetJob]) -> dg.SensorDefinition:
    """Builds the sensor. Its cursor names the older month that it listed last, or the pages that come next (`Seen`)."""

    @dg.sensor(
        name="reconciliation_sensor",
        jobs=[job_named(jobs, name) for name in (LOAD_REFERENCE_DATA, INGEST_SALES, RECORD_MISPLACED_FILES)],
        minimum_interval_seconds=settings.reconcile_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Compares the container with the ledger: the last days of every unit at each tick, one older month in turn. "
        "Requests the load of blobs without an event, and failed loads again.",
    )
    def reconcile(
        context: dg.SensorEvaluationContext, landing: dg.ResourceParam[LandingZone], clock: Clock
    ) -> dg.SensorResult | dg.SkipReason:
        instance, warehouse, policy = context.instance, warehouse_with_short_timeout(settings), retry_policy(settings)
        folders, today, now = sorted(settings.business_units), clock.today(), clock.timestamp()
        layout, seen = layout_of(settings), Seen.from_cursor(context.cursor)
        first, days = settings.first_business_date, settings.reconcile_days
        where = next_look(folders, first, today, days, seen.month, layout)
        try:
            with warehouse.transaction() as transaction:
                crashed = recent_crashes(transaction, now)
            again = places_to_try_again(crashed, policy, now, MOST_PLACES_TO_TRY_AGAIN, layout)
            listing = listing_of_look(landing, where, again, folders)  # while others may use the warehouse
            paged, seen = listed_pages(landing, where, seen)
            point("reconciliation: listed")
            backlog = look(instance, settings, sorted({*listing, *paged}), warehouse, clock, policy, is_partial=True)
        except WarehouseBusyError as busy:
            return dg.SkipReason(f"{busy}. Looking again in {settings.reconcile_seconds} seconds.")
        new = {batch.name: request for batch, request in requests_for(instance, backlog, policy)}
        point("reconciliation: requests made")
        failed = {batch.name: request for batch, request in failed_ranges(instance, policy)}
        occupied = {load.folder for load in ranges_at_work(instance, AT_WORK)}  # what a run leaves is found later
        requests = [
            request
            for request in {**failed, **new}.values()
            if (load := range_of(request.tags)) is None or load.folder not in occupied
        ]
        found = f"{backlog.pending.file_count} files not in the ledger"
        return dg.SensorResult(
            run_requests=requests,
            cursor=seen.as_cursor(where),
            skip_reason=None if requests else dg.SkipReason(f"Older month: {where.month or 'none'}. {found}."),
        )

    return reconcile
