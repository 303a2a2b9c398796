"""Reading one sales file: what is text and rows, what is an unreadable row, what is no sales file at all."""

import gzip
import io
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from globolatte_ingest.reading.landed_bytes import Content, FileLimits
from globolatte_ingest.reading.sales import OPTIONAL_COLUMNS, REQUIRED_COLUMNS, SALES_COLUMNS, ReadSales, read_sales
from globolatte_ingest.reasons import RefusedError
from tests.builders import COLUMNS, csv, line

HEADER = ",".join(COLUMNS).encode()
ONE, TWO, THREE = (",".join(line(number).values()).encode() for number in (1, 2, 3))


def read(content: bytes, path: str = "sales.csv", max_bytes: int = 1_000_000) -> ReadSales:
    return read_sales(path, Content(content), FileLimits(max_bytes))


def numbered(sales: ReadSales) -> list[tuple[int, str]]:
    """Row number and transaction id of the readable rows."""
    rows = sales.rows.to_pydict()
    return list(zip(rows["row_number"], rows["transaction_id"], strict=True))


def refusal(content: bytes, path: str = "sales.csv", max_bytes: int = 1_000_000) -> str:
    with pytest.raises(RefusedError) as refused:
        read(content, path, max_bytes)
    return str(refused.value)


def as_parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


GOOD = [(1, "T00000001"), (2, "T00000002"), (3, "T00000003")]


@pytest.mark.parametrize(
    "content",
    [
        b"\n".join([HEADER, ONE, TWO, THREE, b""]),
        b"\n".join([HEADER, ONE, TWO, THREE]),
        b"\r\n".join([HEADER, ONE, TWO, THREE, b""]),
        b"\r".join([HEADER, ONE, TWO, THREE, b""]),
        b"\xef\xbb\xbf" + b"\n".join([HEADER, ONE, TWO, THREE]),
        b"\n".join([HEADER.upper(), ONE, TWO, THREE]),
        b"\n".join([HEADER.replace(b",", b" , "), ONE, TWO, THREE]),
        b"\n".join([b'"' + HEADER.replace(b",", b'","') + b'"', ONE, TWO, THREE]),
        b"\n".join([HEADER, b"", ONE, b"", b"", TWO, THREE, b"", b""]),
        b"\n".join([HEADER, ONE, TWO, THREE]).replace(b",", b";"),
        b"\n".join([HEADER, ONE, TWO, THREE]).replace(b",", b"\t"),
        b"\n".join([HEADER, ONE, TWO, THREE]).replace(b",", b"|"),
        b"\n".join([HEADER, ONE, TWO, THREE]).decode().encode("utf-16"),
        b"\n".join([HEADER, ONE, TWO, THREE]).decode().encode("utf-16-le"),
        b"\n".join([HEADER, ONE, TWO, THREE]).decode().encode("utf-16-be"),
        b"\n".join([HEADER, *(b'"' + row.replace(b",", b'","') + b'"' for row in (ONE, TWO, THREE))]),
    ],
    ids=[
        "plain",
        "no-newline",
        "crlf",
        "cr",
        "bom",
        "case",
        "blanks",
        "quoted-header",
        "blank-lines",
        "semicolon",
        "tab",
        "pipe",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "quoted-values",
    ],
)
def test_every_usual_way_of_writing_csv_gives_the_same_rows(content: bytes) -> None:
    sales = read(content)
    assert numbered(sales) == GOOD
    assert sales.rows.select(COLUMNS).to_pylist() == [line(1), line(2), line(3)]
    assert (sales.unreadable, sales.extra_columns, sales.row_count) == ([], (), 3)


def test_column_order_is_free() -> None:
    sales = read(csv(line(1), columns=COLUMNS[::-1]))
    assert sales.rows.select(COLUMNS).to_pylist() == [line(1)]
    assert sales.rows.column_names == [*SALES_COLUMNS, "row_number"]


def test_extra_columns_are_left_out_and_reported() -> None:
    sales = read(csv(line(1, note="x", Cashier="y"), columns=("note", *COLUMNS, "Cashier")))
    assert sales.extra_columns == ("note", "cashier")
    assert sales.rows.column_names == [*SALES_COLUMNS, "row_number"]
    assert numbered(sales) == GOOD[:1]


def test_a_header_without_rows_is_no_sales_today() -> None:
    for content in (HEADER, HEADER + b"\n", HEADER + b"\r\n\r\n", csv()):
        sales = read(content)
        assert (sales.row_count, sales.rows.column_names) == (0, [*SALES_COLUMNS, "row_number"])


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
def test_a_missing_column_that_is_required_refuses_the_file(column: str) -> None:
    others = [name for name in COLUMNS if name != column]
    assert refusal(csv(line(1), columns=others)).startswith(f"column '{column}' is missing; the header has '")


def test_all_missing_columns_are_named_at_once() -> None:
    assert refusal(csv(line(1), columns=COLUMNS[4:])).startswith("column 'transaction_id', 'product_id' is missing")


