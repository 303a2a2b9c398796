"""Validating rows: which are certain enough to be loaded, and what is said of the others. Each case is loaded for real."""

import datetime as dt
import io
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from globolatte_ingest.reading.sales import SALES_TEXTS
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import (
    COLUMNS,
    DAY,
    csv,
    deliver,
    deliver_and_load,
    fetch,
    line,
    load,
    quarantine,
    sales,
    sales_path,
)

ADD_THE_UNIT = "; add it to reference/business_units.csv, then `globolatte quarantine retry` this file"
ADD_IT_THERE = "; add it there, then `globolatte quarantine retry` this file"

LOST = " is what a spreadsheet leaves of a long number; export the ids as text"
NOT_BELOW = ": what is refunded is not below zero"

PATH = sales_path()
moment = dt.datetime.fromisoformat
MOMENT = moment("2022-01-31T08:15:00.005")

GOOD = [
    ({}, {}),
    ({"transaction_id": "  T1  ", "order_id": " O1 "}, {"transaction_id": "T1", "order_id": "O1"}),
    ({"business_unit": " BU_US ", "product_id": "P002 "}, {"business_unit": "BU_US", "product_id": "P002"}),
    ({"quantity": " 12 "}, {"quantity": 12}),
    ({"quantity": "+3"}, {"quantity": 3}),
    ({"quantity": "007"}, {"quantity": 7}),
    ({"total_price": "0"}, {"total_price": Decimal("0.00")}),
    ({"total_price": " 4.5 "}, {"total_price": Decimal("4.50")}),
    ({"total_price": "4.2500"}, {"total_price": Decimal("4.25")}),
    ({"total_price": "-0.00"}, {"total_price": Decimal("0.00")}),
    ({"total_price": "123456789012345.67"}, {"total_price": Decimal("123456789012345.67")}),
    ({"transaction_date": "2022-01-31"}, {"transaction_date": moment("2022-01-31")}),
    ({"transaction_date": "2022-01-31 23:59"}, {"transaction_date": moment("2022-01-31T23:59")}),
    ({"transaction_date": " 2022-01-31 08:15:00 "}, {"transaction_date": moment("2022-01-31T08:15")}),
    ({"transaction_date": "2022-01-31T08:15:00.25"}, {"transaction_date": moment("2022-01-31T08:15:00.250")}),
    ({"transaction_date": "2022-01-31T08:15:00.123456789"}, {"transaction_date": moment("2022-01-31T08:15:00.123456")}),
    ({"weather": "sunny"}, {"weather": "Sunny"}),
    ({"weather": " SNOWY "}, {"weather": "Snowy"}),
    ({"weather": "rAINY"}, {"weather": "Rainy"}),
    ({"weather": "Cloudy"}, {"weather": "Cloudy"}),
    ({"payment_method": ""}, {"payment_method": None}),
    ({"payment_method": "  "}, {"payment_method": None}),
    ({"payment_method": " Apple Pay "}, {"payment_method": "Apple Pay"}),
    ({"customer_id": "not in the reference data"}, {"customer_id": "not in the reference data"}),
    ({"customer_id": "0042"}, {"customer_id": "0042"}),
    ({"transaction_id": "'; drop table sales_data.load_ledger; --"}, {"transaction_id": "'; drop table sales_data.load_ledger; --"}),
    ({"order_id": "☕ñ"}, {"order_id": "☕ñ"}),
    ({"quantity": "1.0"}, {"quantity": 1}),
    ({"quantity": "3.0000"}, {"quantity": 3}),
    ({"order_id": "   "}, {"order_id": None}),
    ({"customer_id": ""}, {"customer_id": None}),
    ({"business_unit": ""}, {"business_unit": "BU_US"}),
    ({"weather": " "}, {"weather": None}),
    ({"transaction_id": "12e4", "order_id": "2.5E11"}, {"transaction_id": "12e4", "order_id": "2.5E11"}),
    ({"order_id": "O-2.40301E+11"}, {"order_id": "O-2.40301E+11"}),
    ({}, {"kind": "sale", "store_id": None, "discount": None, "currency": None, "refunded_order_id": None, "refunded_date": None}),
    ({"store_id": " S1 ", "promotion": "2 for 1"}, {"store_id": "S1", "promotion": "2 for 1"}),
    ({"discount": "0.5", "currency": "mxn"}, {"discount": Decimal("0.50"), "currency": "MXN"}),
    ({"kind": "Sale"}, {"kind": "sale", "quantity": 1}),
    ({"quantity": "-2", "total_price": "-7.00"}, {"kind": "refund", "quantity": -2, "total_price": Decimal("-7.00")}),
    ({"quantity": "2", "total_price": "-7.00"}, {"kind": "refund", "quantity": -2, "total_price": Decimal("-7.00")}),
    ({"quantity": "-2", "total_price": "0"}, {"kind": "refund", "quantity": -2, "total_price": Decimal("0.00")}),
    ({"quantity": "0", "total_price": "-1"}, {"kind": "refund", "quantity": 0, "total_price": Decimal("-1.00")}),
    ({"quantity": "-1", "total_price": "-3.50", "kind": "VOID"}, {"kind": "void", "quantity": -1, "total_price": Decimal("-3.50")}),
    ({"quantity": "1", "total_price": "3.50", "kind": "void"}, {"kind": "void", "quantity": 0, "total_price": Decimal("0.00")}),
    (
        {"quantity": "-1", "total_price": "-3.50", "refunded_order_id": "O9", "refunded_date": "2022-01-29"},
        {"kind": "refund", "refunded_order_id": "O9", "refunded_date": dt.date(2022, 1, 29)},
    ),
]  # fmt: skip


