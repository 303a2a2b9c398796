"""The load ledger: which version of which file is in which state, who tried to load it, and what people requested of it.

The ledger, not Dagster's run history, says what is loaded. `Ledger` is the one reader and writer of `load_ledger`, `load_attempts`,
`announcements`, `ledger_steps` and `row_corrections`; `LedgerEntry` is the one list of what is written of a file version.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from itertools import groupby
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from globolatte_ingest.conservation import unbalanced_files
from globolatte_ingest.ledger_statements import (
    APPEND_EVENTS,
    APPROVALS,
    CRASHED,
    DAYS_OF_RUNS,
    ENTERED,
    EVENTS_OF_PATH,
    LATEST_FIRST,
    LOADED_FILES,
    MARK_RELOADS_DONE,
    NOTE_ATTEMPTS,
    NOTE_KNOWN,
    OTHER_UNITS,
    OUTSTANDING_ANNOUNCEMENTS,
    REFERENCE_REPLACED,
    STEPS_OF_PATH,
    VERSIONS_OF_PATH,
)
from globolatte_ingest.paths import MisplacedFile
from globolatte_ingest.reading.sales import SALES_COLUMNS
from globolatte_ingest.reasons import ReasonCode, RefusedError
from resources.landing.landing_zone import LandedFile
from resources.warehouse.warehouse import Transaction, Warehouse

# What the ledger says -----------------------------------------------------------------------------------------------------


class LedgerStatus(StrEnum):
    """The status of a file version, as stored in `sales_data.load_ledger.status`."""

    LOADED = "loaded"
    REFUSED = "refused"
    HELD = "held"
    SUPERSEDED = "superseded"
    RETRACTED = "retracted"


class Step(StrEnum):
    """The steps that can be requested for a file, as stored in `sales_data.ledger_steps.step`."""

    APPROVE = "approve"
    RELEASE = "release"
    RETRY = "retry"
    RETRACT = "retract"


EVER = dt.datetime.fromisoformat("1970-01-01")

RELOADS = (Step.APPROVE, Step.RELEASE, Step.RETRY)
"""Steps that load the same content again, with the reference data and approvals of now."""


@dataclass
class LedgerEntry:
    """One file version as it is written into the ledger. Its rows are counted in the tables, not here."""

    load_id: str
    sequence: int
    path: str
    etag: str
    sha256: str
    size_bytes: int
    status: LedgerStatus
    run_id: str
    recorded_at: dt.datetime
    reason_code: ReasonCode | None = None
    reason: str | None = None
    business_unit: str | None = None
    business_date: dt.date | None = None
    rows_in_file: int | None = None
    extra_columns: str | None = None
    attempt: int = 1


ARROW_TYPES: Mapping[type, pa.DataType] = {
    int: pa.int64(),
    dt.date: pa.date32(),
    dt.datetime: pa.timestamp("us"),
}


def _arrow_type(hint: Any) -> pa.DataType:
    kind = next(part for part in (*get_args(hint), hint) if part is not type(None))
    return ARROW_TYPES.get(kind, pa.string())


ENTRY_SCHEMA = pa.schema([(name, _arrow_type(hint)) for name, hint in get_type_hints(LedgerEntry).items()])
"""The columns of an entry."""


@dataclass(frozen=True)
class Attempts:
    """How often the load of one file version was started, and when it was started last (UTC without offset)."""

    count: int
    last_started_at: dt.datetime


@dataclass(frozen=True)
class CrashedLoad:
    """A file version whose load was started and ended in no ledger entry.

    `is_replaced`: another version of its path was recorded since, so there is nothing to load unless this version lands again.
    """

    path: str
    etag: str
    attempts: Attempts
    is_replaced: bool = False


@dataclass(frozen=True)
class LoadedDay:
    """What is loaded for one date of one business unit; no file if all of them were retracted."""

    folder: str
    date: dt.date
    files: tuple[str, ...]
    rows_loaded: int
    rows_quarantined: int
    data_version: str


@dataclass(frozen=True)
class Announcement:
    """A run that committed loads of a unit's date range. Its materializations are outstanding until it is known to have succeeded."""

    run_id: str
    folder: str
    first: dt.date
    last: dt.date


