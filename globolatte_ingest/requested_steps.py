"""The steps that people request for files (approve, release, retry, retract): checking them, and the retraction itself.

A person requests a step on the command line, which records it in the ledger (`Ledger.request`). The ingest job does it for the file's
partition and marks it done in the same transaction. Approve, release and retry are loads of the same content (`load`); retractions are
done here.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa

from globolatte_ingest import statements
from globolatte_ingest.kill_points import point
from globolatte_ingest.ledger import FileHistory, Ledger, LedgerStatus, RequestedStep, Step
from globolatte_ingest.ledger_statements import RETRACTIONS
from globolatte_ingest.ownership import (
    Span,
    count_and_check,
    decide_owners,
    define_relations,
    find_contested,
    move_rows,
)
from globolatte_ingest.paths import USUAL_LAYOUT, SalesLayout
from globolatte_ingest.reasons import ReasonCode
from globolatte_ingest.validation import REMEDY_OF_OTHER_DATES
from resources.warehouse.warehouse import Transaction

TAKES_OUT = (LedgerStatus.LOADED, LedgerStatus.HELD)
LOADS_AGAIN = (LedgerStatus.LOADED, LedgerStatus.HELD, LedgerStatus.REFUSED)
VALIDATED_AGAIN = (*LOADS_AGAIN, LedgerStatus.RETRACTED)
"""A retracted file is loaded again only by a retry: uploading the same content again is no news."""


class CannotBeDoneError(Exception):
    """The step is not possible for the file. The message says why, and what to do instead."""


def not_in_the_ledger(path: str) -> str:
    """The message for a path of which no load was ever tried."""
    return f"{path}: is not in the ledger; give the path within the landing zone, such as sales/usa/2024/01/31/a.csv"


def requested_step(
    step: Step,
    history: FileHistory,
    requested_by: str,
    note: str | None = None,
    corrected: Collection[int] = (),
    quarantined: Collection[int] = (),
    layout: SalesLayout = USUAL_LAYOUT,
) -> RequestedStep:
    """The step to request. Raises `CannotBeDoneError`.

    `corrected` are the numbers of the rows that are to be put back, `quarantined` those that are in quarantine.
    """
    place = layout.partition(history.path)
    if not history.versions:
        raise CannotBeDoneError(not_in_the_ledger(history.path))
    if place is None:
        raise CannotBeDoneError(
            f"{history.path}: belongs to no unit and date; move the file, and it is loaded from there"
        )
    entry = _version_for(step, history)
    unknown = sorted(set(corrected) - set(quarantined))
    if unknown:
        rows = ", ".join(map(str, unknown[:5]))
        raise CannotBeDoneError(
            f"{history.path}: row {rows} does not lie in quarantine; export again and start from that"
        )
    return RequestedStep(
        uuid.uuid4().hex, step, history.path, entry["etag"], entry["sha256"], *place, requested_by, note
    )


ROWS_THAT_WAIT = """
with rows_of_unit as (
    select parts.load_id
    from sales_data.load_parts as parts
    inner join sales_data.business_units as units on parts.business_unit = units.business_unit_id
    where units.folder = ? and parts.status = 'held'
    union
    select quarantine.load_id
    from sales_data.quarantine as quarantine
    inner join sales_data.business_units as units
        on quarantine.business_unit = units.business_unit_id or quarantine.business_unit_text = units.business_unit_id
    where units.folder = ?
)

select distinct path from sales_data.load_ledger
where status in ('loaded', 'held') and load_id in (select load_id from rows_of_unit)
"""
"""The files, whatever their paths tell, with a held part of a unit, or with quarantined rows that are counted as the unit's or name it."""


def to_retry(transaction: Transaction, folder: str, layout: SalesLayout = USUAL_LAYOUT) -> list[str]:
    """The files of a unit that another declaration, product or unit may load: refused, held, or with rows in quarantine. They are those of
    its landing folder, and of all others those that have rows of it which wait.
    """
    waiting = (LedgerStatus.REFUSED, LedgerStatus.HELD)
    by_rows = {*transaction.fetch(ROWS_THAT_WAIT, (folder, folder))["path"].to_pylist()}
    return sorted(
        file["path"]
        for file in Ledger(transaction).latest_versions()
        if (
            file["status"] in waiting
            or (file["status"] == LedgerStatus.LOADED and (file["rows_quarantined"] or file["parts_held"]))
        )
        and file["reason_code"] != ReasonCode.MISPLACED
        and (place := layout.partition(file["path"])) is not None
        and (place[0] == folder or file["path"] in by_rows)
    )


