"""The rows of a batch of files on their way into the tables, on one open transaction: staged, judged, written, quarantined.

Which file is held, replaced or owns what is decided in `load_transaction`.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from globolatte_ingest import load_statements as statements
from globolatte_ingest import scratch
from globolatte_ingest.fetching import FetchedFile
from globolatte_ingest.ledger import HELD
from globolatte_ingest.reading.sales import ReadSales, SalesPart, SalesRows
from globolatte_ingest.reasons import RefusedError
from globolatte_ingest.validation import Writing, bad_rows, good_rows
from resources.warehouse.warehouse import Transaction

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

LINES_WRITTEN_AT_ONCE = 100_000


class UntrustworthyFileError(Exception):
    """A file that is read while it is loaded turned out to be one to refuse; the transaction is rolled back."""

    def __init__(self, fetched: FetchedFile) -> None:
        super().__init__(fetched.refusal)
        self.fetched = fetched


@dataclass
class Entry:
    """One file of the batch on its way into the ledger."""

    number: int
    fetched: FetchedFile
    row: dict[str, object]
    rows: int = 0

    @property
    def sales(self) -> SalesRows:
        """What the file says. Only files that are not refused are asked for it."""
        assert self.fetched.sales is not None  # noqa: S101 - a refused file has no rows
        return self.fetched.sales

    @property
    def is_held(self) -> bool:
        """Whether it waits for approval."""
        return self.row["status"] == HELD


def stage_batch(transaction: Transaction, entries: Sequence[Entry]) -> None:
    """Fills `batch_loads`, a row per readable file, and `corrected`, what people put in the place of rows."""
    import pyarrow as pa

    columns = ("load_id", "path", "sha256", "sequence", "business_unit", "business_date")
    batch = [
        {"load_number": entry.number, **{column: entry.row[column] for column in columns},
         "number_format": entry.sales.format.number_format, "date_format": entry.sales.format.date_format}
        for entry in entries
    ]  # fmt: skip
    transaction.stage("batch_ledger", pa.Table.from_pylist(batch, scratch.staged()["batch_ledger"]))
    transaction.fill("affected_days", statements.AFFECTED_DAYS.format(loads="batch_ledger"))
    transaction.fill("batch_loads", statements.BATCH_LOADS)
    transaction.fill("corrected", statements.CORRECTED)


def insert_parts(transaction: Transaction, entries: Sequence[Entry]) -> None:
    """Judges the rows and writes the good ones; the next part of a large file is read meanwhile."""
    formats = [entry.sales.format for entry in entries]
    numbers = {form.number_format for form in formats if form.number_format is not None}
    dates = {form.date_format for form in formats if form.date_format is not None}
    corrections = transaction.fetch("select * from corrected")
    for parts in _ahead(_parts(entries)):
        for entry, part in parts:
            entry.rows += part.row_count
        writing = Writing(transaction.dialect, numbers, dates, any(part.is_padded for _, part in parts))
        rows = [(entry.number, part.rows) for entry, part in parts]
        if corrections.num_rows:
            rows = [(number, _without(table, corrections, number)) for number, table in rows]
        _insert(transaction, rows, writing)
        _stage_unreadable(transaction, parts)
    if corrections.num_rows:
        _insert_incoming(transaction, corrections, Writing(transaction.dialect, numbers, dates))
    for entry in entries:
        entry.row["rows_in_file"] = entry.rows


def _parts(entries: Sequence[Entry]) -> Iterator[list[tuple[Entry, SalesPart]]]:
    """What is judged at once: the files that are in memory, all together; of a larger one each part on its own."""
    small = [entry for entry in entries if isinstance(entry.sales, ReadSales)]
    if small:
        yield [(entry, part) for entry in small for part in entry.sales.parts()]
    for entry in entries:
        if not isinstance(entry.sales, ReadSales):
            try:
                for part in entry.sales.parts():
                    yield [(entry, part)]
            except RefusedError as why:
                raise UntrustworthyFileError(entry.fetched.refused(why)) from why


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The items; the one after is made while the caller is at one."""
    nothing = object()
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, nothing)
        while (item := coming.result()) is not nothing:
            coming = maker.submit(next, items, nothing)
            yield item  # type: ignore[misc]


