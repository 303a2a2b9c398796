"""A large file is read piece by piece, and says exactly what it says when it is read at once."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from globolatte_ingest.declarations import USUAL, Declaration
from globolatte_ingest.reading.delimited import UnreadableRow, count_lines
from globolatte_ingest.reading.landed_bytes import Content, FileLimits
from globolatte_ingest.reading.sales import ReadSales, SalesRows, StreamedSales, read_sales
from globolatte_ingest.reasons import RefusedError
from tests.builders import COLUMNS, line

HEADER = ",".join(COLUMNS)
ROWS = [
    *(",".join(line(number).values()) for number in range(3)),
    ",".join(line(4, payment_method='"a,b"').values()),
    ",".join(line(5, payment_method='"two\nlines"').values()),
    ",".join(line(6, payment_method='"two\r\nlines\n\nfour"').values()),
    ",".join(line(7, payment_method='"say ""hi"""').values()),
    ",".join(line(8, payment_method='3" card').values()),
    ",".join(line(9, payment_method='"x"y').values()),
    ",".join(line(10, payment_method="a\x07").values()),
    ",".join(line(11, payment_method=" café ☕").values()),
    "short,row",
    'short,"in\nquotes"',
    "",
    "   ",
    ",,,,,,,,,,,,",
]


def says(sales: SalesRows) -> tuple[list[dict[str, object]], list[UnreadableRow], list[dict[str, object]]]:
    """Rows, unreadable rows, and where every row lies."""
    parts = list(sales.parts())
    rows = [row for part in parts for row in part.rows.to_pylist()]
    unreadable = [row for part in parts for row in part.unreadable]
    everything = np.arange(1, len(rows) + len(unreadable) + 1)
    return rows, unreadable, [row for lines in sales.lines(everything) for row in lines.to_pylist()]


def in_pieces(content: bytes, chunk_bytes: int, declared: Declaration = USUAL) -> StreamedSales:
    blocks = [content[start : start + 500] for start in range(0, len(content), 500)]
    sales = read_sales("a.csv", Content.copied(blocks, 1), FileLimits(10**6, most_in_memory=1), declared)
    assert isinstance(sales, StreamedSales)
    sales.chunk_bytes = chunk_bytes
    return sales


DECLARED = Declaration(
    line_ids="receipt",
    lines_above_header=2,
    lines_below_data=1,
    columns=(("order_id", ("customer_id",)), ("unit_price", ("total_price",))),
    kinds=(("card", "refund"),),
)


@given(
    rows=st.lists(st.sampled_from(ROWS), max_size=25),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    chunk_bytes=st.integers(100, 600),
    separator=st.sampled_from([[], ["sep=,"], ['"sep=,"']]),
    blank=st.integers(0, 2),
)
def test_lines_that_are_no_rows_are_left_out_and_counted(
    rows: list[str], end: str, chunk_bytes: int, separator: list[str], blank: int
) -> None:
    lines = [*separator, 'Sales of "today', "", HEADER, *rows, "Total,,,,,,3.50,,,"]
    content = (end.join(lines) + end * blank).encode()
    at_once = read_sales("a.csv", Content(content), FileLimits(10**6), DECLARED)
    assert isinstance(at_once, ReadSales)
    assert says(in_pieces(content, chunk_bytes, DECLARED)) == says(at_once)
    assert not any("Total" in row.raw_text for row in at_once.unreadable)
    found = says(at_once)[2]
    physical = re.split("\r\n|\r|\n", content.decode())
    assert len(found) == at_once.row_count
    for place in found:
        assert physical[int(str(place["line_number"])) - 1] == re.split("[\r\n]", str(place["raw_text"]))[0]


@given(
    rows=st.lists(st.sampled_from(ROWS), max_size=25),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    is_ended=st.booleans(),
    chunk_bytes=st.integers(100, 600),
)
def test_in_pieces_of_any_size_a_file_says_the_same(
    rows: list[str], end: str, *, is_ended: bool, chunk_bytes: int
) -> None:
    content = (end.join([HEADER, *rows]) + (end if is_ended else "")).encode()
    at_once = read_sales("a.csv", Content(content), FileLimits(10**6))
    assert isinstance(at_once, ReadSales)
    assert says(in_pieces(content, chunk_bytes)) == says(at_once)


@given(rows=st.lists(st.sampled_from(ROWS), min_size=1, max_size=25), end=st.sampled_from(["\n", "\r\n"]))
def test_every_row_lies_on_its_line_with_its_text(rows: list[str], end: str) -> None:
    content = end.join([HEADER, *rows, ""]).encode()
    sales = read_sales("a.csv", Content(content), FileLimits(10**6))
    expected, at = [], 2
    for row in rows:
        if row:
            expected.append((at, row))
        at += count_lines(row.encode()) + 1
    assert [(found["line_number"], found["raw_text"]) for found in says(sales)[2]] == expected


@pytest.mark.parametrize("at", [0, 40, 79])
def test_a_quote_that_is_never_closed_refuses_a_large_file_too(at: int) -> None:
    rows = [ROWS[0]] * 80
    rows[at] = ",".join(line(1, payment_method='"open').values())
    with pytest.raises(RefusedError, match="never closed"):
        says(in_pieces("\n".join([HEADER, *rows]).encode(), 200))


def test_a_large_file_in_another_encoding_and_a_packed_one_are_read_in_pieces_too() -> None:
    import gzip

    content = "\n".join([HEADER, *ROWS[:7], ""])
    expected = says(read_sales("a.csv", Content(content.encode()), FileLimits(10**6)))
    limits = FileLimits(10**6, most_in_memory=100)
    for path, sent in (
        ("a.csv", content.encode("utf-16")),
        ("a.csv", content.encode("utf-8-sig")),
        ("a.csv.gz", gzip.compress(content.encode())),
        ("a.csv.gz", gzip.compress(content.encode("utf-16"))),
    ):
        spooled = Content.copied([sent[:50], sent[50:]], 10)
        assert spooled.in_memory is None
        sales = read_sales(path, spooled, limits)
        assert isinstance(sales, StreamedSales)
        assert says(sales) == expected
        sales.close()
