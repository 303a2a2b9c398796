"""What waits for a person: files that are held, refused or misplaced, loads that crashed, steps not done, units that no file can reach.

One list for all who report it: the end of a pass, doctor, a check, the alerts. It looks at the whole ledger, not at the last load; an item
is settled when its file is corrected, approved, retracted, or gone from the landing zone.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from globolatte_ingest.discovery import recent_crashes
from globolatte_ingest.ledger import Ledger, LedgerStatus
from globolatte_ingest.ledger_statements import IS_VERSION, PARTS_HELD
from globolatte_ingest.paths import (
    BUSINESS_UNITS_PATH,
    USUAL_LAYOUT,
    MisplacedFile,
    PathRules,
    SalesLayout,
    is_reference,
)
from globolatte_ingest.reasons import ReasonCode
from resources.landing.landing_zone import SALES_PREFIX, LandedFile, LandingZone, NoFile
from resources.warehouse.warehouse import Transaction, Warehouse

MOST_FILES_LOOKED_FOR = 50
"""Of how many files it is asked whether they are still there, where listing everything takes minutes; the others count as there."""
LOOKS_AT_ONCE = 8

NOT_LOADED = "not loaded"
"""The name of the item about loads that were tried and ended in no entry."""

OF_THE_SYSTEM = (".DS_Store", "._", "Thumbs.db", "desktop.ini", ".nfs", ".localized")
"""How names begin that operating systems write by themselves: such files are in the ledger, and nobody has to do anything about them."""

WAITING_FILES = f"""
select
    path, etag, case when held.n > 0 then '{LedgerStatus.HELD}' else status end as status,
    coalesce(ledger.reason_code, held.reason_code, '') as code, reason, cast(recorded_at as date) as recorded
from sales_data.load_ledger as ledger
left join ({PARTS_HELD}) as held on ledger.load_id = held.load_id
qualify row_number() over (partition by path, {IS_VERSION} order by sequence desc) = 1
    and (ledger.status in ('{LedgerStatus.HELD}', '{LedgerStatus.REFUSED}') or held.n > 0)
order by recorded, path
"""


@dataclass(frozen=True)
class Waiting:
    """Something that waits for a person. `name` stays the same while it lasts; `text` says what, how many, and the remedy."""

    name: str
    text: str
    status: str = ""
    """The ledger's status of the files, if it is about files that are held or refused."""
    latest: dt.date | None = None
    """When the latest of these files was recorded: what comes on a later day is news, although more of the same waits already."""


@dataclass(frozen=True)
class WaitingFile:
    """A file whose latest version is held, as a whole or in part, or refused."""

    path: str
    etag: str
    status: str
    code: str
    reason: str
    recorded: dt.date
    layout: SalesLayout = USUAL_LAYOUT

    @property
    def is_sales(self) -> bool:
        """Whether its path is one of sales."""
        return self.layout.partition(self.path) is not None

    @property
    def date(self) -> dt.date | None:
        """The business date that its path names."""
        _, date = self.layout.told(self.path) or (None, None)
        return date if isinstance(date, dt.date) else None

    @property
    def folder(self) -> str:
        """The unit's landing folder, or the part of the landing zone that it lies in."""
        folder, date = self.layout.told(self.path) or (None, None)
        if folder is not None and not isinstance(date, str):
            return folder
        return "/".join(self.path.split("/")[:2][: self.path.count("/")]) or "the landing zone"


