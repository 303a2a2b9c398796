"""Reading many files of one shape at once says the same as reading each on its own."""

import random

import pytest

from globolatte_ingest.declarations import USUAL, Declaration
from globolatte_ingest.reading.landed_bytes import Content, FileLimits
from globolatte_ingest.reading.sales import LARGEST_ALIKE_FILE, read_alike_files, read_sales
from globolatte_ingest.reasons import RefusedError
from tests.builders import COLUMNS, csv, line

HEADER = ",".join(COLUMNS).encode()
ROWS = [",".join(line(number).values()).encode() for number in range(3)]
PIECES = [
    *ROWS, *ROWS, *ROWS, b"short,row", ROWS[0] + b",long", b"", b"   ", b'"', b'x,"y\nz"', b"a\rb", b"caf\xe9", b"\x00",
    b"-end-of-file-", b",".join([b"-end-of-file-"] * 10), b"," * 9, "☕".encode(), b"\xef\xbb\xbf", HEADER,
]  # fmt: skip
HEADERS = [HEADER] * 8 + [HEADER + b",note", HEADER.upper(), HEADER.replace(b"weather", b"sky"), b"", b'"' + HEADER]


def says(content: bytes, path: str = "a.csv", declared: Declaration = USUAL) -> tuple[object, ...] | None:
    """What a file says, read on its own; none if it is refused."""
    try:
        sales = read_sales(path, Content(content), FileLimits(10_000_000), declared)
    except RefusedError:
        return None
    return sales.rows.to_pylist(), sales.unreadable, sales.extra_columns, sales.row_count


def random_content(chance: random.Random) -> bytes:
    rows = [chance.choice(PIECES[:9] if chance.random() < 0.7 else PIECES) for _ in range(chance.randint(0, 4))]
    return b"\n".join([chance.choice(HEADERS), *rows]) + b"\n" * chance.randint(0, 2)


DECLARED = [
    Declaration(delimiter=","),
    Declaration(columns=(("weather", ("sky",)), ("order_id", ("note", "order_id")))),
    Declaration(product_aliases=(("P001", "P9"),), kinds=(("x", "refund"),), encoding="latin-1"),
    Declaration(columns=(("unit_price", ("total_price",)), ("date", ("transaction_date",)))),
    Declaration(line_ids="receipt"),
    Declaration(lines_above_header=1, lines_below_data=1),
    Declaration(decimal_quantity=True),
    Declaration(times_in="utc", time_zone="America/New_York"),
]


@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize("seed", range(8))
def test_files_of_a_declaration_read_together_say_what_each_says_on_its_own(seed: int, declared: Declaration) -> None:
    chance = random.Random(seed)
    contents = [random_content(chance) for _ in range(8)]
    together = read_alike_files(["a.CSV"] * len(contents), contents, [declared] * len(contents))
    for place, sales in together.items():
        alone = says(contents[place], "a.Csv", declared)
        assert alone is not None, contents[place]
        assert (sales.rows.to_pylist(), sales.unreadable, sales.extra_columns, sales.row_count) == alone
    assert not together or not (declared.line_ids or declared.lines_above_header)


@pytest.mark.parametrize("seed", range(150))
def test_files_read_together_say_what_each_says_on_its_own(seed: int) -> None:
    chance = random.Random(seed)
    contents = [random_content(chance) for _ in range(chance.randint(2, 8))]
    together = read_alike_files(["a.csv"] * len(contents), contents, [USUAL] * len(contents))
    for place, sales in together.items():
        alone = says(contents[place])
        assert alone is not None, contents[place]
        assert (sales.rows.to_pylist(), sales.unreadable, sales.extra_columns, sales.row_count) == alone


def test_the_usual_files_are_read_together() -> None:
    contents = [csv(line(1)), csv(), csv(line(2), line(3)), csv(line(4)).rstrip(), csv(line(5)) + b"short\n"]
    assert read_alike_files(["a.csv"] * 5, contents, [USUAL] * 5).keys() == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.csv.gz", csv(line(1))),
        ("a.parquet", csv(line(1))),
        ("a.csv", b""),
        ("a.csv", b"\n" + csv(line(1))),
        ("a.csv", csv(line(1)) + b"\n"),
        ("a.csv", csv(line(1, payment_method='"'))),
        ("a.csv", csv(line(1)).replace(b"\n", b"\r\n")),
        ("a.csv", b"\xef\xbb\xbf" + csv(line(1))),
        ("a.csv", csv(line(1, payment_method="x" * LARGEST_ALIKE_FILE))),
    ],
    ids=["gzip", "parquet", "empty", "no-header", "blank-line", "quote", "crlf", "bom", "large"],
)
def test_a_file_whose_lines_may_not_be_rows_is_left_to_be_read_on_its_own(path: str, content: bytes) -> None:
    assert read_alike_files([path, path], [content, content], [USUAL] * 2) == {}


def test_a_file_that_cannot_be_read_does_not_take_the_others_with_it() -> None:
    contents = [csv(line(1)), csv(line(2)) + b"caf\xe9,,,,,,,,,\n", csv(line(3))]
    assert read_alike_files(["a.csv"] * 3, contents, [USUAL] * 3) == {}
    assert [says(content) is not None for content in contents] == [True, False, True]
