"""What the landing zone holds that the ledger does not know yet, and which loads to ask for. Pure decisions over a listing."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from globolatte_ingest.ledger import Attempts, KnownFile
from globolatte_ingest.paths import REFERENCE_PATHS, MisplacedFile, PathRules, SalesFile, needs_a_place
from resources.landing.landing_zone import LandedFile


@dataclass(frozen=True)
class LoadRange:
    """A backlog of one business unit as one range of dates: from the first through the last date with a file to load.

    `files` are exactly the new or changed ones; `digest` names that set.
    """

    folder: str
    first: dt.date
    last: dt.date
    files: tuple[SalesFile, ...] = ()

    @property
    def digest(self) -> str:
        """A name for this set of file versions."""
        content = (
            "\n".join(f"{f.file.path} {f.file.etag}" for f in self.files) or f"{self.folder} {self.first} {self.last}"
        )
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class RetryPolicy:
    """When a load that crashed is asked for again."""

    max_attempts: int
    base_seconds: float

    def is_due(self, attempts: Attempts | None, now: dt.datetime) -> bool:
        """Whether a file version may be loaded now; the wait doubles with each attempt. `now` is UTC without offset."""
        if attempts is None:
            return True
        if attempts.count >= self.max_attempts:
            return False
        return now >= attempts.last_started_at + dt.timedelta(seconds=self.base_seconds * 2 ** (attempts.count - 1))


@dataclass(frozen=True)
class Pending:
    """Everything in the landing zone that is not yet on the record."""

    ranges: tuple[LoadRange, ...] = ()
    misplaced: tuple[MisplacedFile, ...] = ()
    reference: tuple[LandedFile, ...] = ()
    waiting: tuple[SalesFile, ...] = ()
    exhausted: tuple[SalesFile, ...] = field(default=())

    @property
    def file_count(self) -> int:
        """Files that can be taken up now."""
        return sum(len(load.files) for load in self.ranges) + len(self.misplaced) + len(self.reference)


def is_known(file: LandedFile, known: Mapping[str, KnownFile]) -> bool:
    """Whether exactly this version is on the record."""
    latest = known.get(file.path)
    return latest is not None and latest.etag == file.etag


def new_sales(
    files: Iterable[LandedFile], known: Mapping[str, KnownFile], rules: PathRules
) -> list[SalesFile | MisplacedFile]:
    """The sales files that are new or changed. A file once refused for its path counts as new when its path has become good."""
    found: list[SalesFile | MisplacedFile] = []
    for file in files:
        latest = known.get(file.path)
        same = latest is not None and latest.etag == file.etag
        if same and latest is not None and not latest.was_misplaced:
            continue
        placed = rules.place(file)
        if same and isinstance(placed, MisplacedFile):
            continue
        found.append(placed)
    return found


def find_pending(
    listing: Iterable[LandedFile],
    known: Mapping[str, KnownFile],
    attempts: Mapping[tuple[str, str], Attempts],
    rules: PathRules,
    policy: RetryPolicy,
    now: dt.datetime,
) -> Pending:
    """Decides what to load. `now` is UTC without offset."""
    files = list(listing)
    placed = new_sales((f for f in files if needs_a_place(f.path)), known, rules)
    sales = [item for item in placed if isinstance(item, SalesFile)]
    due, waiting, exhausted = [], [], []
    for item in sales:
        tried = attempts.get((item.file.path, item.file.etag))
        if policy.is_due(tried, now):
            due.append(item)
        elif tried is not None and tried.count >= policy.max_attempts:
            exhausted.append(item)
        else:
            waiting.append(item)
    return Pending(
        ranges=coalesce(due),
        misplaced=tuple(item for item in placed if isinstance(item, MisplacedFile)),
        reference=tuple(f for f in files if f.path in REFERENCE_PATHS and not is_known(f, known)),
        waiting=tuple(waiting),
        exhausted=tuple(exhausted),
    )


def coalesce(files: Sequence[SalesFile]) -> tuple[LoadRange, ...]:
    """One range per business unit, whatever the size of its backlog."""
    ordered = sorted(files, key=lambda item: (item.folder, item.date, item.file.path))
    ranges = []
    for folder, group in groupby(ordered, key=lambda item: item.folder):
        members = tuple(group)
        ranges.append(LoadRange(folder, members[0].date, members[-1].date, members))
    return tuple(ranges)