def what_waits(
    warehouse: Warehouse,
    landing: LandingZone,
    rules: PathRules,
    now: dt.datetime,
    *,
    listing: Iterable[LandedFile] | None = None,
    lists_whole: bool = False,
) -> list[Waiting]:
    """Everything that waits for a person. `now` is UTC without offset; `rules` has the folders that this deployment has partitions for.

    `listing` is all that is in the landing zone, if the caller has it; `lists_whole` says that listing it is cheap.
    """
    with warehouse.transaction() as transaction:
        files = waiting_files(transaction, rules.layout)
        units = _folders_of_units(transaction)
        crashed = recent_crashes(transaction, now)
        steps = Ledger(transaction).open_steps()
    if listing is None and lists_whole:
        listing = landing.files()
    there = {file.path: file.etag for file in listing} if listing is not None else None
    left = still_there(landing, [file.path for file in files], there)
    found = _files([file for file in files if file.path in left and not _is_a_file_again(file, there)], rules)
    if there is None and len(files) > MOST_FILES_LOOKED_FOR:
        found.append(
            Waiting(
                "not looked for",
                f"{_count(len(files) - MOST_FILES_LOOKED_FOR, 'held or refused file')}, recorded before the latest "
                f"{MOST_FILES_LOOKED_FOR}, not looked for in the landing zone: they count as there even if they were removed; settle "
                "the latest ones first",
            )
        )
    if units:
        found += _units(units, rules, landing, there)
    if crashed:
        found.append(
            Waiting(
                NOT_LOADED,
                f"{_count(len(crashed), 'file')} could not be read or loaded, such as {crashed[0].path} "
                f"({_count(crashed[0].attempts.count, 'try', 'tries')}); see the log of the failed ingest_sales runs, correct the cause "
                "(a file's permissions, the disk) and run again, or remove the file",
            )
        )
    if steps:
        found.append(
            Waiting(
                "steps",
                f"{_count(len(steps), 'requested step')} not done yet, such as {steps[0].step} of {steps[0].path}; "
                "`globolatte run` does it",
            )
        )
    return found


def waiting_files(transaction: Transaction, layout: SalesLayout = USUAL_LAYOUT) -> list[WaitingFile]:
    """The files whose latest version is held or refused, and what was no file, whether or not they are still there."""
    return [
        WaitingFile(**{**row, "reason": row["reason"] or "", "layout": layout})
        for row in transaction.fetch(WAITING_FILES).to_pylist()
    ]


def _is_a_file_again(entry: WaitingFile, there: Mapping[str, str] | None) -> bool:
    """Whether the path of something that was no file, or could not be looked into, has a file now; `there` are the etags, by path."""
    return there is not None and entry.etag in set(NoFile) and there.get(entry.path) not in set(NoFile)


def still_there(landing: LandingZone, paths: Sequence[str], there: Collection[str] | None) -> set[str]:
    """Those of the paths that are in the landing zone; `there` is all that is, if known."""
    if there is not None:
        return {path for path in paths if path in there}
    asked = paths[-MOST_FILES_LOOKED_FOR:]
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as looking:
        is_there = list(looking.map(lambda path: any(file.path == path for file in landing.files(path)), asked))
    gone = {path for path, found in zip(asked, is_there, strict=True) if not found}
    return set(paths) - gone


# In words ---------------------------------------------------------------------------------------------------------------


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _files(files: Sequence[WaitingFile], rules: PathRules) -> list[Waiting]:
    misplaced = [file for file in files if file.code == ReasonCode.MISPLACED]
    references = [file for file in files if is_reference(file.path) and file.code != ReasonCode.MISPLACED]
    others = [file for file in files if file not in misplaced and file not in references]
    held = [file for file in others if file.status == LedgerStatus.HELD]
    refused = [file for file in others if file.status == LedgerStatus.REFUSED]
    return [
        *(
            Waiting(
                f"reference {file.path}",
                f"{file.path} is refused: {file.reason}. What was loaded of it before stays in use; upload it again",
                file.status,
                file.recorded,
            )
            for file in references
        ),
        *(
            Waiting(
                f"held {folder}",
                f"{folder}: {_count(len(of_unit), 'file')} held{_dates(of_unit)}, the latest {of_unit[-1].path}: {of_unit[-1].reason}",
                LedgerStatus.HELD,
                _latest(of_unit),
            )
            for folder, of_unit in _grouped(held, lambda file: file.folder).items()
        ),
        *(
            Waiting(
                f"refused {folder} {code}",
                f"{folder}: {_count(len(alike), 'file')} refused{_dates(alike)}, the latest {alike[-1].path}: {alike[-1].reason}. "
                "Upload a corrected one, or remove it",
                LedgerStatus.REFUSED,
                _latest(alike),
            )
            for (folder, code), alike in _grouped(refused, lambda file: (file.folder, file.code)).items()
        ),
        *_misplaced(misplaced, rules),
    ]


