"""Files as tills write them, each with its declaration: loaded as they are, and what cannot be read is named by line and value."""

import datetime as dt
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from globolatte_ingest.declarations import UnitDeclaration, declarations_of
from globolatte_ingest.discovery import work_in
from globolatte_ingest.ledger import Step
from globolatte_ingest.load import do_work
from globolatte_ingest.quarantine_sheets import export, quarantined_rows, read_corrections
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import (
    DAY,
    RULES,
    UNITS,
    LoadReport,
    ask_for,
    deliver,
    fetch,
    landing_in,
    load,
    load_context,
    put_reference_data,
    sales_path,
    warehouse_in,
)
from tests.unit.ingest.test_read_sales import as_parquet

MEXICAN = """[BU_US]
encoding = "windows-1252"
delimiter = "semicolon"
decimal_mark = "comma"
thousands_mark = "point"
date_format = "%d/%m/%Y %H:%M"
currency_signs = ["$", "MX$"]
day_ends = "04:00"
lines_above_header = 2
lines_below_data = 1
line_ids = "receipt"
[BU_US.columns]
order_id = "Folio"
product_id = "Producto"
quantity = "Cant."
unit_price = "Precio"
date = "Fecha"
time = "Hora"
customer_id = ["Cliente", "Socio"]
[BU_US.product_aliases]
"Café Latte" = "P001"
"Moca" = "P002"
[[BU_US.files]]
pattern = "*_web.csv"
encoding = "utf-8"
lines_above_header = 0
lines_below_data = 0
"""

EXCEL = b"""sep=;
transaction_id;product_id;quantity;total_price;transaction_date
1;P001;1.0;3.50;2022-01-31 08:00
2;P001;2.0000;7;2022-01-31 09:00
3;P001;1.5;7.00;2022-01-31 09:00
4;P001;1;$3.50;2022-01-31 09:00
"""

ZONES = {"BU_US": "America/New_York", "BU_CA": "America/Toronto", "BU_MX": "America/Mexico_City"}

LOOK = "transaction_id, product_id, quantity, total_price, transaction_date"


@dataclass
class Till:
    """A warehouse and a landing zone for one file after the other, each under a name of its own."""

    warehouse: DuckDBWarehouse
    landing: FolderLandingZone
    files: int = 0

    def takes(self, content: bytes, toml: str = "", suffix: str = ".csv") -> str:
        """Loads a file of BU_US as it is declared; returns its path."""
        self.files += 1
        path = sales_path(f"{self.files}{suffix}")
        self.report: LoadReport = load(
            self.warehouse,
            self.landing,
            deliver(self.landing, path, content),
            formats=dict.fromkeys(UNITS, self.declared(toml)),
        )
        return path

    def declared(self, toml: str) -> UnitDeclaration:
        return declarations_of(toml.encode()).get("BU_US", UnitDeclaration()).with_zones(ZONES["BU_US"], ZONES)

    def rows(self, path: str, what: str = LOOK, table: str = "sales_transactions") -> list[tuple[object, ...]]:
        rows = fetch(
            self.warehouse,
            f"select {what} from sales_data.{table} where load_id in "
            f"(select load_id from sales_data.load_ledger where path = '{path}') order by row_number",
        )
        return [tuple(str(value) for value in row) for row in rows]

    def faults(self, path: str) -> list[tuple[object, ...]]:
        return self.rows(path, "line_number, reason, detail", "quarantine")


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    folder: Path = tmp_path_factory.mktemp("declared")
    warehouse = warehouse_in(folder)
    put_reference_data(warehouse)
    with warehouse.keep_open():
        yield Till(warehouse, landing_in(folder))


