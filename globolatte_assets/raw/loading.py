"""Loading sales files: rows, quarantine and ledger of a batch of files commit in one warehouse transaction, or not at all.

Reading a file is `sales_file`, judging rows is `judging`; here they meet the warehouse, and laws of conservation and
exactly-once are kept.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from globolatte_assets.raw import judging, load_statements
from globolatte_assets.raw.fetching import FetchedFile, fetch
from globolatte_assets.raw.landing_paths import SalesFile
from globolatte_assets.raw.ledger import LOADED, REFUSED, known_files_among
from globolatte_assets.raw.ledger_writing import (
    insert_ledger,
    ledger_row,
    ledger_table,
    next_sequence,
    versions_by_path,
)
from globolatte_assets.raw.sales_file import SALES_COLUMNS
from resources.landing import LandingZone
from resources.warehouse import Transaction, Warehouse


class ConservationError(RuntimeError):
    """Rows would be lost or doubled: the transaction is rolled back and nothing of the batch is loaded."""


@dataclass(frozen=True)
class LoadContext:
    """What a load needs to know besides the files: who loads and when (UTC without offset), and where folders belong."""

    run_id: str
    now: dt.datetime
    units_by_folder: Mapping[str, str]
    max_file_bytes: int


@dataclass(frozen=True)
class LoadReport:
    """What became of a batch of files."""

    loaded: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
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
    read = fetch(landing, files, context.max_file_bytes)
    fetched = [item for item in read if item is not None]
    not_read = [sales_file.file.path for sales_file, item in zip(files, read, strict=True) if item is None]
    with warehouse.transaction() as transaction:
        report = _load(transaction, _not_on_record(transaction, fetched), attempts, context)
    return report + LoadReport(not_read=tuple(not_read))


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
    """Leaves out the versions that another run has put on the record since this batch was chosen."""
    known = known_files_among(transaction, [item.sales_file.file.path for item in fetched])
    return [
        item
        for item in fetched
        if (latest := known.get(item.sales_file.file.path)) is None
        or latest.etag != item.sales_file.file.etag
        or latest.was_misplaced
    ]


def _load(
    transaction: Transaction, fetched: Sequence[FetchedFile], attempts: Mapping[str, int], context: LoadContext
) -> LoadReport:
    """Everything that a batch changes, on an open transaction."""
    if not fetched:
        return LoadReport()
    sequence = next_sequence(transaction)
    versions = versions_by_path(transaction, [item.sales_file.file.path for item in fetched])
    rows = [
        ledger_row(
            file=item.sales_file.file,
            sequence=sequence + number,
            sha256=item.sha256,
            version=versions.get(item.sales_file.file.path, 0),
            status=LOADED if item.sales is not None else REFUSED,
            reason=item.refusal,
            run_id=context.run_id,
            now=context.now,
            business_unit=context.units_by_folder[item.sales_file.folder],
            business_date=item.sales_file.date,
            rows_in_file=item.sales.row_count if item.sales is not None else None,
            extra_columns=", ".join(item.sales.extra_columns) or None if item.sales is not None else None,
            attempt=attempts[item.sales_file.file.path],
        )
        for number, item in enumerate(fetched)
    ]
    _stage_rows(transaction, fetched, rows)
    _supersede(transaction)
    insert_ledger(transaction, rows)
    _insert_rows(transaction)
    _count_and_check(transaction)
    return _report(transaction, fetched)


def _stage_rows(transaction: Transaction, fetched: Sequence[FetchedFile], rows: Sequence[Mapping[str, object]]) -> None:
    """Stages `batch_loads` (one row per readable file), `incoming` (text rows) and `unreadable`."""
    import pyarrow as pa

    readable = [
        (item.sales, str(row["load_id"])) for item, row in zip(fetched, rows, strict=True) if item.sales is not None
    ]
    transaction.stage("batch_ledger", ledger_table([row for row in rows if row["status"] == LOADED]))
    transaction.execute(
        "create or replace temp table batch_loads as select batch.load_id, batch.path, batch.business_unit, batch.business_date, "
        "coalesce(min(earlier.sequence), min(batch.sequence)) as priority from batch_ledger as batch "
        "left join sales_data.load_ledger as earlier on batch.path = earlier.path and earlier.status in ('loaded', 'superseded') "
        "group by all"
    )
    schema = pa.schema(
        [*((column, pa.string()) for column in SALES_COLUMNS), ("row_number", pa.int64()), ("load_id", pa.string())]
    )
    tables = [
        sales.rows.append_column("load_id", pa.repeat(pa.scalar(load_id), sales.rows.num_rows))
        for sales, load_id in readable
    ]
    transaction.stage("incoming", pa.concat_tables([schema.empty_table(), *tables]))
    unreadable = [
        {"load_id": load_id, "row_number": row.row_number, "detail": row.detail, "raw_text": row.raw_text}
        for sales, load_id in readable
        for row in sales.unreadable
    ]
    unreadable_schema = pa.schema(
        [("load_id", pa.string()), ("row_number", pa.int64()), ("detail", pa.string()), ("raw_text", pa.string())]
    )
    transaction.stage("unreadable", pa.Table.from_pylist(unreadable, unreadable_schema))


def _supersede(transaction: Transaction) -> None:
    """Takes out the rows of the versions that this batch replaces. Their quarantine and ledger entries stay, on the record."""
    transaction.execute(
        "create or replace temp table replaced as select ledger.load_id, batch.load_id as successor "
        "from sales_data.load_ledger as ledger inner join batch_loads as batch on ledger.path = batch.path "
        "where ledger.status = 'loaded'"
    )
    transaction.execute("delete from sales_data.sales_transactions where load_id in (select load_id from replaced)")
    transaction.execute(
        "update sales_data.load_ledger set status = 'superseded', superseded_by = replaced.successor "
        "from replaced where load_ledger.load_id = replaced.load_id"
    )


def _insert_rows(transaction: Transaction) -> None:
    """Judges the batch's rows, settles who owns which transaction id of the day, and writes rows and quarantine."""
    judging.judged_rows(transaction)
    transaction.execute(load_statements.DAY_LOADS)
    transaction.execute(load_statements.DAY_ROWS)
    transaction.execute(judging.SETTLED)
    transaction.execute("delete from sales_data.sales_transactions where load_id in (select load_id from day_loads)")
    transaction.execute(
        "delete from sales_data.quarantine where reason = ? and load_id in (select load_id from day_loads)",
        (judging.DUPLICATE_ACROSS_FILES,),
    )
    transaction.execute(
        f"insert into sales_data.sales_transactions ({load_statements.SALES_COLUMN_LIST}) "
        f"select {load_statements.SALES_COLUMN_LIST} from settled "
        "where reason is null order by load_id, row_number"
    )
    transaction.execute(load_statements.QUARANTINE)


