"""Reading sales files: bytes in, text columns and unreadable rows out, or the reason to refuse the whole file.

Values stay text here. Whether a value is a good number, date, or known product is validated in the warehouse
(`globolatte_ingest.validation`), the same way for every row of a batch at once.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from pyarrow.parquet import ParquetFile

from globolatte_ingest.declarations import COLUMNS, DELIMITERS, OFFSET, REQUIRED, UNIT_PRICE, USUAL, Declaration
from globolatte_ingest.reading.delimited import (
    CHUNK_BYTES,
    Chunk,
    Header,
    Place,
    UnreadableRow,
    read_chunks,
    read_delimited,
    read_header,
    row_lines,
    without_last_lines,
)
from globolatte_ingest.reading.landed_bytes import (
    BYTE_ORDER_MARK,
    DETECTED_BY,
    GZIP,
    Content,
    FileLimits,
    as_utf8,
    refuse_other_kinds,
    unpacked,
)
from globolatte_ingest.reading.layout import Layout, Numbering, layout_of
from globolatte_ingest.reading.parquet import check_columns, has_zone, is_text, open_parquet, text_batches
from globolatte_ingest.reasons import ReasonCode, RefusedError, RowReason

SALES_COLUMNS = COLUMNS
"""What a sales file may say, in any order."""

REQUIRED_COLUMNS = REQUIRED
"""What every sales file says, as a column or as declared."""

OPTIONAL_COLUMNS = tuple(column for column in SALES_COLUMNS if column not in REQUIRED_COLUMNS)
"""What a sales file may leave out, as a column or in a row: there is a default (docs/landing.md). NULL where a file has no such column."""

TYPED_COLUMNS = (
    "business_unit",
    "quantity",
    "total_price",
    "transaction_date",
    "weather",
    "discount",
    "currency",
    "kind",
    "refunded_date",
)
SALES_TEXTS = {column: f"{column}_text" if column in TYPED_COLUMNS else column for column in SALES_COLUMNS}
"""What a column's text is called in the warehouse, from staging to quarantine, beside its typed or checked value."""

ROW_NUMBER = "row_number"


def texts(*columns: str) -> list[tuple[str, pa.DataType]]:
    """Columns of text, for a schema."""
    return [(column, pa.string()) for column in columns]


LARGEST_ALIKE_FILE = 1024 * 1024
"""Bytes above which a file is worth a parser of its own."""

TELLTALES = (b'"', b"\r", b"\x00", b"\n\n", BYTE_ORDER_MARK)
"""If a text contains one of these, a line of it may not be a row."""


# What a file says ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SalesPart:
    """Some rows of a sales file: `rows` has the columns of `SALES_COLUMNS` as text and `row_number` (from 1, header not counted).

    An optional column that the file does not have is NULL in all rows; a value that is not told in a column that is there is empty.
    """

    rows: pa.Table
    unreadable: list[UnreadableRow] = field(default_factory=list)

    @property
    def row_count(self) -> int:
        """Rows in it, readable or not."""
        return int(self.rows.num_rows) + len(self.unreadable)


class SalesRows(ABC):
    """The content of a sales file, part by part. `format` says how values are written; `extra_columns` are left out."""

    extra_columns: tuple[str, ...]
    format: Declaration
    content: Content | None
    """What is read while parts are taken: in UTF-8, or Parquet; none if nothing is left to read."""

    @abstractmethod
    def parts(self) -> Iterator[SalesPart]:
        """The rows in order. Raises `RefusedError` on the way if the file cannot be trusted after all."""

    def lines(self, row_numbers: np.ndarray) -> Iterator[pa.Table]:  # noqa: ARG002 - for those that have lines
        """Where rows stand: tables of `row_number`, `line_number`, `raw_text`; nothing for rows without lines, as in Parquet.

        `row_numbers` are in order. To be called once all parts were read.
        """
        yield from ()

    def close(self) -> None:
        """Frees what the file took up beside memory."""
        if self.content is not None:
            self.content.close()


@dataclass(frozen=True)
class ReadSales(SalesPart, SalesRows):
    """A sales file that is in memory as a whole: its only part. `text` is what it was read from, in UTF-8; none for Parquet."""

    extra_columns: tuple[str, ...] = ()
    format: Declaration = USUAL
    text: bytes | None = None
    header: Header | None = None
    content: None = None

    def parts(self) -> Iterator[SalesPart]:
        """All rows as one part."""
        yield self

    def lines(self, row_numbers: np.ndarray) -> Iterator[pa.Table]:
        """Line and text of these rows."""
        if self.text is not None and self.header is not None:
            data = self.text[self.header.end :]
            yield row_lines(data, self.header.delimiter, self.row_count, row_numbers, 1, self.header.lines + 1)


