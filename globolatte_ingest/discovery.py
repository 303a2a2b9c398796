"""Which files of the landing zone are not in the ledger: the one query "listed minus recorded", and the decisions based on it.

Sensors run the query for the files that they list, a run for the dates that it loads, and the load again within its transaction. This
module also decides where the reconciliation lists next, and which crashed loads are due. All but the query are pure functions.
"""

import datetime as dt
import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa

from globolatte_ingest.ledger import Attempts, CrashedLoad, Ledger, RequestedStep, Step
from globolatte_ingest.ledger_statements import IS_VERSION
from globolatte_ingest.paths import USUAL_LAYOUT, MisplacedFile, PathRules, SalesFile, SalesLayout, needs_a_place
from globolatte_ingest.reading.landed_bytes import HashedBlocks
from globolatte_ingest.reasons import ReasonCode
from resources.landing.landing_zone import (
    REFERENCE_PREFIX,
    SALES_PREFIX,
    LandedFile,
    LandingZone,
    Level,
    SupersededError,
)
from resources.warehouse.warehouse import Transaction, Warehouse

# Listed minus recorded ----------------------------------------------------------------------------------------------------

UNRECORDED = f"""
with latest as (
    select
        path, max(sequence) as sequence, max_by(etag, sequence) as etag, max_by(sha256, sequence) as sha256,
        max_by(size_bytes, sequence) as size_bytes, max_by(coalesce(reason_code, ''), sequence) as reason_code
    from sales_data.load_ledger
    where path in (select path from listed) and {IS_VERSION} = 1
    group by path
),

misplaced as (
    select path, max(sequence) as sequence, max_by(etag, sequence) as etag, max_by(size_bytes, sequence) as size_bytes
    from sales_data.load_ledger
    where path in (select path from listed) and reason_code = '{ReasonCode.MISPLACED}'
    group by path
)

select
    listed.place,
    coalesce(
        misplaced.sequence >= coalesce(latest.sequence, 0)
        and (misplaced.etag = listed.etag or misplaced.size_bytes = listed.size_bytes),
        false
    ) as was_misplaced,
    case when latest.etag <> listed.etag and latest.size_bytes = listed.size_bytes then latest.sha256 else '' end as sha256
from listed
left join latest on listed.path = latest.path
left join misplaced on listed.path = misplaced.path
left join sales_data.known_etags as known
    on listed.path = known.path and listed.etag = known.etag and latest.sha256 = known.sha256
where latest.path is null or (latest.etag <> listed.etag and known.path is null)
    or latest.reason_code = '{ReasonCode.MISPLACED}'
order by listed.place
"""


class Unrecorded(NamedTuple):
    """A listed file version that was not read yet. `was_misplaced`: the ledger has it as refused only because of its path.

    `sha256` is the content that the ledger has of a file of this path and size: if the file still holds that, it is no news.
    """

    file: LandedFile
    was_misplaced: bool = False
    sha256: str = ""


def unrecorded(
    transaction: Transaction, listing: Sequence[LandedFile], again: Collection[tuple[str, str]] = ()
) -> list[Unrecorded]:
    """The listed files whose latest version in the ledger is another one, does not exist, or was refused only because of its path.

    Computed in the warehouse, since listings are long and few files are new. `again` are versions (path, etag) to load again even if
    the ledger has them.
    """
    listed = {
        "place": pa.array(range(len(listing)), pa.int64()),
        "path": pa.array([path for path, _, _ in listing], pa.string()),
        "etag": pa.array([etag for _, etag, _ in listing], pa.string()),
        "size_bytes": pa.array([size for _, _, size in listing], pa.int64()),
    }
    transaction.stage("listed", pa.table(listed))
    found = transaction.fetch(UNRECORDED).to_pylist()
    news = {row["place"]: Unrecorded(listing[row["place"]], row["was_misplaced"], row["sha256"] or "") for row in found}
    if again:
        news |= {place: Unrecorded(file) for place, file in enumerate(listing) if (file.path, file.etag) in again}
    return [news[place] for place in sorted(news)]