def test_a_certain_row_is_loaded_and_its_values_are_typed(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, *(line(n, **fields) for n, (fields, _) in enumerate(GOOD)))
    assert quarantine(warehouse) == []
    rows = warehouse.read("sales_data.sales_transactions", order_by=["row_number"]).to_pylist()
    expected = [values for _, values in GOOD]
    assert [{name: row[name] for name in values} for row, values in zip(rows, expected, strict=True)] == expected


NO_DATE = "is no local ISO date and time"
DECLARE_OFFSETS = (
    '; if it ends in an offset from UTC, declare times_in = "offset" in reference/units.toml, '
    "then `globolatte quarantine retry` this file"
)

BAD = [
    ({"transaction_id": ""}, "empty_key", "transaction_id is empty"),
    ({"product_id": "  "}, "empty_key", "product_id is empty"),
    ({"transaction_id": "2.40301E+11"}, "lost_id", "transaction_id '2.40301E+11'" + LOST),
    ({"order_id": "2.4e+11"}, "lost_id", "order_id '2.4e+11'" + LOST),
    ({"customer_id": "1E+05"}, "lost_id", "customer_id '1E+05'" + LOST),
    ({"store_id": "4E+12"}, "lost_id", "store_id '4E+12'" + LOST),
    ({"quantity": ""}, "bad_number", "quantity '' is no whole number"),
    ({"quantity": "1.5"}, "bad_number", "quantity '1.5' is no whole number"),
    ({"quantity": "1.01"}, "bad_number", "quantity '1.01' is no whole number"),
    ({"quantity": "1."}, "bad_number", "quantity '1.' is no whole number"),
    ({"quantity": "1e3"}, "bad_number", "quantity '1e3' is no whole number"),
    ({"quantity": "0x10"}, "bad_number", "quantity '0x10' is no whole number"),
    ({"quantity": "1 000"}, "bad_number", "quantity '1 000' is no whole number"),
    ({"quantity": "two"}, "bad_number", "quantity 'two' is no whole number"),
    ({"quantity": "٣"}, "bad_number", "quantity '٣' is no whole number"),
    ({"quantity": "9999999999999999"}, "bad_number", "quantity '9999999999999999' is no whole number"),
    ({"total_price": ""}, "bad_number", "total_price '' is no amount with at most two decimals"),
    ({"total_price": "4.999"}, "bad_number", "total_price '4.999' is no amount with at most two decimals"),
    ({"total_price": "$4.50"}, "bad_number", "total_price '$4.50' is no amount with at most two decimals"),
    ({"total_price": "4;50"}, "bad_number", "total_price '4;50' is no amount with at most two decimals"),
    ({"total_price": "1e3"}, "bad_number", "total_price '1e3' is no amount with at most two decimals"),
    ({"total_price": ".5"}, "bad_number", "total_price '.5' is no amount with at most two decimals"),
    ({"total_price": "5."}, "bad_number", "total_price '5.' is no amount with at most two decimals"),
    ({"total_price": "NaN"}, "bad_number", "total_price 'NaN' is no amount with at most two decimals"),
    ({"total_price": "inf"}, "bad_number", "total_price 'inf' is no amount with at most two decimals"),
    ({"quantity": "0"}, "non_positive_quantity", "quantity 0 is not above zero"),
    ({"discount": "10%"}, "bad_discount", "discount '10%' is no amount with at most two decimals"),
    ({"kind": "swap"}, "bad_kind", "kind 'swap' is none of sale, refund, void"),
    ({"quantity": "-1"}, "refund_not_negative", "quantity -1, total_price 3.50" + NOT_BELOW),
    ({"quantity": "-1", "kind": "void"}, "refund_not_negative", "quantity -1, total_price 3.50" + NOT_BELOW),
    ({"kind": "refund"}, "refund_not_negative", "quantity 1, total_price 3.50" + NOT_BELOW),
    ({"kind": "refund", "total_price": "0"}, "refund_not_negative", "quantity 1, total_price 0" + NOT_BELOW),
    (
        {"kind": "sale", "total_price": "-3.50"},
        "sale_not_positive",
        "kind is sale, but quantity 1 or total_price -3.50 is below zero",
    ),
    ({"transaction_date": ""}, "bad_date", "transaction_date '' is no local ISO date and time"),
    ({"transaction_date": "31/01/2022"}, "bad_date", "transaction_date '31/01/2022' is no local ISO date and time"),
    ({"transaction_date": "2022-01-31T08:15:00Z"}, "bad_date", f"transaction_date '2022-01-31T08:15:00Z' {NO_DATE}{DECLARE_OFFSETS}"),
    ({"transaction_date": "2022-01-31T08:15-05:00"}, "bad_date", f"transaction_date '2022-01-31T08:15-05:00' {NO_DATE}{DECLARE_OFFSETS}"),
    ({"transaction_date": "2022-01-31T25:00:00"}, "bad_date", "transaction_date '2022-01-31T25:00:00' is no local ISO date and time"),
    ({"transaction_date": "2022-01-31T24:00:00"}, "bad_date", "transaction_date '2022-01-31T24:00:00' is no local ISO date and time"),
    ({"transaction_date": "2022-01-31T08"}, "bad_date", "transaction_date '2022-01-31T08' is no local ISO date and time"),
    ({"transaction_date": "2022-02-30"}, "bad_date", "transaction_date '2022-02-30' is no local ISO date and time"),
    ({"transaction_date": "1643616900"}, "bad_date", "transaction_date '1643616900' is no local ISO date and time"),
    ({"transaction_date": "2022-02-01T00:00:00"}, "date_not_of_folder", "transaction_date 2022-02-01T00:00:00 is not on the folder's date"),
    ({"transaction_date": "2022-01-30"}, "date_not_of_folder", "transaction_date 2022-01-30 is not on the folder's date"),
    ({"refunded_date": "29/01/2022"}, "bad_refunded_date", "refunded_date '29/01/2022' is no local ISO date and time"),
    ({"business_unit": "BU_FR"}, "unknown_business_unit", "no business unit is called 'BU_FR'" + ADD_THE_UNIT),
    ({"business_unit": "bu_us"}, "unknown_business_unit", "no business unit is called 'bu_us'" + ADD_THE_UNIT),
    ({"product_id": "P999"}, "unknown_product", "reference/products.csv has no product 'P999'" + ADD_IT_THERE),
    ({"product_id": "p001"}, "unknown_product", "reference/products.csv has no product 'p001'" + ADD_IT_THERE),
    ({"weather": "Foggy"}, "unknown_weather", "weather 'Foggy' is none of Sunny, Rainy, Snowy, Cloudy"),
    ({"weather": "Sunny!"}, "unknown_weather", "weather 'Sunny!' is none of Sunny, Rainy, Snowy, Cloudy"),
    ({"currency": "$"}, "bad_currency", "currency '$' is no code of three letters"),
]  # fmt: skip


