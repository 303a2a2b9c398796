"""Loading sales files: rows, quarantine and ledger of a batch of files commit in one warehouse transaction, or not at all.

`do_work` does a run's work for one unit's dates, batch after batch; `load_batch` reads a batch and loads it; `load_into` makes all changes
of the batch on one open transaction. The laws of conservation and exactly-once are enforced here.
"""

import datetime as dt
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
from pyarrow import compute

from globolatte_ingest import statements
from globolatte_ingest.declarations import UNDECLARED, USUAL, Declaration, UnitDeclaration, unit_declarations
from globolatte_ingest.discovery import Work, unrecorded
from globolatte_ingest.kept_files import KeptContent, KeptFiles, packed
from globolatte_ingest.kill_points import point
from globolatte_ingest.ledger import Announcement, Ledger, LedgerEntry, LedgerStatus, Step
from globolatte_ingest.ledger_statements import LOADS
from globolatte_ingest.ownership import (
    Conflicts,
    PartKey,
    Span,
    count_and_check,
    decide_owners,
    define_relations,
    find_contested,
    move_rows,
    name_customers_of_orders,
    present,
    reject_repeated_in_file,
)
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reading.landed_bytes import Content, FileLimits, HashedBlocks
from globolatte_ingest.reading.sales import (
    OPTIONAL_COLUMNS,
    SALES_COLUMNS,
    ReadSales,
    SalesPart,
    SalesRows,
    read_alike_files,
    read_sales,
)
from globolatte_ingest.reasons import ReasonCode, RefusedError
from globolatte_ingest.requested_steps import retract
from globolatte_ingest.statements import PART_KEY
from globolatte_ingest.validation import (
    FilePart,
    Hold,
    HoldLimits,
    RowFormats,
    bad_rows,
    days_of_good_rows,
    holds,
    insert_good_rows,
    may_have_too_many_conflicts,
    parts_to_decide_on,
    reason_of_file,
)
from globolatte_ml.data.blanks import trimmed_column
from resources.landing.landing_zone import LandingZone, SupersededError, VersionedLandingZone
from resources.warehouse.warehouse import Transaction, Warehouse

FILES_READ_AT_ONCE = 8
"""Files of a batch that are read at the same time: hides the latency of a remote landing zone."""
LINES_WRITTEN_AT_ONCE = 100_000

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class MissingReferenceDataError(Exception):
    """Sales cannot be loaded yet: `table` is empty until `file` is loaded."""

    def __init__(self, table: str, file: str) -> None:
        super().__init__(
            f"{table} is empty: put {file} into the landing zone and materialize raw/{table.partition('.')[2]} "
            "(`globolatte run` does), then load again"
        )


@dataclass(frozen=True)
class LoadContext:
    """What a load needs besides the files: which run loads and when (UTC without offset), and which unit each folder belongs to."""

    run_id: str
    now: dt.datetime
    units_by_folder: Mapping[str, str]
    limits: FileLimits
    max_bad_share: float = 1.0
    formats: Mapping[str, UnitDeclaration] = field(default_factory=dict)
    """How units write their files, as they declare it, by folder."""
    kept: KeptFiles | None = None
    """Where the bytes of loaded files are kept; nowhere if none."""
    max_take_away: float = 1.0
    first_date: dt.date | None = None
    last_dates: Mapping[str, dt.date] = field(default_factory=dict)
    """The first business date, and the last one of each unit, by folder: rows that tell their date themselves have to lie between them."""

    def declaration_of(self, item: SalesFile) -> Declaration:
        """How a file is written. One whose path names no unit: as the first unit declares that has a family for its name, and each row has
        to name its unit.
        """
        path = item.file.path
        if item.tells_unit:
            return self.formats.get(item.folder, UNDECLARED).for_file(path)
        families = (self.formats[folder].of_family(path) for folder in sorted(self.formats))
        found = next((one for one in families if one is not None), USUAL)
        return replace(found, required=tuple({*found.required, "business_unit"}))


