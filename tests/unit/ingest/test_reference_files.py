"""Reading reference files: all rows are right, or the file is refused with the row or column that is not."""

from decimal import Decimal

import pytest

from globolatte_ingest.declarations import FORMAT_COLUMNS
from globolatte_ingest.reasons import RefusedError
from globolatte_ingest.reference import (
    BUSINESS_UNITS_FILE,
    CUSTOMERS_FILE,
    PRODUCTS_FILE,
    ReferenceFile,
    read_reference,
)
from tests.builders import BUSINESS_UNITS_CSV, CUSTOMERS_CSV, PRODUCTS_CSV

PRODUCTS = "product_id,product_name,category,price,stock_quantity"
UNITS = "business_unit_id,country,unit_name"
CUSTOMERS = "customer_id,customer_name,email,location"


def read(kind: ReferenceFile, *lines: str) -> list[dict[str, object]]:
    return read_reference(kind, "\n".join(lines).encode()).to_pylist()


def refusal(kind: ReferenceFile, *lines: str) -> str:
    with pytest.raises(RefusedError) as refused:
        read(kind, *lines)
    return str(refused.value)


def test_the_three_files_are_read_into_typed_columns() -> None:
    assert read_reference(BUSINESS_UNITS_FILE, BUSINESS_UNITS_CSV).to_pylist()[0] == {
        "business_unit_id": "BU_US",
        "country": "USA",
        "unit_name": "GloboLatte USA",
        "folder": "usa",
        "time_zone": "America/New_York",
        **dict.fromkeys(FORMAT_COLUMNS),
    }
    assert read_reference(PRODUCTS_FILE, PRODUCTS_CSV).to_pylist()[0] == {
        "product_id": "P001",
        "product_name": "Latte",
        "category": "Coffee",
        "price": Decimal("3.50"),
        "stock_quantity": 100,
        "currency": None,
    }
    assert read_reference(CUSTOMERS_FILE, CUSTOMERS_CSV).to_pylist()[1] == {
        "customer_id": "C0002",
        "customer_name": "Ben",
        "email": "ben@example.com",
        "location": "Toronto, Canada",
        "marketing_opt_out": True,
    }


def test_ids_stay_text() -> None:
    products = read(PRODUCTS_FILE, PRODUCTS, "007,Latte,Coffee,3.5,1", "1e3,Mocha,Coffee,4,1", "null,M,C,1,1")
    assert [product["product_id"] for product in products] == ["007", "1e3", "null"]
    assert read(CUSTOMERS_FILE, CUSTOMERS, "0001,Ana,a@example.com,Boston")[0]["customer_id"] == "0001"


def test_optional_columns_have_defaults() -> None:
    units = read(BUSINESS_UNITS_FILE, UNITS, "BU_NZ,New Zealand,Kiwi", "BU_US,USA,Us")
    assert [(unit["folder"], unit["time_zone"]) for unit in units] == [("newzealand", "UTC"), ("usa", "UTC")]
    assert read(CUSTOMERS_FILE, CUSTOMERS, "C1,Ana,a@example.com,Boston")[0]["marketing_opt_out"] is False


def test_an_empty_value_of_an_optional_column_takes_its_default() -> None:
    units = read(
        BUSINESS_UNITS_FILE, f"{UNITS},folder,time_zone", "BU_US,USA,Us,, ", "BU_CA,Canada,Ca,north,America/Toronto"
    )
    assert [(unit["folder"], unit["time_zone"]) for unit in units] == [("usa", "UTC"), ("north", "America/Toronto")]
    customers = read(CUSTOMERS_FILE, f"{CUSTOMERS},marketing_opt_out", "C1,A,a,x,", "C2,B,b,y,true", "C3,C,c,z,FALSE")
    assert [row["marketing_opt_out"] for row in customers] == [False, True, False]


def test_values_that_may_be_missing_may_be_missing() -> None:
    [product] = read(PRODUCTS_FILE, PRODUCTS, "P1,Latte,,3.5,")
    assert (product["category"], product["stock_quantity"]) == (None, None)
    [customer] = read(CUSTOMERS_FILE, CUSTOMERS, "C1,,,")
    assert (customer["customer_name"], customer["email"], customer["location"]) == (None, None, None)


def test_header_order_case_blanks_and_further_columns_do_not_matter() -> None:
    header = " Price ,COLOUR,product_name,stock_quantity,Product_ID,category"
    [product] = read(PRODUCTS_FILE, header, " 3.50 ,red, Latte ,1, P1 ,Coffee")
    assert product == {
        "product_id": "P1",
        "product_name": "Latte",
        "category": "Coffee",
        "price": Decimal("3.50"),
        "stock_quantity": 1,
        "currency": None,
    }


