"""Loads a file of the prediction log into the warehouse exactly once: rows, rejected lines and ledger entry in one transaction.

One row is one answer: key columns for joins and filters, and the probabilities of all products (of a large catalogue, of the best, with
number and sum of the others) as JSON text. No query reads a single
product's probability by SQL, catalogues change, and a row per product would make the table K times as long. The request is in the
columns themselves; the model inputs follow from them and the state version.
"""

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa

from resources.warehouse.warehouse import Warehouse

LOG, FILES, REJECTS = (
    "monitoring.prediction_log",
    "monitoring.prediction_log_files",
    "monitoring.prediction_log_rejects",
)


@dataclass(frozen=True)
class ParsedLog:
    """A log file's content: `rows` as in `monitoring.prediction_log`, `rejects` as in `monitoring.prediction_log_rejects`.

    `lost`: how many answers it says are in no log.
    """

    name: str
    sha256: str
    lines: int
    rows: pa.Table
    rejects: pa.Table
    lost: int = 0


def forget_answers(warehouse: Warehouse, before: dt.datetime) -> int:
    """Deletes the answers given before a moment (UTC without offset); returns how many."""
    with warehouse.transaction() as transaction:
        [old] = transaction.fetch(f"select count(*) as old from {LOG} where answered_at < ?", [before])[
            "old"
        ].to_pylist()
        if old:
            transaction.execute(f"delete from {LOG} where answered_at < ?", [before])
    return int(old)


def ingest(warehouse: Warehouse, log: ParsedLog, run_id: str, at: dt.datetime) -> bool:
    """Writes a file's content unless the ledger has it; true if it was written. `at` is UTC without offset.

    Raises `RuntimeError`, and writes nothing, if not every line of the file is a row or a rejected line.
    """
    if log.rows.num_rows + log.rejects.num_rows != log.lines:
        raise RuntimeError(
            f"{log.name}: {log.lines} lines, but {log.rows.num_rows} rows and {log.rejects.num_rows} rejected; "
            "nothing was written, report this as a defect"
        )
    with warehouse.transaction() as transaction:
        known = transaction.fetch(
            f"select 1 as known from {FILES} where log_file = ? and sha256 = ?", [log.name, log.sha256]
        )
        if known.num_rows:
            return False
        content = [("log_rows", LOG, log.rows), ("log_rejects", REJECTS, log.rejects)]
        for name, _, data in content:
            transaction.stage(name, data)
        for name, table, data in content:
            columns = ", ".join(data.column_names)
            transaction.execute(f"insert into {table} ({columns}) select {columns} from {name}")
        transaction.execute(
            f"insert into {FILES} (log_file, sha256, lines, rows_ingested, rows_rejected, run_id, ingested_at) "
            "values (?, ?, ?, ?, ?, ?, ?)",
            [log.name, log.sha256, log.lines, log.rows.num_rows, log.rejects.num_rows, run_id, at],
        )
    return True