def test_an_uncertain_row_is_quarantined_with_reason_and_detail_and_the_others_are_loaded(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    lines = [line(number, **fields) for number, (fields, _, _) in enumerate(BAD, start=1)]
    report = deliver_and_load(warehouse, landing, PATH, *lines, line(1000))
    assert quarantine(warehouse, "row_number, reason, detail") == [
        (number, reason, detail) for number, (_, reason, detail) in enumerate(BAD, start=1)
    ]
    assert sales(warehouse) == [(PATH, len(BAD) + 1, "T00001000")]
    assert (report.rows_loaded, report.rows_quarantined) == (1, len(BAD))
    assert sum(report.reasons.values()) == len(BAD)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"product_id": "", "quantity": "x", "weather": ""}, "empty_key"),
        ({"quantity": "x", "transaction_date": "x"}, "bad_number"),
        ({"transaction_id": "", "order_id": "1E+12"}, "empty_key"),
        ({"order_id": "1E+12", "quantity": "x"}, "lost_id"),
        ({"quantity": "x", "discount": "x", "kind": "x"}, "bad_number"),
        ({"discount": "x", "kind": "x"}, "bad_discount"),
        ({"quantity": "-1", "kind": "sale", "total_price": "1"}, "refund_not_negative"),
        ({"quantity": "0", "transaction_date": "x", "weather": "x"}, "non_positive_quantity"),
        ({"transaction_date": "x", "business_unit": "x"}, "bad_date"),
        ({"transaction_date": "2022-02-01", "business_unit": "BU_FR"}, "date_not_of_folder"),
        ({"business_unit": "BU_FR", "product_id": "P999"}, "unknown_business_unit"),
        ({"product_id": "P999", "weather": "Foggy"}, "unknown_product"),
    ],
)
def test_a_row_with_several_faults_is_quarantined_once_by_the_first(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, fields: dict[str, str], reason: str
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(**fields))
    assert quarantine(warehouse, "row_number, reason") == [(1, reason)]


