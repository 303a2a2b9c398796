"""The load ledger: which version of which file is in which state. Reading it; the writing is part of the load (`loading`).

The ledger, not Dagster's run history, says what is loaded.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from resources.warehouse.warehouse import Transaction, Warehouse

LOADED = "loaded"
REFUSED = "refused"
HELD = "held"
SUPERSEDED = "superseded"
RETRACTED = "retracted"
MISPLACED = "misplaced: "
"""How the reason of a refusal starts when the path, not the content, is at fault."""


@dataclass(frozen=True)
class KnownFile:
    """What the ledger knows of a path: its latest version, and how often a load of the next one was started."""

    path: str
    etag: str
    status: str
    reason: str | None

    @property
    def was_misplaced(self) -> bool:
        """Whether it was refused for its path: its content has not been looked at."""
        return (self.reason or "").startswith(MISPLACED)


@dataclass(frozen=True)
class Attempts:
    """How often loading one file version was started, and when last (UTC without offset)."""

    count: int
    last_started_at: dt.datetime


@dataclass(frozen=True)
class LoadedDay:
    """What is loaded of one business unit's one date; no file if all of them were retracted."""

    folder: str
    date: dt.date
    files: tuple[str, ...]
    rows_loaded: int
    rows_quarantined: int
    data_version: str


@dataclass(frozen=True)
class Announcement:
    """A run that owes Dagster the materializations of a unit's date range, until it is known to have succeeded."""

    run_id: str
    folder: str
    first: dt.date
    last: dt.date


LATEST = """
select path, etag, status, reason
from sales_data.load_ledger
qualify row_number() over (partition by path order by sequence desc) = 1
"""

LATEST_FIRST = """
select path, status, rows_in_file, rows_loaded, rows_quarantined, recorded_at, reason_code, reason
from sales_data.load_ledger
qualify row_number() over (partition by path order by sequence desc) = 1 and (? = '' or status = ?)
order by sequence desc
"""

LATEST_UNDER = """
select path, etag, status, reason
from sales_data.load_ledger
where position(? in path) = 1
qualify row_number() over (partition by path order by sequence desc) = 1
"""

LATEST_AMONG = """
select path, etag, status, reason
from sales_data.load_ledger
where path in (select path from asked_paths)
qualify row_number() over (partition by path order by sequence desc) = 1
"""

OPEN_ATTEMPTS = f"""
select attempts.path, attempts.etag, max(attempts.attempt) as count, max(attempts.started_at) as last
from sales_data.load_attempts as attempts
left join (
    select path, etag, max(attempt) as attempt
    from sales_data.load_ledger
    where position('{MISPLACED}' in coalesce(reason, '')) <> 1
    group by path, etag
) as recorded on attempts.path = recorded.path and attempts.etag = recorded.etag
where recorded.attempt is null or attempts.attempt > recorded.attempt
group by attempts.path, attempts.etag
"""

LOADED_FILES = """
select
    units.folder, ledger.business_date as date, ledger.status, ledger.path, ledger.load_id, ledger.rows_loaded,
    ledger.rows_quarantined
from sales_data.load_ledger as ledger
inner join sales_data.business_units as units on ledger.business_unit = units.business_unit_id
where ledger.status in ('loaded', 'retracted') and units.folder = ? and ledger.business_date between ? and ?
order by ledger.business_date, ledger.path
"""

ANNOUNCED = "select run_id, business_unit, first_date, last_date from sales_data.announcements where settled_at is null"


def latest_versions(transaction: Transaction, status: str = "") -> list[dict[str, Any]]:
    """The latest version of each file, the one recorded last first; of those in one `status` if given. Times in UTC without offset."""
    return transaction.fetch(LATEST_FIRST, (status, status)).to_pylist()


def known_files(warehouse: Warehouse) -> dict[str, KnownFile]:
    """The latest known version of every path, by path."""
    with warehouse.transaction() as transaction:
        return _known(transaction, LATEST, ())


def known_files_under(transaction: Transaction, prefix: str) -> dict[str, KnownFile]:
    """The latest known version of every path that starts with `prefix`, by path."""
    return _known(transaction, LATEST_UNDER, (prefix,))


def known_files_among(transaction: Transaction, paths: Iterable[str]) -> dict[str, KnownFile]:
    """The latest known version of these paths, by path; paths that the ledger does not know are left out."""
    import pyarrow as pa

    transaction.stage("asked_paths", pa.table({"path": pa.array(list(paths), pa.string())}))
    return _known(transaction, LATEST_AMONG, ())


def _known(transaction: Transaction, query: str, parameters: tuple[object, ...]) -> dict[str, KnownFile]:
    columns = transaction.fetch(query, parameters).to_pydict()
    rows = zip(columns["path"], columns["etag"], columns["status"], columns["reason"], strict=True)
    return {path: KnownFile(path, etag, status, reason) for path, etag, status, reason in rows}