def test_a_spreadsheet_of_a_mexican_till(till: Till) -> None:
    content = """Ventas del día "31/01/2022

Folio;Fecha;Hora;Producto;Cant.;Precio;Socio
A1;31/01/2022;08:15;Café Latte;2;$3,50;C0001
A1;31/01/2022;08:15;moca ;1;MX$ 1.004,25;C0001
A2;01/02/2022;00:40;P003;1,0;2,00 $;
A3;31/01/2022;09:00;Té;1;2,00;
A4;31/01/2022;09:00;P003;uno;2,00;
A5;31/01/2022;09:00;P003;1;dos;
A6;2022-01-31;09:00;P003;1;2,00;
A7;01/02/2022;04:00;P003;1;2,00;
Total;;;;;3.029,50;
""".encode("cp1252")
    path = till.takes(content, MEXICAN)
    assert till.rows(path, f"{LOOK}, customer_id, business_date") == [
        ("A1-1", "P001", "2", "7.00", "2022-01-31 08:15:00", "C0001", "2022-01-31"),
        ("A1-2", "P002", "1", "1004.25", "2022-01-31 08:15:00", "C0001", "2022-01-31"),
        ("A2-1", "P003", "1", "2.00", "2022-02-01 00:40:00", "None", "2022-01-31"),
    ]
    assert [(line, reason) for line, reason, _ in till.faults(path)] == [
        ("7", "unknown_product"),
        ("8", "bad_number"),
        ("9", "bad_number"),
        ("10", "bad_date"),
        ("11", "date_not_of_folder"),
    ]
    details = " ".join(str(detail) for _, _, detail in till.faults(path))
    assert "quantity 'uno' is no whole number" in details
    assert "total_price 'dos' is no amount" in details
    assert "no product 'Té'" in details


HEADER = b"transaction_id,product_id,quantity,total_price,transaction_date,refunded_date\n"


@pytest.mark.parametrize(
    ("date_format", "date", "next_night"),
    [
        ("", "2022-01-31", "2022-02-01 00:00"),
        ("%d/%m/%Y", "31/01/2022", None),
        ("%d/%m/%Y %H.%M", None, "01/02/2022 00.00"),
    ],
    ids=["usual", "date-alone", "with-time"],
)
def test_a_date_without_a_time_belongs_to_that_day_also_where_days_end_after_midnight(
    till: Till, date_format: str, date: str | None, next_night: str | None
) -> None:
    toml = '[BU_US]\nday_ends = "04:00"\n' + (f'date_format = "{date_format}"\n' if date_format else "")
    told = [when for when in (date, next_night) if when]
    rows = "".join(f"DE{len(date_format)}-{place},P001,1,3.50,{when},\n" for place, when in enumerate(told))
    path = till.takes(HEADER + rows.encode(), toml)
    assert (till.faults(path), len(till.rows(path))) == ([], len(told))


def test_the_date_of_what_is_refunded_needs_no_time(till: Till) -> None:
    toml = '[BU_US]\ndate_format = "%d/%m/%Y %H:%M"\n'
    days = ("29/01/2022", "29/01/2022 08:00", "29/01", "2022-01-29")
    rows = "".join(f"RD{place},P001,-1,-3.50,31/01/2022 09:00,{day}\n" for place, day in enumerate(days))
    path = till.takes(HEADER + rows.encode(), toml)
    assert till.rows(path, "refunded_date") == [("2022-01-29",), ("2022-01-29",)]
    assert [(line, reason) for line, reason, _ in till.faults(path)] == [
        ("4", "bad_refunded_date"),
        ("5", "bad_refunded_date"),
    ]


