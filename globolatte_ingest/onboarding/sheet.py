"""An unknown file as a table of text: its encoding and delimiter, where its header stands, what lies above it and below the data."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow.parquet import ParquetFile

from globolatte_ingest.onboarding.values import AMOUNT, MOMENT, MOST_VALUES, Moments, Numbers, moments, numbers
from globolatte_ingest.onboarding.words import TOTALS, says
from globolatte_ingest.reading.landed_bytes import GZIP, Content, FileLimits, as_utf8, refuse_other_kinds, unpacked
from globolatte_ingest.reading.parquet import open_parquet, text_batches
from globolatte_ingest.reasons import ReasonCode, RefusedError
from globolatte_ml.data.blanks import trimmed_column

HEAD_BYTES = 256 * 1024
LINES_LOOKED_AT = 200
MOST_LINES_BELOW = 20
SAMPLE_ROWS = 6000
"""Rows that are looked at from each of the beginning, the middle and the end; what has to be unique is counted over all rows."""

DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = {"cp1252": "windows-1252", "latin-1": "latin-1"}
"""What text may be in that is not UTF-8, by Python's name, the likelier first, as it is declared."""

SEPARATOR_LINE = re.compile(r"\s*sep=.\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """One column of a sheet: its header, and the values of the sampled rows, without blanks around them."""

    place: int
    header: str
    values: tuple[str, ...]

    @cached_property
    def counts(self) -> Counter[str]:
        """The values that are not empty, by how often they occur in the sample."""
        return Counter(value for value in self.values if value)

    @cached_property
    def filled(self) -> float:
        """The share of the sampled rows in which it is not empty."""
        return sum(self.counts.values()) / max(len(self.values), 1)

    @cached_property
    def few(self) -> list[str]:
        """Its distinct values, at most so many."""
        return list(self.counts)[:MOST_VALUES]

    @cached_property
    def moments(self) -> Moments | None:
        """How it writes dates or times, if it does."""
        return moments(self.few)

    @cached_property
    def numbers(self) -> Numbers | None:
        """How it writes numbers, if it does."""
        return numbers(self.few)


@dataclass(frozen=True)
class Sheet:
    """A file as a table of text. `table` has the columns `f0`, `f1`, … in the file's order; `encoding` is none where it is certain.

    `lines_above` and `lines_below` are lines of the file that are neither header nor data; `odd_rows` are rows of another width.
    """

    headers: tuple[str, ...]
    table: pa.Table
    encoding: str | None = None
    delimiter: str | None = None
    lines_above: int = 0
    lines_below: int = 0
    below: tuple[str, ...] = ()
    odd_rows: int = 0
    header_line: str = ""

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns, with the values of rows from the beginning, the middle and the end."""
        rows = self.table.num_rows
        starts = sorted({0, max((rows - SAMPLE_ROWS) // 2, 0), max(rows - SAMPLE_ROWS, 0)})
        pieces = [self.table] if rows <= 3 * SAMPLE_ROWS else [self.table.slice(start, SAMPLE_ROWS) for start in starts]
        sample = pa.concat_tables(pieces)
        return tuple(
            Column(place, header, tuple(trimmed_column(sample.column(place)).to_pylist()))
            for place, header in enumerate(self.headers)
        )


def read_sheet(path: str, content: Content, limits: FileLimits) -> Sheet:
    """Reads a file of which nothing is known. Raises `RefusedError` if it is no table: no text, an office file, without a header."""
    if not content.size:
        raise RefusedError(ReasonCode.EMPTY_FILE, "the file is empty; export it again")
    start = content.read(0, 16)
    name = path.lower()
    if name.endswith(".gz") and start.startswith(GZIP):
        content, name = unpacked(content, limits), name.removesuffix(".gz")
        start = content.read(0, 16)
    refuse_other_kinds(name, start)
    if name.endswith(".parquet"):
        return _parquet(open_parquet(content))
    text, encoding = _text(content, limits)
    return _delimited(b"".join(text.blocks()), encoding)


def _parquet(file: ParquetFile) -> Sheet:
    names = list(file.schema_arrow.names)
    columns = {f"f{place}": name for place, name in enumerate(names)}
    empty = pa.table({name: pa.array([], pa.string()) for name in columns})
    return Sheet(tuple(names), pa.concat_tables([empty, *text_batches(file, columns)]))


def _text(content: Content, limits: FileLimits) -> tuple[Content, str | None]:
    """The text in UTF-8, and the encoding to declare, if one has to be."""
    try:
        return as_utf8(content, None, limits), None
    except RefusedError as fault:
        if "zero bytes" in str(fault):
            raise
    for encoding, declared in ENCODINGS.items():
        try:
            return as_utf8(content, encoding, limits), declared
        except RefusedError:
            continue
    raise RefusedError(ReasonCode.NOT_TEXT, "is text in no encoding that can be told; save it as CSV UTF-8")


def _delimited(text: bytes, encoding: str | None) -> Sheet:
    lines = text[:HEAD_BYTES].decode("utf-8", "replace").splitlines(keepends=True)[:LINES_LOOKED_AT]
    skipped = 1 if lines and SEPARATOR_LINE.fullmatch(lines[0]) else 0
    delimiter, width = _delimiter(lines[skipped:])
    above, header = _header(lines[skipped:], delimiter, width)
    start = sum(len(line.encode()) for line in lines[: skipped + above])
    line_end = text.find(b"\n", start)
    body = text[line_end + 1 :] if line_end >= 0 else b""
    below = _below(body, delimiter, width)
    if below:
        body = body[: body.rstrip(b"\r\n ").rfind(below[0].encode())]
    odd: list[int] = []

    def skip(row: arrow_csv.InvalidRow) -> str:  # noqa: ARG001 - counted only
        odd.append(1)
        return "skip"

    names = [f"f{place}" for place in range(len(header))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body or b"\n"),
            arrow_csv.ReadOptions(column_names=names, block_size=16 * 1024 * 1024),
            arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in body, invalid_row_handler=skip),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid as fault:
        raise RefusedError(
            ReasonCode.UNREADABLE_CSV, f"cannot be split into rows ({fault}); is a quote never closed? Export it again"
        ) from fault
    line = lines[skipped + above].rstrip("\r\n")
    return Sheet(tuple(header), table, encoding, delimiter, above, len(below), tuple(below), len(odd), line)


def _rows(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows with the number of lines before each."""
    reader = csv.reader(lines, delimiter=delimiter)
    before = 0
    try:
        for row in reader:
            yield before, row
            before = reader.line_num
    except csv.Error:
        return


def _delimiter(lines: Sequence[str]) -> tuple[str, int]:
    """What separates the values, and how many values most rows have. Raises `RefusedError` if there is only one column."""
    best: tuple[tuple[bool, int], str] | None = None
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for _, row in _rows(lines, delimiter) if any(cell.strip() for cell in row))
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        score = (count >= 0.7 * sum(widths.values()), width)
        if width > 1 and (best is None or score > best[0]):
            best = score, delimiter
    if best is None:
        raise RefusedError(
            ReasonCode.MISSING_HEADER,
            "has no columns that a comma, semicolon, tab or | separates; export the sales as CSV with a header",
        )
    return best[1], best[0][1]


def _header(lines: Sequence[str], delimiter: str, width: int) -> tuple[int, list[str]]:
    """The first row of names, with the number of lines above. Raises `RefusedError` if there is none before the data."""
    for before, row in _rows(lines, delimiter):
        cells = [cell.strip() for cell in row]
        named = [cell for cell in cells if cell]
        if len(row) != width or len(named) < 0.6 * width:
            continue
        values = sum(bool(AMOUNT.fullmatch(cell) or MOMENT.fullmatch(cell)) for cell in named)
        if not values and len(set(named)) == len(named):
            return before, cells
        break
    raise RefusedError(
        ReasonCode.MISSING_HEADER,
        "has no line with the names of its columns before the data; export it with a header",
    )


def _below(body: bytes, delimiter: str, width: int) -> list[str]:
    """The lines after the data, from the last backwards, that are no sales: totals, counts, notes."""
    tail = body[-64 * 1024 :].decode("utf-8", "replace").rstrip("\r\n ").splitlines()
    typical = sorted(
        sum(bool(cell.strip()) for cell in row) for _, row in _rows(tail[:-MOST_LINES_BELOW] or tail, delimiter)
    )
    usual = typical[len(typical) // 2] if typical else width
    found: list[str] = []
    for line in reversed(tail[-MOST_LINES_BELOW:]):
        if not line.strip():
            continue  # blank lines are no rows, and do not count as lines below the data
        cells = next((row for _, row in _rows([line], delimiter)), [])
        filled = sum(bool(cell.strip()) for cell in cells)
        is_total = filled <= 0.5 * usual and (filled <= 1 or any(says(cell, TOTALS) for cell in cells))
        if len(cells) == width and not is_total:
            break
        if len(cells) > width or (len(cells) != width and filled > 0.5 * usual):
            break
        found.insert(0, line)
    return found if len(found) < len(tail) else []
