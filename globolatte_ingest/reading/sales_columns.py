"""The columns that every sales file has, and what a header must say of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from globolatte_ingest.reading.delimited import header_fields
from globolatte_ingest.reasons import ReasonCode, RefusedError

if TYPE_CHECKING:
    import pyarrow as pa

SALES_COLUMNS = (
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


def missing_columns(names: Sequence[str]) -> list[str]:
    """The columns that a header lacks; case and blanks around names do not count."""
    there = {name.strip().lower() for name in names}
    return [column for column in SALES_COLUMNS if column not in there]


def split_header(line: bytes, possible: Sequence[str]) -> tuple[str, list[str]]:
    """A header line's fields, and the delimiter by which it has the most of our columns: all of them for one at the most.

    Raises `RefusedError` if no delimiter splits it.
    """
    headers: dict[str, list[str]] = {}
    fault: RefusedError | None = None
    for delimiter in possible:
        try:
            headers[delimiter] = header_fields(line, delimiter)
        except RefusedError as refused:  # quotes can be in order for one delimiter only
            fault = fault or refused
    if not headers:
        raise fault or RefusedError(ReasonCode.MISSING_HEADER, "has no header; export it again as CSV")
    best = min(headers, key=lambda delimiter: len(missing_columns(headers[delimiter])))
    return best, headers[best]


def required_columns(names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The header's normalized names and its extra columns; raises if a required column is missing or stands twice."""
    normalized = [name.strip().lower() for name in names]
    missing = missing_columns(normalized)
    if missing:
        raise RefusedError(
            ReasonCode.MISSING_COLUMN,
            f"column {', '.join(map(repr, missing))} is missing; add it and upload the file again",
        )
    twice = sorted({column for column in SALES_COLUMNS if normalized.count(column) > 1})
    if twice:
        raise RefusedError(
            ReasonCode.REPEATED_COLUMN,
            f"column {', '.join(map(repr, twice))} stands more than once; keep one and upload the file again",
        )
    return normalized, tuple(name for name in normalized if name not in SALES_COLUMNS)


def as_sales_columns(table: "pa.Table", names: list[str]) -> "pa.Table":
    """The sales columns in their usual order, from a table whose columns go by the header's normalized `names`."""
    return table.select([names.index(column) for column in SALES_COLUMNS]).rename_columns(list(SALES_COLUMNS))
