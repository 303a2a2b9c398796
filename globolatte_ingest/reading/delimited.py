"""Delimited text in UTF-8 into tables of text columns. Knows CSV, and nothing of what the columns mean."""

import csv as standard_csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from globolatte_ingest.reading.content import Content
from globolatte_ingest.reading.row_lines import count_lines, row_bounds, row_texts
from globolatte_ingest.reasons import ReasonCode, RefusedError, RowReason

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

LARGEST_BLOCK = 1 << 30
"""Bytes that the CSV reader looks at as one piece: a row must fit into it."""

CHUNK_BYTES = 16 * 1024 * 1024
"""Bytes that are parsed at a time; more where a row would be cut."""

LONGEST_STRETCH = 8
"""Chunks that one value may go over before its quote counts as never closed."""

LONGEST_HEADER = 1024 * 1024

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

END_MARK = "-end-of-file-"
"""Stands in every field of a row put after the last one: a quote that is never closed would swallow it."""


LOST_CHARACTER = "\ufffd".encode()
OTHER_BLANKS = (b"\xc2\xa0", b"\xe1\x9a\x80", b"\xe2\x80", b"\xe2\x81\x9f", b"\xe3\x80\x80")
"""How the blanks beyond ASCII begin."""

CONTROL_PATTERN = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\x{FFFD}"


class UnclosedQuoteError(Exception):
    """The text ends within a quoted value."""


@dataclass(frozen=True)
class UnreadableRow:
    """A data row that could not be split into the header's columns for certain. `row_number` counts data rows from 1."""

    row_number: int
    detail: str
    raw_text: str
    reason: RowReason = RowReason.WRONG_FIELD_COUNT


@dataclass(frozen=True)
class DelimitedText:
    """The header's fields, the rows that fit it (every value text, empty where nothing stood), and the rows that do not."""

    header: list[str]
    table: "pa.Table"
    unreadable: list[UnreadableRow] = field(default_factory=list)


@dataclass(frozen=True)
class Chunk:
    """Some rows of a text, in a row: where they lie in it, and what they hold. Rows are numbered as in the whole text."""

    offset: int
    length: int
    first_row: int
    first_line: int
    table: "pa.Table"
    row_numbers: "np.ndarray"
    unreadable: list[UnreadableRow]
    is_padded: bool = True
    """Whether values may have blanks around them."""

    @property
    def row_count(self) -> int:
        """Rows in it, readable or not."""
        return len(self.row_numbers) + len(self.unreadable)


def read_delimited(content: bytes) -> DelimitedText:
    """Reads CSV in UTF-8 with a header row. Raises `RefusedError` if it is no such text. Blank lines do not count as rows."""
    import pyarrow as pa

    from globolatte_ingest.reading.unpacking import FileLimits, as_utf8

    text = as_utf8(Content(content), None, FileLimits(len(content)))
    line, start = header_line(text.read(0, LONGEST_HEADER))
    header = header_fields(line, ",")
    chunks = list(read_chunks(text, start, ",", len(header), chunk_bytes=text.size + 1))
    empty = pa.table({f"f{place}": pa.array([], pa.string()) for place in range(len(header))})
    if not chunks:
        return DelimitedText(header, empty)
    return DelimitedText(header, chunks[0].table, chunks[0].unreadable)


def header_line(start: bytes) -> tuple[bytes, int]:
    """The first line of a text that starts like this, and where the next one begins. Raises `RefusedError` if it is blank."""
    match = re.match(rb"([^\r\n]*)(\r\n|\r|\n|\Z)", start)
    line = match[1] if match else b""
    if not line.strip():
        raise RefusedError(
            ReasonCode.MISSING_HEADER,
            "starts with an empty line instead of a header; upload it again with the header as first line",
        )
    return line, match.end() if match else 0