def context_of(
    transaction: Transaction,
    run_id: str,
    now: dt.datetime,
    limits: FileLimits,
    max_bad_share: float,
    kept: KeptFiles | None = None,
    max_take_away: float = 1.0,
) -> LoadContext:
    """The context of a run, with the units of the reference data. Raises `MissingReferenceDataError`."""
    units = transaction.fetch("select folder, business_unit_id from sales_data.business_units").to_pylist()
    if not units:
        raise MissingReferenceDataError("sales_data.business_units", "reference/business_units.csv")
    if not transaction.fetch("select 1 as found from sales_data.products limit 1").num_rows:
        raise MissingReferenceDataError("sales_data.products", "reference/products.csv")
    by_folder = {unit["folder"]: unit["business_unit_id"] for unit in units}
    formats = unit_declarations(transaction)
    return LoadContext(
        run_id,
        now,
        by_folder,
        limits,
        max_bad_share,
        {folder: formats[unit] for folder, unit in by_folder.items()},
        kept,
        max_take_away,
    )


@dataclass(frozen=True)
class LoadReport:
    """The status of each file, by path; the reasons of refused and held files, and of quarantined rows."""

    loaded: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    not_read: tuple[str, ...] = ()
    rows_loaded: int = 0
    rows_quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    extra_columns: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """What there is to know of loaded files, by path."""

    def __add__(self, other: "LoadReport") -> "LoadReport":
        return LoadReport(
            loaded=self.loaded + other.loaded,
            refused=self.refused + other.refused,
            held=self.held + other.held,
            not_read=self.not_read + other.not_read,
            rows_loaded=self.rows_loaded + other.rows_loaded,
            rows_quarantined=self.rows_quarantined + other.rows_quarantined,
            reasons=dict(sorted((Counter(self.reasons) + Counter(other.reasons)).items())),
            extra_columns=tuple(sorted({*self.extra_columns, *other.extra_columns})),
            notes=self.notes + other.notes,
        )


@dataclass
class BatchFile:
    """One file version of a batch, with its content and then its ledger `entry`; `number` identifies it within the batch."""

    sales_file: SalesFile
    sha256: str = ""
    sales: SalesRows | None = None
    refusal: RefusedError | None = None
    packed: Content | None = None
    """The bytes as they landed, compressed; none where they are not kept here."""
    version_id: str | None = None
    """Where the landing zone keeps versions: the id of this one."""
    number: int = 0
    rows: int = 0
    last_part: str | None = None
    """The latest date of its rows, and a unit that has rows on it, as text; none where that is not needed."""
    entry: LedgerEntry = field(init=False)

    @property
    def content(self) -> SalesRows:
        """The content that was read. Only files that are not refused have one."""
        assert self.sales is not None  # noqa: S101 - a refused file has no rows
        return self.sales


class UntrustworthyFileError(Exception):
    """A file that is read while it is loaded has to be refused, and was marked so; the transaction is rolled back."""


# What a run does ----------------------------------------------------------------------------------------------------------


def do_work(
    warehouse: Warehouse, landing: LandingZone, work: Work, context: LoadContext, log: logging.Logger = LOG
) -> LoadReport:
    """Does the steps that need no file, then loads the files, in batches of at most as many bytes as a file may have in memory.

    If it is killed at any point and called again with what is left, the tables end up the same.
    """
    run_id, now = context.run_id, context.now
    with warehouse.transaction() as transaction:
        point("looking for crashed loads")
        ledger = Ledger(transaction)
        crashed = {item.path for item in ledger.crashed_loads()}
        if work.span:  # before the first commit: a kill after the commit must not leave loads that are never reported
            point("announcing")
            ledger.announce(Announcement(run_id, work.folder, *work.span), now)
    if work.steps:
        with warehouse.transaction() as transaction:
            retract(transaction, [step for step in work.steps if step.step == Step.RETRACT], run_id, now)
            for step in work.overtaken:
                outcome = "nothing done: the file was replaced or removed since"
                Ledger(transaction).mark_done(step, outcome, run_id, now)
    report = LoadReport()
    for batch in batches(work.files, context.limits.most_in_memory, crashed):
        report += load_batch(warehouse, landing, batch, context)
        point("committed")
        log.info("%s: %d of %d files loaded", work.folder, len(report.loaded), len(work.files))
    return report


