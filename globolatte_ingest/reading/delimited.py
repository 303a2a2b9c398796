"""Parses delimited UTF-8 text into tables of text columns, chunk by chunk, with each row's position. Columns have no meaning here."""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from globolatte_ingest.reading.landed_bytes import Content, FileLimits, as_utf8
from globolatte_ingest.reasons import ReasonCode, RefusedError, RowReason

LARGEST_BLOCK = 1 << 30
"""Bytes that the CSV reader looks at as one piece: a row must fit into it."""

CHUNK_BYTES = 32 * 1024 * 1024
"""Bytes that are parsed at a time; more where a row would be cut."""

LONGEST_STRETCH = 4
"""Chunks that one value may span before its quote counts as never closed."""

LONGEST_HEADER = 1024 * 1024
LARGEST_FIELD = 2**31 - 1

END_MARK = "-end-of-file-"
"""Stands in every field of a row put after the last one: a quote that is never closed would swallow it."""

LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
SEPARATOR_LINE = re.compile(rb'"?sep=([^\r\n"])"?[;,\t|]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
"""How a spreadsheet says what separates the values."""

LOST_CHARACTER = "\ufffd".encode()

CONTROL_PATTERN = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\x{FFFD}"


class UnclosedQuoteError(Exception):
    """The text ends within a quoted value."""


@dataclass(frozen=True)
class UnreadableRow:
    """A data row that could not be split into the header's columns with certainty. `row_number` counts data rows from 1."""

    row_number: int
    detail: str
    raw_text: str
    reason: RowReason = RowReason.WRONG_FIELD_COUNT


@dataclass(frozen=True)
class Header:
    """The header of a text: its fields in lower case without blanks around them, what separates them, where the data begin, and how many
    lines stand before them.
    """

    names: list[str]
    delimiter: str
    end: int
    lines: int = 1


@dataclass(frozen=True)
class Place:
    """Where some whole rows lie in a text: bytes, rows (counted from 1, readable or not) and lines (of the file, from 1)."""

    offset: int
    length: int
    first_row: int
    rows: int
    first_line: int
    lines: int


@dataclass(frozen=True)
class Chunk:
    """Some rows of a text, in a row. Rows are numbered from 1 as in the whole text.

    `table` has the rows that fit the header, every value text, empty where nothing stood.
    """

    place: Place
    table: pa.Table
    row_numbers: np.ndarray
    unreadable: list[UnreadableRow]


def read_delimited(
    content: bytes, delimiters: Sequence[str] = (",",), wanted: Collection[str] = ()
) -> tuple[Header, Chunk]:
    """Reads a text with a header row as a whole; `delimiters` and `wanted` as for `read_header`. Raises `RefusedError` if it is no text.

    Blank lines do not count as rows.
    """
    text = as_utf8(Content(content), None, FileLimits(len(content)))
    header = read_header(text, delimiters, wanted)
    return header, next(read_chunks(text, header, chunk_bytes=text.size + 1))


def read_header(
    text: Content, delimiters: Sequence[str], wanted: Collection[str], lines_above: int = 0, *, is_declared: bool = True
) -> Header:
    """The header, split by the delimiter by which it has the most of the wanted columns.

    `lines_above` lines before it are left out, and the line `sep=;` of a spreadsheet, which says the delimiter unless one `is_declared`.
    Raises `RefusedError` if the header is blank, or no delimiter splits it.
    """
    start = text.read(0, LONGEST_HEADER)
    offset, lines = 0, 0
    if separator := SEPARATOR_LINE.match(start):
        offset, lines = separator.end(), 1
        said = separator[1].decode("utf-8", "replace")
        delimiters = [said] if not is_declared and said in delimiters else delimiters
    for _ in range(lines_above):
        above = LINE.match(start, offset)
        offset, lines = above.end() if above else offset, lines + 1
    match = LINE.match(start, offset)
    if match is None or not match[1].strip():
        place = "starts with an empty line" if not lines else f"has an empty line {lines + 1}"
        raise RefusedError(
            ReasonCode.MISSING_HEADER,
            f"{place} instead of a header; upload it again with the header there"
            + (", or declare the right lines_above_header (docs/declarations.md)" if lines else " as first line"),
        )
    headers: list[Header] = []
    fault: Exception | None = None
    for delimiter in delimiters:
        try:
            fields = next(csv.reader([match[1].decode("utf-8")], delimiter=delimiter, strict=True))
            names = [field.strip().lower() for field in fields]
            headers.append(Header(names, delimiter, match.end(), lines + 1))
        except (csv.Error, UnicodeDecodeError) as error:  # quotes can be in order for one delimiter only
            fault = fault or error
    if not headers:
        raise RefusedError(
            ReasonCode.MISSING_HEADER, f"has a header that cannot be read ({fault}); export it again as CSV"
        ) from fault
    return max(headers, key=lambda header: len({*header.names} & {*wanted}))


def without_last_lines(text: Content, lines: int, start: int) -> Content:
    """The text without its last lines, those that are blank not counted; nothing before `start` is taken away."""
    offset = max(start, text.size - LONGEST_HEADER)
    tail = text.read(offset, LONGEST_HEADER)[: text.size - offset]
    end = len(tail)
    for _ in range(lines):
        filled = len(tail[:end].rstrip(b"\r\n"))
        end = max(tail.rfind(b"\n", 0, filled), tail.rfind(b"\r", 0, filled)) + 1
    return text.cut(offset + end)


def require_columns(names: Sequence[str], required: Sequence[str], once: Sequence[str]) -> None:
    """Raises `RefusedError` if a header lacks a required column, or has one twice that may be there once."""
    if missing := [column for column in required if column not in names]:
        raise RefusedError(
            ReasonCode.MISSING_COLUMN,
            f"column {', '.join(map(repr, missing))} is missing; add it and upload the file again",
        )
    if twice := [column for column in once if names.count(column) > 1]:
        raise RefusedError(
            ReasonCode.REPEATED_COLUMN,
            f"column {', '.join(map(repr, twice))} stands more than once; keep one and upload the file again",
        )


def read_chunks(text: Content, header: Header, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """The rows after the header, at least one chunk. Raises `RefusedError` if the text cannot be split into rows."""
    offset, row, line = header.end, 1, header.lines + 1
    while True:
        chunk = _next_chunk(text, header, chunk_bytes, offset, row, line)
        yield chunk
        place = chunk.place
        offset, row, line = offset + place.length, row + place.rows, line + place.lines
        if offset >= text.size:
            return


def _next_chunk(text: Content, header: Header, chunk_bytes: int, offset: int, row: int, line: int) -> Chunk:
    """The rows from `offset` on, as many whole rows as fit, never a part of one; they begin as this row, on this line."""
    fault: Exception | None = None
    for stretch in (1, 2, LONGEST_STRETCH):
        piece = text.read(offset, stretch * chunk_bytes)
        is_last = offset + len(piece) >= text.size
        for cut in [len(piece)] if is_last else _cuts(piece):
            try:
                return _parsed(piece[:cut], header, offset, row, line)
            except (UnclosedQuoteError, pa.ArrowInvalid) as error:
                fault = error
        if is_last:
            break
    if isinstance(fault, pa.ArrowInvalid):
        raise RefusedError(
            ReasonCode.UNREADABLE_CSV, f"cannot be read as CSV ({fault}); export it again and upload that"
        ) from fault
    raise RefusedError(
        ReasonCode.UNCLOSED_QUOTE,
        "has a quote that is never closed, so rows cannot be told apart; close it and upload again",
    )


def _cuts(piece: bytes) -> list[int]:
    """Places where a row may end, best first: a line end after an even number of quotes, else any."""
    last = max(piece.rfind(b"\n"), piece.rfind(b"\r", 0, len(piece) - 1)) + 1
    if not last:
        return []
    if b'"' not in piece:
        return [last]
    data = np.frombuffer(piece, np.uint8)
    ends = np.flatnonzero(data == (10 if b"\n" in piece else 13))
    even = ends[np.searchsorted(np.flatnonzero(data == 34), ends) % 2 == 0]
    return [int(even[-1]) + 1, last] if len(even) else [last]


def _parsed(part: bytes, header: Header, offset: int, first_row: int, first_line: int) -> Chunk:
    """Rows that are no certain text (control or lost characters, text outside of a value's quotes) count as unreadable."""
    table, unreadable = _parse(part, header.delimiter, len(header.names))
    count = table.num_rows + len(unreadable)
    numbers = np.delete(np.arange(1, count + 1), [row.row_number - 1 for row in unreadable])
    wrong = _wrong_rows(part, header.delimiter, count)
    if wrong:
        is_right = ~np.isin(numbers, list(wrong))
        unreadable += [wrong[number] for number in numbers[~is_right].tolist()]
        unreadable.sort(key=lambda row: row.row_number)
        table, numbers = table.filter(is_right), numbers[is_right]
    before = first_row - 1
    return Chunk(
        Place(offset, len(part), first_row, count, first_line, count_lines(part)),
        table,
        numbers + before,
        [replace(row, row_number=row.row_number + before) for row in unreadable],
    )


def _parse(part: bytes, delimiter: str, width: int) -> tuple[pa.Table, list[UnreadableRow]]:
    """The rows that have the right number of fields, and those that do not, numbered from 1 as they stand in the part."""
    skipped: list[UnreadableRow] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        detail = f"has {row.actual_columns} fields, the header has {row.expected_columns}"
        skipped.append(UnreadableRow(row.number, detail, row.text))
        return "skip"

    names = [f"f{place}" for place in range(width)]
    ended = part if part.endswith((b"\n", b"\r")) else part + b"\n"
    content = ended + delimiter.join([END_MARK] * width).encode() + b"\n"
    table = arrow_csv.read_csv(
        pa.BufferReader(content),
        arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=min(len(content) + 1, LARGEST_BLOCK)),
        arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
        ),
    )
    rows = table.num_rows - 1
    if rows < 0 or table.column(0)[rows].as_py() != END_MARK or table.column(-1)[rows].as_py() != END_MARK:
        raise UnclosedQuoteError
    return table.slice(0, rows), skipped


