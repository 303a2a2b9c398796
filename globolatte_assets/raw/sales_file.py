"""Reading one sales file: bytes in, text columns and unreadable rows out, or the reason to refuse the whole file.

Values stay text here. Whether a value is a good number, date, or known product is judged in the warehouse
(`globolatte_assets.raw.judging`), the same way for every row of a batch at once.
"""

import gzip
import io
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from globolatte_assets.raw.delimited import RefusedError, UnreadableRow, read_delimited

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


@dataclass(frozen=True)
class ReadSales:
    """What a sales file says: `rows` has the columns of `SALES_COLUMNS` as text and `row_number` (from 1, header not counted)."""

    rows: "pa.Table"
    unreadable: list[UnreadableRow] = field(default_factory=list)
    extra_columns: tuple[str, ...] = ()

    @property
    def row_count(self) -> int:
        """Data rows in the file, readable or not."""
        return int(self.rows.num_rows) + len(self.unreadable)


def read_sales(path: str, content: bytes, max_bytes: int) -> ReadSales:
    """Reads a sales file. Raises `RefusedError` when the file as a whole cannot be trusted.

    `max_bytes` bounds the size after decompression.
    """
    if not content:
        raise RefusedError("the file is empty, without even a header; upload it again")
    if path.endswith(".parquet"):
        return _read_parquet(content)
    if path.endswith(".gz"):
        content = _gunzip(content, max_bytes)
    return _read_csv(content)


def _gunzip(content: bytes, max_bytes: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            text = stream.read(max_bytes + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise RefusedError(f"the gzip data is damaged or cut off ({error}); upload it again") from error
    if len(text) > max_bytes:
        raise RefusedError(f"unpacks to more than {max_bytes} bytes (GLOBOLATTE_MAX_FILE_BYTES); split the file")
    if not text:
        raise RefusedError("the gzip file holds nothing, not even a header; upload it again")
    return text


def required_columns(names: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """The header's normalized names and its extra columns; raises if a required column is missing or stands twice."""
    normalized = [name.strip().lower() for name in names]
    missing = [column for column in SALES_COLUMNS if column not in normalized]
    if missing:
        raise RefusedError(f"column {', '.join(map(repr, missing))} is missing; add it and upload the file again")
    twice = sorted({column for column in SALES_COLUMNS if normalized.count(column) > 1})
    if twice:
        raise RefusedError(
            f"column {', '.join(map(repr, twice))} stands more than once; keep one and upload the file again"
        )
    return normalized, tuple(name for name in normalized if name not in SALES_COLUMNS)


def _read_csv(content: bytes) -> ReadSales:
    text = read_delimited(content)
    names, extra = required_columns(text.header)
    return _numbered(sales_columns(text.table, names), text.unreadable, extra)


def sales_columns(table: "pa.Table", names: list[str]) -> "pa.Table":
    """The sales columns in their usual order, from a table whose columns go by the header's normalized `names`."""
    return table.select([names.index(column) for column in SALES_COLUMNS]).rename_columns(list(SALES_COLUMNS))


def _numbered(rows: "pa.Table", unreadable: list[UnreadableRow], extra: tuple[str, ...]) -> ReadSales:
    """Numbers the data rows, leaving out the numbers of those that could not be split."""
    import numpy as np
    import pyarrow as pa

    numbers = np.arange(1, rows.num_rows + len(unreadable) + 1, dtype=np.int64)
    if unreadable:
        numbers = np.delete(numbers, [row.row_number - 1 for row in unreadable])
    return ReadSales(rows.append_column("row_number", pa.array(numbers)), unreadable, extra)


def _read_parquet(content: bytes) -> ReadSales:
    import pyarrow as pa
    from pyarrow import compute, parquet

    try:
        table = parquet.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise RefusedError(f"cannot be read as Parquet ({error}); write it again and upload that") from error
    names, extra = required_columns(table.column_names)
    columns = [table.column(names.index(column)) for column in SALES_COLUMNS]
    try:
        text = [compute.fill_null(column.cast(pa.string()), "") for column in columns]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RefusedError(
            f"has a column that is no plain value ({error}); write numbers, text and timestamps"
        ) from error
    return _numbered(pa.table(dict(zip(SALES_COLUMNS, text, strict=True))), [], extra)
