"""Loading sales files: rows, quarantine and ledger of a batch of files commit in one warehouse transaction, or not at all.

Reading files is `fetching`, what a batch changes is `load_transaction`; here they meet, and laws of conservation and exactly-once
are kept.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from globolatte_ingest.fetching import FetchedFile, fetch
from globolatte_ingest.ledger import known_files_among
from globolatte_ingest.load_transaction import ConservationError, Loaded, Loader, load_into
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reading.file_format import FileFormat
from globolatte_ingest.reading.landed_bytes import FileLimits
from globolatte_ingest.row_writing import UntrustworthyFileError
from globolatte_ingest.steps import open_steps, reloads_among
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Transaction, Warehouse

__all__ = ["ConservationError", "LoadContext", "LoadReport", "batches", "load_batch"]


@dataclass(frozen=True)
class LoadContext:
    """What a load needs to know besides the files: who loads and when (UTC without offset), and where folders belong."""

    run_id: str
    now: dt.datetime
    units_by_folder: Mapping[str, str]
    limits: FileLimits
    max_bad_share: float = 1.0
    formats: Mapping[str, FileFormat] = field(default_factory=dict)
    """What units declare of their files, by folder."""


@dataclass(frozen=True)
class LoadReport:
    """What became of a batch of files."""

    loaded: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    not_read: tuple[str, ...] = ()
    rows_loaded: int = 0
    rows_quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    extra_columns: tuple[str, ...] = ()

    def __add__(self, other: "LoadReport") -> "LoadReport":
        reasons = {
            reason: self.reasons.get(reason, 0) + other.reasons.get(reason, 0)
            for reason in sorted({*self.reasons, *other.reasons})
        }
        return LoadReport(
            loaded=self.loaded + other.loaded,
            refused=self.refused + other.refused,
            held=self.held + other.held,
            not_read=self.not_read + other.not_read,
            rows_loaded=self.rows_loaded + other.rows_loaded,
            rows_quarantined=self.rows_quarantined + other.rows_quarantined,
            reasons=reasons,
            extra_columns=tuple(sorted({*self.extra_columns, *other.extra_columns})),
        )


def batches(files: Iterable[SalesFile], batch_bytes: int, crashed: Collection[str] = ()) -> Iterator[list[SalesFile]]:
    """Splits files into batches of at most `batch_bytes` bytes.

    A larger file is a batch of its own, and so is one whose path is among `crashed`: if it is what crashed an earlier load, it
    takes no other file with it again.
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
    """Loads a batch of files: all of it in one transaction, after noting the attempt in one of its own."""
    attempts = _note_attempts(warehouse, files, context)
    read = fetch(landing, files, context.limits, context.formats)
    fetched = [item for item in read if item is not None]
    not_read = [sales_file.file.path for sales_file, item in zip(files, read, strict=True) if item is None]
    try:
        loaded = _load(warehouse, fetched, attempts, context)
    finally:
        for item in fetched:
            if item.sales is not None:
                item.sales.close()
    return LoadReport(
        loaded=tuple(loaded.loaded),
        refused=tuple(loaded.refused),
        held=tuple(loaded.held),
        not_read=tuple(not_read),
        rows_loaded=loaded.rows_loaded,
        rows_quarantined=loaded.rows_quarantined,
        reasons=loaded.reasons,
        extra_columns=tuple(sorted(loaded.extra_columns)),
    )


def _load(
    warehouse: Warehouse, fetched: Sequence[FetchedFile], attempts: Mapping[str, int], context: LoadContext
) -> Loaded:
    """One transaction; another one if a file turns out on the way to be one to refuse."""
    loader = Loader(context.run_id, context.now, context.units_by_folder, context.max_bad_share)
    try:
        with warehouse.transaction() as transaction:
            return load_into(transaction, _not_on_record(transaction, fetched), attempts, loader)
    except UntrustworthyFileError as untrustworthy:
        refused = untrustworthy.fetched
        rest = [refused if item.sales_file == refused.sales_file else item for item in fetched]
        return _load(warehouse, rest, attempts, context)


def _note_attempts(warehouse: Warehouse, files: Sequence[SalesFile], context: LoadContext) -> dict[str, int]:
    """Numbers this attempt at each file version, and commits that before anything can go wrong."""
    import pyarrow as pa

    wanted = pa.table({"path": [f.file.path for f in files], "etag": [f.file.etag for f in files]})
    with warehouse.transaction() as transaction:
        transaction.stage("wanted", wanted)
        transaction.execute(
            "insert into sales_data.load_attempts "
            "select wanted.path, wanted.etag, 1 + coalesce(max(earlier.attempt), 0), ?, ? from wanted "
            "left join sales_data.load_attempts as earlier on wanted.path = earlier.path and wanted.etag = earlier.etag "
            "group by wanted.path, wanted.etag",
            (context.run_id, context.now),
        )
        numbers = transaction.fetch(
            "select path, max(attempt) as attempt from sales_data.load_attempts inner join wanted using (path, etag) group by path"
        ).to_pydict()
    return dict(zip(numbers["path"], numbers["attempt"], strict=True))


def _not_on_record(transaction: Transaction, fetched: Sequence[FetchedFile]) -> list[FetchedFile]:
    """Leaves out the versions that another run has put on the record since this batch was chosen, unless one is to load again."""
    again = reloads_among(open_steps(transaction))
    known = known_files_among(transaction, [item.sales_file.file.path for item in fetched])
    return [
        item
        for item in fetched
        if (latest := known.get(item.sales_file.file.path)) is None
        or latest.etag != item.sales_file.file.etag
        or latest.was_misplaced
        or (latest.path, latest.etag) in again
    ]
