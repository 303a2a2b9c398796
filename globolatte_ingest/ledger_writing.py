"""Writing the load ledger: entries for file versions, whatever became of them."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from globolatte_ingest.ledger import LOADED, MISPLACED, REFUSED, SUPERSEDED
from globolatte_ingest.paths import MisplacedFile
from globolatte_ingest.reasons import ReasonCode, RefusedError
from resources.landing.landing_zone import LandedFile
from resources.warehouse.warehouse import Transaction, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa


def next_sequence(transaction: Transaction) -> int:
    """The place in the ledger of the next entry."""
    return int(
        transaction.fetch("select coalesce(max(sequence), 0) + 1 as n from sales_data.load_ledger")["n"][0].as_py()
    )


def versions_by_path(transaction: Transaction, paths: Sequence[str]) -> dict[str, int]:
    """How many versions of each path the ledger has."""
    import pyarrow as pa

    transaction.stage("asked_paths", pa.table({"path": pa.array(paths, pa.string())}))
    counted = transaction.fetch(
        "select path, count(*) as versions from sales_data.load_ledger inner join asked_paths using (path) group by path"
    ).to_pydict()
    return dict(zip(counted["path"], counted["versions"], strict=True))


def ledger_row(
    *,
    file: LandedFile,
    sequence: int,
    sha256: str,
    version: int,
    status: str,
    reason: str | None,
    run_id: str,
    now: dt.datetime,
    business_unit: str | None = None,
    business_date: dt.date | None = None,
    rows_in_file: int | None = None,
    extra_columns: str | None = None,
    attempt: int = 1,
    reason_code: str | None = None,
) -> dict[str, object]:
    """One ledger entry. Its load id is made of path, content and the number of earlier versions: the same on every try."""
    load_id = hashlib.sha256(f"{file.path}\0{sha256}\0{version}".encode()).hexdigest()[:20]
    return {
        "load_id": load_id,
        "sequence": sequence,
        "path": file.path,
        "etag": file.etag,
        "sha256": sha256,
        "size_bytes": file.size,
        "business_unit": business_unit,
        "business_date": business_date,
        "status": status,
        "reason": reason,
        "reason_code": reason_code,
        "rows_in_file": rows_in_file,
        "extra_columns": extra_columns,
        "attempt": attempt,
        "run_id": run_id,
        "recorded_at": now,
    }


def ledger_table(rows: Sequence[Mapping[str, object]]) -> "pa.Table":
    """Ledger entries as a table, also when there are none."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("load_id", pa.string()),
            ("sequence", pa.int64()),
            ("path", pa.string()),
            ("etag", pa.string()),
            ("sha256", pa.string()),
            ("size_bytes", pa.int64()),
            ("business_unit", pa.string()),
            ("business_date", pa.date32()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("reason_code", pa.string()),
            ("rows_in_file", pa.int64()),
            ("extra_columns", pa.string()),
            ("attempt", pa.int32()),
            ("run_id", pa.string()),
            ("recorded_at", pa.timestamp("us")),
        ]
    )
    return pa.Table.from_pylist([dict(row) for row in rows], schema)


def insert_ledger(transaction: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Writes ledger entries."""
    table = ledger_table(rows)
    transaction.stage("ledger_rows", table)
    columns = ", ".join(table.column_names)
    transaction.execute(f"insert into sales_data.load_ledger ({columns}) select {columns} from ledger_rows")


def refuse_misplaced(warehouse: Warehouse, files: Sequence[MisplacedFile], run_id: str, now: dt.datetime) -> None:
    """Puts files that belong to no partition on the record as refused; their content is not read."""
    with warehouse.transaction() as transaction:
        sequence = next_sequence(transaction)
        rows = [
            ledger_row(
                file=misplaced.file,
                sequence=sequence + number,
                sha256="",
                version=versions_by_path(transaction, [misplaced.file.path]).get(misplaced.file.path, 0),
                status=REFUSED,
                reason=MISPLACED + misplaced.reason,
                reason_code=ReasonCode.MISPLACED,
                run_id=run_id,
                now=now,
            )
            for number, misplaced in enumerate(files)
        ]
        insert_ledger(transaction, rows)


def is_on_the_record(transaction: Transaction, file: LandedFile, sha256: str, status: str) -> bool:
    """Whether the latest ledger entry of the file's path is of this very version, in this status."""
    latest = transaction.fetch(
        "select etag, sha256, status from sales_data.load_ledger where path = ? order by sequence desc limit 1",
        (file.path,),
    ).to_pylist()
    return latest == [{"etag": file.etag, "sha256": sha256, "status": status}]


def record_reference(
    warehouse: Warehouse,
    file: LandedFile,
    sha256: str,
    run_id: str,
    now: dt.datetime,
    *,
    table: str | None = None,
    data: "pa.Table | None" = None,
    refusal: RefusedError | None = None,
) -> None:
    """Puts one version of a reference file on the record, and its rows in place of the table's, in one transaction.

    A version is one entry however often it is loaded: a run that died after its commit is followed by one that loads it again.
    """
    status = REFUSED if refusal else LOADED
    with warehouse.transaction() as transaction:
        transaction.stage("ledger_rows", ledger_table([]))
        if data is not None:
            transaction.stage("reference_rows", data)
        if not is_on_the_record(transaction, file, sha256, status):
            row = ledger_row(
                file=file,
                sequence=next_sequence(transaction),
                sha256=sha256,
                version=versions_by_path(transaction, [file.path]).get(file.path, 0),
                status=status,
                reason=str(refusal) if refusal else None,
                reason_code=refusal.code if refusal else None,
                run_id=run_id,
                now=now,
                rows_in_file=None if data is None else data.num_rows,
            )
            if data is not None:
                transaction.execute(
                    "update sales_data.load_ledger set status = ?, superseded_by = ? where path = ? and status = ?",
                    (SUPERSEDED, row["load_id"], file.path, LOADED),
                )
            insert_ledger(transaction, [row])
        if data is not None and table is not None:
            columns = ", ".join(data.column_names)
            transaction.execute(f"delete from {table}")
            transaction.execute(f"insert into {table} ({columns}) select {columns} from reference_rows")
            transaction.execute(
                "update sales_data.load_ledger set rows_in_file = ?, rows_loaded = ?, rows_quarantined = 0 "
                "where path = ? and status = ?",
                (data.num_rows, data.num_rows, file.path, LOADED),
            )