def header_fields(line: bytes, delimiter: str) -> list[str]:
    """The fields of a header line. Raises `RefusedError` if its quotes are not in order."""
    try:
        return next(standard_csv.reader([line.decode("utf-8")], delimiter=delimiter, strict=True))
    except (standard_csv.Error, UnicodeDecodeError) as error:
        raise RefusedError(
            ReasonCode.MISSING_HEADER, f"has a header that cannot be read ({error}); export it again as CSV"
        ) from error


def read_chunks(text: Content, start: int, delimiter: str, width: int, chunk_bytes: int) -> Iterator[Chunk]:
    """The rows from byte `start` on, which is where line 2 begins. Raises `RefusedError` if they cannot be told apart."""
    offset, row, line = start, 1, 2
    while offset < text.size:
        chunk, lines = _next_chunk(text, offset, row, line, (delimiter, width, chunk_bytes))
        yield chunk
        offset, row, line = offset + chunk.length, row + chunk.row_count, line + lines


def _next_chunk(text: Content, offset: int, row: int, line: int, how: tuple[str, int, int]) -> tuple[Chunk, int]:
    """The rows from `offset` on, and how many lines they go over: as many whole rows as fit, never a part of one."""
    import pyarrow as pa

    delimiter, width, chunk_bytes = how
    fault: Exception | None = None
    for stretch in (1, 2, 4, LONGEST_STRETCH):
        piece = text.read(offset, stretch * chunk_bytes)
        for cut in _cuts(piece, is_last=offset + len(piece) >= text.size):
            part = piece[:cut]
            try:
                table, skipped = _parse(part, delimiter, width)
            except (UnclosedQuoteError, pa.ArrowInvalid) as error:
                fault = error
            else:
                numbers, unreadable = _numbered(table, skipped, row)
                padded = may_be_padded(part, delimiter)
                chunk = Chunk(offset, cut, row, line, table, numbers, unreadable, padded)
                return _checked(chunk, part, delimiter), count_lines(part)
    if isinstance(fault, pa.ArrowInvalid):
        raise RefusedError(
            ReasonCode.UNREADABLE_CSV, f"cannot be read as CSV ({fault}); export it again and upload that"
        ) from fault
    raise RefusedError(
        ReasonCode.UNCLOSED_QUOTE,
        "has a quote that is never closed, so rows cannot be told apart; close it and upload again",
    )


def _cuts(piece: bytes, *, is_last: bool) -> list[int]:
    """Places where a row may end, best first: the end of the text, else a line end after an even number of quotes, else any."""
    import numpy as np

    if is_last:
        return [len(piece)]
    last = max(piece.rfind(b"\n"), piece.rfind(b"\r", 0, len(piece) - 1)) + 1
    if not last:
        return []
    if b'"' not in piece:
        return [last]
    data = np.frombuffer(piece, np.uint8)
    ends = np.flatnonzero(data == (10 if b"\n" in piece else 13))
    even = ends[np.searchsorted(np.flatnonzero(data == 34), ends) % 2 == 0]
    return [int(even[-1]) + 1, last] if len(even) else [last]


def _parse(part: bytes, delimiter: str, width: int) -> "tuple[pa.Table, list[UnreadableRow]]":
    """The rows that have the right number of fields, and those that do not, numbered from 1 as they stand in the part."""
    import pyarrow as pa
    from pyarrow import csv

    skipped: list[UnreadableRow] = []

    def skip(row: "csv.InvalidRow") -> str:
        detail = f"has {row.actual_columns} fields, the header has {row.expected_columns}"
        skipped.append(UnreadableRow(row.number, detail, row.text))
        return "skip"

    names = [f"f{place}" for place in range(width)]
    ended = part if part.endswith((b"\n", b"\r")) else part + b"\n"
    content = ended + delimiter.join([END_MARK] * width).encode() + b"\n"
    table = csv.read_csv(
        pa.BufferReader(content),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=min(len(content) + 1, LARGEST_BLOCK)),
        csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip),
        csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False),
    )
    rows = table.num_rows - 1
    if rows < 0 or table.column(0)[rows].as_py() != END_MARK or table.column(-1)[rows].as_py() != END_MARK:
        raise UnclosedQuoteError
    return table.slice(0, rows), skipped


