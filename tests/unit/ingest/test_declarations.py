"""What units.toml may declare: every key once, and every fault with unit, key, value and remedy."""

import json

import pytest

from globolatte_ingest.declarations import (
    USUAL,
    Declaration,
    DeclarationError,
    UnitDeclaration,
    as_json,
    declarations_of,
    declared,
    tables_of,
    unit_declaration,
)

EVERYTHING = """
[BU_MX]
encoding = "windows-1252"
delimiter = "semicolon"
decimal_mark = "comma"
thousands_mark = "point"
date_format = "%d/%m/%Y %H:%M"
currency = "MXN"
currency_signs = ["$", "MX$"]
day_ends = "04:00"
lines_above_header = 2
lines_below_data = 1
decimal_quantity = true
line_ids = "receipt"
products = "name"
required = ["customer_id"]
nobody = "Público en general"
[BU_MX.columns]
order_id = "Folio"
product_id = ["Producto", "Artículo"]
unit_price = "Precio"
date = "Fecha"
time = "Hora"
[BU_MX.product_aliases]
"Café Latte" = "P001"
[BU_MX.kinds]
"Devolución" = "refund"
"Cancelada" = "void"
[[BU_MX.files]]
pattern = "*_web.csv"
delimiter = "comma"
lines_above_header = 0
[[BU_MX.files]]
pattern = "*.csv"
day_ends = 05:30:00

[BU_CA]
"""
MEXICO = Declaration(
    encoding="cp1252",
    delimiter=";",
    decimal_mark=",",
    thousands_mark=".",
    date_format="%d/%m/%Y %H:%M",
    currency="MXN",
    currency_signs=("MX$", "$"),
    day_ends="04:00",
    lines_above_header=2,
    lines_below_data=1,
    decimal_quantity=True,
    line_ids="receipt",
    products="name",
    required=("customer_id",),
    columns=(
        ("order_id", ("folio",)),
        ("product_id", ("producto", "artículo")),
        ("unit_price", ("precio",)),
        ("date", ("fecha",)),
        ("time", ("hora",)),
    ),
    product_aliases=(("Café Latte", "P001"),),
    kinds=(("Devolución", "refund"), ("Cancelada", "void")),
    nobody=("Público en general",),
)


def test_everything_that_may_be_declared() -> None:
    found = declarations_of(EVERYTHING.encode())
    assert found["BU_MX"].usual == MEXICO
    assert found["BU_CA"] == UnitDeclaration(USUAL)
    assert hash(found["BU_MX"]) is not None


def test_a_file_family_differs_in_what_it_declares_and_the_first_that_matches_counts() -> None:
    mexico = declarations_of(EVERYTHING.encode())["BU_MX"]
    web = mexico.for_file("sales/mexico/2024/01/31/Shop_WEB.CSV")
    assert (web.delimiter, web.lines_above_header, web.day_ends) == (",", 0, "04:00")
    assert mexico.for_file("sales/mexico/2024/01/31/a.csv").day_ends == "05:30"
    assert mexico.for_file("sales/mexico/2024/01/31/a.parquet") == MEXICO


def test_what_the_warehouse_stores_declares_the_same() -> None:
    for unit, table in tables_of(EVERYTHING.encode()).items():
        assert unit_declaration(unit, json.loads(as_json(table))) == unit_declaration(unit, table)


def test_columns_of_business_units_declare_the_same_as_a_table() -> None:
    values = {"delimiter": "semicolon", "decimal_mark": "comma", "date_format": "%d/%m/%Y", "encoding": None}
    toml = b'[BU]\ndelimiter = "semicolon"\ndecimal_mark = "comma"\ndate_format = "%d/%m/%Y"\n'
    assert declared(values) == declarations_of(toml)["BU"].usual