@pytest.mark.parametrize("column", OPTIONAL_COLUMNS)
def test_a_column_that_may_be_left_out_is_not_told_in_any_row(column: str) -> None:
    sales = read(csv(line(1), line(2), columns=[name for name in COLUMNS if name != column]))
    assert sales.rows[column].null_count == 2
    assert sales.rows.column_names == [*SALES_COLUMNS, "row_number"]


def test_a_column_that_stands_twice_refuses_the_file() -> None:
    twice = HEADER + b", Weather \n" + ONE + b",Rainy\n"
    assert refusal(twice) == "column 'weather' stands more than once; keep one and upload the file again"


@pytest.mark.parametrize(
    ("content", "path", "reason"),
    [
        (b"", "a.csv", "the file is empty, without even a header; upload it again"),
        (b"", "a.csv.gz", "the file is empty, without even a header; upload it again"),
        (b"", "a.parquet", "the file is empty, without even a header; upload it again"),
        (b"\n", "a.csv", "starts with an empty line instead of a header"),
        (b"\n" + HEADER + b"\n" + ONE, "a.csv", "has its header in line 2; declare lines_above_header = 1"),
        (b"\xef\xbb\xbf", "a.csv", "starts with an empty line instead of a header"),
        (b"   \n" + HEADER, "a.csv", "has its header in line 2; declare lines_above_header = 1"),
        (bytes(range(256)), "a.csv", "is not a text file"),
        (b"PK\x03\x04\x00\x00", "a.csv", "is an Excel workbook"),
        (HEADER.replace(b"weather", b"w\xe9ather") + b"\n", "a.csv", "is not text in UTF-8 (line 1)"),
        (csv(line(1)) + THREE.replace(b"card", b"caf\xe9"), "a.csv", "is not text in UTF-8 (line 3); save it as CSV UTF-8"),
        (csv(line(1)) + b"short,caf\xe9", "a.csv", "is not text in UTF-8 (line 3)"),
        (csv(*[line(1)] * 100) + THREE.replace(b"card", b"ca\x00d"), "a.csv", "is not a text file"),
        (b'"' + csv(line(1)), "a.csv", "has a header that cannot be read"),
        (b"<html><body>404</body></html>", "a.csv", "column 'transaction_id'"),
        (csv(line(1)), "a.csv.gz", "the gzip data is damaged or cut off"),
        (csv(line(1)), "a.parquet", "cannot be read as Parquet"),
        (b"PAR1" + bytes(100) + b"PAR1", "a.parquet", "cannot be read as Parquet"),
    ],
)  # fmt: skip
def test_what_is_no_sales_file_is_refused_with_the_reason(content: bytes, path: str, reason: str) -> None:
    assert reason in refusal(content, path)


@pytest.mark.parametrize(
    "broken",
    [
        THREE.replace(b"O0000003", b'"O0000003'),
        THREE.replace(b"Sunny", b'"Sunny'),
        b'"' + THREE,
    ],
    ids=["in-the-middle", "in-the-last-field", "in-the-first-field"],
)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_quote_that_is_never_closed_refuses_the_file(broken: bytes, at: int) -> None:
    """It would swallow every row below it, so that nobody could say how many rows the file has."""
    rows = [ONE, TWO]
    rows.insert(at, broken)
    assert "has a quote that is never closed" in refusal(b"\n".join([HEADER, *rows, b""]))


def test_a_quote_inside_a_value_is_a_character() -> None:
    sales = read(csv(line(1, payment_method='3" gift card'), line(2)))
    assert sales.rows["payment_method"].to_pylist() == ['3" gift card', "card"]


def test_quoted_values_hold_commas_quotes_and_newlines() -> None:
    content = csv(line(1), line(2)).replace(b"card", b'"gift ""card"", \r\nhalf\n"', 1)
    sales = read(content)
    assert sales.rows["payment_method"].to_pylist() == ['gift "card", \r\nhalf\n', "card"]
    assert numbered(sales) == GOOD[:2]


def test_values_stay_text() -> None:
    odd = line(1, quantity=" 007 ", total_price="NaN", product_id="null", customer_id="NA", weather="", order_id="1e3")
    assert read(csv(odd)).rows.select(COLUMNS).to_pylist() == [odd]


def test_a_row_that_does_not_fit_the_header_is_unreadable_and_keeps_its_number_and_text() -> None:
    sales = read(b"\n".join([HEADER, b"short,row", ONE, TWO + b",too,long", b"", b"   ", THREE, b"1"]))
    assert numbered(sales) == [(2, "T00000001"), (5, "T00000003")]
    assert [(row.row_number, row.detail, row.raw_text) for row in sales.unreadable] == [
        (1, "has 2 fields, the header has 10", "short,row"),
        (3, "has 12 fields, the header has 10", TWO.decode() + ",too,long"),
        (4, "has 1 fields, the header has 10", "   "),
        (6, "has 1 fields, the header has 10", "1"),
    ]
    assert sales.row_count == 6


def test_row_numbers_count_rows_not_lines() -> None:
    content = b"\n".join([HEADER, ONE.replace(b"card", b'"a\n\nb"'), b'x,"y\nz"', b"", TWO, b"short", THREE])
    sales = read(content)
    assert numbered(sales) == [(1, "T00000001"), (3, "T00000002"), (5, "T00000003")]
    assert [(row.row_number, row.raw_text) for row in sales.unreadable] == [(2, 'x,"y\nz"'), (4, "short")]


