"""Taking a file's rows out of the tables, on the record; whoever waited for its transaction ids gets them."""

import datetime as dt
from collections.abc import Sequence

from globolatte_assets.raw import load_statements as statements
from globolatte_assets.raw.load_transaction import count_and_check
from globolatte_assets.raw.ownership import Span, find_contested, settle_ownership
from globolatte_assets.raw.steps import AskedStep, settle
from resources.warehouse import Transaction

RETRACTED = """
create or replace temp table replaced as
select load_id, business_unit, business_date, path, rows_loaded
from sales_data.load_ledger
where path in (select path from retracted_path) and status in ('loaded', 'held')
"""

NO_BATCH = "create or replace temp table batch_loads as select load_id, path, 0 as priority from replaced where false"

MARK = (
    "update sales_data.load_ledger set status = 'retracted', reason = ?, rows_loaded = 0 "
    "where load_id in (select load_id from replaced)"
)


def retract(transaction: Transaction, steps: Sequence[AskedStep], run_id: str, now: dt.datetime) -> list[str]:
    """Takes out what is loaded or held of each step's path; gives the paths that had something.

    What else was delivered of the day is settled again: a row that was a duplicate of a retracted one is loaded.
    """
    return [step.path for step in steps if _retract_one(transaction, step, run_id, now)]


def _retract_one(transaction: Transaction, step: AskedStep, run_id: str, now: dt.datetime) -> bool:
    # A prepared statement cannot make a table: the path is bound where it is staged.
    import pyarrow as pa

    transaction.stage("retracted_path", pa.table({"path": pa.array([step.path], pa.string())}))
    transaction.execute(RETRACTED)
    found = transaction.fetch("select * from replaced").to_pylist()
    if not found:
        settle(transaction, step, "nothing was loaded or held of this file", run_id, now)
        return False
    span = Span(found[0]["business_date"], found[0]["business_date"])
    rows = sum(row["rows_loaded"] or 0 for row in found)
    for statement in (
        statements.AFFECTED_DAYS.format(loads="replaced"),
        NO_BATCH,
        statements.DAY_LOADS,
        statements.REJECTED,
        statements.RAW_LINES,
    ):
        transaction.execute(statement)
    find_contested(transaction, span)
    transaction.execute(span.of(statements.DELETE_ROWS_OF, loads="replaced"))
    reason = f"retracted by {step.asked_by}" + (f": {step.note}" if step.note else "")
    transaction.execute(MARK, (reason,))
    settle_ownership(transaction, span)
    transaction.execute(statements.QUARANTINE)
    count_and_check(transaction, span)
    settle(transaction, step, f"{rows} rows taken out", run_id, now)
    return True
