"""Files as business units send them when something went wrong, each with what has to become of it. No test is in here.

A case is a file's name, its bytes, what its unit declares, and the outcome: `Loaded` with the transactions loaded and the rows
quarantined by number and reason, or the code it is refused for.
"""

import gzip
import io
import itertools
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import parquet

from globolatte_ingest.declarations import USUAL, Declaration
from globolatte_ingest.reading.sales import REQUIRED_COLUMNS
from globolatte_ingest.reasons import ReasonCode
from tests.builders import COLUMNS, csv, line

HEADER = ",".join(COLUMNS)


@dataclass(frozen=True)
class Loaded:
    """Row numbers of the rows that are loaded, and the reason of each of the others."""

    good: tuple[int, ...]
    bad: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One file and what has to become of it."""

    name: str
    content: bytes
    outcome: Loaded | ReasonCode
    suffix: str = ".csv"
    unit: Declaration = USUAL


def row(number: int = 1, **fields: str) -> str:
    return ",".join(line(number, **fields).values())


def text(*rows: str, header: str = HEADER, end: str = "\n") -> bytes:
    return end.join([header, *rows, ""]).encode()


def cell(reason: str | None, name: str, unit: Declaration = USUAL, **fields: str) -> Case:
    """A file of a good row and one with these values, each value in quotes."""
    quoted = ['"' + value.replace('"', '""') + '"' for value in (good_line(unit, 2) | fields).values()]
    delimiter = unit.delimiter or ","
    good = delimiter.join(f'"{value}"' for value in good_line(unit, 1).values())
    content = "\n".join([delimiter.join(COLUMNS), good, delimiter.join(quoted), ""])
    outcome = Loaded((1, 2)) if reason is None else Loaded((1,), {2: reason})
    return Case(f"{name}: {fields}", content.encode(), outcome, unit=unit)


def good_line(unit: Declaration, number: int) -> dict[str, str]:
    """A good line as a unit of that format writes it."""
    changes = {}
    if unit.decimal_mark == ",":
        changes["total_price"] = "3,50"
    if unit.date_format is not None:
        written = {"%d/%m/%Y %H:%M": "31/01/2022 08:15", "%m-%d-%y %I:%M %p": "01-31-22 08:15 AM"}
        changes["transaction_date"] = written[unit.date_format]
    return line(number, **changes)


VALUES: tuple[tuple[str | None, str, tuple[str, ...]], ...] = (
    *(("empty_key", key, ("", " ", "   ", "\u00a0")) for key in ("transaction_id", "product_id")),
    *((None, key, ("", " ", "   ", "\u00a0")) for key in ("order_id", "customer_id", "business_unit", "weather")),
    *(("lost_id", key, ("2.40301E+11", "2,40301e+011", "1E+5")) for key in ("transaction_id", "order_id", "customer_id")),
    *((None, key, ("12e4", "2.40301E11", "A2E+11", "E+11")) for key in ("transaction_id", "order_id", "customer_id")),
    (
        "bad_number",
        "quantity",
        ("", "x", "1.5", "1.", ".0", "1,5", "1e3", "0x10", "1 000", "1_000", "--1", "1-", "NaN", "null", "½", "١", "1" * 16, "1\n"),
    ),
    ("non_positive_quantity", "quantity", ("0", "-0", "+0", "000", "0.0")),
    ("refund_not_negative", "quantity", ("-1", "-1.0")),
    (None, "quantity", ("1", "+2", "007", " 3 ", "1.0", "3.000")),
    (
        "bad_number",
        "total_price",
        ("", "x", "4.999", "$4", "4€", "1,50", "1.234,50", "1,234.50", ".5", "5.", "1e2", "inf", "-inf", "4 .5", "''4", "4;5"),
    ),
    (None, "total_price", ("-0.01", "-1", "-1000.00")),
    (None, "total_price", ("0", "0.00", "-0.00", "4.5", "4.5000", "12345678.90")),
    (
        "bad_date",
        "transaction_date",
        (
            "", "x", "31/01/2022", "01/31/2022", "31.01.2022", "20220131", "2022-1-31", "2022-02-30", "2022-13-01",
            "2022-01-31T24:00", "2022-01-31T08:60", "2022-01-31T08:15:61", "2022-01-31T8:15", "2022-01-31T08", "2022-01-31T08:15Z",
            "2022-01-31T08:15+00:00", "2022-01-31 08:15 AM", "1643616900", "44592", "Jan 31 2022", "2022-01-31T08:15:00.1234567890",
            "2022/01/31", "22-01-31", "2022-01-31  08:15", "2022-01-31T08:15:", "infinity", "today",
        ),
    ),
    (
        "date_not_of_folder",
        "transaction_date",
        ("2022-01-30", "2022-02-01", "2022-01-30T23:59:59.999", "2022-02-01 00:00", "0001-01-01", "9999-12-31"),
    ),
    (None, "transaction_date", ("2022-01-31", "2022-01-31 00:00", "2022-01-31T23:59:59.999999", " 2022-01-31T08:15 ")),
    ("unknown_business_unit", "business_unit", ("BU_BR", "BU_FR", "bu_us", "US", "BU_US;BU_CA")),
    (None, "business_unit", ("BU_CA",)),
    ("unknown_product", "product_id", ("P999", "p001", "P001 P002", "P\u200b001")),
    ("unknown_weather", "weather", ("Foggy", "Sunny,Rainy", "0", "S unny")),
    (None, "weather", ("sunny", "RAINY", " Snowy ")),
    (
        None,
        "payment_method",
        ("", "=1+1", "@cmd", "-5", "+5", "\t=1", "a\nb", "a\r\nb", 'a "quoted" word', "☕", "'; drop table x; --", "a,b;c|d"),
    ),
    ("unparseable_row", "payment_method", ("a\x07b", "\x1b[31m", "caf\ufffd", "\x7f")),
)  # fmt: skip
"""Values by the reason of their refusal: none where they are loaded."""


def cells() -> Iterator[Case]:
    """Values that are or are not what they should be, one at a time."""
    for reason, column, values in VALUES:
        for value in values:
            yield cell(reason, "cell", **{column: value})


GERMAN = Declaration(delimiter=";", decimal_mark=",", thousands_mark=".")
FRENCH = Declaration(delimiter=";", decimal_mark=",", thousands_mark=" ")
SWISS = Declaration(thousands_mark="'")
AMERICAN = Declaration(thousands_mark=",", date_format="%m-%d-%y %I:%M %p")
BRITISH = Declaration(date_format="%d/%m/%Y %H:%M")


def declared_formats() -> Iterator[Case]:
    """What a unit declares is what its values must be; the usual way of writing is then as wrong as any other."""
    for value in ("3,50", "1.234,50", "12.345.678,9", "1234,50", "0,5", "7"):
        yield cell(None, "German", GERMAN, total_price=value)
    for value in ("3.50", "1,234.50", "1.23,4", "1234.567,00", ".123,0", "1..234,0", "3,505", "1 234,50"):
        yield cell("bad_number", "German", GERMAN, total_price=value)
    yield cell(None, "German", GERMAN, quantity="1.000")
    yield cell(None, "German", GERMAN, quantity="1,000")
    yield cell("bad_number", "German", GERMAN, quantity="1,5")
    for value in ("1 234,50", "1\u00a0234,50", "1\u202f234,50"):
        yield cell(None, "French", FRENCH, total_price=value)
    yield cell("bad_number", "French", FRENCH, total_price="1 23,50")
    yield cell(None, "Swiss", SWISS, total_price="1'234.50")
    yield cell("bad_number", "Swiss", SWISS, total_price="1''234.50")
    american = {"transaction_date": "01-31-22 08:15 PM"}
    yield cell(None, "American", AMERICAN, total_price="1,234.50", **american)
    yield cell("bad_number", "American", AMERICAN, total_price="1,23.50", **american)
    yield cell("bad_date", "American", AMERICAN, transaction_date="2022-01-31")
    for value in ("31/01/2022 08:15", " 31/01/2022 00:00 "):
        yield cell(None, "British", BRITISH, transaction_date=value)
    for value in (
        "01/31/2022 08:15",
        "2022-01-31T08:15",
        "31/01/2022",
        "31/01/2022 08:15:00",
        "31/02/2022 08:15",
        "31/01/22 08:15x",
    ):
        yield cell("bad_date", "British", BRITISH, transaction_date=value)
    yield cell("date_not_of_folder", "British", BRITISH, transaction_date="30/01/2022 08:15")


def rows_and_quotes() -> Iterator[Case]:
    """Rows that do not fit, and quotes in every wrong place."""
    one, two, three = row(1), row(2), row(3)
    count = "wrong_field_count"
    yield Case("short row", text(one, "a,b", three), Loaded((1, 3), {2: count}))
    yield Case("long row", text(one, two + ",x", three), Loaded((1, 3), {2: count}))
    yield Case("one field", text("x", two), Loaded((2,), {1: count}))
    yield Case("trailing comma", text(one, two + ","), Loaded((1,), {2: count}))
    yield Case("only commas", text(one, ",,,,,,,,,"), Loaded((1,), {2: "empty_key"}))
    yield Case("blank between", text(one, "", "", two), Loaded((1, 2)))
    yield Case("spaces between", text(one, "   ", two), Loaded((1, 3), {2: count}))
    yield Case("header again", text(one, HEADER, two), Loaded((1, 3), {2: "bad_number"}))
    yield Case("a summary line", text(one, "Total,1"), Loaded((1,), {2: count}))
    yield Case("duplicate", text(one, two, one), Loaded((1, 2), {3: "duplicate_in_file"}))
    yield Case("duplicate of a bad one", text(row(1, quantity="x"), one), Loaded((2,), {1: "bad_number"}))
    yield Case("semicolons in one row", text(one, two.replace(",", ";")), Loaded((1,), {2: count}))
    yield Case("an unquoted comma", text(one, row(2, total_price="3,50")), Loaded((1,), {2: count}))
    yield Case("text after quotes", text(one, row(2, payment_method='"card"x')), Loaded((1,), {2: "unparseable_row"}))
    yield Case("text before quotes", text(one, row(2, payment_method='x"card"')), Loaded((1, 2)))
    yield Case("inch mark", text(one, row(2, payment_method='3" card')), Loaded((1, 2)))
    yield Case("single quote mark", text(one, row(2, payment_method='"card" ')), Loaded((1,), {2: "unparseable_row"}))
    yield Case("quoted newline", text(row(1, payment_method='"a\nb"'), two), Loaded((1, 2)))
    yield Case("quoted crlf", text(row(1, payment_method='"a\r\nb"'), two, end="\r\n"), Loaded((1, 2)))
    yield Case(
        "quoted blank lines", text(row(1, payment_method='"a\n\n\nb"'), "short", two), Loaded((1, 3), {2: count})
    )
    for place, value in itertools.product(("payment_method", "order_id", "weather"), ('"open', '"')):
        yield Case(
            f"never closed: {place} {value}", text(one, row(2, **{place: value}), three), ReasonCode.UNCLOSED_QUOTE
        )
    yield Case("never closed in the last row", text(one, two)[:-1] + b',"', ReasonCode.UNCLOSED_QUOTE)
    yield Case("all rows bad", text("a", "b", "c"), Loaded((), {1: count, 2: count, 3: count}))


def headers() -> Iterator[Case]:
    """Headers that do not say what is needed, and those that do in another way."""
    one = row(1)
    for column in COLUMNS:
        names = HEADER.replace(column, "x_" + column)
        without = ReasonCode.MISSING_COLUMN if column in REQUIRED_COLUMNS else Loaded((1,))
        yield Case(f"without {column}", text(one, header=names), without)
        yield Case(f"{column} twice", text(one + ",x", header=f"{HEADER},{column}"), ReasonCode.REPEATED_COLUMN)
    yield Case("no header", one.encode(), ReasonCode.MISSING_COLUMN)
    yield Case("empty first line", b"\n" + text(one), ReasonCode.MISSING_HEADER)
    yield Case("blank first line", b"  \n" + text(one), ReasonCode.MISSING_HEADER)
    yield Case("only newlines", b"\n\n\n", ReasonCode.MISSING_HEADER)
    yield Case("only a mark", b"\xef\xbb\xbf", ReasonCode.MISSING_HEADER)
    yield Case("open quote in header", b'"' + text(one), ReasonCode.MISSING_HEADER)
    yield Case("comment first", b"# sales of the day\n" + text(one), ReasonCode.MISSING_COLUMN)
    yield Case("sep line first", b"sep=,\n" + text(one), Loaded((1,)))
    yield Case("html", b"<!DOCTYPE html><html>404</html>", ReasonCode.MISSING_COLUMN)
    yield Case("json", b'[{"transaction_id": "T1"}]', ReasonCode.MISSING_COLUMN)
    yield Case("upper case", text(one, header=HEADER.upper()), Loaded((1,)))
    yield Case("blanks around", text(one, header=HEADER.replace(",", " , ")), Loaded((1,)))
    yield Case("quoted", text(one, header='"' + HEADER.replace(",", '","') + '"'), Loaded((1,)))
    yield Case("header alone", text(), Loaded(()))
    yield Case("header alone, no newline", HEADER.encode(), Loaded(()))
    for delimiter in (";", "\t", "|"):
        yield Case(f"delimiter {delimiter!r}", text(one).replace(b",", delimiter.encode()), Loaded((1,)))
        yield Case(
            f"declared {delimiter!r}, sent comma",
            text(one),
            ReasonCode.MISSING_COLUMN,
            unit=Declaration(delimiter=delimiter),
        )
    yield Case("colons", text(one).replace(b",", b":"), ReasonCode.MISSING_COLUMN)
    yield Case("columns in another order", csv(line(1), columns=COLUMNS[::-1]), Loaded((1,)))
    yield Case("more columns", csv(line(1, note="x"), columns=("note", *COLUMNS)), Loaded((1,)))


def encodings() -> Iterator[Case]:
    """Text in every encoding, declared and not."""
    plain = text(row(1, payment_method="café ☕")).decode()
    western = text(row(1, payment_method="café")).decode()
    latin = Declaration(encoding="latin-1")
    yield Case("UTF-8", plain.encode(), Loaded((1,)))
    yield Case("UTF-8 with a mark", plain.encode("utf-8-sig"), Loaded((1,)))
    for name in ("utf-16", "utf-16-le", "utf-16-be"):
        yield Case(name, plain.encode(name), Loaded((1,)))
        yield Case(f"{name} declared", plain.encode(name), Loaded((1,)), unit=Declaration(encoding=name))
    yield Case("utf-16 big-endian with a mark", b"\xfe\xff" + plain.encode("utf-16-be"), Loaded((1,)))
    yield Case("utf-16 cut off", plain.encode("utf-16")[:-1], ReasonCode.NOT_TEXT)
    yield Case("utf-16 with half a pair", plain.encode("utf-16-le") + b"\x00\xd8\x41\x00", ReasonCode.NOT_TEXT)
    yield Case("utf-32", plain.encode("utf-32"), ReasonCode.NOT_TEXT)
    yield Case("latin-1 declared", western.encode("latin-1"), Loaded((1,)), unit=latin)
    yield Case("latin-1 declared, sent with a mark", plain.encode("utf-8-sig"), Loaded((1,)), unit=latin)
    yield Case(
        "windows-1252 declared",
        plain.replace("☕", "€").encode("cp1252"),
        Loaded((1,)),
        unit=Declaration(encoding="cp1252"),
    )
    yield Case(
        "windows-1252, no such character",
        western.encode() + b"\x81",
        ReasonCode.NOT_TEXT,
        unit=Declaration(encoding="cp1252"),
    )
    yield Case("latin-1 undeclared", western.encode("latin-1"), ReasonCode.NOT_TEXT)
    yield Case(
        "declared UTF-8, sent latin-1",
        western.encode("latin-1"),
        ReasonCode.NOT_TEXT,
        unit=Declaration(encoding="utf-8"),
    )
    yield Case("cut within a character", plain.encode()[: plain.encode().index(b"\xc3") + 1], ReasonCode.NOT_TEXT)
    yield Case("overlong", text(row(1)) + b"\xc0\xaf", ReasonCode.NOT_TEXT)
    yield Case("surrogate", text(row(1)) + b"\xed\xa0\x80", ReasonCode.NOT_TEXT)
    yield Case("zero byte", text(row(1)) + b"\x00", ReasonCode.NOT_TEXT)
    yield Case("zeros", bytes(100), ReasonCode.NOT_TEXT)
    yield Case("all bytes", bytes(range(256)), ReasonCode.NOT_TEXT)
    yield Case("ebcdic", text(row(1)).decode().encode("cp500"), ReasonCode.NOT_TEXT)
    for end in ("\n", "\r\n", "\r"):
        yield Case(f"line ends {end!r}", text(row(1), row(2), end=end), Loaded((1, 2)))
    yield Case("mixed line ends", (HEADER + "\r\n" + row(1) + "\n" + row(2) + "\r").encode(), Loaded((1, 2)))
    yield Case("no last line end", text(row(1))[:-1], Loaded((1,)))


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return buffer.getvalue()


def packed() -> Iterator[Case]:
    """Gzip whole, cut, damaged, and grown past the limits."""
    good = gzip.compress(text(row(1), row(2)))
    gz = ".csv.gz"
    yield Case("gzip", good, Loaded((1, 2)), gz)
    yield Case("gzip in two members", gzip.compress(text(row(1))) + gzip.compress(row(2).encode()), Loaded((1, 2)), gz)
    yield Case("gzip of UTF-16", gzip.compress(text(row(1)).decode().encode("utf-16")), Loaded((1,)), gz)
    yield Case("gzip of a header", gzip.compress(text()), Loaded(()), gz)
    for kept in (1, 2, 5, 10, 18, 30, -8, -4, -1):
        yield Case(f"gzip cut at {kept}", good[:kept], ReasonCode.DAMAGED_GZIP, gz)
    for place in (-1, -5, -8, 12, 30):
        damaged = bytearray(good)
        damaged[place] ^= 0xFF
        yield Case(f"gzip damaged at {place}", bytes(damaged), ReasonCode.DAMAGED_GZIP, gz)
    yield Case("gzip and more", good + b"more", ReasonCode.DAMAGED_GZIP, gz)
    yield Case("gzip of nothing", gzip.compress(b""), ReasonCode.EMPTY_FILE, gz)
    yield Case("plain text called gzip", text(row(1)), ReasonCode.DAMAGED_GZIP, gz)
    yield Case("zip called gzip", zipped(), ReasonCode.OFFICE_FILE, gz)
    yield Case("gzip of a workbook", gzip.compress(zipped()), ReasonCode.OFFICE_FILE, gz)
    yield Case("gzip of gzip", gzip.compress(good), ReasonCode.WRONG_FILE_TYPE, gz)
    yield Case("gzip called csv", good, ReasonCode.WRONG_FILE_TYPE)
    yield Case("a bomb by ratio", gzip.compress(bytes(9_000_000)), ReasonCode.DECOMPRESSION_BOMB, gz)
    yield Case(
        "a bomb of rows", gzip.compress(text() + (row(1) + "\n").encode() * 130_000), ReasonCode.DECOMPRESSION_BOMB, gz
    )
    yield Case("a bomb by size", gzip.compress(text() + b"x" * 10_000_000), ReasonCode.DECOMPRESSION_BOMB, gz)
    yield Case("nested bomb", gzip.compress(gzip.compress(bytes(10_000_000))), ReasonCode.WRONG_FILE_TYPE, gz)


def other_kinds() -> Iterator[Case]:
    """Files that are no text at all."""
    yield Case("nothing", b"", ReasonCode.EMPTY_FILE)
    yield Case("nothing, called gzip", b"", ReasonCode.EMPTY_FILE, ".csv.gz")
    yield Case("nothing, called Parquet", b"", ReasonCode.EMPTY_FILE, ".parquet")
    yield Case("workbook", zipped(), ReasonCode.OFFICE_FILE)
    yield Case("old or protected office file", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), ReasonCode.OFFICE_FILE)
    yield Case("PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", ReasonCode.OFFICE_FILE)
    yield Case("RTF", b"{\\rtf1 sales}", ReasonCode.OFFICE_FILE)
    yield Case("PGP", b"-----BEGIN PGP MESSAGE-----\n\nhQEM", ReasonCode.ENCRYPTED_FILE)
    yield Case("age", b"age-encryption.org/v1\n-> X25519", ReasonCode.ENCRYPTED_FILE)
    yield Case("openssl", b"Salted__\x01\x02", ReasonCode.ENCRYPTED_FILE)
    for name, start in (
        ("7z", b"7z\xbc\xaf\x27\x1c"),
        ("rar", b"Rar!\x1a\x07"),
        ("bzip2", b"BZh91AY"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
    ):
        yield Case(name, start + bytes(30), ReasonCode.WRONG_FILE_TYPE)
    yield Case("too large", text(row(1)) + b"x" * 10_000_000, ReasonCode.TOO_LARGE)
    yield Case("noise", bytes(hash((n, 7)) % 251 + 1 for n in range(500)), ReasonCode.NOT_TEXT)


def table(**columns: object) -> pa.Table:
    usual = {name: [line(1)[name], line(2)[name]] for name in COLUMNS}
    return pa.table({**usual, **columns})


def written(data: pa.Table, **how: object) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(data, buffer, **how)
    return buffer.getvalue()


def columnar() -> Iterator[Case]:
    """Parquet whole, damaged, of wrong types, and grown past the limits."""
    good = written(table())
    one, two = Loaded((1, 2)), Loaded((1,), {2: "bad_number"})
    moments = pa.array(["2022-01-31T08:15", "2022-01-31T09:00"]).cast(pa.timestamp("us"))

    def case(name: str, content: bytes, outcome: Loaded | ReasonCode, unit: Declaration = USUAL) -> Case:
        return Case(f"Parquet: {name}", content, outcome, ".parquet", unit)

    yield case("text", good, one)
    yield case("dictionaries", written(table(weather=pa.array(["Sunny", "Rainy"]).dictionary_encode())), one)
    yield case("whole numbers", written(table(quantity=pa.array([1, 2], pa.int32()))), one)
    yield case("doubles", written(table(quantity=[1.0, 2.5])), two)
    yield case("NaN", written(table(total_price=[1.0, float("nan")])), two)
    yield case("infinity", written(table(total_price=[1.0, float("inf")])), two)
    yield case("no number", written(table(quantity=pa.array([1, None], pa.int64()))), two)
    yield case("decimals", written(table(total_price=pa.array([1, 2]).cast(pa.decimal128(38, 4)))), one)
    yield case("timestamps", written(table(transaction_date=moments)), one)
    yield case("dates", written(table(transaction_date=moments.cast(pa.date32()))), one)
    yield case("missing key", written(table(product_id=["P001", None])), Loaded((1,), {2: "empty_key"}))
    yield case("no order told", written(table(order_id=["O1", None])), one)
    yield case(
        "typed values under a declared format",
        written(table(total_price=[1.5, 2.5], transaction_date=moments)),
        one,
        GERMAN,
    )
    yield case("text under a declared format", written(table(total_price=["3,50", "3.50"])), two, GERMAN)
    yield case("no rows", written(table().slice(0, 0)), Loaded(()))
    yield case("upper-case names", written(table().rename_columns([n.upper() for n in COLUMNS])), one)
    yield case("extra column", written(table(note=[{"a": 1}, {"a": 2}])), one)
    for codec in ("snappy", "gzip", "zstd", "brotli", "none"):
        yield case(codec, written(table(), compression=codec), one)
    yield case("small row groups", written(table(), row_group_size=1), one)
    yield case(
        "with time zone",
        written(table(transaction_date=moments.cast(pa.timestamp("us", "UTC")))),
        ReasonCode.NO_PLAIN_VALUES,
    )
    for name, column in (("list", [[1], [2]]), ("struct", [{"a": 1}, {"a": 2}]), ("bytes", [b"\xff", b"\xfe"])):
        yield case(name, written(table(weather=pa.array(column))), ReasonCode.NO_PLAIN_VALUES)
    for left_out in COLUMNS:
        without = ReasonCode.MISSING_COLUMN if left_out in REQUIRED_COLUMNS else one
        yield case(f"without {left_out}", written(table().drop_columns(left_out)), without)
    for kept in (4, 8, 100, len(good) // 2, -4, -1):
        yield case(f"cut at {kept}", good[:kept], ReasonCode.DAMAGED_PARQUET)
    yield case("text called Parquet", text(row(1)), ReasonCode.DAMAGED_PARQUET)
    yield case("workbook called Parquet", zipped(), ReasonCode.OFFICE_FILE)
    yield case("encrypted", b"PARE" + bytes(20) + struct.pack("<I", 8) + b"PARE", ReasonCode.ENCRYPTED_FILE)
    damaged = bytearray(good)
    damaged[10:60] = bytes(50)
    yield case("damaged pages", bytes(damaged), ReasonCode.DAMAGED_PARQUET)
    yield case(
        "a bomb",
        written(pa.table({name: pa.repeat("x", 3_000_000) for name in COLUMNS})),
        ReasonCode.DECOMPRESSION_BOMB,
    )
    yield Case("Parquet called csv", good, ReasonCode.WRONG_FILE_TYPE)


def cases() -> list[Case]:
    """Every malformed file, and those that look it and are not."""
    makers = (cells, declared_formats, rows_and_quotes, headers, encodings, packed, other_kinds, columnar)
    return [case for made in makers for case in made()]