HASHED_AT_ONCE = 8
MOST_HASHED_BYTES = 64 * 1024 * 1024
"""How much of the files that may hold what the ledger has is read in a sensor's tick; the run that is requested reads the others."""


def without_known_content(
    warehouse: Warehouse,
    landing: LandingZone,
    news: Sequence[Unrecorded],
    now: dt.datetime,
    at_most_bytes: float = MOST_HASHED_BYTES,
) -> list[Unrecorded]:
    """The news without files that hold what the ledger has of their path, whatever their etag says: a copied or restored landing zone,
    an upload of the same bytes. Their etags are noted as known, so that they are read once. `now` is UTC without offset.
    """
    asked, size = [], 0
    for item in news:
        if item.sha256 and size + item.file.size <= at_most_bytes:
            asked.append(item)
            size += item.file.size
    if not asked:
        return list(news)
    with ThreadPoolExecutor(HASHED_AT_ONCE) as readers:
        hashes = readers.map(lambda item: _sha256_of(landing, item.file), asked)
        known = [item for item, sha256 in zip(asked, hashes, strict=True) if sha256 == item.sha256]
    if known:
        with warehouse.transaction() as transaction:
            Ledger(transaction).note_known([(item.file, item.sha256) for item in known], now)
    no_news = set(known)
    return [item for item in news if item not in no_news]


def _sha256_of(landing: LandingZone, file: LandedFile) -> str | None:
    """The hash of a file's content; none if it cannot be read now."""
    try:
        with landing.open(file) as stream:
            blocks = HashedBlocks(stream)
            for _ in blocks:
                pass
    except (SupersededError, OSError):
        return None
    return blocks.sha256


def placed(news: Iterable[Unrecorded], rules: PathRules) -> list[SalesFile | MisplacedFile]:
    """The unit and date of each file, or why there is none. Files that the ledger has as misplaced, and still are, are left out."""
    found = [(item, rules.place(item.file)) for item in news if needs_a_place(item.file)]
    return [place for item, place in found if isinstance(place, SalesFile) or not item.was_misplaced]


def loadable_folders(transaction: Transaction) -> frozenset[str]:
    """The landing folders whose sales can be loaded: their unit is in the reference data, and so are products."""
    found = transaction.fetch(
        "select folder from sales_data.business_units where exists (select 1 from sales_data.products)"
    )
    return frozenset(found["folder"].to_pylist())


def last_dates(transaction: Transaction, today: Callable[[str], dt.date]) -> dict[str, dt.date]:
    """Today's date by each unit's own clock, by landing folder. `today` gives the date in a time zone."""
    found = transaction.fetch("select folder, time_zone from sales_data.business_units").to_pydict()
    return {folder: today(zone) for folder, zone in zip(found["folder"], found["time_zone"], strict=True)}


# What to request ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoadRange:
    """A backlog of one business unit as one range of dates: from the first through the last date with a file to load.

    `files` are exactly the new or changed ones; `digest` names that set.
    """

    folder: str
    first: dt.date
    last: dt.date
    files: tuple[SalesFile, ...] = ()
    is_undated: bool = False
    """Whether it is about files whose path tells no date: the range is the home partition's, whatever the dates of their rows."""

    @property
    def digest(self) -> str:
        """A name for this set of file versions."""
        return listing_digest((item.file for item in self.files), f"{self.folder} {self.first} {self.last}")

    def covers(self, folder: str, first: dt.date, last: dt.date) -> bool:
        """Whether all of these dates of the unit are in the range."""
        return self.folder == folder and self.first <= first and last <= self.last


def listing_digest(listing: Iterable[LandedFile], of_none: str = "") -> str:
    """A name for a state of the landing zone, or for a set of file versions. The name of an empty set is made of `of_none`."""
    content = "\n".join([f"{path} {etag}" for path, etag, _ in listing]) or of_none
    return hashlib.sha256(content.encode()).hexdigest()[:16]


class Turn(Enum):
    """The retry state of a file version or a batch."""

    DUE = "may be asked for"
    RUNNING = "a run is at it"
    WAITING = "failed, and waits for its next attempt"
    GIVEN_UP = "failed too often"