def batches(files: Iterable[SalesFile], batch_bytes: int, crashed: Collection[str] = ()) -> Iterator[list[SalesFile]]:
    """Splits files into batches of at most `batch_bytes` bytes.

    A larger file is a batch of its own, and so is one whose path is in `crashed`: if this file crashed an earlier load, it does not
    crash the load of other files again.
    """
    files = list(files)
    yield from ([item] for item in files if item.file.path in crashed)
    files = [item for item in files if item.file.path not in crashed]
    batch: list[SalesFile] = []
    size = 0
    for sales_file in files:
        if batch and size + sales_file.file.size > batch_bytes:
            yield batch
            batch, size = [], 0
        batch.append(sales_file)
        size += sales_file.file.size
    if batch:
        yield batch


def load_batch(
    warehouse: Warehouse, landing: LandingZone, files: Sequence[SalesFile], context: LoadContext
) -> LoadReport:
    """Loads a batch of files in one transaction, after recording the attempt in a transaction of its own."""
    with warehouse.transaction() as transaction:  # committed before anything can go wrong
        point("noting the attempt")
        attempts = Ledger(transaction).note_attempts([item.file for item in files], context.run_id, context.now)
        point("attempt noted, not committed")
    point("attempt noted")
    read = fetch(landing, files, context)
    fetched = [item for item in read if item is not None]
    not_read = tuple(sales_file.file.path for sales_file, item in zip(files, read, strict=True) if item is None)
    try:
        report = _load(warehouse, fetched, attempts, context)
    finally:
        for item in fetched:
            for content in (item.sales, item.packed):
                if content is not None:
                    content.close()
    return report + LoadReport(not_read=not_read)


def _load(
    warehouse: Warehouse, fetched: Sequence[BatchFile], attempts: Mapping[str, int], context: LoadContext
) -> LoadReport:
    """One transaction; another one if a file has to be refused while it is loaded."""
    try:
        with warehouse.transaction() as transaction:
            # Another run may have recorded some of these versions since the batch was chosen.
            ledger = Ledger(transaction)
            again = ledger.reloads_among(ledger.open_steps())
            left = {item.file for item in unrecorded(transaction, [item.sales_file.file for item in fetched], again)}
            batch = [item for item in fetched if item.sales_file.file in left]
            return load_into(transaction, batch, attempts, context)
    except UntrustworthyFileError:
        return _load(warehouse, fetched, attempts, context)


# Reading the files of a batch: touches the landing zone, not the warehouse -------------------------------------------------


def fetch(landing: LandingZone, files: Sequence[SalesFile], context: LoadContext) -> list[BatchFile | None]:
    """Reads files; yields none in the place of a file that cannot be read now.

    Such a file was replaced or removed meanwhile, or reading it failed (no permission, a network fault). It stays pending and is
    requested again according to the retry policy.
    """
    with ThreadPoolExecutor(FILES_READ_AT_ONCE) as readers:
        landed = list(readers.map(lambda item: _landed(landing, item, context), files))
    read = [(item, content) for item, content in landed if item is not None and content is not None]
    paths = [item.sales_file.file.path for item, _ in read]
    own = [context.declaration_of(item.sales_file) for item, _ in read]
    alike = read_alike_files(paths, [content.in_memory for _, content in read], own)
    for place, (item, content) in enumerate(read):
        try:
            item.sales = alike.get(place) or read_sales(paths[place], content, context.limits, own[place])
        except RefusedError as why:
            item.refusal = why
    return [item for item, _ in landed]