def _grouped(files: Iterable[WaitingFile], key: Callable[[WaitingFile], Any]) -> Mapping[Any, list[WaitingFile]]:
    groups: dict[Any, list[WaitingFile]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return groups


def _latest(files: Iterable[WaitingFile]) -> dt.date:
    return max(file.recorded for file in files)


def _dates(files: Sequence[WaitingFile]) -> str:
    dates = sorted({file.date for file in files if file.date is not None})
    if not dates:
        return ""
    return f" of {dates[0]}" if len(dates) == 1 else f" of {dates[0]} to {dates[-1]}"


def _misplaced(files: Sequence[WaitingFile], rules: PathRules) -> Iterator[Waiting]:
    """Files that belong to nothing. What comes by itself is left out: dates in the future, and what would be loaded now."""
    too_early, elsewhere = [], []
    for file in files:
        if file.path.rstrip("/").rpartition("/")[2].startswith(OF_THE_SYSTEM):
            continue
        place = rules.place(LandedFile(file.path, file.etag, 0))
        if not isinstance(place, MisplacedFile):
            continue
        folder, _ = rules.layout.told(file.path) or ("", None)
        date = file.date if folder is None or folder in rules.folders else None
        if date is not None and date < rules.first_business_date:
            too_early.append(date)
        elif date is None or date <= rules.last_business_date:
            elsewhere.append(file)
    if too_early:
        first = min(too_early)
        yield Waiting(
            "before the first business date",
            f"{_count(len(too_early), 'file lies', 'files lie')} before GLOBOLATTE_FIRST_BUSINESS_DATE ({rules.first_business_date}), the "
            f"earliest of {first}; to load them, set GLOBOLATTE_FIRST_BUSINESS_DATE={first} and run again",
            LedgerStatus.REFUSED,
        )
    for folder, alike in _grouped(elsewhere, lambda file: _top(file.path)).items():
        yield Waiting(
            f"misplaced {folder}",
            f"{folder}: {_count(len(alike), 'file')} misplaced, such as {alike[-1].path}: {alike[-1].reason.removeprefix('misplaced: ')}",
            LedgerStatus.REFUSED,
            _latest(alike),
        )


def _top(path: str) -> str:
    """The folder in which people look for it: `sales/france/`, `exports/`."""
    folders = path.split("/")[:-1]
    return (
        "".join(f"{folder}/" for folder in folders[: 2 if path.startswith(SALES_PREFIX) else 1]) or "the landing zone"
    )


# Units and partitions -----------------------------------------------------------------------------------------------------


def _folders_of_units(transaction: Transaction) -> dict[str, str]:
    """The unit of each landing folder."""
    found = transaction.fetch(
        "select folder, business_unit_id from sales_data.business_units order by folder"
    ).to_pydict()
    return dict(zip(found["folder"], found["business_unit_id"], strict=True))


def _units(
    units: Mapping[str, str], rules: PathRules, landing: LandingZone, there: Collection[str] | None
) -> list[Waiting]:
    """Units whose folder has no partition, and partitions whose folder has no unit."""
    partitions, is_told = ", ".join(sorted(rules.folders)), any(pattern.tells_unit for pattern in rules.layout.patterns)
    found = [
        Waiting(
            f"unit {folder}",
            f"{BUSINESS_UNITS_PATH}: the folder of {unit} is {folder!r}, which is not in GLOBOLATTE_BUSINESS_UNITS ({partitions}), so "
            f"{f'nothing under {rules.layout.prefixes(folder)[0]} is loaded' if is_told else 'its days have no partition'}; add it there, "
            "or give the unit one of these folders (column `folder`)",
        )
        for folder, unit in units.items()
        if folder not in rules.folders
    ]
    for folder in sorted(set(rules.folders) - units.keys()):
        starts = rules.layout.prefixes(folder)
        prefix = starts[0] if starts else ""
        if there is not None:
            files = sum(1 for path in there if path.startswith(tuple(starts)))
        else:
            files = sum(1 for start in starts for _ in landing.files(start))
        found.append(
            Waiting(
                f"partition {folder}",
                f"GLOBOLATTE_BUSINESS_UNITS names {folder!r}, but no unit of {BUSINESS_UNITS_PATH} has that folder"
                + (
                    f", so {_count(files, 'file')} under {prefix} {'is' if files == 1 else 'are'} not loaded"
                    if files
                    else ""
                )
                + "; give a unit that folder (column `folder`), or take it out of the setting",
            )
        )
    return found


# The same day under two names ----------------------------------------------------------------------------------------------

FEWEST_ROWS_ALIKE = 5
"""Fewer rows may well be alike by chance."""

LATEST_DAYS = 400
"""Of the days of units with files that have equally many rows, how many are compared: those that a file came for last."""

DELIVERED_TWICE = f"""
with alike as (
    select parts.business_unit, parts.business_date, parts.load_id, ledger.sequence,
        count(*) over (partition by parts.business_unit, parts.business_date, parts.rows_loaded) as files
    from sales_data.load_parts as parts
    inner join sales_data.load_ledger as ledger on parts.load_id = ledger.load_id
    where parts.status = '{LedgerStatus.LOADED}' and parts.rows_loaded >= {FEWEST_ROWS_ALIKE}
),

days as (
    select business_unit, business_date from alike
    where files > 1
    group by business_unit, business_date
    order by max(sequence) desc
    limit {{latest_days}}
),

several as (
    select alike.business_unit, alike.business_date, alike.load_id
    from alike
    inner join days on alike.business_unit = days.business_unit and alike.business_date = days.business_date
    where alike.files > 1
),

loads as (
    select
        sales.business_unit, sales.business_date, sales.load_id, count(*) as n,
        cast(
            sum(hash(sales.product_id, sales.customer_id, sales.quantity, sales.total_price, sales.transaction_date)) as varchar
        ) as content
    from sales_data.sales_transactions as sales
    inner join several
        on sales.business_date = several.business_date and sales.load_id = several.load_id
        and sales.business_unit = several.business_unit
    group by sales.business_unit, sales.business_date, sales.load_id
)

select loads.business_unit, loads.business_date, loads.n, min(ledger.path) as one, max(ledger.path) as another
from loads
inner join sales_data.load_ledger as ledger on loads.load_id = ledger.load_id
group by loads.business_unit, loads.business_date, loads.n, loads.content
having count(*) > 1
order by loads.business_unit, loads.business_date
"""


@dataclass(frozen=True)
class Twice:
    """Two loaded files of a unit's day whose rows are the same but for the ids of lines and orders."""

    business_unit: str
    business_date: dt.date
    rows: int
    one: str
    another: str

    def __str__(self) -> str:
        return (
            f"{self.business_unit} {self.business_date}: the {self.rows} rows of {self.another} are those of {self.one} under other ids; "
            f"if it is the same day sent twice, `globolatte retract {self.another}`"
        )


def delivered_twice(transaction: Transaction, latest_days: int = LATEST_DAYS) -> list[Twice]:
    """Days whose sales are loaded twice, from two files with ids of their own. Reads the rows of few days, however many are loaded."""
    return [
        Twice(row["business_unit"], row["business_date"], row["n"], row["one"], row["another"])
        for row in transaction.fetch(DELIVERED_TWICE.format(latest_days=latest_days)).to_pylist()
    ]