@dataclass
class StreamedSales(SalesRows):
    """A sales file in CSV that is read piece by piece."""

    content: Content
    header: Header
    layout: Layout
    extra_columns: tuple[str, ...]
    format: Declaration
    chunk_bytes: int = CHUNK_BYTES
    places: list[Place] = field(default_factory=list)
    """The positions of the rows that were read."""

    def parts(self) -> Iterator[SalesPart]:
        """The rows, some hundred thousand at a time."""
        self.places.clear()
        numbering = Numbering()
        for chunk in read_chunks(self.content, self.header, self.chunk_bytes):
            self.places.append(chunk.place)
            yield _part(chunk, self.layout, numbering)

    def lines(self, row_numbers: np.ndarray) -> Iterator[pa.Table]:
        """Line and text of these rows; only the pieces that hold them are read again."""
        for place in self.places:
            low, high = np.searchsorted(row_numbers, [place.first_row, place.first_row + place.rows])
            if low < high:
                piece, wanted = self.content.read(place.offset, place.length), row_numbers[low:high]
                yield row_lines(piece, self.header.delimiter, place.rows, wanted, place.first_row, place.first_line)


@dataclass(frozen=True)
class ParquetSales(SalesRows):
    """A sales file in Parquet. Its rows stand on no lines; `columns` are the names in the file of ours."""

    content: Content
    file: ParquetFile
    columns: dict[str, str]
    layout: Layout
    extra_columns: tuple[str, ...]
    format: Declaration

    def parts(self) -> Iterator[SalesPart]:
        """The rows, some hundred thousand at a time."""
        row, numbering = 1, Numbering()
        for table in text_batches(self.file, self.columns):
            numbers = np.arange(row, row + table.num_rows)
            rows = self.layout.shaped(table, numbering)
            yield SalesPart(rows.append_column(ROW_NUMBER, pa.array(numbers)))
            row += table.num_rows


def read_sales(path: str, content: Content, limits: FileLimits, unit_format: Declaration = USUAL) -> SalesRows:
    """Reads a sales file. Raises `RefusedError` when the file as a whole cannot be trusted.

    A file larger than `limits.most_in_memory` is read while its parts are taken.
    """
    if not content.size:
        raise RefusedError(ReasonCode.EMPTY_FILE, "the file is empty, without even a header; upload it again")
    path, start = path.lower(), content.read(0, DETECTED_BY)
    if path.endswith(".gz"):
        if not start.startswith(GZIP):
            refuse_other_kinds(path, start)
        content = unpacked(content, limits)
        path, start = path.removesuffix(".gz"), content.read(0, DETECTED_BY)
    refuse_other_kinds(path, start)
    if path.endswith(".parquet"):
        return _read_parquet(content, limits, unit_format)
    return _read_csv(as_utf8(content, unit_format.encoding, limits), limits, unit_format)


def _read_csv(text: Content, limits: FileLimits, declared: Declaration) -> SalesRows:
    header, layout = _header(text, declared)
    if declared.lines_below_data:
        text = without_last_lines(text, declared.lines_below_data, header.end)
    data = text.in_memory
    if data is None or text.size > limits.most_in_memory:
        return StreamedSales(text, header, layout, layout.extra, declared.as_read)
    part = _part(next(read_chunks(text, header, chunk_bytes=text.size + 1)), layout)
    return ReadSales(part.rows, part.unreadable, layout.extra, declared.as_read, data, header)


LINES_LOOKED_AT = 20
"""Lines among which a header is looked for, to say where it stands; it is not taken from there unless that is declared."""


def _header(text: Content, declared: Declaration) -> tuple[Header, Layout]:
    """The header and what it means. Raises `RefusedError`; it says so if a line further down looks like the header."""
    try:
        return _header_below(declared.lines_above_header, text, declared)
    except RefusedError as fault:
        for lines in range(LINES_LOOKED_AT):
            if (line := _line_of_header(lines, text, declared)) is not None:
                raise RefusedError(
                    fault.code,
                    f"has its header in line {line}; declare lines_above_header = {lines} in reference/units.toml "
                    "(docs/declarations.md), then `globolatte quarantine retry` this file",
                ) from fault
        raise


def _header_below(lines: int, text: Content, declared: Declaration) -> tuple[Header, Layout]:
    is_declared = declared.delimiter is not None
    header = read_header(text, _delimiters(declared), _wanted(declared), lines, is_declared=is_declared)
    return header, layout_of(header.names, declared)


def _line_of_header(lines: int, text: Content, declared: Declaration) -> int | None:
    """The line of the header if it stands below so many lines."""
    try:
        return _header_below(lines, text, declared)[0].lines
    except RefusedError:
        return None


def _delimiters(declared: Declaration) -> list[str]:
    return [declared.delimiter] if declared.delimiter else list(DELIMITERS.values())


def _wanted(declared: Declaration) -> set[str]:
    """The header names that mean something."""
    return {*SALES_COLUMNS, *(name for _, names in declared.columns for name in names)}


