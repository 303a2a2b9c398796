"""Taking a file's rows out of the tables, on the record; whoever waited for its transaction ids gets them."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from globolatte_ingest import load_statements as statements
from globolatte_ingest import scratch
from globolatte_ingest.load_transaction import count_and_check
from globolatte_ingest.ownership import Span, find_contested, settle_ownership
from globolatte_ingest.steps import AskedStep, settle
from resources.warehouse.warehouse import Transaction

if TYPE_CHECKING:
    import pyarrow as pa

RETRACTED = """
select load_id, business_date, rows_loaded, cast(null as varchar) as successor
from sales_data.load_ledger
where path in (select path from retracted_path) and status in ('loaded', 'held')
"""

AFFECTED_DAYS = """
select distinct business_unit, business_date from sales_data.load_ledger where load_id in (select load_id from replaced)
"""

MARK = (
    "update sales_data.load_ledger set status = 'retracted', reason = ?, rows_loaded = 0 "
    "where load_id in (select load_id from replaced)"
)


def retract(transaction: Transaction, steps: Sequence[AskedStep], run_id: str, now: dt.datetime) -> list[str]:
    """Takes out what is loaded or held of each step's path; gives the paths that had something.

    What else was delivered of the day is settled again: a row that was a duplicate of a retracted one is loaded. Call it before
    anything else is written in the transaction.
    """
    if not steps:
        return []
    scratch.define(transaction)
    transaction.stage("retracted_path", _path_table())
    return [step.path for step in steps if _retract_one(transaction, step, run_id, now)]


def _path_table(*paths: str) -> "pa.Table":
    """Queries that fill a table take no parameters: a path is staged."""
    import pyarrow as pa

    return pa.table({"path": pa.array(paths, pa.string())})


def _retract_one(transaction: Transaction, step: AskedStep, run_id: str, now: dt.datetime) -> bool:
    transaction.stage("retracted_path", _path_table(step.path))
    transaction.fill("replaced", RETRACTED)
    found = transaction.fetch("select * from replaced").to_pylist()
    if not found:
        settle(transaction, step, "nothing was loaded or held of this file", run_id, now)
        return False
    span = Span(found[0]["business_date"], found[0]["business_date"])
    rows = sum(row["rows_loaded"] or 0 for row in found)
    transaction.fill("affected_days", AFFECTED_DAYS)
    transaction.fill("day_loads", statements.DAY_LOADS)
    transaction.execute("delete from rejected")
    find_contested(transaction, span)
    transaction.execute(span.of(statements.DELETE_ROWS_OF, loads="replaced"))
    reason = f"retracted by {step.asked_by}" + (f": {step.note}" if step.note else "")
    transaction.execute(MARK, (reason,))
    settle_ownership(transaction, span)
    transaction.execute(statements.QUARANTINE)
    count_and_check(transaction, span)
    settle(transaction, step, f"{rows} rows taken out", run_id, now)
    return True