@pytest.mark.parametrize(
    ("kind", "lines", "reason"),
    [
        (PRODUCTS_FILE, [""], "the file is empty; upload it again"),
        (PRODUCTS_FILE, ["  ", "\n"], "the file is empty; upload it again"),
        (PRODUCTS_FILE, [PRODUCTS], "has a header but no row; add at least one"),
        (PRODUCTS_FILE, ["product_id,product_name,category,stock_quantity", "P1,Latte,Coffee,1"], "column 'price' is missing"),
        (CUSTOMERS_FILE, ["customer_id", "C1"], "column 'customer_name', 'email', 'location' is missing"),
        (PRODUCTS_FILE, [PRODUCTS + ",Price", "P1,Latte,Coffee,3.5,1,4"], "column 'price' stands more than once"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,3.5,1", "P2,Mocha"], "line 3 has 2 fields, the header has 5: 'P2,Mocha'"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,3.5,1,extra"], "line 2 has 6 fields"),
        (PRODUCTS_FILE, [PRODUCTS, 'P1,"Latte,Coffee,3.5,1'], "has a quote that is never closed"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,3.5,1", " P1 ,Mocha,Coffee,4,1"], "(product_id 'P1'): product_id 'P1' stands more"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,3.5,1", ",Mocha,Coffee,4,1"], "line 3: column 'product_id' is empty; fill it in"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,,Coffee,3.5,1"], "line 2 (product_id 'P1'): column 'product_name' is empty; fill it in"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,,1"], "line 2 (product_id 'P1'): column 'price' is empty; fill it in"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,cheap,1"], "line 2 (product_id 'P1'): price 'cheap' is no amount with"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,$3.50,1"], "line 2 (product_id 'P1'): price '$3.50' is no amount with"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,3.505,1"], "line 2 (product_id 'P1'): price '3.505' is no amount with"),
        (PRODUCTS_FILE, [PRODUCTS, 'P1,Latte,Coffee,"3,50",1'], "line 2 (product_id 'P1'): price '3,50' is no amount with"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,-3.50,1"], "line 2 (product_id 'P1'): column 'price' is below zero (-3.50)"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,3.50,many"], "line 2 (product_id 'P1'): stock_quantity 'many' is no whole number"),
        (PRODUCTS_FILE, [PRODUCTS, "P1,Latte,Coffee,3.50,1.5"], "line 2 (product_id 'P1'): stock_quantity '1.5' is no whole number"),
        (CUSTOMERS_FILE, [CUSTOMERS + ",marketing_opt_out", "C1,A,a,x,maybe"], "(customer_id 'C1'): marketing_opt_out 'maybe' is neither"),
        (BUSINESS_UNITS_FILE, [UNITS, "BU_US,,Us"], "line 2 (business_unit_id 'BU_US'): column 'country' is empty; fill it in"),
        (BUSINESS_UNITS_FILE, [UNITS, "BU_US,USA,"], "line 2 (business_unit_id 'BU_US'): column 'unit_name' is empty; fill it in"),
        (BUSINESS_UNITS_FILE, [UNITS + ",folder", "BU_US,USA,Us,usa", "BU_US2,USA,Us too,usa"], "folder 'usa' stands more than once"),
        (BUSINESS_UNITS_FILE, [UNITS + ",time_zone", "BU_US,USA,Us,Mars/Olympus"], "time_zone 'Mars/Olympus' is no IANA name"),
        (BUSINESS_UNITS_FILE, [UNITS + ",time_zone", "BU_US,USA,Us,../etc"], "time_zone '../etc' is no IANA name"),
    ],
)  # fmt: skip
def test_a_file_with_any_fault_is_refused_and_says_which(kind: ReferenceFile, lines: list[str], reason: str) -> None:
    assert reason in refusal(kind, *lines)


def test_the_line_at_fault_is_counted_as_in_the_file() -> None:
    content = f'{PRODUCTS}\n\nP1,"Latte\nlarge",Coffee,3.5,1\nP2,Mocha,Coffee,0.055,1\n'.encode()
    for encoded in (content, b"\xef\xbb\xbf" + content, content.decode().encode("utf-16")):
        with pytest.raises(
            RefusedError, match=r"line 5 \(product_id 'P2'\): price '0\.055' is no amount with at most two"
        ):
            read_reference(PRODUCTS_FILE, encoded)


@pytest.mark.parametrize(
    ("country", "folders", "folder"),
    [
        ("United States", ("usa", "canada"), "usa"),
        ("USA", ("us", "canada"), "us"),
        ("us", ("unitedstates",), "unitedstates"),
        ("México", ("usa", "mexico"), "mexico"),
        ("United States", ("unitedstates", "usa"), "unitedstates"),
        ("United States", ("us", "usa"), "unitedstates"),
        ("New Zealand", ("usa",), "newzealand"),
        ("Atlantis", ("usa",), "atlantis"),
        ("United States", (), "unitedstates"),
    ],
)
def test_a_unit_without_a_folder_has_the_one_that_means_its_country(
    country: str, folders: tuple[str, ...], folder: str
) -> None:
    content = f"{UNITS}\nBU_1,{country},Unit".encode()
    assert read_reference(BUSINESS_UNITS_FILE, content, folders)["folder"].to_pylist() == [folder]


def test_text_in_another_encoding_is_refused() -> None:
    content = f"{CUSTOMERS}\nC1,José,j@example.com,México".encode("latin-1")
    with pytest.raises(RefusedError, match=r"is not text in UTF-8 .line 2.; save it as CSV UTF-8"):
        read_reference(CUSTOMERS_FILE, content)