def _numbered(
    table: "pa.Table", skipped: list[UnreadableRow], first_row: int
) -> "tuple[np.ndarray, list[UnreadableRow]]":
    """The numbers of the readable rows, and the others under their numbers in the whole text."""
    import numpy as np

    numbers = np.arange(first_row, first_row + table.num_rows + len(skipped), dtype=np.int64)
    if not skipped:
        return numbers, skipped
    kept = np.delete(numbers, [row.row_number - 1 for row in skipped])
    return kept, [UnreadableRow(row.row_number + first_row - 1, row.detail, row.raw_text) for row in skipped]


def may_be_padded(text: bytes, delimiter: str) -> bool:
    """Whether a value may begin or end with a blank, of ASCII or not."""
    import numpy as np

    if not text.isascii() and any(blank in text for blank in OTHER_BLANKS):
        return True
    if b" " not in text:
        return False
    data = np.frombuffer(text, np.uint8)
    blanks = np.flatnonzero(data == 32)
    if blanks[0] == 0 or blanks[-1] == len(data) - 1:
        return True
    is_edge = np.isin(np.arange(256), np.frombuffer(b' \n\r"' + delimiter.encode(), np.uint8))
    return bool(is_edge[data[blanks - 1]].any() or is_edge[data[blanks + 1]].any())


def holds_odd_characters(text: bytes) -> bool:
    """Whether there are control characters, or marks of characters that were lost before the file was written."""
    import numpy as np

    if b"\x7f" in text or (not text.isascii() and LOST_CHARACTER in text):
        return True
    data = np.frombuffer(text, np.uint8)
    low = data[data < 32]
    return not bool(((low == 10) | (low == 13) | (low == 9)).all())


def _checked(chunk: Chunk, part: bytes, delimiter: str) -> Chunk:
    """The chunk without the rows that are no certain text: control or lost characters, text outside of a value's quotes."""
    import numpy as np

    is_quoted, is_odd = b'"' in part, holds_odd_characters(part)
    bounds = row_bounds(part, delimiter, chunk.row_count) if is_quoted or is_odd else None
    if bounds is None:
        return chunk
    texts = row_texts(part, bounds[0])
    faults = np.full(chunk.row_count, "", dtype=object)
    if is_quoted:
        faults[~_matches(texts, _well_quoted(delimiter))] = "has text before or after a value's quotes"
    if is_odd:
        faults[_matches(texts, CONTROL_PATTERN)] = "holds control characters or characters that were lost earlier"
    kept = faults[chunk.row_numbers - chunk.first_row] == ""
    if kept.all():
        return chunk
    wrong = [
        UnreadableRow(
            int(number), faults[number - chunk.first_row], texts[int(number) - chunk.first_row].as_py().rstrip("\r\n"),
            RowReason.UNPARSEABLE_ROW,
        )
        for number in chunk.row_numbers[~kept]
    ]  # fmt: skip
    return Chunk(
        chunk.offset, chunk.length, chunk.first_row, chunk.first_line, chunk.table.filter(kept), chunk.row_numbers[kept],
        sorted([*chunk.unreadable, *wrong], key=lambda row: row.row_number), chunk.is_padded,
    )  # fmt: skip


def _well_quoted(delimiter: str) -> str:
    """A whole row whose values are either quoted from end to end, or do not begin with a quote."""
    mark = re.escape(delimiter) if delimiter != "\t" else r"\t"
    value = rf'(?:"(?:[^"]|"")*"|[^"{mark}\r\n][^{mark}\r\n]*|)'
    return rf"\A{value}(?:{mark}{value})*[\r\n]*\z"


def _matches(texts: "pa.LargeStringArray", pattern: str) -> "np.ndarray":
    from pyarrow import compute

    found: np.ndarray = compute.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found
