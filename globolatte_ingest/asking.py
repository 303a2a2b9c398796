"""Deciding which file version a person's step is about, and whether it makes sense. Pure, but for reading a path's history.

What is asked for is done by the ingest job (`sales_transactions`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from globolatte_ingest.ledger import HELD, LOADED, MISPLACED, REFUSED
from globolatte_ingest.paths import folder_and_date
from globolatte_ingest.steps import AskedStep, Step, new_step_id
from resources.warehouse.warehouse import Transaction

HISTORY = """
select
    sequence, load_id, etag, sha256, size_bytes, status, reason_code, reason, rows_in_file, rows_loaded, rows_quarantined, attempt,
    run_id, recorded_at, superseded_by
from sales_data.load_ledger
where path = ?
order by sequence
"""

STEPS = """
select step, etag, asked_by, note, asked_at, settled_at, outcome, run_id, load_id
from sales_data.ledger_steps
where path = ?
order by sequence
"""

TAKES_OUT = (LOADED, HELD)
LOADS_AGAIN = (LOADED, HELD, REFUSED)


class CannotBeDoneError(Exception):
    """A step that makes no sense for the file. The message says why, and what to do instead."""


@dataclass(frozen=True)
class FileHistory:
    """A path's versions in the ledger, oldest first, and what people asked for."""

    path: str
    versions: Sequence[dict[str, Any]]
    steps: Sequence[dict[str, Any]]

    def latest(self, statuses: Collection[str]) -> dict[str, Any] | None:
        """The latest version that is in one of these states."""
        return next((entry for entry in reversed(self.versions) if entry["status"] in statuses), None)


def not_in_the_ledger(path: str) -> str:
    """What to say of a path that no load was ever tried of."""
    return f"{path}: is not in the ledger; give the path within the landing zone, such as sales/usa/2024/01/31/a.csv"


def history_of(transaction: Transaction, path: str) -> FileHistory:
    """What the ledger knows of a path."""
    versions = transaction.fetch(HISTORY, (path,)).to_pylist()
    return FileHistory(path, versions, transaction.fetch(STEPS, (path,)).to_pylist())


def asked_step(
    step: Step,
    history: FileHistory,
    asked_by: str,
    note: str | None = None,
    corrected: Collection[int] = (),
    quarantined: Collection[int] = (),
) -> AskedStep:
    """The step to put on the record. Raises `CannotBeDoneError`.

    `corrected` are the numbers of the rows that are to be put back, `quarantined` those that lie in quarantine.
    """  # fmt: skip
    placed = folder_and_date(history.path)
    if not history.versions:
        raise CannotBeDoneError(not_in_the_ledger(history.path))
    if placed is None:
        raise CannotBeDoneError(
            f"{history.path}: belongs to no unit and date; move the file, and it is loaded from there"
        )
    entry = _entry(step, history)
    strange = sorted(set(corrected) - set(quarantined))
    if strange:
        rows = ", ".join(map(str, strange[:5]))
        raise CannotBeDoneError(
            f"{history.path}: row {rows} does not lie in quarantine; export again and start from that"
        )
    folder, date = placed
    return AskedStep(new_step_id(), step, history.path, entry["etag"], entry["sha256"], folder, date, asked_by, note)


def _entry(step: Step, history: FileHistory) -> dict[str, Any]:
    """The version that the step is about."""
    path, last = history.path, history.versions[-1]
    if step == Step.RETRACT:
        entry = history.latest(TAKES_OUT)
        if entry is None:
            raise CannotBeDoneError(
                f"{path}: nothing of it is loaded or held (it is {last['status']}); nothing to retract"
            )
        return entry
    entry = history.latest((HELD,) if step == Step.APPROVE else LOADS_AGAIN)
    if (last["reason"] or "").startswith(MISPLACED):
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