def test_a_file_saved_by_an_editor_of_windows_is_read() -> None:
    assert declarations_of(b"\xef\xbb\xbf[BU_MX]\r\n").keys() == {"BU_MX"}


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("currency = 'MXN'", "currency = 'MXN' stands outside of a unit's table; put it under a line with the unit's id"),
        ("[BU\n", "is no TOML: "),
        ("[BU]\nshape = 'red'", "BU: there is no key 'shape'; known are encoding, "),
        ("[BU]\ndecimal = 'comma'", "BU: there is no key 'decimal'; did you mean 'decimal_mark'?"),
        ("[BU]\ndelimiter = 'x'", "BU: delimiter 'x' is none of comma, semicolon, tab, pipe; declare one of these"),
        ("[BU]\ndelimiter = 1", "BU: delimiter 1 is no text; write it in quotes"),
        ("[BU]\ndate_format = '%d %b %m %Y'", "BU: date_format '%d %b %m %Y' has the month 2 times"),
        ("[BU]\nnegative_in_brackets = 1", "BU: negative_in_brackets 1 is neither true nor false"),
        ("[BU]\ndate_format = '%d.%m'", "BU: date_format '%d.%m' has no day, month or year"),
        ("[BU]\nthousands_mark = 'point'", "BU: thousands_mark and decimal_mark are both '.'; declare different ones"),
        ("[BU]\ncurrency = 'Peso'", "BU: currency 'Peso' is no ISO 4217 code; write it like currency = \"MXN\""),
        ("[BU]\ncurrency_signs = ['1$']", "BU: currency_signs '1$' has digits, blanks or marks of numbers"),
        ("[BU]\ncurrency_signs = 4", "BU: currency_signs 4 is neither a text nor a list of texts"),
        ("[BU]\nday_ends = '23:00'", "BU: day_ends '23:00' is no time after midnight and up to 12:00; write it like"),
        ("[BU]\nday_ends = '00:00'", "BU: day_ends '00:00' is no time after midnight"),
        ("[BU]\nlines_above_header = -1", "BU: lines_above_header -1 is no number of lines from 0 to 1000"),
        ("[BU]\nlines_below_data = true", "BU: lines_below_data True is no number of lines"),
        ("[BU]\ndecimal_quantity = 'yes'", "BU: decimal_quantity 'yes' is neither true nor false"),
        ("[BU]\ntimes_in = 'EST'", "BU: times_in 'EST' is none of offset, utc; declare one of these"),
        ("[BU]\nline_ids = 'row'", "BU: line_ids 'row' is not 'receipt', the only value that it may have"),
        ("[BU]\nproducts = 'code'", "BU: products 'code' is not 'name', the only value"),
        ("[BU]\nrequired = ['customer']", "BU: required 'customer' is none of our columns; did you mean 'customer_id'?"),
        ("[BU.columns]\norder = 'Folio'", "BU: columns 'order' is none of our columns; did you mean 'order_id'?"),
        ("[BU.columns]\norder_id = 4", "BU: columns.order_id 4 is neither a text nor a list of texts"),
        ("[BU.columns]\ntime = 'Hora'", "BU: columns has 'time' without 'date'; declare the header of the date as well"),
        ("[BU.columns]\ndate = 'd'\ntransaction_date = 'm'", "BU: columns has both 'transaction_date' and 'date'; declare one"),
        ("[BU.columns]\nunit_price = 'd'\ntotal_price = 'm'", "BU: columns has both 'total_price' and 'unit_price'"),
        ("[BU.product_aliases]\nLatte = 1", "BU: product_aliases.'Latte' 1 is no text; write it in quotes"),
        ("[BU.kinds]\nDev = 'return'", "BU: kinds.'Dev' is 'return', none of sale, refund, void; declare one of these"),
        ("[BU]\nkinds = 'x'", "BU: kinds 'x' is no table; write it under a line of its own, such as [BU_MX.kinds]"),
        ("[BU]\nfiles = 'x'", "BU: files 'x' is no table; begin each file family with [[BU.files]]"),
        ("[[BU.files]]\ndelimiter = 'tab'", "BU.files: pattern None is no pattern of file names"),
        ("[[BU.files]]\npattern = '*.csv'\ncolour = 1", "BU.files *.csv: there is no key 'colour'"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_unit_key_value_and_remedy(toml: str, says: str) -> None:
    with pytest.raises(DeclarationError) as fault:
        declarations_of(toml.encode())
    assert says in str(fault.value)


def test_a_file_that_is_no_utf8_names_the_line() -> None:
    with pytest.raises(DeclarationError, match="line 2 is not text in UTF-8; save the file as UTF-8"):
        declarations_of("[BU]\ncurrency = 'México'".encode("latin-1"))
