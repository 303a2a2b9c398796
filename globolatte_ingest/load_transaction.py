"""Everything that a batch of files changes, on one open transaction: rows, quarantine, ledger. Reading files is `fetching`."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from globolatte_ingest import load_statements as statements
from globolatte_ingest import scratch
from globolatte_ingest.fetching import FetchedFile
from globolatte_ingest.ledger import HELD, LOADED, REFUSED
from globolatte_ingest.ledger_writing import insert_ledger, ledger_row, next_sequence, versions_by_path
from globolatte_ingest.ownership import Span, find_contested, reject_duplicates_in_file, settle_ownership
from globolatte_ingest.reasons import ReasonCode
from globolatte_ingest.row_writing import Entry, insert_parts, quarantine_rejected, stage_batch
from globolatte_ingest.steps import approvals_in, settle_reloads
from globolatte_ingest.validation import Counts, held_for
from resources.warehouse.warehouse import Transaction


class ConservationError(RuntimeError):
    """Rows would be lost or doubled: the transaction is rolled back and nothing of the batch is loaded."""


@dataclass(frozen=True)
class Loader:
    """Who loads and when (UTC without offset), where folders belong, and how many bad rows a file may have."""

    run_id: str
    now: dt.datetime
    units_by_folder: Mapping[str, str]
    max_bad_share: float


@dataclass
class Loaded:
    """What became of the batch's files, by path."""

    loaded: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    rows_loaded: int = 0
    rows_quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    extra_columns: set[str] = field(default_factory=set)


def load_into(
    transaction: Transaction, fetched: Sequence[FetchedFile], attempts: Mapping[str, int], loader: Loader
) -> Loaded:
    """Loads, holds or refuses each file. Raises `ConservationError` and `UntrustworthyFileError`: then roll back."""
    if not fetched:
        return Loaded()
    entries = _entries(transaction, fetched, attempts, loader)
    scratch.define(transaction)
    readable = [entry for entry in entries if entry.fetched.sales is not None]
    if readable:
        days = [entry.fetched.sales_file.date for entry in readable]
        span = Span(min(days), max(days))
        stage_batch(transaction, readable)
        insert_parts(transaction, readable)
        transaction.fill("day_loads", statements.DAY_LOADS)
        find_contested(transaction, span)
        reject_duplicates_in_file(transaction, span)
        _hold(transaction, readable, span, loader)
        _supersede(transaction, span)
        settle_ownership(transaction, span)
        quarantine_rejected(transaction, readable)
    insert_ledger(transaction, [entry.row for entry in entries])
    if readable:
        count_and_check(transaction, span)
    settle_reloads(transaction, [entry.row for entry in entries], loader.run_id, loader.now)
    return _outcome(transaction, entries)


def _entries(
    transaction: Transaction, fetched: Sequence[FetchedFile], attempts: Mapping[str, int], loader: Loader
) -> list[Entry]:
    """The ledger's entries for the files, as if all that can be read were loaded."""
    sequence = next_sequence(transaction)
    versions = versions_by_path(transaction, [item.sales_file.file.path for item in fetched])
    return [
        Entry(
            number,
            item,
            ledger_row(
                file=item.sales_file.file,
                sequence=sequence + number,
                sha256=item.sha256,
                version=versions.get(item.sales_file.file.path, 0),
                status=LOADED if item.sales is not None else REFUSED,
                reason=item.refusal,
                reason_code=item.refusal_code,
                run_id=loader.run_id,
                now=loader.now,
                business_unit=loader.units_by_folder[item.sales_file.folder],
                business_date=item.sales_file.date,
                extra_columns=", ".join(item.sales.extra_columns) or None if item.sales is not None else None,
                attempt=attempts[item.sales_file.file.path],
            ),
        )
        for number, item in enumerate(fetched)
    ]


def _hold(transaction: Transaction, entries: Sequence[Entry], span: Span, loader: Loader) -> None:
    """Takes the files with too many bad rows out again: they wait for approval. Stages `held_loads`."""
    import pyarrow as pa

    counted = transaction.fetch(statements.BAD_ROWS).to_pydict()
    bad = dict(zip(counted["load_number"], counted["bad"], strict=True))
    approvals = approvals_in(transaction)
    for entry in entries:
        approval = approvals.get(str(entry.row["load_id"]))
        counts = Counts(entry.rows, bad.get(entry.number, 0))
        reason = held_for(counts, loader.max_bad_share, is_approved=approval is not None)
        if reason is not None:
            entry.row |= {"status": HELD, "reason": reason, "reason_code": ReasonCode.TOO_MANY_BAD_ROWS}
        elif approval is not None:
            entry.row["reason"] = approval
    held = [entry.row["load_id"] for entry in entries if entry.is_held]
    transaction.stage("held_loads", pa.table({"load_id": pa.array(held, pa.string())}))
    if held:
        transaction.execute(span.of(statements.DELETE_ROWS_OF, loads="held_loads"))
        transaction.execute("delete from contested where load_id in (select load_id from held_loads)")


def _supersede(transaction: Transaction, span: Span) -> None:
    """Takes out the rows of the versions that this batch replaces. Their quarantine and ledger entries stay, on the record."""
    transaction.fill("replaced", statements.REPLACED)
    if not transaction.fetch("select 1 as found from replaced limit 1").num_rows:
        return
    transaction.execute(span.of(statements.DELETE_ROWS_OF, loads="replaced"))
    transaction.execute(
        "update sales_data.load_ledger set status = 'superseded', superseded_by = replaced.successor "
        "from replaced where load_ledger.load_id = replaced.load_id"
    )


def count_and_check(transaction: Transaction, span: Span) -> None:
    """Counts what each touched load has in the tables, writes that into the ledger, and raises if a row is lost or doubled."""
    transaction.fill("touched", span.of(statements.TOUCHED))
    transaction.execute(
        "update sales_data.load_ledger set rows_loaded = touched.rows_loaded, rows_quarantined = touched.rows_quarantined "
        "from touched where load_ledger.load_id = touched.load_id"
    )
    wrong = transaction.fetch(statements.WRONG_COUNTS).to_pylist()
    if wrong:
        raise ConservationError(
            "rows in file = rows loaded + rows quarantined does not hold, so nothing of this batch was loaded: "
            + "; ".join(
                f"{row['path']}: {row['rows_in_file']} = {row['rows_loaded']} + {row['rows_quarantined']}"
                for row in wrong[:5]
            )
        )


def _outcome(transaction: Transaction, entries: Sequence[Entry]) -> Loaded:
    done = Loaded()
    for entry in entries:
        path, reason = str(entry.row["path"]), str(entry.row["reason"])
        if entry.row["status"] == LOADED:
            done.loaded.append(path)
            done.extra_columns |= set(entry.sales.extra_columns)
        else:
            (done.held if entry.is_held else done.refused).append((path, reason))
    if len(done.refused) < len(entries):
        counts = transaction.fetch(
            "select cast(coalesce(sum(rows_loaded), 0) as bigint) as loaded, "
            "cast(coalesce(sum(rows_quarantined), 0) as bigint) as quarantined "
            f"from touched where {statements.OF_LOADED}"
        ).to_pylist()[0]
        reasons = transaction.fetch(
            f"select reason, count(*) as n from rejected where {statements.OF_LOADED} group by reason"
        ).to_pydict()
        done.rows_loaded, done.rows_quarantined = counts["loaded"], counts["quarantined"]
        done.reasons = dict(zip(reasons["reason"], reasons["n"], strict=True))
    return done