def test_rows_of_a_declared_file_that_others_contest_are_put_back_as_they_were_exported(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, tmp_path: Path
) -> None:
    put_reference_data(warehouse)
    till = Till(warehouse, landing)
    till.takes(b"x\n\nFolio;Fecha;Hora;Producto;Cant.;Precio\nA1;31/01/2022;08:15;P001;1;3,50\nTotal\n", MEXICAN)
    rows = "A1;31/01/2022;08:15;P002;2;1.004,25\nA1;31/01/2022;08:15;P003;dos;2,00\n"
    path = till.takes(f"x\n\nFolio;Fecha;Hora;Producto;Cant.;Precio\n{rows}Total\n".encode(), MEXICAN)
    assert [reason for _, reason, _ in till.faults(path)] == ["conflict_across_files", "bad_number"]
    with warehouse.transaction() as transaction:
        export(quarantined_rows(transaction, path), tmp_path / "sheet.csv")
    sheet = (tmp_path / "sheet.csv").read_text(encoding="utf-8-sig")
    for old, new in (("A1-1", "B1-1"), ("dos", "1")):
        assert sheet.count(f'"{old}"') == 1
        sheet = sheet.replace(f'"{old}"', f'"{new}"')
    ask_for(warehouse, Step.RELEASE, path, read_corrections(sheet.encode(), path))
    formats = dict.fromkeys(UNITS, declarations_of(MEXICAN.encode())["BU_US"])
    do_work(warehouse, landing, work_in(warehouse, landing, "usa", {DAY}, RULES), load_context(formats=formats))
    assert till.rows(path) == [
        ("B1-1", "P002", "2", "2008.50", "2022-01-31 08:15:00"),
        ("A1-2", "P003", "1", "2.00", "2022-01-31 08:15:00"),
    ]


def test_written_months_and_amounts_in_brackets_are_read_as_they_are_declared(till: Till) -> None:
    toml = """[BU_US]
date_format = "%d %b %Y %H:%M"
negative_in_brackets = true
thousands_mark = ","
currency_signs = ["$"]
line_ids = "receipt"
day_ends = "04:00"
"""
    content = b"""order_id,product_id,quantity,total_price,transaction_date
WM1,P001,1,4.50,31 Jan 2022 08:15
WM1,P001,1,"$1,004.50",31 JAN 2022 08:15
WM1,P001,1,3.00,1 Feb 2022 00:10
WM2,P001,(1),($4.50),31 Jan 2022 09:00
WM3,P001,(1),"$(1,004.5)",31 Jan 2022 09:00
WM4,P001,-1,-4.50,31 Jan 2022 09:00
WM5,P001,1,(4.50,31 Jan 2022 09:00
WM6,P001,1,-(4.50),31 Jan 2022 09:00
WM7,P001,1,4.50,31/01/2022 09:00
"""
    path = till.takes(content, toml)
    assert till.rows(path, "transaction_id, quantity, total_price, transaction_date") == [
        ("WM1-1", "1", "4.50", "2022-01-31 08:15:00"),
        ("WM1-2", "1", "1004.50", "2022-01-31 08:15:00"),
        ("WM1-3", "1", "3.00", "2022-02-01 00:10:00"),
        ("WM2-1", "-1", "-4.50", "2022-01-31 09:00:00"),
        ("WM4-1", "-1", "-4.50", "2022-01-31 09:00:00"),
    ]
    reasons = [(line, reason) for line, reason, _ in till.faults(path)]
    assert reasons == [("6", "bad_number"), ("8", "bad_number"), ("9", "bad_number"), ("10", "bad_date")]


def test_brackets_that_are_not_declared_are_no_minus(till: Till) -> None:
    path = till.takes(HEADER + b"NB1,P001,1,(4.50),2022-01-31 09:00,\n", "[BU_US]\n")
    assert [reason for _, reason, _ in till.faults(path)] == ["bad_number"]


def test_a_file_family_of_the_same_unit(till: Till) -> None:
    content = "Folio;Fecha;Hora;Producto;Cant.;Precio\nW1;31/01/2022;08:15;Café Latte;1;3,50\n".encode()
    path = till.takes(content, MEXICAN, "_web.csv")
    assert till.rows(path) == [("W1-1", "P001", "1", "3.50", "2022-01-31 08:15:00")]


def test_a_spreadsheet_that_says_its_separator_and_writes_whole_numbers_with_decimals(till: Till) -> None:
    path = till.takes(EXCEL, suffix=".CSV")
    assert [row[:4] for row in till.rows(path)] == [("1", "P001", "1", "3.50"), ("2", "P001", "2", "7.00")]
    assert till.faults(path) == [
        ("5", "bad_number", "quantity '1.5' is no whole number"),
        ("6", "bad_number", "total_price '$3.50' is no amount with at most two decimals"),
    ]


