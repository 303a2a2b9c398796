"""What people ask for in the ledger (approve, release, retry, retract), and what became of it. Reading and writing the record.

A step is asked for by whoever runs the command line, and done by the ingest job for its partition: in the transaction that does it,
it is settled. Nothing is done here.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from globolatte_ingest.reading.sales import SALES_COLUMNS
from resources.warehouse.warehouse import Transaction

if TYPE_CHECKING:
    import pyarrow as pa


class Step(StrEnum):
    """What can be asked for."""

    APPROVE = "approve"
    RELEASE = "release"
    RETRY = "retry"
    RETRACT = "retract"


RELOADS = (Step.APPROVE, Step.RELEASE, Step.RETRY)
"""Steps that load the same content again, under what is known now."""


@dataclass(frozen=True)
class AskedStep:
    """A step that somebody asked for: about one version of one file."""

    step_id: str
    step: Step
    path: str
    etag: str
    sha256: str
    folder: str
    date: dt.date
    asked_by: str
    note: str | None = None


OPEN = """
select step_id, step, path, etag, sha256, folder, business_date, asked_by, note
from sales_data.ledger_steps
where settled_at is null
order by sequence
"""

APPROVALS = """
select loads.load_id, max_by(steps.asked_by, steps.sequence) as asked_by, max_by(steps.note, steps.sequence) as note
from sales_data.ledger_steps as steps
inner join batch_loads as loads on steps.path = loads.path and steps.sha256 = loads.sha256
where steps.step = 'approve'
group by loads.load_id
"""

SETTLE_RELOADS = f"""
update sales_data.ledger_steps set settled_at = ?, run_id = ?, load_id = entries.load_id,
    outcome = coalesce(entries.outcome, 'loaded')
from (
    select ledger.path, ledger.etag, ledger.load_id, ledger.status || case
        when ledger.status = 'refused' then ': ' || ledger.reason
        else ' (' || ledger.rows_loaded || ' rows loaded, ' || ledger.rows_quarantined || ' quarantined)'
    end as outcome
    from sales_data.load_ledger as ledger
    inner join settled_entries on ledger.load_id = settled_entries.load_id
) as entries
where ledger_steps.path = entries.path and ledger_steps.etag = entries.etag and ledger_steps.settled_at is null
    and ledger_steps.step in ({", ".join(f"'{step}'" for step in RELOADS)})
"""


def ask(transaction: Transaction, asked: AskedStep, now: dt.datetime, corrections: "pa.Table | None" = None) -> None:
    """Puts a step on the record. `corrections` are rows by `row_number`, with the columns of a sales file as text."""
    sequence = transaction.fetch("select coalesce(max(sequence), 0) + 1 as n from sales_data.ledger_steps")["n"][
        0
    ].as_py()
    if corrections is not None:
        transaction.stage("corrections", corrections)
    transaction.execute(
        "insert into sales_data.ledger_steps "
        "(step_id, sequence, step, path, etag, sha256, folder, business_date, asked_by, note, asked_at) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            asked.step_id,
            sequence,
            str(asked.step),
            asked.path,
            asked.etag,
            asked.sha256,
            asked.folder,
            asked.date,
            asked.asked_by,
            asked.note,
            now,
        ),
    )
    if corrections is not None:
        columns = ", ".join(SALES_COLUMNS)
        transaction.execute(
            f"insert into sales_data.row_corrections (step_id, sequence, path, sha256, row_number, {columns}) "
            f"select ?, ?, ?, ?, row_number, {columns} from corrections",
            (asked.step_id, sequence, asked.path, asked.sha256),
        )


def new_step_id() -> str:
    """A name for a step."""
    return uuid.uuid4().hex


def open_steps(transaction: Transaction) -> list[AskedStep]:
    """What was asked for and is not done, oldest first."""
    return [
        AskedStep(
            row["step_id"],
            Step(row["step"]),
            row["path"],
            row["etag"],
            row["sha256"],
            row["folder"],
            row["business_date"],
            row["asked_by"],
            row["note"],
        )
        for row in transaction.fetch(OPEN).to_pylist()
    ]


def reloads_among(steps: Sequence[AskedStep]) -> set[tuple[str, str]]:
    """The file versions (path, etag) that are to be loaded again."""
    return {(step.path, step.etag) for step in steps if step.step in RELOADS}


def approvals_in(transaction: Transaction) -> dict[str, str]:
    """Who approved which of the contents in `batch_loads`, in words, by load id. An approval holds for the content it was given for."""
    rows = transaction.fetch(APPROVALS).to_pylist()
    return {
        row["load_id"]: f"approved by {row['asked_by']}" + (f": {row['note']}" if row["note"] else "") for row in rows
    }


def settle_reloads(
    transaction: Transaction, entries: Sequence[Mapping[str, object]], run_id: str, now: dt.datetime
) -> None:
    """Notes what became of the reloads that these ledger entries do."""
    import pyarrow as pa

    transaction.stage(
        "settled_entries", pa.table({"load_id": pa.array([row["load_id"] for row in entries], pa.string())})
    )
    transaction.execute(SETTLE_RELOADS, (now, run_id))


def settle(transaction: Transaction, step: AskedStep, outcome: str, run_id: str, now: dt.datetime) -> None:
    """Notes what became of one step."""
    transaction.execute(
        "update sales_data.ledger_steps set settled_at = ?, run_id = ?, outcome = ? where step_id = ?",
        (now, run_id, outcome, step.step_id),
    )
