"""What the landing zone and the ledger leave to be done: one look, shared by the landing sensor and `globolatte run`."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import dagster as dg

from globolatte_assets.raw.reference_data import REFERENCE_ASSETS
from globolatte_assets.raw.sales_transactions import DATA_VERSION_TAG, units_by_folder
from globolatte_ingest.ledger import (
    Announcement,
    known_files_among,
    loaded_references,
    open_attempts,
    settle,
    unsettled_announcements,
)
from globolatte_ingest.off_the_record import off_the_record
from globolatte_ingest.paths import PathRules
from globolatte_ingest.pending import LoadRange, Pending, RetryPolicy, find_pending
from globolatte_ingest.steps import open_steps
from resources.clock import Clock
from resources.landing.landing_zone import LandedFile, LandingZone
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Warehouse
from sensors.run_health import ACTIVE


@dataclass(frozen=True)
class Backlog:
    """What is to be done: `pending` files; and `unreported` ranges: rows that are loaded but whose run never told Dagster, and
    dates for which a person asked for a step (`raw.steps`) that is not done.
    """

    pending: Pending
    unreported: tuple[LoadRange, ...] = ()
    ready_folders: frozenset[str] = frozenset()
    """Landing folders whose sales can be judged: their unit is in the reference data, and so are products."""
    is_settled: bool = True
    """Whether no run still owes Dagster the materializations of rows that it committed."""
    is_partial: bool = False
    """Whether only a part of the landing zone was looked at."""

    @property
    def loads(self) -> tuple[LoadRange, ...]:
        """The ranges to ingest: one per business unit, wide enough for new files and for unreported ones."""
        ranges: dict[str, LoadRange] = {}
        for load in (*self.pending.ranges, *self.unreported):
            other = ranges.get(load.folder)
            ranges[load.folder] = load if other is None else _joined(other, load)
        return tuple(ranges[folder] for folder in sorted(ranges))

    @property
    def without_reference_data(self) -> tuple[LoadRange, ...]:
        """Those of the ranges that cannot be judged yet."""
        return tuple(load for load in self.loads if load.folder not in self.ready_folders)


def _joined(one: LoadRange, other: LoadRange) -> LoadRange:
    return LoadRange(
        one.folder,
        min(one.first, other.first),
        max(one.last, other.last),
        tuple(sorted({*one.files, *other.files}, key=str)),
    )


def path_rules(settings: Settings, clock: Clock) -> PathRules:
    """What makes a sales path belong to a partition of this deployment."""
    return PathRules(sorted(settings.business_units), settings.first_business_date, clock.today())


ASKED_BY_A_PERSON = RetryPolicy(max_attempts=sys.maxsize, base_seconds=0.0)
"""Whoever runs a pass by hand wants everything tried now, however often it crashed before."""


def retry_policy(settings: Settings) -> RetryPolicy:
    """When a crashed load is asked for again in this deployment."""
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
    with warehouse.kept_open():
        with warehouse.transaction() as transaction:
            news = off_the_record(transaction, listing)
            known = known_files_among(transaction, (file.path for file in news))
            attempts = open_attempts(transaction)
            announced = unsettled_announcements(transaction)
            succeeded, lost = _sort_announcements(instance, announced)
            settle(transaction, succeeded, now)
            references = loaded_references(transaction)
            asked = open_steps(transaction)
        ready_folders = _ready_folders(warehouse)
    pending = find_pending(news, known, attempts, path_rules(settings, clock), policy, now)
    pending = replace(pending, reference=tuple(sorted({*pending.reference, *_untold(instance, listing, references)})))
    unreported = (
        *(LoadRange(item.folder, item.first, item.last) for item in lost),
        *(LoadRange(step.folder, step.date, step.date) for step in asked),
    )
    is_settled = len(succeeded) == len(announced)
    return Backlog(pending, unreported, ready_folders, is_settled, is_partial)


def _untold(
    instance: dg.DagsterInstance, listing: Iterable[LandedFile], references: Mapping[str, str]
) -> Iterator[LandedFile]:
    """Reference files that are loaded, of which Dagster was not told: the run died between the commit and the event."""
    for file in listing:
        key = REFERENCE_ASSETS.get(file.path)
        if key is not None and file.path in references:
            event = instance.get_latest_materialization_event(key)
            told = event.asset_materialization.tags if event is not None and event.asset_materialization else {}
            if (told or {}).get(DATA_VERSION_TAG) != references[file.path][:16]:
                yield file


def _ready_folders(warehouse: Warehouse) -> frozenset[str]:
    try:
        return frozenset(units_by_folder(warehouse))
    except dg.Failure:  # no reference data yet
        return frozenset()


def _sort_announcements(
    instance: dg.DagsterInstance, announced: list[Announcement]
) -> tuple[list[str], list[Announcement]]:
    """The runs that kept their promise, and the promises that no living run will keep."""
    if not announced:
        return [], []
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=[item.run_id for item in announced]))}
    succeeded = [item.run_id for item in announced if item.run_id in runs and runs[item.run_id].is_success]
    lost = [
        item
        for item in announced
        if item.run_id not in succeeded and (item.run_id not in runs or runs[item.run_id].status not in ACTIVE)
    ]
    return succeeded, lost
