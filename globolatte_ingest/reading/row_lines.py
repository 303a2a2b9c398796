"""Where rows lie in delimited text: the line each begins on, and its text as it stands in the file. Columns are not known here."""

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LARGEST_FIELD = 2**31 - 1


def count_lines(text: bytes) -> int:
    """Line ends in the text; a line ends with LF, CR, or both."""
    if b"\r" not in text:
        return text.count(b"\n")
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def row_bounds(text: bytes, delimiter: str, rows: int) -> "tuple[np.ndarray, np.ndarray] | None":
    """Where each of the text's rows begins, with the end of the last one at the end; and on which line, counted from 0.

    A row is what a CSV reader takes for one: a quoted value may go over several lines, and a blank line is none. None if the text
    does not have that many rows.
    """
    import numpy as np

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


def row_texts(text: bytes, bounds: "np.ndarray") -> "pa.LargeStringArray":
    """The rows' text, their line ends included; `bounds` as `row_bounds` gives them. Nothing is copied."""
    import pyarrow as pa

    return pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds.astype("int64")), pa.py_buffer(text))


def row_lines(
    text: bytes, delimiter: str, rows: int, wanted: "np.ndarray", first_row: int = 0, first_line: int = 1
) -> "pa.Table":
    """Line and text of the wanted rows, as `row_number`, `line_number`, `raw_text`; rows that cannot be told apart are left out.

    The text's first row has the number `first_row` and begins on the line `first_line`.
    """
    import pyarrow as pa
    from pyarrow import compute

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


def _line_ends(text: bytes) -> "np.ndarray":
    """The places after each line end, and the end of the text."""
    import numpy as np

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
