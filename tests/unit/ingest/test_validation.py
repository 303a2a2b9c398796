"""Validating rows: which are certain enough to be loaded, and what is said of the others. Each case is loaded for real."""

import datetime as dt
import io
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import DAY, csv, deliver, deliver_and_load, fetch, line, load, quarantine, sales, sales_path

ADD_THE_UNIT = "; add it to reference/business_units.csv, then `globolatte quarantine retry` this file"
ADD_IT_THERE = "; add it there, then `globolatte quarantine retry` this file"

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
]  # fmt: skip


def test_a_certain_row_is_loaded_and_its_values_are_typed(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, *(line(n, **fields) for n, (fields, _) in enumerate(GOOD)))
    assert quarantine(warehouse) == []
    rows = warehouse.read("sales_data.sales_transactions", order_by=["row_number"]).to_pylist()
    expected = [values for _, values in GOOD]
    assert [{name: row[name] for name in values} for row, values in zip(rows, expected, strict=True)] == expected


BAD = [
    ({"transaction_id": ""}, "empty_key", "transaction_id, order_id, product_id or customer_id is empty"),
    ({"order_id": "   "}, "empty_key", "transaction_id, order_id, product_id or customer_id is empty"),
    ({"product_id": ""}, "empty_key", "transaction_id, order_id, product_id or customer_id is empty"),
    ({"customer_id": ""}, "empty_key", "transaction_id, order_id, product_id or customer_id is empty"),
    ({"quantity": ""}, "bad_number", "quantity '' or total_price '3.50' is no number"),
    ({"quantity": "1.5"}, "bad_number", "quantity '1.5' or total_price '3.50' is no number"),
    ({"quantity": "1.0"}, "bad_number", "quantity '1.0' or total_price '3.50' is no number"),
    ({"quantity": "1e3"}, "bad_number", "quantity '1e3' or total_price '3.50' is no number"),
    ({"quantity": "0x10"}, "bad_number", "quantity '0x10' or total_price '3.50' is no number"),
    ({"quantity": "1 000"}, "bad_number", "quantity '1 000' or total_price '3.50' is no number"),
    ({"quantity": "two"}, "bad_number", "quantity 'two' or total_price '3.50' is no number"),
    ({"quantity": "٣"}, "bad_number", "quantity '٣' or total_price '3.50' is no number"),
    ({"quantity": "9999999999999999"}, "bad_number", "quantity '9999999999999999' or total_price '3.50' is no number"),
    ({"total_price": ""}, "bad_number", "quantity '1' or total_price '' is no number"),
    ({"total_price": "4.999"}, "bad_number", "quantity '1' or total_price '4.999' is no number"),
    ({"total_price": "$4.50"}, "bad_number", "quantity '1' or total_price '$4.50' is no number"),
    ({"total_price": "4;50"}, "bad_number", "quantity '1' or total_price '4;50' is no number"),
    ({"total_price": "1e3"}, "bad_number", "quantity '1' or total_price '1e3' is no number"),
    ({"total_price": ".5"}, "bad_number", "quantity '1' or total_price '.5' is no number"),
    ({"total_price": "5."}, "bad_number", "quantity '1' or total_price '5.' is no number"),
    ({"total_price": "NaN"}, "bad_number", "quantity '1' or total_price 'NaN' is no number"),
    ({"total_price": "inf"}, "bad_number", "quantity '1' or total_price 'inf' is no number"),
    ({"quantity": "0"}, "non_positive_quantity", "quantity 0 is not above zero"),
    ({"quantity": "-1"}, "non_positive_quantity", "quantity -1 is not above zero"),
    ({"total_price": "-3.50"}, "negative_price", "total_price -3.50 is below zero"),
    ({"transaction_date": ""}, "bad_date", "transaction_date '' is no local ISO date and time"),
    ({"transaction_date": "31/01/2022"}, "bad_date", "transaction_date '31/01/2022' is no local ISO date and time"),
    ({"transaction_date": "2022-01-31T08:15:00Z"}, "bad_date", "transaction_date '2022-01-31T08:15:00Z' is no local ISO date and time"),
    ({"transaction_date": "2022-01-31T08:15-05:00"}, "bad_date", "transaction_date '2022-01-31T08:15-05:00' is no local ISO date and time"),
    ({"transaction_date": "2022-01-31T25:00:00"}, "bad_date", "transaction_date '2022-01-31T25:00:00' is no local ISO date and time"),
    ({"transaction_date": "2022-01-31T24:00:00"}, "bad_date", "transaction_date '2022-01-31T24:00:00' is no local ISO date and time"),
    ({"transaction_date": "2022-01-31T08"}, "bad_date", "transaction_date '2022-01-31T08' is no local ISO date and time"),
    ({"transaction_date": "2022-02-30"}, "bad_date", "transaction_date '2022-02-30' is no local ISO date and time"),
    ({"transaction_date": "1643616900"}, "bad_date", "transaction_date '1643616900' is no local ISO date and time"),
    ({"transaction_date": "2022-02-01T00:00:00"}, "date_not_of_folder", "transaction_date 2022-02-01T00:00:00 is not on the folder's date"),
    ({"transaction_date": "2022-01-30"}, "date_not_of_folder", "transaction_date 2022-01-30 is not on the folder's date"),
    ({"business_unit": ""}, "unknown_business_unit", "no business unit is called ''" + ADD_THE_UNIT),
    ({"business_unit": "BU_FR"}, "unknown_business_unit", "no business unit is called 'BU_FR'" + ADD_THE_UNIT),
    ({"business_unit": "bu_us"}, "unknown_business_unit", "no business unit is called 'bu_us'" + ADD_THE_UNIT),
    ({"business_unit": "BU_CA"}, "business_unit_not_of_folder", "the folder belongs to BU_US, the row to BU_CA"),
    ({"product_id": "P999"}, "unknown_product", "reference/products.csv has no product 'P999'" + ADD_IT_THERE),
    ({"product_id": "p001"}, "unknown_product", "reference/products.csv has no product 'p001'" + ADD_IT_THERE),
    ({"weather": ""}, "unknown_weather", "weather '' is none of Sunny, Rainy, Snowy, Cloudy"),
    ({"weather": "Foggy"}, "unknown_weather", "weather 'Foggy' is none of Sunny, Rainy, Snowy, Cloudy"),
    ({"weather": "Sunny!"}, "unknown_weather", "weather 'Sunny!' is none of Sunny, Rainy, Snowy, Cloudy"),
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
        ({"quantity": "0", "total_price": "-1", "weather": ""}, "non_positive_quantity"),
        ({"total_price": "-1", "transaction_date": "2022-02-01"}, "negative_price"),
        ({"transaction_date": "x", "business_unit": "x"}, "bad_date"),
        ({"transaction_date": "2022-02-01", "business_unit": "BU_CA"}, "date_not_of_folder"),
        ({"business_unit": "BU_FR", "product_id": "P999"}, "unknown_business_unit"),
        ({"business_unit": "BU_CA", "product_id": "P999"}, "business_unit_not_of_folder"),
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
    rows = fetch(warehouse, "select * exclude (load_id, detail) from sales_data.quarantine order by row_number")
    unit_and_date = ("BU_US", DAY)
    assert rows == [
        (2, "bad_number", *unit_and_date, "T00000002", "O0000002", "BU_US", "P001", "C0001", "1.5", "3.50",
         "2022-01-31T08:15:00", None, "Sunny", "T00000002,O0000002,BU_US,P001,C0001,1.5,3.50,2022-01-31T08:15:00,,Sunny", 3),
        (3, "wrong_field_count", *unit_and_date, *[None] * 10, "only,three,fields", 4),
        (4, "duplicate_in_file", *unit_and_date, "T00000001", "O0000001", "BU_US", "P001", "C0001", "1", "9.99",
         "2022-01-31 08:15:00", "card", "Sunny", "T00000001,O0000001,BU_US,P001,C0001,1,9.99,2022-01-31T08:15:00,card,Sunny", 5),
    ]  # fmt: skip


def test_an_empty_key_is_none_in_the_quarantine_so_that_nothing_joins_on_it(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, PATH, line(1, order_id=""), line(2, transaction_id=""))
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