def _landed(landing: LandingZone, item: SalesFile, context: LoadContext) -> tuple[BatchFile | None, Content | None]:
    """The file with its hash and its bytes; without them if it is refused for its size; none if it cannot be read now."""
    size, limits = item.file.size, context.limits
    if size > limits.max_bytes:
        reason = f"has {size} bytes, more than {limits.max_bytes} (GLOBOLATTE_MAX_FILE_BYTES); split the file"
        return BatchFile(item, refusal=RefusedError(ReasonCode.TOO_LARGE, reason)), None
    try:
        with landing.open(item.file) as stream:
            blocks = HashedBlocks(stream)
            most = limits.most_in_memory
            content = Content(b"".join(blocks)) if size <= most else Content.copied(blocks, most)
    except (SupersededError, OSError):
        return None, None
    version = landing.version_id(item.file) if isinstance(landing, VersionedLandingZone) else None
    is_packed = context.kept is not None and version is None
    kept = packed(content.blocks(), limits.most_in_memory) if is_packed else None
    return BatchFile(item, blocks.sha256, packed=kept, version_id=version), content


# The transaction ------------------------------------------------------------------------------------------------------------


def load_into(
    transaction: Transaction, batch: Sequence[BatchFile], attempts: Mapping[str, int], context: LoadContext
) -> LoadReport:
    """Loads, holds or refuses each file. Raises `ConservationError` or `UntrustworthyFileError`; the caller then rolls back."""
    if not batch:
        return LoadReport()
    point("files read, load not begun")
    _enter(transaction, batch, attempts, context)
    define_relations(transaction)
    readable = [item for item in batch if item.refusal is None]
    if readable:
        _stage_batch(transaction, readable)
        dates = _write_rows(transaction, readable, context)
        span = _place_by_rows(transaction, readable, dates, context)
        point("rows written")
        _note_odd_ids(transaction, readable, span)
        name_customers_of_orders(transaction, span)
        transaction.fill("affected_days", span.of(statements.AFFECTED_DAYS))
        transaction.fill("day_loads", statements.DAY_LOADS)
        find_contested(transaction, span)
        point("duplicates found")
        reject_repeated_in_file(transaction, span)
        _hold(transaction, readable, span, context)
        _supersede(transaction, span)
        decide_owners(transaction)
        point("ownership decided")
        move_rows(transaction, span)
        point("owners moved")
        _quarantine_rejected(transaction, readable)
    _keep(transaction, readable, context)
    ledger = Ledger(transaction)
    ledger.write([item.entry for item in batch])
    transaction.execute(statements.WRITE_REFUSED_PARTS)
    point("ledger written")
    if readable:
        count_and_check(transaction, span)
        point("counted")
    ledger.mark_reloads_done([item.entry for item in batch], context.run_id, context.now)
    point("steps marked done")
    ledger.append_events(LOADS, context.run_id, context.now)
    point("events appended")
    report = _report(transaction, batch)
    point("before the commit")
    return report


def _enter(
    transaction: Transaction, batch: Sequence[BatchFile], attempts: Mapping[str, int], context: LoadContext
) -> None:
    """Gives each file its ledger entry, as if all that can be read were loaded."""
    landed, contents = [item.sales_file.file for item in batch], [item.sha256 for item in batch]
    entries = Ledger(transaction).new_entries(landed, contents, LedgerStatus.LOADED, context.run_id, context.now)
    for number, (item, entry) in enumerate(zip(batch, entries, strict=True)):
        item.number, item.entry, item.rows, item.last_part = number, entry, 0, None
        entry.business_unit = context.units_by_folder[item.sales_file.folder] if item.sales_file.tells_unit else None
        entry.business_date = item.sales_file.date if item.sales_file.tells_date else context.now.date()
        entry.attempt = attempts[entry.path]
        if item.refusal is not None:
            entry.status = LedgerStatus.REFUSED
            entry.reason_code, entry.reason = item.refusal.code, str(item.refusal)
        else:
            entry.extra_columns = ", ".join(item.content.extra_columns) or None