def _insert(transaction: Transaction, rows: "Sequence[tuple[int, pa.Table]]", writing: Writing) -> None:
    import pyarrow as pa

    schema = scratch.staged()["incoming"]
    tables = [
        table.append_column("load_number", pa.repeat(pa.scalar(number, pa.int32()), table.num_rows))
        for number, table in rows
    ]
    _insert_incoming(transaction, pa.concat_tables([schema.empty_table(), *tables]), writing)


def _insert_incoming(transaction: Transaction, incoming: "pa.Table", writing: Writing) -> None:
    """Puts the bad rows aside and writes the others."""
    transaction.stage("incoming", incoming)
    transaction.fill("judged", bad_rows(writing))
    bad = transaction.fetch("select load_number, row_number from judged")
    if bad.num_rows:
        transaction.execute(statements.REJECT_JUDGED)
        transaction.stage("incoming", _all_but(incoming, bad))
    transaction.execute(
        f"insert into sales_data.sales_transactions ({statements.SALES_COLUMN_LIST}) {good_rows(writing)}"
    )


def _all_but(incoming: "pa.Table", bad: "pa.Table") -> "pa.Table":
    """The rows that are not bad. Done here, since a join in the warehouse would take half as long as writing the rows."""
    import numpy as np
    import pyarrow as pa

    def places(table: "pa.Table") -> "np.ndarray":
        loads, rows = (table.column(name).to_numpy().astype(np.int64) for name in ("load_number", "row_number"))
        return loads << 40 | rows

    return incoming.filter(pa.array(~np.isin(places(incoming), places(bad))))


def _without(table: "pa.Table", corrections: "pa.Table", number: int) -> "pa.Table":
    """The rows of a file that nobody put another one in the place of."""
    from pyarrow import compute

    replaced = corrections.filter(compute.equal(corrections["load_number"], number))["row_number"]
    return table.filter(compute.invert(compute.is_in(table["row_number"], replaced.combine_chunks())))


def _stage_unreadable(transaction: Transaction, parts: Iterable[tuple[Entry, SalesPart]]) -> None:
    import pyarrow as pa

    rows = [
        {"load_number": entry.number, "row_number": row.row_number, "reason": row.reason, "detail": row.detail, "raw_text": row.raw_text}
        for entry, part in parts
        for row in part.unreadable
    ]  # fmt: skip
    if rows:
        transaction.stage("unreadable", pa.Table.from_pylist(rows, scratch.staged()["unreadable"]))
        transaction.execute(statements.REJECT_UNREADABLE)


def quarantine_rejected(transaction: Transaction, entries: Sequence[Entry]) -> None:
    """Writes the rejected rows with line and text as they stand in the file."""
    import pyarrow as pa

    rejected = transaction.fetch("select load_id, row_number from rejected order by load_id, row_number")
    if not rejected.num_rows:
        return
    by_id = {str(entry.row["load_id"]): entry for entry in entries}
    loads = rejected["load_id"].combine_chunks().dictionary_encode()
    numbers, codes = rejected["row_number"].to_numpy(), loads.indices.to_numpy()
    found: list[pa.Table] = []
    for code, load_id in enumerate(loads.dictionary.to_pylist()):
        for lines in by_id[load_id].sales.lines(numbers[codes == code]) if load_id in by_id else ():
            found.append(lines.append_column("load_id", pa.repeat(pa.scalar(load_id), lines.num_rows)))
            if lines.num_rows > LINES_WRITTEN_AT_ONCE:
                _write_lines(transaction, found)
    _write_lines(transaction, found)
    transaction.execute(statements.QUARANTINE)


def _write_lines(transaction: Transaction, found: "list[pa.Table]") -> None:
    """Writes what was found into `raw_lines`, and forgets it."""
    import pyarrow as pa

    if found:
        transaction.stage("found_lines", pa.concat_tables(found))
        columns = "load_id, row_number, line_number, raw_text"
        transaction.execute(f"insert into raw_lines ({columns}) select {columns} from found_lines")
    found.clear()