def _wrong_rows(part: bytes, delimiter: str, rows: int) -> dict[int, UnreadableRow]:
    """The rows that are no certain text, by their number in the part."""
    is_quoted, is_odd = b'"' in part, holds_odd_characters(part)
    bounds = row_bounds(part, delimiter, rows) if is_quoted or is_odd else None
    if bounds is None:
        return {}
    texts = row_texts(part, bounds[0])
    details = np.full(rows, "", dtype=object)
    if is_quoted:
        details[~_matches(texts, _well_quoted(delimiter))] = "has text before or after a value's quotes"
    if is_odd:
        details[_matches(texts, CONTROL_PATTERN)] = "holds control characters or characters that were lost earlier"
    return {
        place + 1: UnreadableRow(
            place + 1, details[place], texts[place].as_py().rstrip("\r\n"), RowReason.UNPARSEABLE_ROW
        )
        for place in np.flatnonzero(details != "").tolist()
    }


def _well_quoted(delimiter: str) -> str:
    """A whole row whose values are either quoted from end to end, or do not begin with a quote."""
    mark = re.escape(delimiter) if delimiter != "\t" else r"\t"
    value = rf'(?:"(?:[^"]|"")*"|[^"{mark}\r\n][^{mark}\r\n]*|)'
    return rf"\A{value}(?:{mark}{value})*[\r\n]*\z"