def _version_for(step: Step, history: FileHistory) -> dict[str, Any]:
    """The version that the step is about."""
    path, last = history.path, history.versions[-1]
    if step == Step.RETRACT:
        entry = history.latest(TAKES_OUT)
        if entry is None:
            raise CannotBeDoneError(
                f"{path}: nothing of it is loaded or held (it is {last['status']}); nothing to retract"
            )
        return entry
    allowed = {Step.APPROVE: (LedgerStatus.HELD,), Step.RETRY: VALIDATED_AGAIN}.get(step, LOADS_AGAIN)
    entry = history.latest(allowed)
    if step == Step.APPROVE and last["parts_held"]:
        entry = last
    if step == Step.APPROVE and last["reason_code"] == ReasonCode.OTHER_DATES and last["parts_held"]:
        raise CannotBeDoneError(
            f"{path}: a release would take away what is loaded of other dates; {REMEDY_OF_OTHER_DATES}"
        )
    if last["reason_code"] == ReasonCode.MISPLACED:
        raise CannotBeDoneError(f"{path}: is {last['status']}, {last['reason']}")
    if entry is None:
        remedy = (
            "only a held file can be approved; to put corrected rows back, give them with --rows"
            if step == Step.APPROVE
            else "upload the file again"
        )
        raise CannotBeDoneError(f"{path}: is {last['status']}; {remedy}")
    if entry["etag"] != last["etag"]:
        raise CannotBeDoneError(
            f"{path}: was replaced since by a version that is {last['status']}; upload the right one, or retract it"
        )
    return entry


def retract(transaction: Transaction, steps: Sequence[RequestedStep], run_id: str, now: dt.datetime) -> None:
    """Removes what is loaded or held of each step's path.

    Ownership within the day is decided again: a row that was a duplicate of a retracted one is loaded. Call it before anything else
    is written in the transaction.
    """
    if steps:
        define_relations(transaction)
    for step in steps:
        _retract_one(transaction, step, run_id, now)


def _retract_one(transaction: Transaction, step: RequestedStep, run_id: str, now: dt.datetime) -> None:
    point("retraction begun")
    ledger = Ledger(transaction)
    # Queries that fill a table take no parameters: a path is staged.
    staged = pa.Table.from_pylist([{"path": step.path, "step_id": step.step_id}], statements.STAGED["retracted_path"])
    transaction.stage("retracted_path", staged)
    transaction.fill("replaced", statements.RETRACTED)
    found = transaction.fetch("select * from replaced").to_pylist()
    if not found:
        ledger.mark_done(step, "nothing was loaded or held of this file", run_id, now)
        return
    days = [row["business_date"] for row in found]
    span = Span(min(days), max(days))
    rows = sum(row["rows_loaded"] or 0 for row in found)
    transaction.fill("affected_days", statements.RETRACTED_DAYS)
    transaction.fill("day_loads", statements.DAY_LOADS)
    transaction.execute("delete from rejected")
    find_contested(transaction, span)
    transaction.execute(span.of(statements.DELETE_ROWS_OF, parts="replaced"))
    point("retracted rows deleted")
    reason = f"retracted by {step.asked_by}" + (f": {step.note}" if step.note else "")
    transaction.execute(statements.MARK_RETRACTED, (reason,))
    transaction.execute(statements.MARK_PARTS_RETRACTED)
    point("retracted, ownership not decided")
    decide_owners(transaction)
    move_rows(transaction, span)
    transaction.execute(statements.QUARANTINE)
    count_and_check(transaction, span)
    ledger.append_events(RETRACTIONS, run_id, now)
    point("retracted, not committed")
    ledger.mark_done(step, f"{rows} rows taken out", run_id, now)