def open_attempts(transaction: Transaction) -> dict[tuple[str, str], Attempts]:
    """Attempts at file versions (path, etag) that ended in no ledger entry: loads that crashed."""
    rows = transaction.fetch(OPEN_ATTEMPTS).to_pylist()
    return {(row["path"], row["etag"]): Attempts(row["count"], row["last"]) for row in rows}


def loaded_days(transaction: Transaction, folder: str, first: dt.date, last: dt.date) -> list[LoadedDay]:
    """What is loaded of a unit's dates from `first` through `last`; dates for which nothing was ever loaded are left out.

    A date whose files were all retracted has no rows, and a data version that says so.
    """
    files = transaction.fetch(LOADED_FILES, (folder, first, last)).to_pylist()
    return [_loaded_day(folder, date, list(of_day)) for date, of_day in groupby(files, lambda file: file["date"])]


def _loaded_day(folder: str, date: dt.date, files: Iterable[Mapping[str, Any]]) -> LoadedDay:
    loaded = [file for file in files if file["status"] == LOADED]
    content = "\n".join(file["load_id"] for file in loaded) or RETRACTED
    return LoadedDay(
        folder=folder,
        date=date,
        files=tuple(file["path"] for file in loaded),
        rows_loaded=sum(file["rows_loaded"] or 0 for file in loaded),
        rows_quarantined=sum(file["rows_quarantined"] or 0 for file in loaded),
        data_version=hashlib.sha256(content.encode()).hexdigest()[:16],
    )


def unsettled_announcements(transaction: Transaction) -> list[Announcement]:
    """Runs that committed loads and are not yet known to have told Dagster so."""
    rows = transaction.fetch(ANNOUNCED).to_pylist()
    return [Announcement(row["run_id"], row["business_unit"], row["first_date"], row["last_date"]) for row in rows]


def announce(transaction: Transaction, announcement: Announcement, now: dt.datetime) -> None:
    """Notes that a run owes Dagster a range's materializations."""
    transaction.execute(
        "insert into sales_data.announcements values (?, ?, ?, ?, ?, null)",
        (announcement.run_id, announcement.folder, announcement.first, announcement.last, now),
    )


def take_over(transaction: Transaction, folder: str, first: dt.date, last: dt.date, now: dt.datetime) -> None:
    """Settles what earlier runs owe within the range: whoever calls this has looked what Dagster knows of every day in it."""
    transaction.execute(
        "update sales_data.announcements set settled_at = ? where settled_at is null and business_unit = ? "
        "and first_date >= ? and last_date <= ?",
        (now, folder, first, last),
    )


def settle(transaction: Transaction, run_ids: Iterable[str], now: dt.datetime) -> None:
    """Notes that these runs succeeded: Dagster has their materializations."""
    for run_id in run_ids:
        transaction.execute(
            "update sales_data.announcements set settled_at = ? where settled_at is null and run_id = ?", (now, run_id)
        )


UNBALANCED = """
with loaded as (
    select load_id, count(*) as n from sales_data.sales_transactions group by load_id
),

quarantined as (
    select load_id, count(*) as n from sales_data.quarantine group by load_id
),

entries as (
    select * from sales_data.load_ledger where business_date is not null
)

select
    coalesce(ledger.path, loaded.load_id) as path, ledger.rows_in_file, coalesce(loaded.n, 0) as rows_loaded,
    coalesce(quarantined.n, 0) as rows_quarantined
from entries as ledger
full outer join loaded on ledger.load_id = loaded.load_id
left join quarantined on ledger.load_id = quarantined.load_id
where coalesce(ledger.status <> 'loaded' and loaded.n > 0, loaded.n > 0)
    or (ledger.status = 'held' and (ledger.rows_quarantined <> coalesce(quarantined.n, 0) or ledger.rows_loaded <> 0))
    or (
        ledger.status = 'loaded'
        and (
            ledger.rows_in_file <> coalesce(loaded.n, 0) + coalesce(quarantined.n, 0)
            or ledger.rows_loaded <> coalesce(loaded.n, 0)
            or ledger.rows_quarantined <> coalesce(quarantined.n, 0)
        )
    )
order by path
"""


def unbalanced_files(transaction: Transaction) -> list[dict[str, object]]:
    """Files whose rows, counted in the tables, are not what the ledger and the file say: lost, doubled, or there without leave."""
    return list(transaction.fetch(UNBALANCED).to_pylist())


def loaded_references(transaction: Transaction) -> dict[str, str]:
    """The content hash of the loaded version of each reference file, by path."""
    columns = transaction.fetch(
        "select path, sha256 from sales_data.load_ledger where status = 'loaded' and business_date is null"
    ).to_pydict()
    return dict(zip(columns["path"], columns["sha256"], strict=True))
