"""Quarantined rows for people: listing, showing, exporting for a spreadsheet, and reading a corrected spreadsheet.

Nothing is put back here: `corrections` records the request, and the ingest job does it.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import compute, csv

from globolatte_ingest.declarations import DELIMITERS
from globolatte_ingest.ledger_statements import PARTS_HELD
from globolatte_ingest.reading.delimited import read_delimited
from globolatte_ingest.reading.sales import ROW_NUMBER, SALES_COLUMNS, SALES_TEXTS, as_sales_columns
from globolatte_ingest.reasons import ReasonCode, RefusedError
from globolatte_ml.data.blanks import trimmed_column
from resources.warehouse.warehouse import Transaction

PATH = "path"

ALWAYS_EXPORTED = (
    "transaction_id",
    "order_id",
    "business_unit",
    "product_id",
    "customer_id",
    "quantity",
    "total_price",
    "transaction_date",
    "payment_method",
    "weather",
)
"""The columns of every sheet; one that an earlier release exported has no others, and those are then not told."""

FORMULA = r"'*[=+\-@\t\r]"
"""The start of a cell that a spreadsheet would read as a formula, or of one that was escaped for that reason."""

OVERVIEW = f"""
select
    ledger.path, case when ledger.status = 'loaded' and held.n > 0 then 'held in part' else ledger.status end as status,
    ledger.rows_in_file, ledger.rows_quarantined, ledger.recorded_at, reasons.reason, reasons.n
from sales_data.load_ledger as ledger
left join (
    select load_id, reason, count(*) as n from sales_data.quarantine group by load_id, reason
) as reasons on ledger.load_id = reasons.load_id
left join ({PARTS_HELD}) as held on ledger.load_id = held.load_id
where ledger.status = 'held' or held.n > 0
    or (ledger.status = 'loaded' and ledger.rows_quarantined > 0 and ledger.business_date is not null)
order by ledger.path, reasons.n desc, reasons.reason
"""

ROWS = f"""
select
    ledger.path, quarantine.row_number, quarantine.line_number, quarantine.reason, quarantine.detail, quarantine.raw_text,
    {", ".join(f"quarantine.{text} as {column}" for column, text in SALES_TEXTS.items())}
from sales_data.quarantine as quarantine
inner join sales_data.load_ledger as ledger on quarantine.load_id = ledger.load_id
where ledger.status in ('loaded', 'held') and (? = '' or ledger.path = ?) and not exists (
    select 1 from sales_data.load_parts as part
    where part.load_id = quarantine.load_id and part.business_unit = quarantine.business_unit
        and part.business_date = quarantine.business_date and part.status = 'superseded'
)
order by ledger.path, quarantine.row_number
"""


def overview(transaction: Transaction) -> list[dict[str, Any]]:
    """Files that are held, and loaded files with quarantined rows: status, counts, and how many rows of each reason."""
    files: dict[str, dict[str, Any]] = {}
    for row in transaction.fetch(OVERVIEW).to_pylist():
        reason, count = row.pop("reason"), row.pop("n")
        file = files.setdefault(row["path"], {**row, "reasons": None})
        if reason is not None:
            file["reasons"] = ", ".join(filter(None, (file["reasons"], f"{reason} {count}")))
    return list(files.values())


def quarantined_rows(transaction: Transaction, path: str | None) -> pa.Table:
    """The quarantined rows of a file's loaded or held version, or of all files; values as text, as in the file."""
    return transaction.fetch(ROWS, (path or "", path or ""))


def escaped(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before each text that a spreadsheet would read as a formula."""
    return _texts_replaced(table, f"^({FORMULA})", r"'\1")


def unescaped(table: pa.Table) -> pa.Table:
    """The value before `escaped`."""
    return _texts_replaced(table, f"^'({FORMULA})", r"\1")


def _texts_replaced(table: pa.Table, pattern: str, replacement: str) -> pa.Table:
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            text = compute.replace_substring_regex(table.column(place), pattern, replacement)
            table = table.set_column(place, field.name, text)
    return table


def export(table: pa.Table, file: Path) -> None:
    """Writes quarantined rows as CSV for a spreadsheet: UTF-8 with a byte order mark, formulas escaped."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        stream.write("\ufeff".encode())
        csv.write_csv(escaped(table), stream)


def read_corrections(content: bytes, path: str | None = None) -> pa.Table:
    """Rows that were exported and corrected: `row_number`, and the columns of a sales file as text.

    Rows in which all of these are empty are left out, and so are those that were exported of another file than `path`. Raises
    `RefusedError` if any row cannot be read, is there twice, or none is left: what is put back is put back as a whole.
    """
    header, chunk = read_delimited(content, list(DELIMITERS.values()), SALES_COLUMNS)
    names, table = header.names, chunk.table
    if not {ROW_NUMBER, *ALWAYS_EXPORTED} <= {*names}:
        raise RefusedError(
            ReasonCode.MISSING_COLUMN,
            f"needs the columns {ROW_NUMBER}, {', '.join(ALWAYS_EXPORTED)}; start from `globolatte quarantine export`",
        )
    if chunk.unreadable:
        row = chunk.unreadable[0]
        raise RefusedError(
            ReasonCode.UNREADABLE_CSV, f"row {row.row_number} {row.detail}; save the spreadsheet as CSV again"
        )
    if not chunk.place.rows:
        raise RefusedError(ReasonCode.EMPTY_FILE, "has a header but no row; leave the rows that you corrected in it")
    try:
        numbers = trimmed_column(table.column(names.index(ROW_NUMBER))).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise RefusedError(
            ReasonCode.BAD_REFERENCE_DATA,
            f"row_number is no number in a row ({error}); leave that column as it was exported",
        ) from error
    rows = unescaped(as_sales_columns(table, names)).append_column(ROW_NUMBER, numbers)
    joined = compute.binary_join_element_wise(*rows.columns[:-1], "", null_handling="skip")
    filled = compute.greater(compute.binary_length(joined), 0)
    if path is not None and PATH in names:
        filled = compute.and_(filled, compute.equal(table.column(names.index(PATH)), path))
    rows = rows.filter(filled)
    if not rows.num_rows:
        raise RefusedError(
            ReasonCode.EMPTY_FILE, f"has no row of {path or 'any file'}; leave the rows that you corrected in it"
        )
    if len(rows.column(ROW_NUMBER).unique()) != rows.num_rows:
        raise RefusedError(ReasonCode.BAD_REFERENCE_DATA, "has a row_number more than once; keep one row each")
    return rows