def _matches(texts: pa.LargeStringArray, pattern: str) -> np.ndarray:
    found: np.ndarray = compute.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found


def holds_odd_characters(text: bytes) -> bool:
    """Whether there are control characters, or marks of characters that were lost before the file was written."""
    if b"\x7f" in text or (not text.isascii() and LOST_CHARACTER in text):
        return True
    data = np.frombuffer(text, np.uint8)
    low = data[data < 32]
    return not bool(((low == 10) | (low == 13) | (low == 9)).all())


def count_lines(text: bytes) -> int:
    """Line ends in the text; a line ends with LF, CR, or both."""
    if b"\r" not in text:
        return text.count(b"\n")
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def row_bounds(text: bytes, delimiter: str, rows: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Where each of the text's rows begins, with the end of the last one at the end; and on which line, counted from 0.

    A row is what a CSV reader takes for one: a quoted value may go over several lines, and a blank line is none. None if the text
    does not have that many rows.
    """
    ends = _line_ends(text)
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    first_bytes = np.frombuffer(text, np.uint8)[starts]
    filled = np.flatnonzero((first_bytes != 10) & (first_bytes != 13))
    if len(filled) != rows:
        first_lines = _first_lines(text, delimiter)
        if len(first_lines) != rows:
            return None
        filled = np.array(first_lines, dtype=np.int64)
    return np.append(starts[filled], len(text)), filled


def row_texts(text: bytes, bounds: np.ndarray) -> pa.LargeStringArray:
    """The rows' text, their line ends included; `bounds` as `row_bounds` gives them. Nothing is copied."""
    return pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds.astype("int64")), pa.py_buffer(text))


def row_lines(
    text: bytes, delimiter: str, rows: int, wanted: np.ndarray, first_row: int = 0, first_line: int = 1
) -> pa.Table:
    """Line and text of the wanted rows, as `row_number`, `line_number`, `raw_text`; rows that cannot be separated are left out.

    The text's first row has the number `first_row` and begins on the line `first_line`.
    """
    found = row_bounds(text, delimiter, rows)
    if found is None:
        wanted = wanted[:0]
        lines, texts = wanted, pa.array([], pa.large_string())
    else:
        bounds, all_lines = found
        places = wanted - first_row
        lines = all_lines[places] + first_line
        texts = compute.utf8_rtrim(row_texts(text, bounds).take(pa.array(places)), characters="\r\n")
    return pa.table(
        {"row_number": pa.array(wanted, pa.int64()), "line_number": pa.array(lines, pa.int64()), "raw_text": texts}
    )


def _line_ends(text: bytes) -> np.ndarray:
    """The places after each line end, and the end of the text."""
    data = np.frombuffer(text, np.uint8)
    is_end = data == 10
    if b"\r" in text:
        returns = data == 13
        returns[:-1] &= ~is_end[1:]
        is_end |= returns
    ends = np.flatnonzero(is_end) + 1
    return ends if text.endswith((b"\n", b"\r")) or not text else np.append(ends, len(text))


def _first_lines(text: bytes, delimiter: str) -> list[int]:
    """The line that each row begins on, from 0: the slow way, for text in which a value goes over several lines."""
    csv.field_size_limit(LARGEST_FIELD)
    lines, line = [], 0
    reader = csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row:
                lines.append(line)
            line = reader.line_num
    except csv.Error:
        return []
    return lines