def test_a_european_till_writes_amounts_with_a_comma_and_programs_whole_numbers_with_a_point(till: Till) -> None:
    toml = '[BU_US]\ndelimiter = "semicolon"\ndecimal_mark = "comma"\ncurrency_signs = ["€"]\n[BU_US.columns]\nunit_price = "price"\n'
    header = "transaction_id;product_id;quantity;price;transaction_date\n"
    rows = "".join(
        f"EU{place};P001;{quantity};0,90 €;2022-01-31\n"
        for place, quantity in enumerate(("1.0", "3.00", "-1.0", "1.000"), 1)
    )
    path = till.takes((header + rows).encode(), toml)
    assert till.rows(path, "quantity, total_price") == [("1", "0.90"), ("3", "2.70"), ("-1", "-0.90")]
    assert till.faults(path) == [("5", "bad_number", "quantity '1.000' is no whole number")]


def test_what_stands_for_nobody_is_no_customer(till: Till) -> None:
    toml = """[BU_US]\nnobody = ["Público en general", '\\N']\n"""
    header = "transaction_id,product_id,quantity,total_price,transaction_date,customer_id\n"
    names = ("C1", "PÚBLICO EN GENERAL", "\\N", "")
    rows = "".join(f"NO{place},P001,1,3.50,2022-01-31,{name}\n" for place, name in enumerate(names, 1))
    path = till.takes((header + rows).encode(), toml)
    assert till.rows(path, "customer_id") == [("C1",), ("None",), ("None",), ("None",)]


def test_packed_files_have_suffixes_in_any_case(till: Till) -> None:
    path = till.takes(gzip.compress(EXCEL.replace(b"\n1;", b"\n9;")), suffix=".Csv.GZ")
    assert [row[0] for row in till.rows(path)] == ["9"]


def test_goods_by_weight_are_pieces_and_keep_their_amount(till: Till) -> None:
    content = b"""transaction_id,product_id,quantity,unit_price,transaction_date,kind
w1,P001,0.245,20.00,2022-01-31 08:00,
w2,P001,3,2.00,2022-01-31 08:00,
w3,P001,-0.5,20.00,2022-01-31 08:00,Return
"""
    declared = '[BU_US]\ndecimal_quantity = true\n[BU_US.columns]\nunit_price = "unit_price"\n[BU_US.kinds]\nreturn = "refund"\n'
    path = till.takes(content, declared)
    assert till.rows(path, "transaction_id, quantity, weight, total_price, kind") == [
        ("w1", "1", "0.245", "4.90", "sale"),
        ("w2", "3", "None", "6.00", "sale"),
        ("w3", "-1", "-0.500", "-10.00", "refund"),
    ]


def test_a_weight_of_its_own_column_is_taken_by_the_sign_of_its_line(till: Till) -> None:
    content = """transaction_id,product_id,quantity,total_price,transaction_date,weight
v1,P001,1,4.90,2022-01-31 08:00,"0,245"
v2,P001,1,-4.90,2022-01-31 08:00,"0,245"
v3,P001,1,4.90,2022-01-31 08:00,"0,2455"
v4,P001,1,4.90,2022-01-31 08:00,
"""
    path = till.takes(
        content.replace("4.90", '"4,90"').replace('-"4,90"', '"-4,90"').encode(),
        '[BU_US]\ndecimal_mark = "comma"\ncolumns.weight = "weight"\n',
    )
    assert till.rows(path, "transaction_id, quantity, weight") == [
        ("v1", "1", "0.245"),
        ("v2", "-1", "-0.245"),
        ("v4", "1", "None"),
    ]
    assert till.faults(path) == [("4", "bad_weight", "weight '0,2455' is no number with at most three decimals")]


def test_a_decimal_quantity_alone_is_a_weight_of_three_decimals(till: Till) -> None:
    content = b"""transaction_id,product_id,quantity,total_price,transaction_date
k1,P001,0.7275,4.90,2022-01-31 08:00
k2,P001,2,4.90,2022-01-31 08:00
"""
    path = till.takes(content, "[BU_US]\ndecimal_quantity = true\n")
    assert till.rows(path, "transaction_id, quantity, weight") == [("k1", "1", "0.728"), ("k2", "2", "None")]
    assert till.faults(path) == []