def _stage_batch(transaction: Transaction, batch: Sequence[BatchFile]) -> None:
    """Fills `batch_loads`, one row per readable file, and `corrected`, the corrections that people made to rows."""
    rows = [
        {
            "load_number": item.number,
            **{column: getattr(item.entry, column) for column in statements.ENTRY_COLUMNS},
            **({} if item.sales_file.tells_date else {"business_date": None}),
            "number_format": item.content.format.number_format,
            "date_format": item.content.format.date_format,
            "day_ends": item.content.format.day_ends,
            "moments_told": item.content.format.moments_told,
        }
        for item in batch
    ]
    transaction.stage("batch_ledger", pa.Table.from_pylist(rows, statements.STAGED["batch_ledger"]))
    transaction.fill("batch_loads", statements.BATCH_LOADS)
    transaction.fill("corrected", statements.CORRECTED)
    point("batch staged")


def _place_by_rows(
    transaction: Transaction, batch: Sequence[BatchFile], dates: Collection[dt.date], context: LoadContext
) -> Span:
    """Gives the entry of each file whose path does not tell unit or date the latest date of its rows, and a unit that has rows on it;
    without any good row, the day it is loaded, and the unit of the home partition if it has rows at all: a header alone is no unit's. Rows
    that tell neither follow. Returns the dates that the batch touches, `dates` and those
    of the versions that it may replace among them.
    """
    by_rows = [item for item in batch if not item.sales_file.is_placed]
    told = []
    for item in by_rows:
        day, _, unit = (item.last_part or "").partition(" ")
        own_unit = item.entry.business_unit or unit or None
        if item.rows:
            item.entry.business_unit = own_unit or context.units_by_folder[item.sales_file.folder]
        if not item.sales_file.tells_date:
            item.entry.business_date = dt.date.fromisoformat(day) if day else context.now.date()
        told.append({"own_unit": own_unit, **{name: getattr(item.entry, name) for name in PART_KEY}})
    days = [*dates, *(item.entry.business_date for item in batch if item.entry.business_date is not None)]
    if by_rows:
        transaction.stage("told_by_rows", pa.Table.from_pylist(told, statements.STAGED["told_by_rows"]))
        transaction.execute(statements.PARTITION_OF_LOADS)
        transaction.execute(statements.PARTITION_OF_REJECTED)
    # What a path tells depends on the patterns of now: its versions before may have rows of other dates.
    return Span(min(days), max(days)).widened(transaction.fetch(statements.DATES_BEFORE))


def _write_rows(transaction: Transaction, batch: Sequence[BatchFile], context: LoadContext) -> set[dt.date]:
    """Validates the rows and writes the good ones; the next part of a large file is read meanwhile.

    Returns the first and the last dates of the rows of files whose path does not tell their partition; their latest is in `last_part`.
    """
    formats = [item.content.format for item in batch]
    numbers = {form.number_format for form in formats if form.number_format is not None}
    forms = {form.date_format for form in formats if form.date_format is not None}
    by_rows = {item.number: item for item in batch if not item.sales_file.is_placed}
    units = context.units_by_folder
    usual = RowFormats(
        transaction.dialect,
        numbers,
        forms,
        ends_late=any(form.day_ends is not None for form in formats),
        is_dated_by_rows=bool(by_rows),
        first_date=context.first_date,
        last_dates={units[folder]: date for folder, date in context.last_dates.items() if folder in units},
    )
    dates: set[dt.date] = set()
    corrections = transaction.fetch("select * from corrected")
    for parts in _ahead(_parts(batch)):
        for item, part in parts:
            item.rows += part.row_count
        incoming = _trimmed(_incoming(parts, corrections))
        told = [column for column in OPTIONAL_COLUMNS if incoming[column].null_count < incoming.num_rows]
        gaps = [column for column in told if _has(compute.equal(compute.binary_length(incoming[column]), 0))]
        if by_rows:
            told, gaps = [*{*told, "business_unit"}], [*{*gaps, "business_unit"}]
        is_signed = any(_has(compute.match_substring(incoming[column], "-")) for column in ("quantity", "total_price"))
        formats_of_rows = replace(usual, told=told, gaps=gaps, may_be_negative=is_signed)
        dates |= _write(transaction, incoming, formats_of_rows, by_rows)
        point("rows half written")
        _stage_unreadable(transaction, parts)
    if corrections.num_rows:
        dates |= _write(transaction, _trimmed(corrections), replace(usual, is_corrected=True), by_rows)
    for item in batch:
        item.entry.rows_in_file = item.rows
    return dates