def test_row_numbers_hold_over_many_rows() -> None:
    rows = [ONE] * 5000
    for number in (1, 2500, 2501, 5000):
        rows[number - 1] = b"broken"
    sales = read(b"\n".join([HEADER, *rows]))
    assert sales.rows["row_number"].to_pylist() == [n for n in range(1, 5001) if n not in (1, 2500, 2501, 5000)]
    assert [row.row_number for row in sales.unreadable] == [1, 2500, 2501, 5000]


def test_gzip_is_unpacked() -> None:
    assert numbered(read(gzip.compress(csv(line(1), line(2))), "sales.csv.gz")) == GOOD[:2]
    two_members = gzip.compress(csv(line(1))) + gzip.compress(TWO)
    assert numbered(read(two_members, "sales.csv.gz")) == GOOD[:2]


@pytest.mark.parametrize("kept", [1, 10, 20, -9, -1])
def test_gzip_that_was_cut_off_is_refused(kept: int) -> None:
    packed = gzip.compress(csv(*(line(number) for number in range(100))))
    assert "the gzip data is damaged or cut off" in refusal(packed[:kept], "a.csv.gz")


def test_gzip_that_was_damaged_is_refused() -> None:
    packed = bytearray(gzip.compress(csv(*(line(number) for number in range(100)))))
    packed[-6] ^= 0xFF
    assert "the gzip data is damaged or cut off" in refusal(bytes(packed), "a.csv.gz")


def test_gzip_of_nothing_is_refused() -> None:
    assert "holds nothing" in refusal(gzip.compress(b""), "a.csv.gz")


def test_gzip_may_not_unpack_to_more_than_the_limit() -> None:
    packed = gzip.compress(csv(*[line(1)] * 1000))
    assert len(packed) < 10_000
    assert "unpacks to more than 10000 bytes (GLOBOLATTE_MAX_FILE_BYTES)" in refusal(packed, "a.csv.gz", 10_000)


TYPED = {
    "transaction_id": pa.array(["T1", "T2"]),
    "order_id": pa.array([1, 2], pa.int32()),
    "business_unit": pa.array(["BU_US", "BU_US"]).dictionary_encode(),
    "product_id": pa.array(["P001", "P002"], pa.large_string()),
    "customer_id": pa.array(["C0001", None]),
    "quantity": pa.array([1, None], pa.int64()),
    "total_price": pa.array([Decimal("3.50"), Decimal("4.25")], pa.decimal128(18, 2)),
    "transaction_date": pa.array(["2022-01-31T08:15", "2022-01-31"]).cast(pa.timestamp("us")),
    "payment_method": pa.nulls(2),
    "weather": pa.array(["Sunny", "Rainy"]),
}


def test_parquet_with_typed_columns_gives_text() -> None:
    sales = read(as_parquet(pa.table({"note": ["a", "b"], **TYPED})), "sales.parquet")
    assert sales.rows.select([*COLUMNS, "row_number"]).to_pylist() == [
        {
            "transaction_id": "T1", "order_id": "1", "business_unit": "BU_US", "product_id": "P001", "customer_id": "C0001",
            "quantity": "1", "total_price": "3.50", "transaction_date": "2022-01-31 08:15:00.000000", "payment_method": "",
            "weather": "Sunny", "row_number": 1,
        },
        {
            "transaction_id": "T2", "order_id": "2", "business_unit": "BU_US", "product_id": "P002", "customer_id": "",
            "quantity": "", "total_price": "4.25", "transaction_date": "2022-01-31 00:00:00.000000", "payment_method": "",
            "weather": "Rainy", "row_number": 2,
        },
    ]  # fmt: skip
    assert sales.extra_columns == ("note",)


def test_parquet_without_rows_is_no_sales_today() -> None:
    assert read(as_parquet(pa.table(TYPED).slice(0, 0)), "sales.parquet").row_count == 0


def test_parquet_without_a_column_is_refused_if_it_is_required() -> None:
    assert "column 'quantity' is missing" in refusal(as_parquet(pa.table(TYPED).drop_columns("quantity")), "a.parquet")
    sales = read(as_parquet(pa.table(TYPED).drop_columns("weather")), "a.parquet")
    assert (sales.row_count, sales.rows["weather"].null_count) == (2, 2)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([b"\xff", b"\xfe"]),
        pa.array([{"a": 1}, {"a": 2}], pa.map_(pa.string(), pa.int64())),
    ],
    ids=["list", "struct", "bytes", "map"],
)
def test_a_parquet_column_that_is_no_plain_value_refuses_the_file(column: pa.Array) -> None:
    assert "has a column that is no plain value" in refusal(
        as_parquet(pa.table({**TYPED, "weather": column})), "a.parquet"
    )


def test_parquet_that_was_cut_off_is_refused() -> None:
    content = as_parquet(pa.table(TYPED))
    assert "cannot be read as Parquet" in refusal(content[: len(content) // 2], "a.parquet")