def test_a_quarantined_row_keeps_its_number_its_fields_and_its_text(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    bad = line(2, quantity="1.5", payment_method="")
    content = csv(line(1), bad) + b"only,three,fields\n" + csv(line(1, total_price="9.99")).partition(b"\n")[2]
    load(warehouse, landing, deliver(landing, PATH, content))
    texts = ", ".join(SALES_TEXTS[column] for column in COLUMNS)
    rows = fetch(
        warehouse,
        f"select row_number, reason, business_unit, business_date, {texts}, raw_text, line_number "
        "from sales_data.quarantine order by row_number",
    )
    unit_and_date = ("BU_US", DAY)
    assert rows == [
        (2, "bad_number", *unit_and_date, "T00000002", "O0000002", "BU_US", "P001", "C0001", "1.5", "3.50",
         "2022-01-31T08:15:00", None, "Sunny", "T00000002,O0000002,BU_US,P001,C0001,1.5,3.50,2022-01-31T08:15:00,,Sunny", 3),
        (3, "wrong_field_count", *unit_and_date, *[None] * 10, "only,three,fields", 4),
        (4, "conflict_in_file", *unit_and_date, "T00000001", "O0000001", "BU_US", "P001", "C0001", "1", "9.99",
         "2022-01-31 08:15:00", "card", "Sunny", "T00000001,O0000001,BU_US,P001,C0001,1,9.99,2022-01-31T08:15:00,card,Sunny", 5),
    ]  # fmt: skip


def test_an_empty_key_is_none_in_the_quarantine_so_that_nothing_joins_on_it(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1, order_id="", quantity="x"), line(2, transaction_id=""))
    assert quarantine(warehouse, "transaction_id, order_id") == [("T00000001", None), (None, "O0000002")]


def test_typed_parquet_columns_are_validated_like_text(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    table = pa.table(
        {
            "transaction_id": ["T1", "T2", "T3", "T4"],
            "order_id": ["O1", "O1", "O2", "O2"],
            "business_unit": ["BU_US"] * 4,
            "product_id": ["P001", "P002", None, "P003"],
            "customer_id": ["C0001"] * 4,
            "quantity": [1.0, 2.0, 1.0, 1.5],  # what pandas makes of whole numbers with a gap
            "total_price": [3.5, 4.1, 1.0, 1.0],
            "transaction_date": pa.array([MOMENT] * 4, pa.timestamp("ns")),
            "payment_method": ["card", None, "cash", "cash"],
            "weather": ["Sunny"] * 4,
        }
    )
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    path = sales_path("sales.parquet")
    load(warehouse, landing, deliver(landing, path, buffer.getvalue()))
    assert sales(warehouse, "row_number, quantity, total_price, transaction_date, payment_method") == [
        (1, 1, Decimal("3.50"), MOMENT, "card"),
        (2, 2, Decimal("4.10"), MOMENT, None),
    ]
    assert quarantine(warehouse, "row_number, reason") == [(3, "empty_key"), (4, "bad_number")]