def _parts(batch: Sequence[BatchFile]) -> Iterator[list[tuple[BatchFile, SalesPart]]]:
    """The units of validation: all files that are in memory together; of a larger file, each part by itself."""
    small = [item for item in batch if isinstance(item.sales, ReadSales)]
    if small:
        yield [(item, part) for item in small for part in item.content.parts()]
    for item in batch:
        if not isinstance(item.sales, ReadSales):
            try:
                for part in item.content.parts():
                    yield [(item, part)]
            except RefusedError as why:
                item.refusal = why
                raise UntrustworthyFileError from why


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The items; the next one is made while the caller works on the current one."""
    nothing = object()
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, nothing)
        while (item := coming.result()) is not nothing:
            coming = maker.submit(next, items, nothing)
            yield item  # type: ignore[misc]


def _incoming(parts: Sequence[tuple[BatchFile, SalesPart]], corrections: pa.Table) -> pa.Table:
    """The rows of parts with the number of their file, except rows that have a correction."""
    tables = []
    for item, part in parts:
        rows = part.rows
        if corrections.num_rows:
            replaced = corrections.filter(compute.equal(corrections["load_number"], item.number))["row_number"]
            rows = rows.filter(compute.invert(compute.is_in(rows["row_number"], replaced.combine_chunks())))
        tables.append(rows.append_column("load_number", pa.repeat(pa.scalar(item.number, pa.int32()), rows.num_rows)))
    return pa.concat_tables(tables or [statements.STAGED["incoming"].empty_table()])


def _trimmed(rows: pa.Table) -> pa.Table:
    """The rows without blanks around values."""
    for column in SALES_COLUMNS:
        rows = rows.set_column(rows.schema.get_field_index(column), column, trimmed_column(rows[column]))
    return rows


def _has(conditions: pa.ChunkedArray) -> bool:
    """Whether any of the conditions holds."""
    return bool(compute.any(conditions).as_py())


def _write(
    transaction: Transaction, incoming: pa.Table, formats: RowFormats, by_rows: Mapping[int, BatchFile]
) -> set[dt.date]:
    """Quarantines the bad rows and writes the others. Returns the first and the last date that rows tell themselves.

    `by_rows` are the files whose path does not tell their partition, by number; the latest part of their rows is noted in them.
    """
    transaction.stage("incoming", incoming)
    transaction.fill("bad_rows", bad_rows(formats))
    bad = transaction.fetch("select load_number, row_number from bad_rows")
    point("bad rows found")
    if bad.num_rows:
        transaction.execute(statements.REJECT_BAD_ROWS)
        # Removed here, since a join in the warehouse would take half as long as writing the rows.
        transaction.stage("incoming", incoming.filter(pa.array(~np.isin(_places(incoming), _places(bad)))))
    transaction.execute(insert_good_rows(formats))
    if not by_rows:
        return set()
    bounds = "select min(business_date) as first_date, max(business_date) as last_date from bad_rows"
    dates = {date for row in transaction.fetch(bounds).to_pylist() for date in row.values() if date is not None}
    for row in transaction.fetch(days_of_good_rows(formats)).to_pylist():
        dates |= {row["first_date"], dt.date.fromisoformat(row["last_part"].partition(" ")[0])}
        if item := by_rows.get(row["load_number"]):
            item.last_part = max(item.last_part or "", row["last_part"])
    return dates


def _places(table: pa.Table) -> np.ndarray:
    """File and row of each row as one number."""
    loads, rows = (table.column(name).to_numpy().astype(np.int64) for name in ("load_number", "row_number"))
    return loads << 40 | rows


def _stage_unreadable(transaction: Transaction, parts: Iterable[tuple[BatchFile, SalesPart]]) -> None:
    rows = [
        {"load_number": item.number, "row_number": row.row_number, "reason": row.reason, "detail": row.detail, "raw_text": row.raw_text}
        for item, part in parts
        for row in part.unreadable
    ]  # fmt: skip
    if rows:
        transaction.stage("unreadable", pa.Table.from_pylist(rows, statements.STAGED["unreadable"]))
        transaction.execute(statements.REJECT_UNREADABLE)


def _hold(transaction: Transaction, batch: Sequence[BatchFile], span: Span, context: LoadContext) -> None:
    """Removes the rows of parts with too many bad rows, or that take away too much, again: these wait for approval. Stages `held_parts`.

    The files are considered one after the other: a row conflicts with what was delivered before it, not with what is held.
    """
    limits = HoldLimits(context.max_bad_share, context.max_take_away)
    conflicts, approvals = Conflicts(transaction), Ledger(transaction).approvals()
    possible = conflicts.possible()
    counted = defaultdict(list)
    for row in transaction.fetch(span.of(statements.PARTS)).to_pylist():
        counted[row.pop("load_number")].append(row)
    replaced = {
        item.number: {
            (row["replaced"], row["business_unit"], row["business_date"])
            for row in counted[item.number]
            if row["replaced"]
        }
        for item in batch
    }
    parts = {
        item.number: parts_to_decide_on(
            [FilePart(**{name: row[name] for name in row if name != "replaced"}) for row in counted[item.number]]
        )
        for item in batch
    }
    keys = {
        item.number: [(item.entry.load_id, part.business_unit, part.business_date) for part in parts[item.number]]
        for item in batch
    }
    gone: set[PartKey] = {key for of_file in keys.values() for key in of_file}  # nothing of the batch is there yet
    held: list[tuple[PartKey, Hold, int]] = []
    for item in batch:
        entry, own, of_file = item.entry, keys[item.number], parts[item.number]
        gone -= {*own}
        if entry.load_id in approvals:
            entry.reason = approvals[entry.load_id]
            gone |= replaced[item.number]
            continue
        if may_have_too_many_conflicts(of_file, [possible.get(key, 0) for key in own], limits):
            found = conflicts.of(entry.load_id, gone | replaced[item.number])
            of_file = [replace(part, conflicts=found.get(key, 0)) for part, key in zip(of_file, own, strict=True)]
        decided = holds(of_file, entry.business_unit or "", limits, tells_date=item.sales_file.tells_date)
        for key, part, hold in zip(own, of_file, decided, strict=True):
            if hold is None:
                gone |= {old for old in replaced[item.number] if old[1:] == key[1:]}
                continue
            gone.add(key)
            if hold.counts_conflicts:
                conflicts.reject(key)
            held.append((key, hold, part.good - part.conflicts * hold.counts_conflicts))
        if any(decided):
            entry.reason = reason_of_file(of_file, decided)
            if all(decided):
                entry.status, entry.reason_code = LedgerStatus.HELD, next(hold.code for hold in decided if hold)
    point("deciding who is held")
    rows = [
        {**dict(zip(PART_KEY, key, strict=True)), "reason_code": hold.code, "reason": hold.reason, "rows_held": good}
        for key, hold, good in held
    ]
    transaction.stage("held_parts", pa.Table.from_pylist(rows, statements.STAGED["held_parts"]))
    if held:
        transaction.execute(span.of(statements.DELETE_ROWS_OF, parts="held_parts"))
        transaction.execute(f"delete from contested where not ({present('held_parts')})")


def _note_odd_ids(transaction: Transaction, batch: Sequence[BatchFile], span: Span) -> None:
    """Notes in the entry of a file that its customer ids went through a program that took them for numbers: `1001.0`.

    Not which ones they are: a customer's deletion does not reach the ledger.
    """
    noted = {row["load_id"]: row for row in transaction.fetch(span.of(statements.DECIMAL_CUSTOMERS)).to_pylist()}
    for item in batch:
        if found := noted.get(item.entry.load_id):
            item.entry.reason = (
                f"note: {found['n']} rows have a customer_id that ends in '.0', a number with a decimal point: if these are not the ids "
                "that other files have, export them as text and upload the file again"
            )


def _supersede(transaction: Transaction, span: Span) -> None:
    """Removes the rows of what this batch replaces of earlier versions. Their quarantine and ledger entries stay."""
    transaction.fill("replaced", statements.REPLACED)
    if not transaction.fetch("select 1 as found from replaced limit 1").num_rows:
        return
    transaction.execute(span.of(statements.DELETE_ROWS_OF, parts="replaced"))
    point("replaced rows deleted")
    transaction.execute(statements.MARK_PARTS_REPLACED)
    transaction.execute(statements.MARK_SUPERSEDED)


def _quarantine_rejected(transaction: Transaction, batch: Sequence[BatchFile]) -> None:
    """Writes the rejected rows with their line and text as in the file."""
    rejected = transaction.fetch("select load_id, row_number from rejected order by load_id, row_number")
    if not rejected.num_rows:
        return
    by_id = {item.entry.load_id: item for item in batch}
    loads = rejected["load_id"].combine_chunks().dictionary_encode()
    numbers, codes = rejected["row_number"].to_numpy(), loads.indices.to_numpy()
    found: list[pa.Table] = []
    for code, load_id in enumerate(loads.dictionary.to_pylist()):
        for lines in by_id[load_id].content.lines(numbers[codes == code]) if load_id in by_id else ():
            found.append(lines.append_column("load_id", pa.repeat(pa.scalar(load_id), lines.num_rows)))
            if lines.num_rows > LINES_WRITTEN_AT_ONCE:
                _write_lines(transaction, found)
    _write_lines(transaction, found)
    point("quarantining")
    transaction.execute(statements.QUARANTINE)
    point("quarantined")


def _keep(transaction: Transaction, batch: Sequence[BatchFile], context: LoadContext) -> None:
    """Keeps the bytes of the files that are loaded, or held, as an approval may load them."""
    contents = {
        item.sha256: KeptContent(item.packed, item.sales_file.file.size, item.sales_file.file.path, item.version_id)
        for item in batch
        if item.packed is not None or item.version_id is not None
    }
    if context.kept is not None and contents:
        context.kept.remember(transaction, contents, context.now)
        point("files kept")


def _write_lines(transaction: Transaction, found: list[pa.Table]) -> None:
    """Writes the collected lines into `raw_lines` and clears them."""
    if found:
        transaction.stage("found_lines", pa.concat_tables(found))
        columns = "load_id, row_number, line_number, raw_text"
        transaction.execute(f"insert into raw_lines ({columns}) select {columns} from found_lines")
    found.clear()


def _report(transaction: Transaction, batch: Sequence[BatchFile]) -> LoadReport:
    held = {*transaction.fetch("select distinct load_id from held_parts")["load_id"].to_pylist()}
    loaded = [item for item in batch if item.entry.status == LedgerStatus.LOADED]
    noted = transaction.fetch(statements.NOTES_OF_LOADED).to_pydict()
    notes = tuple(zip(noted["path"], noted["reason"], strict=True))
    [counts] = transaction.fetch(statements.ROWS_OF_LOADED).to_pylist()
    reasons = transaction.fetch(statements.REASONS_OF_LOADED).to_pydict()
    return LoadReport(
        loaded=tuple(item.entry.path for item in loaded),
        refused=tuple((item.entry.path, str(item.refusal)) for item in batch if item.refusal is not None),
        held=tuple((item.entry.path, str(item.entry.reason)) for item in batch if item.entry.load_id in held),
        rows_loaded=counts["loaded"],
        rows_quarantined=counts["quarantined"],
        reasons=dict(sorted(zip(reasons["reason"], reasons["n"], strict=True))),
        extra_columns=tuple(sorted({column for item in loaded for column in item.content.extra_columns})),
        notes=notes,
    )