@dataclass(frozen=True)
class RetryPolicy:
    """When a load that crashed is requested again."""

    max_attempts: int
    base_seconds: float

    def turn(self, attempts: Attempts | None, now: dt.datetime) -> Turn:
        """The retry state after these failed attempts; the wait doubles with each attempt. `now` is UTC without offset."""
        if attempts is None:
            return Turn.DUE
        if attempts.count >= self.max_attempts:
            return Turn.GIVEN_UP
        wait = dt.timedelta(seconds=self.base_seconds * 2 ** (attempts.count - 1))
        return Turn.DUE if now >= attempts.last_started_at + wait else Turn.WAITING


@dataclass(frozen=True)
class Pending:
    """Everything in the landing zone that is not yet in the ledger."""

    ranges: tuple[LoadRange, ...] = ()
    misplaced: tuple[MisplacedFile, ...] = ()
    reference: tuple[LandedFile, ...] = ()
    waiting: tuple[SalesFile, ...] = ()
    exhausted: tuple[SalesFile, ...] = ()

    @property
    def file_count(self) -> int:
        """The number of files that can be loaded or recorded now."""
        return sum(len(load.files) for load in self.ranges) + len(self.misplaced) + len(self.reference)


def find_pending(
    news: Sequence[Unrecorded],
    crashed: Iterable[CrashedLoad],
    rules: PathRules,
    policy: RetryPolicy,
    now: dt.datetime,
) -> Pending:
    """Decides which of the unrecorded files to load. `now` is UTC without offset."""
    attempts = {(item.path, item.etag): item.attempts for item in crashed}
    places = placed(news, rules)
    by_turn: dict[Turn, list[SalesFile]] = defaultdict(list)
    for item in places:
        if isinstance(item, SalesFile):
            by_turn[policy.turn(attempts.get((item.file.path, item.file.etag)), now)].append(item)
    return Pending(
        ranges=coalesce(by_turn[Turn.DUE]),
        misplaced=tuple(item for item in places if isinstance(item, MisplacedFile)),
        reference=tuple(item.file for item in news if not needs_a_place(item.file)),
        waiting=tuple(by_turn[Turn.WAITING]),
        exhausted=tuple(by_turn[Turn.GIVEN_UP]),
    )


def coalesce(files: Iterable[SalesFile]) -> tuple[LoadRange, ...]:
    """One range per business unit, whatever the size of its backlog; one more for its files whose path tells no date."""
    ordered = sorted(files, key=lambda item: (item.folder, not item.tells_date, item.date, item.file.path))
    ranges = []
    for (folder, tells_date), group in groupby(ordered, key=lambda item: (item.folder, item.tells_date)):
        members = tuple(group)
        ranges.append(LoadRange(folder, members[0].date, members[-1].date, members, is_undated=not tells_date))
    return tuple(ranges)


# What a run has to do -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """What is to be done for one unit's dates: files to load, and the steps that people requested. `there` is every listed version."""

    folder: str
    files: list[SalesFile]
    there: set[tuple[str, str]]
    steps: list[RequestedStep]

    @property
    def span(self) -> tuple[dt.date, dt.date] | None:
        """The first and the last date for which something is done."""
        dates = [*(item.date for item in self.files), *(step.business_date for step in self.steps)]
        return (min(dates), max(dates)) if dates else None

    @property
    def overtaken(self) -> list[RequestedStep]:
        """Steps about a version that is not in the landing zone any more."""
        return [step for step in self.steps if step.step != Step.RETRACT and (step.path, step.etag) not in self.there]


def wanted_dates(partition_keys: Iterable[str]) -> dict[str, set[dt.date]]:
    """The dates that a run is to load, by landing folder."""
    dates: dict[str, set[dt.date]] = defaultdict(set)
    for key in partition_keys:
        folder, _, date = key.partition("|")
        dates[folder].add(dt.date.fromisoformat(date))
    return dict(dates)


