"""Reading many small CSV files of one shape at once: starting the parser costs more than parsing a day's rows.

Only files whose rows can be told apart without parsing are read together; `sales_file.read_sales` reads every other file on its own,
and says what is wrong with it. Both ways give the same result.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from globolatte_ingest.reading.delimited import BYTE_ORDER_MARK, UnreadableRow, read_delimited
from globolatte_ingest.reading.file_format import FileFormat
from globolatte_ingest.reading.sales_columns import as_sales_columns, required_columns
from globolatte_ingest.reading.sales_file import ReadSales
from globolatte_ingest.reasons import RefusedError, RowReason

LARGEST_ALIKE_FILE = 1024 * 1024
"""Bytes above which a file is worth a parser of its own."""

TELLTALES = (b'"', b"\r", b"\x00", b"\n\n", BYTE_ORDER_MARK)
"""Where one of these stands, a line of text may not be a row."""


def shape(path: str, content: bytes | None, unit_format: FileFormat) -> bytes | None:
    """The header line by which files can be read together; none if this file must be read on its own."""
    if content is None or unit_format.encoding not in (None, "utf-8") or unit_format.delimiter not in (None, ","):
        return None
    plain = path.endswith(".csv") and 0 < len(content) <= LARGEST_ALIKE_FILE and not content.startswith(b"\n")
    if not plain or any(mark in content for mark in TELLTALES):
        return None
    return content.partition(b"\n")[0]


def read_alike_files(
    paths: Sequence[str], contents: Sequence[bytes | None], formats: Sequence[FileFormat]
) -> dict[int, ReadSales]:
    """Reads the files that can be read together; gives what they say by their place in `contents`."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for place, (path, content, unit_format) in enumerate(zip(paths, contents, formats, strict=True)):
        header = shape(path, content, unit_format)
        if header is not None:
            groups[header].append(place)
    read: dict[int, ReadSales] = {}
    for header, places in groups.items():
        if len(places) > 1:
            texts = [contents[place] or b"" for place in places]
            group = _read_group(header, texts)
            read |= {
                place: replace(group[number], format=formats[place])
                for number, place in enumerate(places if group else ())
            }
    return read


def _read_group(header: bytes, texts: Sequence[bytes]) -> list[ReadSales]:
    """Parses the texts as one and cuts the rows apart again; nothing if the text as a whole cannot be read."""
    import numpy as np
    import pyarrow as pa

    bodies = [text[len(header) + 1 :] for text in texts]
    ended = [body if body.endswith(b"\n") or not body else body + b"\n" for body in bodies]
    try:
        text = read_delimited(b"\n".join((header, b"".join(ended))))
        names, extra = required_columns(text.header)
    except RefusedError:
        return []
    if any(row.reason != RowReason.WRONG_FIELD_COUNT for row in text.unreadable):
        return []
    ends = np.cumsum([body.count(b"\n") for body in ended])
    starts = ends - np.diff(ends, prepend=0)
    skipped = np.array([row.row_number - 1 for row in text.unreadable], dtype=np.int64)
    if text.table.num_rows + len(skipped) != ends[-1]:
        return []
    readable = np.delete(np.arange(ends[-1]), skipped)
    first_row, last_row = np.searchsorted(readable, starts), np.searchsorted(readable, ends)
    first_bad, last_bad = np.searchsorted(skipped, starts), np.searchsorted(skipped, ends)
    rows = as_sales_columns(text.table, names).combine_chunks()
    numbered = rows.append_column("row_number", pa.array(readable - np.repeat(starts, last_row - first_row) + 1))
    read: list[ReadSales] = []
    for group_place, own_text in enumerate(texts):
        start = int(starts[group_place])
        bad = [
            UnreadableRow(row.row_number - start, row.detail, row.raw_text)
            for row in text.unreadable[first_bad[group_place] : last_bad[group_place]]
        ]
        low, high = int(first_row[group_place]), int(last_row[group_place])
        read.append(ReadSales(numbered.slice(low, high - low), bad, extra, text=own_text))
    return read
