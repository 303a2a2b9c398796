"""Loads a file of the prediction log into the warehouse exactly once: rows, rejected lines and ledger entry in one transaction.

One row is one answer: key columns for joins and filters, and the probabilities of all products (of a large catalogue, of the best, with
number and sum of the others) as JSON text. No query reads a single
product's probability by SQL, catalogues change, and a row per product would make the table K times as long. The request is in the
columns themselves; the model inputs follow from them and the state version.
"""

import datetime as dt
import json
from dataclasses import dataclass

import pyarrow as pa

from globolatte_ml.scoring.prediction_log import LOST
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


DAYS_SEEN = 3
"""A day counts for the age of answers once something was recorded on so many days from it on: a clock that is ahead is on fewer."""


def kept_since(warehouse: Warehouse, now: dt.datetime, days: int) -> dt.datetime | None:
    """Before which moment answers are too old to be kept (UTC without offset); none while too little is recorded to tell.

    Not by the clock alone: a clock that is ahead would delete everything. Counted is from the end of the third-latest day on which
    answers were given or loaded, or files recorded, and at most from now.
    """
    with warehouse.transaction() as transaction:
        seen = transaction.fetch(
            f"select distinct seen_on from (select cast(answered_at as date) as seen_on from {LOG} "
            f"union all select cast(ingested_at as date) as seen_on from {FILES} "
            "union all select cast(recorded_at as date) as seen_on from sales_data.load_ledger) as recorded "
            f"order by seen_on desc limit {DAYS_SEEN}"
        )
    recorded = seen.column(0).to_pylist()
    if len(recorded) < DAYS_SEEN:
        return None
    end = dt.datetime.combine(recorded[-1] + dt.timedelta(days=1), dt.time())
    return min(now, end) - dt.timedelta(days=days)


def lost_since(warehouse: Warehouse, moment: dt.datetime) -> int:
    """How many answers are in no log, by the files loaded since a moment (UTC without offset)."""
    with warehouse.transaction() as transaction:
        said = transaction.fetch(
            f"select raw_text from {REJECTS} where raw_text like ? and log_file in "
            f"(select log_file from {FILES} where ingested_at >= ?)",
            [f'{{"{LOST}":%', moment],
        )
    return sum(int(json.loads(text)[LOST]) for text in said.column(0).to_pylist())


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