def prefixes(
    folder: str, dates: Iterable[dt.date], layout: SalesLayout = USUAL_LAYOUT, paths: Iterable[str] | None = None
) -> list[str]:
    """The landing prefixes to list, as few as sensible: a month's prefix where several of its days are wanted, else the day's.

    Where the paths of a pattern do not tell the date, or not before a part that differs, they are `paths`; without any, all of them.
    """
    by_month: dict[str, set[dt.date]] = defaultdict(set)
    for date in dates:
        by_month[f"{date:%Y/%m}"].add(date)
    found: list[str] = []
    for pattern in layout.patterns:
        if not pattern.tells_unit and folder != layout.home_folder:
            continue
        if pattern.is_listed_by_date:
            for _, days in sorted(by_month.items()):
                is_whole_month = len(days) > 1 and pattern.is_listed_by_month
                listed = [min(days)] if is_whole_month else sorted(days)
                found += [pattern.prefix(folder, day, whole_month=is_whole_month) for day in listed]
        elif pattern.tells_date or layout.home_date in dates:
            found += [pattern.prefix(folder)] if paths is None else [path for path in paths if pattern.told(path)]
    return list(dict.fromkeys(found))


def steps_in(ledger: Ledger, layout: SalesLayout) -> list[RequestedStep]:
    """The outstanding steps, each under the partition that its path has now: where that tells no unit or date, it moves with the settings.

    A step about a path that belongs to no partition any more stays where it was requested.
    """
    placed = ((step, layout.partition(step.path)) for step in ledger.open_steps())
    return [replace(step, folder=to[0], business_date=to[1]) if to else step for step, to in placed]


def work_in(
    warehouse: Warehouse,
    landing: LandingZone,
    folder: str,
    dates: set[dt.date],
    rules: PathRules,
    now: dt.datetime | None = None,
    paths: Collection[str] | None = None,
) -> Work:
    """Compares the landing zone with the ledger, and with what people requested. `now` (UTC without offset): when this is.

    `paths` are the files to look at among those that cannot be listed by their date; without any, all of them.
    """

    def requested(transaction: Transaction) -> list[RequestedStep]:
        outstanding = steps_in(Ledger(transaction), rules.layout)
        return [step for step in outstanding if step.folder == folder and step.business_date in dates]

    if paths is not None:
        with warehouse.transaction() as transaction:
            paths = sorted({*paths, *(step.path for step in requested(transaction))})
    where = prefixes(folder, dates, rules.layout, paths)
    by_name = {*(paths or ())}
    listing = sorted(
        {file for prefix in where for file in landing.files(prefix) if prefix not in by_name or file.path == prefix}
    )
    with warehouse.transaction() as transaction:
        ledger, steps = Ledger(transaction), requested(transaction)
        news = unrecorded(transaction, listing, ledger.reloads_among(steps))
    moment = now or dt.datetime.now(dt.UTC).replace(tzinfo=None)
    left = without_known_content(warehouse, landing, news, moment, math.inf)
    if steps and len(left) < len(news):  # a step may be about one that was just known again
        with warehouse.transaction() as transaction:
            left = unrecorded(transaction, listing, Ledger(transaction).reloads_among(steps))
    with warehouse.transaction() as transaction:
        there = {(file.path, file.etag) for file in listing}
        there |= Ledger(transaction).known_as(steps, there)
    places = (item for item in placed(left, rules) if isinstance(item, SalesFile))
    files = [item for item in places if item.folder == folder and item.date in dates]
    return Work(folder, files, there, steps)


# Crashed loads ------------------------------------------------------------------------------------------------------------

LOOKED_BACK = dt.timedelta(days=30)
"""Older attempts are ignored: an alert has reported their files, and the rotation still lists their month."""


def recent_crashes(transaction: Transaction, now: dt.datetime) -> list[CrashedLoad]:
    """The crashed loads of the last `LOOKED_BACK` whose file was not replaced since, the longest untried first."""
    return [item for item in Ledger(transaction).crashed_loads(now - LOOKED_BACK) if not item.is_replaced]


def places_to_try_again(
    crashed: Iterable[CrashedLoad],
    policy: RetryPolicy,
    now: dt.datetime,
    at_most: int,
    layout: SalesLayout = USUAL_LAYOUT,
) -> list[str]:
    """The prefixes to list for the crashed loads that are due: the folders they lie in, which in the usual layout are a day's."""
    paths = (item.path for item in crashed if policy.turn(item.attempts, now) is Turn.DUE)
    due = (path.rpartition("/")[0] + "/" if layout.is_usual else path for path in paths)
    return list(dict.fromkeys(due))[:at_most]


