"""What is to be done of one unit's dates, and doing it: files to load, and the steps that people asked for. Knows no Dagster."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from globolatte_ingest.ledger import Announcement, KnownFile, announce, known_files_under, open_attempts
from globolatte_ingest.loading import LoadContext, LoadReport, batches, load_batch
from globolatte_ingest.paths import PathRules, SalesFile
from globolatte_ingest.pending import new_sales
from globolatte_ingest.retraction import retract
from globolatte_ingest.steps import AskedStep, Step, open_steps, reloads_among, settle
from resources.landing.landing_zone import SALES_PREFIX, LandingZone
from resources.warehouse.warehouse import Warehouse


def wanted_dates(partition_keys: Iterable[str]) -> dict[str, set[dt.date]]:
    """The dates asked for, by landing folder."""
    dates: dict[str, set[dt.date]] = defaultdict(set)
    for key in partition_keys:
        folder, _, date = key.partition("|")
        dates[folder].add(dt.date.fromisoformat(date))
    return dict(dates)


def prefixes(folder: str, dates: Iterable[dt.date]) -> list[str]:
    """The fewest landing prefixes worth listing: a month's where several of its days are wanted, else the day's."""
    by_month: dict[str, set[dt.date]] = defaultdict(set)
    for date in dates:
        by_month[f"{date:%Y/%m}"].add(date)
    return [
        f"{SALES_PREFIX}{folder}/{month}/" if len(days) > 1 else f"{SALES_PREFIX}{folder}/{min(days):%Y/%m/%d}/"
        for month, days in sorted(by_month.items())
    ]


def pending_in(
    landing: LandingZone,
    known: Mapping[str, KnownFile],
    again: Collection[tuple[str, str]],
    prefixes: Sequence[str],
    rules: PathRules,
    dates: set[dt.date],
) -> tuple[list[SalesFile], set[tuple[str, str]]]:
    """The new or changed files of a unit's dates, with those to load again, in path order; and every version that is there."""
    listing = [file for prefix in prefixes for file in landing.files(prefix)]
    there = {(file.path, file.etag) for file in listing}
    unknown = {path: file for path, file in known.items() if (path, file.etag) not in again}
    placed = new_sales(listing, unknown, rules)
    return [item for item in placed if isinstance(item, SalesFile) and item.date in dates], there


@dataclass(frozen=True)
class Work:
    """What is to be done of one unit's dates: files to load, and what people asked for."""

    folder: str
    dates: set[dt.date]
    files: list[SalesFile]
    there: set[tuple[str, str]]
    steps: list[AskedStep]

    @property
    def announced(self) -> tuple[dt.date, dt.date] | None:
        """The first and the last date that something is done for."""
        dates = [*(item.date for item in self.files), *(step.date for step in self.steps)]
        return (min(dates), max(dates)) if dates else None

    @property
    def overtaken(self) -> list[AskedStep]:
        """Steps about a version that is not in the landing zone any more."""
        return [step for step in self.steps if step.step != Step.RETRACT and (step.path, step.etag) not in self.there]


def work_in(warehouse: Warehouse, landing: LandingZone, folder: str, dates: set[dt.date], rules: PathRules) -> Work:
    """Compares the landing zone with the ledger, and with what people asked for."""
    where = prefixes(folder, dates)
    with warehouse.transaction() as transaction:
        known = known_files_under(transaction, where[0] if len(dates) == 1 else f"{SALES_PREFIX}{folder}/")
        steps = [step for step in open_steps(transaction) if step.folder == folder and step.date in dates]
    files, there = pending_in(landing, known, reloads_among(steps), where, rules, dates)
    return Work(folder, dates, files, there, steps)


def do_work(
    warehouse: Warehouse,
    landing: LandingZone,
    work: Work,
    load_context: LoadContext,
    batch_bytes: int,
    tell: Callable[[LoadReport], None] = lambda _: None,
) -> LoadReport:
    """Does the steps that need no file, then loads; `tell` hears after each batch what was loaded so far.

    Killed at any point and called again with what is left, it ends in the same tables.
    """
    run_id, now = load_context.run_id, load_context.now
    with warehouse.transaction() as transaction:
        crashed = {path for path, _ in open_attempts(transaction)}
        if work.announced:  # before the first commit: a kill after it must not leave loads that nobody reports
            announce(transaction, Announcement(run_id, work.folder, *work.announced), now)
    if work.steps:
        with warehouse.transaction() as transaction:
            retract(transaction, [step for step in work.steps if step.step == Step.RETRACT], run_id, now)
            for step in work.overtaken:
                settle(transaction, step, "nothing done: the file was replaced or removed since", run_id, now)
    report = LoadReport()
    for batch in batches(work.files, batch_bytes, crashed):
        report += load_batch(warehouse, landing, batch, load_context)
        tell(report)
    return report