def _count_and_check(transaction: Transaction) -> None:
    """Counts what each touched load has in the tables, writes that into the ledger, and raises if a row is lost or doubled."""
    transaction.execute(load_statements.TOUCHED)
    transaction.execute(
        "update sales_data.load_ledger set rows_loaded = touched.rows_loaded, rows_quarantined = touched.rows_quarantined "
        "from touched where load_ledger.load_id = touched.load_id"
    )
    wrong = transaction.fetch(
        "select ledger.path, ledger.rows_in_file, ledger.rows_loaded, ledger.rows_quarantined "
        "from sales_data.load_ledger as ledger inner join touched using (load_id) "
        "where ledger.rows_in_file <> ledger.rows_loaded + ledger.rows_quarantined or ledger.rows_in_file is null"
    ).to_pylist()
    if wrong:
        raise ConservationError(
            "rows in file = rows loaded + rows quarantined does not hold, so nothing of this batch was loaded: "
            + "; ".join(
                f"{row['path']}: {row['rows_in_file']} = {row['rows_loaded']} + {row['rows_quarantined']}"
                for row in wrong[:5]
            )
        )


def _report(transaction: Transaction, fetched: Sequence[FetchedFile]) -> LoadReport:
    counts = transaction.fetch(
        "select coalesce(sum(rows_loaded), 0)::bigint as loaded, coalesce(sum(rows_quarantined), 0)::bigint as quarantined "
        "from touched inner join batch_loads using (load_id)"
    ).to_pylist()[0]
    reasons = transaction.fetch(
        "select reason, count(*) as rows from sales_data.quarantine inner join batch_loads using (load_id) group by reason"
    ).to_pydict()
    return LoadReport(
        loaded=tuple(item.sales_file.file.path for item in fetched if item.sales is not None),
        refused=tuple((item.sales_file.file.path, item.refusal) for item in fetched if item.refusal is not None),
        rows_loaded=counts["loaded"],
        rows_quarantined=counts["quarantined"],
        reasons=dict(zip(reasons["reason"], reasons["rows"], strict=True)),
        extra_columns=tuple(
            sorted({name for item in fetched if item.sales is not None for name in item.sales.extra_columns})
        ),
    )