def test_a_column_that_a_till_happens_to_call_weight_is_none_of_ours(till: Till) -> None:
    content = b"""transaction_id,product_id,quantity,total_price,transaction_date,weight
g1,P001,1,4.90,2022-01-31 08:00,250 g
"""
    path = till.takes(content, '[BU_US]\ncurrency_signs = ["€"]\n')
    assert till.report.loaded == (path,), till.report
    assert till.rows(path, "transaction_id, quantity, weight") == [("g1", "1", "None")]


OFFSETS = '[BU_US]\ntimes_in = "offset"\n'
TIMES = "transaction_id,product_id,quantity,total_price,transaction_date,business_unit,refunded_date\n"


def test_times_with_their_offset_from_utc_become_those_of_the_unit_cell_by_cell(till: Till) -> None:
    content = """z1,P001,1,3.50,2022-01-31 08:00:00 -0500,,
z2,P001,1,3.50,2022-01-31T13:00:00Z,,
z3,P001,1,3.50,2022-02-01T04:59:59.5+00:00,,
z4,P001,1,3.50,2022-01-31T23:30-06,,
z5,P001,1,3.50,2022-02-01T05:30:00Z,BU_MX,
z6,P001,-1,-3.50,2022-01-31T08:00-05:00,,2022-01-30T02:00Z
z7,P001,-1,-3.50,2022-01-31T08:00-05:00,,2022-01-30
"""
    path = till.takes((TIMES + content).encode(), OFFSETS)
    assert till.rows(path, "transaction_id, business_unit, transaction_date, refunded_date") == [
        ("z1", "BU_US", "2022-01-31 08:00:00", "None"),
        ("z2", "BU_US", "2022-01-31 08:00:00", "None"),
        ("z3", "BU_US", "2022-01-31 23:59:59.500000", "None"),
        ("z5", "BU_MX", "2022-01-31 23:30:00", "None"),
        ("z6", "BU_US", "2022-01-31 08:00:00", "2022-01-29"),
        ("z7", "BU_US", "2022-01-31 08:00:00", "2022-01-30"),
    ]
    [(line, reason, detail)] = till.faults(path)
    assert (line, reason) == ("5", "date_not_of_folder")
    assert detail == "transaction_date 2022-02-01 00:30:00 (local time) is not on the folder's date"


def test_a_time_without_offset_among_those_that_have_one_is_said(till: Till) -> None:
    content = """m1,P001,1,3.50,2022-01-31 08:00:00 -0500,,
m2,P001,1,3.50,2022-01-31 08:00:00,,
m3,P001,1,3.50,2022-01-31 08:00:00 EST,,
m4,P001,1,3.50,2022-01-31,,
m5,P001,1,3.50,2022-01-31T08:00:00-99:00,,
"""
    path = till.takes((TIMES + content).encode(), OFFSETS)
    assert [row[0] for row in till.rows(path)] == ["m1"]
    assert [detail for _, _, detail in till.faults(path)] == [
        f"transaction_date '{value}' is no ISO date and time with its offset from UTC, such as -05:00, -0500 or Z"
        for value in (
            "2022-01-31 08:00:00 (without offset)",
            "2022-01-31 08:00:00 EST",
            "2022-01-31 (without offset)",
            "2022-01-31T08:00:00-99:00",
        )
    ]


def test_an_offset_that_is_not_declared_is_said_with_what_to_declare(till: Till) -> None:
    content = "u1,P001,1,3.50,2022-01-31T13:00:00Z,,\nu2,P001,1,3.50,31.01.2022,,\n"
    path = till.takes((TIMES + content).encode())
    assert [detail for _, _, detail in till.faults(path)] == [
        "transaction_date '2022-01-31T13:00:00Z' is no local ISO date and time; if it ends in an offset from UTC, declare "
        'times_in = "offset" in reference/units.toml, then `globolatte quarantine retry` this file',
        "transaction_date '31.01.2022' is no local ISO date and time",
    ]