def _read_parquet(content: Content, limits: FileLimits, declared: Declaration) -> SalesRows:
    """A declared format applies to columns of text only; typed values are written the usual way."""
    file = open_parquet(content)
    layout = layout_of([name.strip().lower() for name in file.schema_arrow.names], declared)
    columns = {column: file.schema_arrow.names[place] for column, place in layout.places.items()}
    check_columns(file, content.size, columns, limits, with_zone=declared.times_in is not None)
    amounts = [columns[column] for column in ("quantity", "total_price", UNIT_PRICE) if column in columns]
    if not all(is_text(file, name) for name in amounts):
        declared = replace(declared, decimal_mark=None, thousands_mark=None, currency_signs=())
    if "transaction_date" in columns and not is_text(file, columns["transaction_date"]):
        is_local = declared.times_in == OFFSET and not has_zone(file, columns["transaction_date"])
        declared = replace(declared, date_format=None, times_in=None if is_local else declared.times_in)
    layout = Layout(declared, {column: place for place, column in enumerate(columns)}, layout.extra)
    sales = ParquetSales(content, file, columns, layout, layout.extra, declared.as_read)
    if content.in_memory is None:
        return sales
    # All of it at once, so that damage shows before anything is loaded.
    empty = pa.schema([*texts(*SALES_COLUMNS), (ROW_NUMBER, pa.int64())]).empty_table()
    rows = pa.concat_tables([empty, *(part.rows for part in sales.parts())])
    return ReadSales(rows, extra_columns=layout.extra, format=declared.as_read)


def as_sales_columns(table: pa.Table, names: list[str]) -> pa.Table:
    """The sales columns in their usual order, from a table whose columns go by the header's `names`; NULL for those it does not have."""
    absent = pa.nulls(table.num_rows, pa.string())
    columns = [table.column(names.index(column)) if column in names else absent for column in SALES_COLUMNS]
    return pa.Table.from_arrays(columns, names=list(SALES_COLUMNS))


def _part(chunk: Chunk, layout: Layout, numbering: Numbering | None = None) -> SalesPart:
    rows = layout.shaped(chunk.table, numbering).append_column(ROW_NUMBER, pa.array(chunk.row_numbers))
    return SalesPart(rows, chunk.unreadable)


def read_alike_files(
    paths: Sequence[str], contents: Sequence[bytes | None], formats: Sequence[Declaration]
) -> dict[int, ReadSales]:
    """Reads many small CSV files of one shape at once: starting the parser costs more than parsing a day's rows.

    Only files whose rows can be separated without parsing are read together. Returns their contents by their position in `contents`,
    the same as `read_sales` returns; it reads every other file by itself and says what is wrong with it.
    """
    groups: dict[tuple[bytes, int], list[int]] = defaultdict(list)
    for place, (path, content, declared) in enumerate(zip(paths, contents, formats, strict=True)):
        if content is not None and _has_a_row_a_line(path, content, declared):
            groups[content.partition(b"\n")[0], id(declared)].append(place)
    read: dict[int, ReadSales] = {}
    for (header_line, _), places in groups.items():
        if len(places) > 1:
            together = _read_group(header_line, formats[places[0]], [contents[place] or b"" for place in places])
            read |= dict(zip(places, together, strict=False))
    return read


def _has_a_row_a_line(path: str, content: bytes, declared: Declaration) -> bool:
    """Whether each line of a file but the first is certain to be a row."""
    return (
        path.lower().endswith(".csv")
        and (declared.encoding in (None, "utf-8") or content.isascii())
        and not (declared.lines_above_header or declared.lines_below_data or declared.line_ids)
        and 0 < len(content) <= LARGEST_ALIKE_FILE
        and not content.startswith(b"\n")
        and content[:4].lower() != b"sep="
        and not any(mark in content for mark in TELLTALES)
    )


def _read_group(header_line: bytes, declared: Declaration, texts: Sequence[bytes]) -> list[ReadSales]:
    """Parses the texts as one and splits the rows by file again; none if the text as a whole cannot be read."""
    bodies = [text[len(header_line) + 1 :] for text in texts]
    ended = [body if body.endswith(b"\n") or not body else body + b"\n" for body in bodies]
    try:
        header, chunk = read_delimited(
            b"\n".join((header_line, b"".join(ended))), _delimiters(declared), _wanted(declared)
        )
        layout = layout_of(header.names, declared)
    except RefusedError:
        return []
    ends = np.cumsum([body.count(b"\n") for body in ended])
    starts = ends - np.diff(ends, prepend=0)
    if chunk.place.rows != ends[-1] or any(row.reason != RowReason.WRONG_FIELD_COUNT for row in chunk.unreadable):
        return []
    skipped = np.array([row.row_number - 1 for row in chunk.unreadable], dtype=np.int64)
    readable = chunk.row_numbers - 1
    first_row, last_row = np.searchsorted(readable, starts), np.searchsorted(readable, ends)
    first_bad, last_bad = np.searchsorted(skipped, starts), np.searchsorted(skipped, ends)
    numbers = pa.array(readable - np.repeat(starts, last_row - first_row) + 1)
    rows = layout.shaped(chunk.table).combine_chunks().append_column(ROW_NUMBER, numbers)
    read: list[ReadSales] = []
    for place, text in enumerate(texts):
        start, low, high = int(starts[place]), int(first_row[place]), int(last_row[place])
        bad = [
            replace(row, row_number=row.row_number - start)
            for row in chunk.unreadable[first_bad[place] : last_bad[place]]
        ]
        shaped = rows.slice(low, high - low)
        read.append(ReadSales(shaped, bad, layout.extra, declared.as_read, text, header))
    return read