@dataclass(frozen=True)
class RequestedStep:
    """A requested step about one version of one file. `asked_by` and `note` are named as the stored columns."""

    step_id: str
    step: Step
    path: str
    etag: str
    sha256: str
    folder: str
    business_date: dt.date
    asked_by: str
    note: str | None = None


STEP_COLUMNS = tuple(field.name for field in fields(RequestedStep))


@dataclass(frozen=True)
class FileHistory:
    """A path's versions in the ledger, oldest first, and the steps requested for it."""

    path: str
    versions: Sequence[dict[str, Any]]
    steps: Sequence[dict[str, Any]]
    events: Sequence[dict[str, Any]] = ()
    """What happened to the versions and to their parts, oldest first."""

    def latest(self, statuses: Collection[LedgerStatus]) -> dict[str, Any] | None:
        """The latest version that is in one of these states."""
        return next((entry for entry in reversed(self.versions) if entry["status"] in statuses), None)


KNOWN_SCHEMA = pa.schema([("path", pa.string()), ("etag", pa.string()), ("sha256", pa.string())])


def entry_table(entries: Sequence[LedgerEntry]) -> pa.Table:
    """Entries as a table, also when there are none."""
    columns = {name: [getattr(entry, name) for entry in entries] for name in ENTRY_SCHEMA.names}
    return pa.Table.from_pydict(columns, ENTRY_SCHEMA)