def given_up(crashed: Iterable[CrashedLoad], policy: RetryPolicy) -> list[CrashedLoad]:
    """The crashed loads that are no longer requested."""
    return [item for item in crashed if item.attempts.count >= policy.max_attempts]


# Where the reconciliation looks -------------------------------------------------------------------------------------------

YEAR, MONTH = re.compile(r"\d{4}/", re.ASCII), re.compile(r"(0[1-9]|1[0-2])/", re.ASCII)


@dataclass(frozen=True)
class Look:
    """What one tick lists: whole prefixes, single levels, and the older month whose turn it is (`2022-03`; none if there is none).

    Under other paths than the usual ones there is no older month: everything is listed in pages, one at each tick (`is_paged`), and of
    each of `tails`, which cannot be listed by date, what comes after the name seen last.
    """

    prefixes: tuple[str, ...]
    levels: tuple[str, ...]
    month: str | None
    tails: tuple[str, ...] = ()
    is_paged: bool = False


def months_before(first: dt.date, day: dt.date) -> list[str]:
    """The months that have a date from `first` to before `day`, the latest first."""
    if day <= first:
        return []
    last = day - dt.timedelta(days=1)
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in reversed(numbers)]


def next_look(
    folders: Sequence[str],
    first_business_date: dt.date,
    today: dt.date,
    window_days: int,
    last_month: str | None,
    layout: SalesLayout = USUAL_LAYOUT,
) -> Look:
    """What the next tick lists, after the one whose month was `last_month`.

    Always: the reference data, and each unit's last `window_days` business dates. In turn: one older month of every unit, from the
    latest to the earliest, then from the start. Also the levels at which misplaced files can be seen without listing everything.
    """
    start = max(first_business_date, today - dt.timedelta(days=window_days - 1))
    days = [start + dt.timedelta(days=number) for number in range((today - start).days + 1)]
    if not layout.is_usual:
        by_date = replace(layout, patterns=tuple(one for one in layout.patterns if one.is_listed_by_date))
        recent = [prefix for folder in folders for day in days for prefix in prefixes(folder, [day], by_date)]
        tails = [
            pattern.prefix(folder) for pattern in layout.patterns if not pattern.is_listed_by_date for folder in folders
        ]
        return Look((REFERENCE_PREFIX, *dict.fromkeys(recent)), (), None, tuple(dict.fromkeys(tails)), is_paged=True)
    older = months_before(first_business_date, start)
    left = [month for month in older if last_month is None or month < last_month]
    month = next(iter(left or older), None)
    listed = [REFERENCE_PREFIX]
    apart = [day for day in days if f"{day:%Y-%m}" != month]  # the month's own listing has the others
    listed += [f"{SALES_PREFIX}{folder}/{day:%Y/%m/%d}/" for folder in folders for day in apart]
    levels = ["", SALES_PREFIX, *(f"{SALES_PREFIX}{folder}/" for folder in folders)]
    if month is not None:
        listed += [f"{SALES_PREFIX}{folder}/{month.replace('-', '/')}/" for folder in folders]
        levels += [f"{SALES_PREFIX}{folder}/{month[:4]}/" for folder in folders]
    return Look(tuple(listed), tuple(levels), month)


def stray_folders(prefix: str, level: Level, folders: Iterable[str]) -> list[str]:
    """The folders of a level in which every file is misplaced: their name is none of ours, no unit's folder, no year, or no month."""
    depth = prefix.count("/")
    known = {f"{folder}/" for folder in folders}

    def is_in_place(name: str) -> bool:
        if depth == 0:
            return name in (SALES_PREFIX, REFERENCE_PREFIX)
        if depth == 1:
            return name in known
        return (YEAR if depth == 2 else MONTH).fullmatch(name) is not None

    return [folder for folder in level.folders if not is_in_place(folder.removeprefix(prefix))]
