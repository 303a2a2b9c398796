"""Delimited text into a table of text columns. Knows CSV, and nothing of what the columns mean."""

import csv as standard_csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv

LARGEST_BLOCK = 1 << 30
"""Bytes that the CSV reader looks at as one piece: a row must fit into it."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

END_MARK = "-end-of-file-"
"""Stands in every field of a row put after the last one: a quote that is never closed would swallow it."""


class RefusedError(Exception):
    """The whole file cannot be loaded. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class UnreadableRow:
    """A data row that could not be split into the header's columns. `row_number` counts data rows from 1."""

    row_number: int
    detail: str
    raw_text: str


@dataclass(frozen=True)
class DelimitedText:
    """The header's fields, the rows that fit it (every value text, empty where nothing stood), and the rows that do not."""

    header: list[str]
    table: "pa.Table"
    unreadable: list[UnreadableRow] = field(default_factory=list)


def read_delimited(content: bytes) -> DelimitedText:
    """Reads CSV in UTF-8 with a header row. Raises `RefusedError` if it is no such text. Blank lines do not count as rows."""
    import pyarrow as pa
    from pyarrow import csv

    _check_text(content)
    content = content.removeprefix(BYTE_ORDER_MARK)
    header = _header(content)
    content += b"\n" + ",".join([END_MARK] * len(header)).encode() + b"\n"
    skipped: list[UnreadableRow] = []

    def skip(row: "csv.InvalidRow") -> str:
        detail = f"has {row.actual_columns} fields, the header has {row.expected_columns}"
        skipped.append(UnreadableRow(row.number - 1, detail, row.text))  # row 1 is the header
        return "skip"

    positions = [f"f{position}" for position in range(len(header))]
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            csv.ReadOptions(
                use_threads=False,
                column_names=positions,
                skip_rows_after_names=1,
                block_size=min(len(content) + 1, LARGEST_BLOCK),
            ),
            csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            csv.ConvertOptions(
                column_types=dict.fromkeys(positions, pa.string()), strings_can_be_null=False, check_utf8=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise RefusedError(f"cannot be read as CSV ({error}); export it again and upload that") from error
    return DelimitedText(header, _without_end_mark(table), skipped)


def _check_text(content: bytes) -> None:
    if b"\x00" in content:
        raise RefusedError("is not a text file (it holds zero bytes); export it as CSV and upload that")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RefusedError(f"is not text in UTF-8 (line {line}); save it as CSV UTF-8 and upload that") from error


def _without_end_mark(table: "pa.Table") -> "pa.Table":
    rows = table.num_rows - 1
    if rows < 0 or table.column(0)[rows].as_py() != END_MARK or table.column(-1)[rows].as_py() != END_MARK:
        raise RefusedError("has a quote that is never closed, so rows cannot be told apart; close it and upload again")
    return table.slice(0, rows)


def _header(content: bytes) -> list[str]:
    """The fields of the header row."""
    lines = content[: 1024 * 1024].splitlines()
    if not lines or not lines[0].strip():
        raise RefusedError(
            "starts with an empty line instead of a header; upload it again with the header as first line"
        )
    try:
        return next(standard_csv.reader([lines[0].decode("utf-8")]))
    except (standard_csv.Error, UnicodeDecodeError) as error:
        raise RefusedError(f"has a header that cannot be read ({error}); export it again as CSV in UTF-8") from error