@dataclass(frozen=True)
class Ledger:
    """The ledger within one warehouse transaction."""

    transaction: Transaction

    # Versions of files

    def latest_versions(self, status: str = "") -> list[dict[str, Any]]:
        """The latest version of each file, the one recorded last first; of those in one `status` if given. Times in UTC without offset."""
        return self.transaction.fetch(LATEST_FIRST, (status, status)).to_pylist()

    def history(self, path: str) -> FileHistory:
        """All versions of a path, the steps requested for it, and what happened to it."""
        versions = self.transaction.fetch(VERSIONS_OF_PATH, (path,)).to_pylist()
        steps, events = (
            self.transaction.fetch(found, (path,)).to_pylist() for found in (STEPS_OF_PATH, EVENTS_OF_PATH)
        )
        return FileHistory(path, versions, steps, events)

    def loaded_days(self, folder: str, first: dt.date, last: dt.date) -> list[LoadedDay]:
        """What is loaded for a unit's dates from `first` through `last`; dates for which nothing was ever loaded are left out.

        A date whose files were all retracted has no rows, and a data version that says so.
        """
        files = self.transaction.fetch(LOADED_FILES, (folder, first, last)).to_pylist()
        return [_loaded_day(folder, date, list(of_day)) for date, of_day in groupby(files, lambda file: file["date"])]

    def other_units(self, folder: str, first: dt.date, last: dt.date) -> list[str]:
        """The folders of the other units that have, or had, rows of the unit's files of these dates."""
        return [str(name) for name in self.transaction.fetch(OTHER_UNITS, (folder, first, last))["folder"].to_pylist()]

    def days_of_runs(self, run_id: str, folder: str, first: dt.date, last: dt.date) -> list[tuple[str, dt.date]]:
        """The days (landing folder, date) of what a run loaded, replaced or retracted; and earlier runs, of which it is not known that they
        reported what they committed of the unit's dates.
        """
        found = self.transaction.fetch(DAYS_OF_RUNS, (run_id, folder, first, last)).to_pylist()
        return [(row["folder"], row["date"]) for row in found]

    def loaded_references(self) -> dict[str, str]:
        """The content hash of the loaded version of each reference file, by path."""
        found = self.transaction.fetch(
            "select path, sha256 from sales_data.load_ledger where status = ? and business_date is null",
            (str(LedgerStatus.LOADED),),
        ).to_pydict()
        return dict(zip(found["path"], found["sha256"], strict=True))

    def unbalanced_files(self) -> list[dict[str, object]]:
        """Files whose counted rows or whose events differ from what the ledger has of them (`conservation`)."""
        return unbalanced_files(self.transaction)

    def new_entries(
        self,
        files: Sequence[LandedFile],
        sha256: Sequence[str],
        status: LedgerStatus,
        run_id: str,
        now: dt.datetime,
        reasons: Sequence[tuple[ReasonCode | None, str | None]] = (),
    ) -> list[LedgerEntry]:
        """Entries for file versions that come next in the ledger, all in one state; to be completed, then given to `write`.

        A load id is made of path, content and the number of earlier versions: the same on every try.
        """
        self.transaction.stage("entered_paths", pa.table({"path": pa.array([f.path for f in files], pa.string())}))
        counted = self.transaction.fetch(
            "select path, count(*) as versions from sales_data.load_ledger "
            "where path in (select path from entered_paths) group by path"
        ).to_pydict()
        versions = dict(zip(counted["path"], counted["versions"], strict=True))
        last = self.transaction.fetch("select coalesce(max(sequence), 0) as n from sales_data.load_ledger")["n"]
        return [
            LedgerEntry(
                load_id=_digest(f"{file.path}\0{content}\0{versions.get(file.path, 0)}")[:20],
                sequence=last[0].as_py() + number,
                path=file.path,
                etag=file.etag,
                sha256=content,
                size_bytes=file.size,
                status=status,
                run_id=run_id,
                recorded_at=now,
                reason_code=code,
                reason=reason,
            )
            for number, (file, content, (code, reason)) in enumerate(
                zip(files, sha256, reasons or [(None, None)] * len(files), strict=True), start=1
            )
        ]

    def write(self, entries: Sequence[LedgerEntry]) -> None:
        """Writes entries."""
        self.transaction.stage("ledger_rows", entry_table(entries))
        columns = ", ".join(ENTRY_SCHEMA.names)
        self.transaction.execute(f"insert into sales_data.load_ledger ({columns}) select {columns} from ledger_rows")

    def append_events(self, events: str, run_id: str, now: dt.datetime) -> None:
        """Appends what a query says has happened to versions of files, or to their parts. Call it once their status is written."""
        self.transaction.execute(APPEND_EVENTS.format(events=events), (now, run_id))

    def refuse_misplaced(self, files: Sequence[MisplacedFile], run_id: str, now: dt.datetime) -> None:
        """Records files that belong to no partition as refused; their content is not read."""
        reasons = [(ReasonCode.MISPLACED, f"misplaced: {item.reason}") for item in files]
        landed = [item.file for item in files]
        self.write(self.new_entries(landed, [""] * len(files), LedgerStatus.REFUSED, run_id, now, reasons))
        self.append_events(ENTERED.format(entries="ledger_rows"), run_id, now)

    def refuse_reference(self, file: LandedFile, sha256: str, run_id: str, now: dt.datetime, why: RefusedError) -> None:
        """Records one version of a reference file as refused; one entry, however often it is tried."""
        if self._is_latest(file, sha256, LedgerStatus.REFUSED):
            self.note_known([(file, sha256)], now)
        else:
            reason = (why.code, str(why))
            self.write(self.new_entries([file], [sha256], LedgerStatus.REFUSED, run_id, now, [reason]))
            self.append_events(ENTERED.format(entries="ledger_rows"), run_id, now)

    def replace_reference(
        self,
        file: LandedFile,
        sha256: str,
        run_id: str,
        now: dt.datetime,
        table: str,
        rows: pa.Table,
        *,
        replaces_only_its_own_rows: bool = False,
    ) -> None:
        """Records one version of a reference file as loaded, and replaces the table's rows by its rows.

        With `replaces_only_its_own_rows` the table holds rows of several files, with their `path`, and those of the others stay.
        A version has one entry, however often it is loaded: after a run that died after its commit, the next run loads it again.
        """
        transaction = self.transaction
        transaction.stage("ledger_rows", entry_table([]))
        transaction.stage("reference_rows", rows)
        if self._is_latest(file, sha256, LedgerStatus.LOADED):
            self.note_known([(file, sha256)], now)
        else:
            [entry] = self.new_entries([file], [sha256], LedgerStatus.LOADED, run_id, now)
            transaction.execute(
                "update sales_data.load_ledger set status = ?, superseded_by = ? where path = ? and status = ?",
                (str(LedgerStatus.SUPERSEDED), entry.load_id, file.path, str(LedgerStatus.LOADED)),
            )
            self.write([entry])
            events = f"{REFERENCE_REPLACED} union all {ENTERED.format(entries='ledger_rows')}"
            self.append_events(events, run_id, now)
        columns = ", ".join(rows.column_names)
        if replaces_only_its_own_rows:
            transaction.execute(f"delete from {table} where path = ?", (file.path,))
        else:
            transaction.execute(f"delete from {table}")
        transaction.execute(f"insert into {table} ({columns}) select {columns} from reference_rows")
        transaction.execute(
            "update sales_data.load_ledger set rows_in_file = ?, rows_loaded = ?, rows_quarantined = 0 "
            "where path = ? and status = ?",
            (rows.num_rows, rows.num_rows, file.path, str(LedgerStatus.LOADED)),
        )

    def _is_latest(self, file: LandedFile, sha256: str, status: LedgerStatus) -> bool:
        """Whether the latest entry of the file's path is of this content, in this status."""
        latest = self.transaction.fetch(
            "select sha256, status from sales_data.load_ledger where path = ? order by sequence desc limit 1",
            (file.path,),
        ).to_pylist()
        return latest == [{"sha256": sha256, "status": status}]

    # Content under other etags

    def note_known(self, files: Sequence[tuple[LandedFile, str]], now: dt.datetime) -> None:
        """Records that these files hold what the ledger has of their paths (the hash is given), whatever their etags."""
        rows = [{"path": file.path, "etag": file.etag, "sha256": sha256} for file, sha256 in files]
        self.transaction.stage("known_again", pa.Table.from_pylist(rows, KNOWN_SCHEMA))
        self.transaction.execute(NOTE_KNOWN, (now,))

    def _known(self, steps: Iterable[RequestedStep]) -> list[tuple[RequestedStep, str]]:
        """The further etags of the versions that steps are about."""
        by_content = {(step.path, step.sha256): step for step in steps}
        if not by_content:
            return []
        found = self.transaction.fetch(
            "select path, etag, sha256 from sales_data.known_etags where path in "
            "(select path from sales_data.ledger_steps where settled_at is null)"
        ).to_pylist()
        return [
            (by_content[row["path"], row["sha256"]], row["etag"])
            for row in found
            if (row["path"], row["sha256"]) in by_content
        ]

    def reloads_among(self, steps: Sequence[RequestedStep]) -> set[tuple[str, str]]:
        """The file versions (path, etag) that are to be loaded again, under every etag that they are known by."""
        reloads = [step for step in steps if step.step in RELOADS]
        return {(step.path, step.etag) for step in reloads} | {(step.path, etag) for step, etag in self._known(reloads)}

    def known_as(self, steps: Sequence[RequestedStep], there: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """The versions (path, etag) that steps are about and that are `there` under another etag."""
        return {(step.path, step.etag) for step, etag in self._known(steps) if (step.path, etag) in there}

    # Attempts

    def note_attempts(self, files: Sequence[LandedFile], run_id: str, now: dt.datetime) -> dict[str, int]:
        """Records that the load of these file versions begins; returns the number of this attempt, by path."""
        paths, etags = [file.path for file in files], [file.etag for file in files]
        tried = pa.table({"path": pa.array(paths, pa.string()), "etag": pa.array(etags, pa.string())})
        self.transaction.stage("tried", tried)
        self.transaction.execute(NOTE_ATTEMPTS, (run_id, now))
        numbers = self.transaction.fetch(
            "select path, max(attempt) as attempt from sales_data.load_attempts inner join tried using (path, etag) group by path"
        ).to_pydict()
        return dict(zip(numbers["path"], numbers["attempt"], strict=True))

    def crashed_loads(self, since: dt.datetime = EVER) -> list[CrashedLoad]:
        """The loads started `since` (UTC without offset) that did not end in an entry, the longest untried first."""
        return [
            CrashedLoad(row["path"], row["etag"], Attempts(row["tried"], row["last"]), row["is_replaced"])
            for row in self.transaction.fetch(CRASHED, (since,)).to_pylist()
        ]

    # What runs still have to report to Dagster

    def announce(self, announcement: Announcement, now: dt.datetime) -> None:
        """Records that a run has to report a range's materializations."""
        self.transaction.execute(
            "insert into sales_data.announcements values (?, ?, ?, ?, ?, null)",
            (announcement.run_id, announcement.folder, announcement.first, announcement.last, now),
        )

    def outstanding_announcements(self) -> list[Announcement]:
        """Runs that committed loads and are not yet known to have reported them."""
        return [Announcement(**row) for row in self.transaction.fetch(OUTSTANDING_ANNOUNCEMENTS).to_pylist()]

    def mark_reported(self, run_ids: Iterable[str], now: dt.datetime) -> None:
        """Records that these runs succeeded: Dagster has their materializations."""
        for run_id in run_ids:
            self.transaction.execute(
                "update sales_data.announcements set settled_at = ? where settled_at is null and run_id = ?",
                (now, run_id),
            )

    def take_over(self, folder: str, compared: Collection[dt.date], now: dt.datetime) -> None:
        """Marks those announcements of a unit as reported all of whose days were `compared` with Dagster's events."""
        ranges = {(item.first, item.last) for item in self.outstanding_announcements() if item.folder == folder}
        for first, last in sorted(ranges):
            if sum(first <= date <= last for date in compared) == (last - first).days + 1:
                self.transaction.execute(
                    "update sales_data.announcements set settled_at = ? where settled_at is null and business_unit = ? "
                    "and first_date >= ? and last_date <= ?",
                    (now, folder, first, last),
                )

    # What people requested

    def request(self, step: RequestedStep, now: dt.datetime, corrections: pa.Table | None = None) -> None:
        """Records a requested step. `corrections` are rows by `row_number`, with columns of a sales file as text; NULL in others."""
        last = self.transaction.fetch("select coalesce(max(sequence), 0) as n from sales_data.ledger_steps")["n"]
        sequence = last[0].as_py() + 1
        if corrections is not None:
            self.transaction.stage("corrections", corrections)
        columns = (*STEP_COLUMNS, "sequence", "asked_at")
        self.transaction.execute(
            f"insert into sales_data.ledger_steps ({', '.join(columns)}) values ({', '.join('?' * len(columns))})",
            (*(str(value) if isinstance(value, Step) else value for value in asdict(step).values()), sequence, now),
        )
        if corrections is not None:
            names = ", ".join(column for column in SALES_COLUMNS if column in corrections.column_names)
            self.transaction.execute(
                f"insert into sales_data.row_corrections (step_id, sequence, path, sha256, row_number, {names}) "
                f"select ?, ?, ?, ?, row_number, {names} from corrections",
                (step.step_id, sequence, step.path, step.sha256),
            )

    def open_steps(self) -> list[RequestedStep]:
        """What was requested and is not done, oldest first."""
        rows = self.transaction.fetch(
            f"select {', '.join(STEP_COLUMNS)} from sales_data.ledger_steps where settled_at is null order by sequence"
        ).to_pylist()
        return [RequestedStep(**{**row, "step": Step(row["step"])}) for row in rows]

    def approvals(self) -> dict[str, str]:
        """Who approved the contents in `batch_loads`, as text by load id. An approval is valid only for the content it was given for."""
        rows = self.transaction.fetch(APPROVALS).to_pylist()
        return {
            row["load_id"]: f"approved by {row['asked_by']}" + (f": {row['note']}" if row["note"] else "")
            for row in rows
        }

    def mark_done(self, step: RequestedStep, outcome: str, run_id: str, now: dt.datetime) -> None:
        """Marks one step done, with its outcome."""
        self.transaction.execute(
            "update sales_data.ledger_steps set settled_at = ?, run_id = ?, outcome = ? where step_id = ?",
            (now, run_id, outcome, step.step_id),
        )

    def mark_reloads_done(self, entries: Sequence[LedgerEntry], run_id: str, now: dt.datetime) -> None:
        """Marks the requested reloads done that these entries carry out."""
        self.transaction.stage("done_entries", entry_table(entries).select(["load_id"]))
        self.transaction.execute(MARK_RELOADS_DONE, (now, run_id))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _loaded_day(folder: str, date: dt.date, files: Iterable[Mapping[str, Any]]) -> LoadedDay:
    loaded = [file for file in files if file["status"] == LedgerStatus.LOADED]
    content = "\n".join(file["load_id"] for file in loaded) or LedgerStatus.RETRACTED
    return LoadedDay(
        folder=folder,
        date=date,
        files=tuple(file["path"] for file in loaded),
        rows_loaded=sum(file["rows_loaded"] or 0 for file in loaded),
        rows_quarantined=sum(file["rows_quarantined"] or 0 for file in loaded),
        data_version=_digest(content)[:16],
    )


def last_event_of(warehouse: Warehouse) -> int:
    """The number of the event that was recorded last; 0 before the first."""
    with warehouse.transaction() as transaction:
        [row] = transaction.fetch("select coalesce(max(sequence), 0) as last from sales_data.ledger_events").to_pylist()
    return int(row["last"])
