"""Reading one sales file: bytes in, text columns and unreadable rows out, or the reason to refuse the whole file.

Values stay text here. Whether a value is a good number, date, or known product is judged in the warehouse
(`globolatte_ingest.judging`), the same way for every row of a batch at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from globolatte_ingest.reading.content import Content
from globolatte_ingest.reading.delimited import (
    CHUNK_BYTES,
    LONGEST_HEADER,
    Chunk,
    UnreadableRow,
    header_line,
    read_chunks,
)
from globolatte_ingest.reading.file_format import DELIMITERS, USUAL, FileFormat
from globolatte_ingest.reading.row_lines import row_lines
from globolatte_ingest.reading.sales_columns import SALES_COLUMNS, as_sales_columns, required_columns, split_header
from globolatte_ingest.reading.signatures import refuse_other_kinds
from globolatte_ingest.reading.unpacking import FileLimits, as_utf8, unpacked
from globolatte_ingest.reasons import ReasonCode, RefusedError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["SALES_COLUMNS", "ReadSales", "SalesPart", "SalesRows", "read_sales"]


@dataclass(frozen=True)
class SalesPart:
    """Some rows of a sales file: `rows` has the columns of `SALES_COLUMNS` as text and `row_number` (from 1, header not counted)."""

    rows: "pa.Table"
    unreadable: list[UnreadableRow] = field(default_factory=list)
    is_padded: bool = True
    """Whether values may have blanks around them."""

    @property
    def row_count(self) -> int:
        """Rows in it, readable or not."""
        return int(self.rows.num_rows) + len(self.unreadable)


class SalesRows(Protocol):
    """What a sales file says, part by part. Raises `RefusedError` on the way if the file cannot be trusted after all."""

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """Columns that are left out."""
        ...

    @property
    def format(self) -> FileFormat:
        """How values are written."""
        ...

    def parts(self) -> Iterator[SalesPart]:
        """The rows in order."""
        ...

    def lines(self, row_numbers: "np.ndarray") -> "Iterator[pa.Table]":
        """Where rows stand: tables of `row_number`, `line_number`, `raw_text`; nothing for rows without lines, as in Parquet.

        `row_numbers` are in order. To be asked once all parts were read.
        """
        ...

    def close(self) -> None:
        """Frees what the file took up beside memory."""
        ...


@dataclass(frozen=True)
class ReadSales:
    """A sales file that is in memory as a whole. `text` is what it was read from, in UTF-8; none for Parquet."""

    rows: "pa.Table"
    unreadable: list[UnreadableRow] = field(default_factory=list)
    extra_columns: tuple[str, ...] = ()
    format: FileFormat = USUAL
    text: bytes | None = None
    delimiter: str = ","
    is_padded: bool = True

    @property
    def row_count(self) -> int:
        """Data rows in the file, readable or not."""
        return int(self.rows.num_rows) + len(self.unreadable)

    def parts(self) -> Iterator[SalesPart]:
        """All rows as one part."""
        yield SalesPart(self.rows, self.unreadable, self.is_padded)

    def lines(self, row_numbers: "np.ndarray") -> "Iterator[pa.Table]":
        """Line and text of these rows."""
        if self.text is not None:
            yield row_lines(self.text, self.delimiter, self.row_count + 1, row_numbers)

    def close(self) -> None:
        """Nothing to be freed."""


@dataclass(frozen=True)
class Layout:
    """Where the rows of a text begin, what separates their values, and the header's names."""

    start: int
    delimiter: str
    names: list[str]
    extra_columns: tuple[str, ...]

    def part(self, chunk: Chunk) -> SalesPart:
        """A chunk's sales columns, with row numbers."""
        import pyarrow as pa

        rows = as_sales_columns(chunk.table, self.names).append_column("row_number", pa.array(chunk.row_numbers))
        return SalesPart(rows, chunk.unreadable, chunk.is_padded)


@dataclass
class StreamedSales:
    """A sales file in CSV that is read piece by piece."""

    text: Content
    layout: Layout
    format: FileFormat
    chunks: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    """Of each chunk that was read: byte offset, length, first row, first line, rows."""
    chunk_bytes: int = CHUNK_BYTES

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """Columns that are left out."""
        return self.layout.extra_columns

    def parts(self) -> Iterator[SalesPart]:
        """The rows, some hundred thousand at a time."""
        self.chunks.clear()
        layout = self.layout
        for chunk in read_chunks(self.text, layout.start, layout.delimiter, len(layout.names), self.chunk_bytes):
            self.chunks.append((chunk.offset, chunk.length, chunk.first_row, chunk.first_line, chunk.row_count))
            yield layout.part(chunk)

    def lines(self, row_numbers: "np.ndarray") -> "Iterator[pa.Table]":
        """Line and text of these rows; only the pieces that hold them are read again."""
        import numpy as np

        for offset, length, first_row, first_line, rows in self.chunks:
            low, high = np.searchsorted(row_numbers, [first_row, first_row + rows])
            if low < high:
                piece = self.text.read(offset, length)
                yield row_lines(piece, self.layout.delimiter, rows, row_numbers[low:high], first_row, first_line)

    def close(self) -> None:
        """Frees the temporary file."""
        self.text.close()


def read_sales(path: str, content: Content, limits: FileLimits, unit_format: FileFormat = USUAL) -> SalesRows:
    """Reads a sales file. Raises `RefusedError` when the file as a whole cannot be trusted.

    A file larger than `limits.most_in_memory` is read while its parts are asked for.
    """
    if not content.size:
        raise RefusedError(ReasonCode.EMPTY_FILE, "the file is empty, without even a header; upload it again")
    start = content.read(0, 64)
    if path.endswith(".parquet"):
        from globolatte_ingest.reading.parquet_sales import read_parquet_sales

        refuse_other_kinds(path, start)
        return read_parquet_sales(content, limits, unit_format)
    if path.endswith(".gz"):
        if not start.startswith(b"\x1f\x8b"):
            refuse_other_kinds(path, start)
        content = unpacked(content, limits)
        path, start = path.removesuffix(".gz"), content.read(0, 64)
    refuse_other_kinds(path, start)
    return _read_csv(as_utf8(content, unit_format.encoding, limits), limits, unit_format)


def _read_csv(text: Content, limits: FileLimits, unit_format: FileFormat) -> SalesRows:
    layout = _layout(text, unit_format)
    data = text.in_memory
    if data is None or text.size > limits.most_in_memory:
        return StreamedSales(text, layout, unit_format)
    chunks = list(read_chunks(text, layout.start, layout.delimiter, len(layout.names), chunk_bytes=text.size))
    part = layout.part(chunks[0]) if chunks else _no_rows()
    columns = layout.extra_columns
    return ReadSales(part.rows, part.unreadable, columns, unit_format, data, layout.delimiter, part.is_padded)


def _no_rows() -> SalesPart:
    import pyarrow as pa

    text_columns = [(column, pa.string()) for column in SALES_COLUMNS]
    return SalesPart(pa.schema([*text_columns, ("row_number", pa.int64())]).empty_table())


def _layout(text: Content, unit_format: FileFormat) -> Layout:
    """The header, split by the declared delimiter, else by the only one by which it has every column that is needed."""
    line, start = header_line(text.read(0, LONGEST_HEADER))
    possible = [unit_format.delimiter] if unit_format.delimiter else list(DELIMITERS.values())
    delimiter, fields = split_header(line, possible)
    names, extra = required_columns(fields)
    return Layout(start, delimiter, names, extra)
