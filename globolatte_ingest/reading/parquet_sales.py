"""Reading a sales file in Parquet, batch by batch: typed columns become the text that the usual way of writing gives."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from globolatte_ingest.reading.content import Content
from globolatte_ingest.reading.file_format import USUAL, FileFormat
from globolatte_ingest.reading.sales_columns import SALES_COLUMNS, required_columns
from globolatte_ingest.reading.sales_file import SalesPart, SalesRows
from globolatte_ingest.reading.unpacking import RATIO_IS_FREE_UP_TO, FileLimits
from globolatte_ingest.reasons import ReasonCode, RefusedError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BATCH_ROWS = 200_000
BUFFER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ParquetSales:
    """A sales file in Parquet. Its rows stand on no lines; `format` says how its text columns write values."""

    content: Content
    file: Any
    positions: list[int]
    extra_columns: tuple[str, ...]
    format: FileFormat

    def parts(self) -> Iterator[SalesPart]:
        """The rows, some hundred thousand at a time."""
        import numpy as np
        import pyarrow as pa

        names = [self.file.schema_arrow.names[position] for position in self.positions]
        row = 1
        batches = self.file.iter_batches(BATCH_ROWS, columns=names, use_threads=False)
        while (batch := _next(batches)) is not None:
            columns = {column: _as_text(batch.column(name)) for column, name in zip(SALES_COLUMNS, names, strict=True)}
            numbers = pa.array(np.arange(row, row + batch.num_rows, dtype=np.int64))
            row += batch.num_rows
            yield SalesPart(pa.table({**columns, "row_number": numbers}))

    def lines(self, row_numbers: "np.ndarray") -> "Iterator[pa.Table]":  # noqa: ARG002 - as the protocol has it
        """Nothing: there are no lines."""
        yield from ()

    def close(self) -> None:
        """Frees the temporary file, if there is one."""
        self.content.close()


def read_parquet_sales(content: Content, limits: FileLimits, unit_format: FileFormat = USUAL) -> SalesRows:
    """Opens a sales file in Parquet; its rows are read when they are asked for. Raises `RefusedError` if it is none."""
    import pyarrow as pa
    from pyarrow import parquet

    if content.read(max(content.size - 4, 0), 4) == b"PARE":
        raise RefusedError(ReasonCode.ENCRYPTED_FILE, "is encrypted Parquet; upload it unencrypted")
    try:
        file = parquet.ParquetFile(content.stream(), buffer_size=BUFFER_BYTES, pre_buffer=False)
        schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from error
    names, extra = required_columns(schema.names)
    _check_size(file.metadata, content.size, limits)
    positions = [names.index(column) for column in SALES_COLUMNS]
    types = dict(zip(SALES_COLUMNS, (schema.field(position).type for position in positions), strict=True))
    _check_plain(types)
    sales = ParquetSales(content, file, positions, extra, _format_of(types, unit_format))
    return sales if content.in_memory is None else _read_at_once(sales)


def _read_at_once(sales: ParquetSales) -> SalesRows:
    """All of it, so that damage shows before anything is loaded."""
    import pyarrow as pa

    from globolatte_ingest.reading.sales_file import ReadSales

    columns = [*((column, pa.string()) for column in SALES_COLUMNS), ("row_number", pa.int64())]
    rows = pa.concat_tables([pa.schema(columns).empty_table(), *(part.rows for part in sales.parts())])
    return ReadSales(rows, [], sales.extra_columns, sales.format)


def _next(batches: "Iterator[pa.RecordBatch]") -> "pa.RecordBatch | None":
    import pyarrow as pa

    try:
        return next(batches, None)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> RefusedError:
    return RefusedError(
        ReasonCode.DAMAGED_PARQUET, f"cannot be read as Parquet ({error}); write it again and upload that"
    )


def _check_size(metadata: Any, size: int, limits: FileLimits) -> None:
    """Refuses what would grow past the limits. A row counts a byte a column at least: runs of equal values pack to nothing."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    unpacked = max(sum(group.total_byte_size for group in groups), metadata.num_rows * len(SALES_COLUMNS))
    if unpacked > limits.max_bytes:
        raise RefusedError(
            ReasonCode.DECOMPRESSION_BOMB,
            f"unpacks to more than {limits.max_bytes} bytes (GLOBOLATTE_MAX_FILE_BYTES); split the file",
        )
    if unpacked > max(RATIO_IS_FREE_UP_TO, limits.max_ratio * size):
        raise RefusedError(
            ReasonCode.DECOMPRESSION_BOMB,
            f"unpacks to more than {limits.max_ratio:g} times its size (GLOBOLATTE_MAX_COMPRESSION_RATIO), as no sales file "
            "does; upload the real one",
        )


def _check_plain(types: "dict[str, pa.DataType]") -> None:
    from pyarrow import types as kinds

    for column, kind in types.items():
        value = kind.value_type if kinds.is_dictionary(kind) else kind
        plain = (
            kinds.is_null(value) or kinds.is_string(value) or kinds.is_large_string(value) or kinds.is_string_view(value)
            or kinds.is_integer(value) or kinds.is_floating(value) or kinds.is_decimal(value) or kinds.is_boolean(value)
            or kinds.is_date(value) or (kinds.is_timestamp(value) and value.tz is None)
        )  # fmt: skip
        if not plain:
            raise RefusedError(
                ReasonCode.NO_PLAIN_VALUES,
                f"has a column that is no plain value ({column} is {kind}); write numbers, text and timestamps without time zone",
            )


def _format_of(types: "dict[str, pa.DataType]", unit_format: FileFormat) -> FileFormat:
    """What is declared concerns columns of text; a typed value is written the usual way."""
    from pyarrow import types as kinds

    def is_text(column: str) -> bool:
        kind = types[column]
        value = kind.value_type if kinds.is_dictionary(kind) else kind
        return bool(kinds.is_string(value) or kinds.is_large_string(value) or kinds.is_string_view(value))

    found = unit_format
    if not is_text("quantity") or not is_text("total_price"):
        found = replace(found, decimal_mark=None, thousands_mark=None)
    return found if is_text("transaction_date") else replace(found, date_format=None)


def _as_text(column: "pa.Array") -> "pa.Array":
    import pyarrow as pa
    from pyarrow import compute
    from pyarrow import types as kinds

    if kinds.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return compute.fill_null(column.cast(pa.string()), "")
    except pa.ArrowException as error:
        raise RefusedError(
            ReasonCode.NO_PLAIN_VALUES,
            f"has a column that is no plain value ({error}); write numbers, text and timestamps without time zone",
        ) from error