def test_times_in_utc_become_those_of_the_unit_and_its_day_ends_there(till: Till) -> None:
    toml = '[BU_US]\ntimes_in = "utc"\ndate_format = "%d %b %Y %H:%M"\nday_ends = "04:00"\nline_ids = "receipt"\n'
    header = "order_id,product_id,quantity,total_price,transaction_date,refunded_date\n"
    content = """R1,P001,1,3.50,31 Jan 2022 13:00,
R1,P001,1,3.50,01 feb 2022 08:59,
R1,P001,-1,-3.50,01 Feb 2022 09:00 Z,30 Jan 2022
R1,P001,1,3.50,2022-01-31 08:00,
"""
    path = till.takes((header + content).encode(), toml)
    assert till.rows(path, "transaction_id, transaction_date") == [
        ("R1-1", "2022-01-31 08:00:00"),
        ("R1-2", "2022-02-01 03:59:00"),
    ]
    assert [detail for _, _, detail in till.faults(path)] == [
        "transaction_date 2022-02-01 04:00:00 (local time) is not on the folder's date",
        "transaction_date '2022-01-31 08:00 (not as declared)' is no date like %d %b %Y %H:%M in UTC",
    ]


def test_parquet_times_with_a_zone_are_taken_once_that_is_declared(till: Till) -> None:
    moments = pa.array([dt.datetime(2022, 1, 31, 13, 0)]).cast(pa.timestamp("us", "UTC"))  # noqa: DTZ001
    columns = {"product_id": ["P001"], "quantity": [1], "total_price": [3.5], "transaction_date": moments}
    zoned = as_parquet(pa.table({"transaction_id": ["PZ1"], **columns}))
    till.takes(zoned, suffix=".parquet")
    assert 'declare times_in = "offset" in reference/units.toml' in till.report.refused[0][1]
    path = till.takes(zoned, OFFSETS, suffix=".parquet")
    local = {"transaction_id": ["PZ2"], **columns, "transaction_date": moments.cast(pa.timestamp("us"))}
    assert till.rows(path, "transaction_date") == [("2022-01-31 08:00:00",)]
    assert till.rows(till.takes(as_parquet(pa.table(local)), OFFSETS, suffix=".parquet"), "transaction_date") == [
        ("2022-01-31 13:00:00",)
    ]


def test_a_column_that_is_declared_to_be_needed_refuses_a_file_without_it(till: Till) -> None:
    till.takes(EXCEL, '[BU_US]\nrequired = ["customer_id"]\n')
    assert "column 'customer_id' is missing; the header has 'transaction_id', " in till.report.refused[0][1]


def test_a_title_above_the_header_is_told_with_what_to_declare(till: Till) -> None:
    till.takes(b"Sales of January\n\n" + EXCEL.partition(b"\n")[2])
    assert till.report.refused[0][1] == (
        "has its header in line 3; declare lines_above_header = 2 in reference/units.toml (docs/declarations.md), then "
        "`globolatte quarantine retry` this file"
    )


def test_parquet_is_declared_in_the_same_way(till: Till) -> None:
    table = pa.table(
        {
            "Receipt": ["P1", "P1"],
            "Item": ["Latte", "P002"],
            "Pieces": pa.array([2, 1], pa.int32()),
            "Each": pa.array([3.5, 4.25], pa.float64()),
            "Day": pa.array(["2022-01-31"] * 2).cast(pa.date32()),
            "Time": pa.array([30_000, 30_001]).cast(pa.int32()).cast(pa.time32("s")),
        }
    )
    declared = """[BU_US]
line_ids = "receipt"
[BU_US.columns]
order_id = "Receipt"
product_id = "Item"
quantity = "Pieces"
unit_price = "Each"
date = "Day"
time = "Time"
[BU_US.product_aliases]
Latte = "P001"
"""
    path = till.takes(as_parquet(table), declared, ".PARQUET")
    assert till.rows(path) == [
        ("P1-1", "P001", "2", "7.00", "2022-01-31 08:20:00"),
        ("P1-2", "P002", "1", "4.25", "2022-01-31 08:20:01"),
    ]
