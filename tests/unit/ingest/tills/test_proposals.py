"""What is proposed for each till: the columns, the form, what was told from what; and what is left as a question."""

import datetime as dt
from contextlib import suppress
from functools import cache

import pytest

from globolatte_ingest.onboarding.proposal import Proposal, propose
from globolatte_ingest.onboarding.sheet import read_sheet
from globolatte_ingest.onboarding.study import Known
from globolatte_ingest.onboarding.survey import Source, survey
from globolatte_ingest.reading.landed_bytes import Content, FileLimits
from globolatte_ingest.reasons import RefusedError
from tests.builders import UNITS
from tests.unit.ingest.malformed import cases
from tests.unit.ingest.tills.exports import CATALOGUE, WRITERS, Export

ZONES = {"usa": "America/New_York", "canada": "America/Toronto", "mexico": "America/Mexico_City"}
KNOWN = Known(UNITS, {product: name for product, (name, _) in CATALOGUE.items()}, ZONES)
LIMITS = FileLimits(10_000_000)
EXPORTS: dict[str, Export] = {export.name: export for export in (write() for write in WRITERS)}


@cache
def proposed(name: str) -> Proposal:
    export = EXPORTS[name]
    return of(export.content, export.path, export.folder)


def of(content: bytes | str, path: str = "export.csv", folder: str = "usa", known: Known = KNOWN) -> Proposal:
    data = content.encode() if isinstance(content, str) else content
    return propose(path, folder, read_sheet(path, Content(data), LIMITS), known)


def asked(proposal: Proposal, words: str) -> bool:
    return any(words in question for question in proposal.questions)


def found(proposal: Proposal, words: str) -> bool:
    return any(words in finding for finding in proposal.findings)


MEANINGS = {
    "square": {
        "order_id": "Transaction ID",
        "product_id": "Item",
        "quantity": "Qty",
        "total_price": "Net Sales",
        "date": "Date",
        "time": "Time",
        "store_id": "Location",
        "customer_id": "Customer ID",
    },
    "toast": {
        "transaction_id": "Item Selection Id",
        "order_id": "Order Id",
        "product_id": "Menu Item",
        "quantity": "Qty",
        "total_price": "Net Price",
        "transaction_date": "Order Date",
        "kind": "Void?",
        "discount": "Discount",
    },
    "lightspeed": {
        "order_id": "Transaction ID",
        "product_id": "Store Code",
        "quantity": "Quantity",
        "total_price": "Net Total",
        "transaction_date": "Time",
        "customer_id": "Customer ID",
        "discount": "Discounts",
    },
    "shopify": {
        "order_id": "Name",
        "product_id": "Lineitem sku",
        "quantity": "Lineitem quantity",
        "unit_price": "Lineitem price",
        "transaction_date": "Created at",
    },
    "sumup": {
        "order_id": "Receipt Number",
        "product_id": "Description",
        "quantity": "Quantity",
        "total_price": "Price (Net)",
        "date": "Date",
        "time": "Time",
    },
    "french_bakery": {
        "order_id": "ticket_number",
        "product_id": "article",
        "quantity": "Quantity",
        "unit_price": "unit_price",
        "date": "date",
        "time": "time",
    },
    "vending": {
        "transaction_id": "Transaction Id",
        "product_id": "Product Name",
        "quantity": "Quantity",
        "total_price": "Total Price",
        "transaction_date": "Recorded At",
        "store_id": "Machine Id",
    },
    "mexican_spreadsheet": {
        "order_id": "Folio",
        "product_id": "Producto",
        "quantity": "Cantidad",
        "total_price": "Importe",
        "date": "Fecha",
        "time": "Hora",
        "kind": "Estado",
        "customer_id": "Cliente",
        "payment_method": "Forma de pago",
    },
    "database_dump": {
        "transaction_id": "id",
        "order_id": "ticket_id",
        "product_id": "product_code",
        "quantity": "qty",
        "total_price": "amount",
        "transaction_date": "sold_at",
        "customer_id": "member_id",
        "store_id": "branch_code",
    },
    "american_register": {
        "order_id": "Check #",
        "product_id": "Item",
        "quantity": "Qty",
        "total_price": "Net",
        "date": "Date",
        "time": "Time",
        "store_id": "Store",
        "customer_id": "Member #",
        "discount": "Disc",
    },
    "eight_columns": {
        "transaction_id": "transaction_id",
        "product_id": "product_id",
        "quantity": "quantity",
        "total_price": "total_price",
        "transaction_date": "transaction_date",
        "customer_id": "customer_id",
        "business_unit": "business_unit",
    },
    "online_retailer": {
        "order_id": "InvoiceNo",
        "product_id": "StockCode",
        "quantity": "Quantity",
        "unit_price": "UnitPrice",
        "transaction_date": "InvoiceDate",
        "customer_id": "CustomerID",
    },
    "german_till": {
        "order_id": "BON_ID",
        "product_id": "ARTIKELTEXT",
        "quantity": "MENGE",
        "total_price": "BRUTTOBETRAG",
        "transaction_date": "BON_ZEIT",
        "kind": "STORNO",
        "store_id": "KASSEN_ID",
    },
}

FORMS = {
    "square": {"currency_signs": ["$"], "line_ids": "receipt", "products": "name"},
    "toast": {"date_format": "%m/%d/%y %I:%M %p", "day_ends": "04:00", "kinds": {"true": "void", "false": "sale"}},
    "lightspeed": {"date_format": "%m/%d/%Y %I:%M:%S %p", "line_ids": "receipt"},
    "shopify": {"date_format": None, "times_in": "offset", "line_ids": "receipt"},
    "sumup": {"date_format": "%d.%m.%y %H:%M", "currency": "CHF"},
    "french_bakery": {"delimiter": "semicolon", "decimal_mark": "comma", "currency": "EUR", "currency_signs": ["€"], "products": "name"},
    "vending": {"delimiter": "semicolon", "products": "name"},
    "mexican_spreadsheet": {
        "encoding": "windows-1252", "delimiter": "semicolon", "thousands_mark": "comma", "date_format": "%d/%m/%Y %H:%M",
        "lines_above_header": 2, "lines_below_data": 1, "currency": "MXN",
        "kinds": {"Pagada": "sale", "Devolución": "refund", "Cancelada": "void"},
    },
    "database_dump": {"delimiter": "tab"},
    "american_register": {"date_format": "%m/%d/%Y %I:%M %p", "day_ends": "04:00", "lines_above_header": 2, "lines_below_data": 1},
    "eight_columns": {},
    "online_retailer": {"encoding": "windows-1252", "date_format": "%m/%d/%Y %H:%M", "line_ids": "receipt"},
    "german_till": {"delimiter": "semicolon", "decimal_mark": "comma", "day_ends": "03:00", "kinds": {"ja": "void", "nein": "sale"}},
}  # fmt: skip


@pytest.mark.parametrize("name", MEANINGS)
def test_the_columns_of_each_till_are_known(name: str) -> None:
    meanings = proposed(name).meanings
    assert {meaning: meanings.get(meaning) for meaning in MEANINGS[name]} == MEANINGS[name]


@pytest.mark.parametrize("name", FORMS)
def test_the_form_of_each_till_is_told(name: str) -> None:
    table = proposed(name).table
    assert {key: table.get(key) for key in FORMS[name]} == FORMS[name]


def test_the_usual_form_needs_no_declaration() -> None:
    assert proposed("eight_columns").table == {}


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_only_what_cannot_be_declared_is_a_fault(name: str) -> None:
    assert proposed(name).faults == ()


def test_times_with_an_offset_are_declared_and_become_those_of_the_unit() -> None:
    assert found(proposed("shopify"), "times like '2022-01-31 07:07:21 -0500' have their offset from UTC")
    assert found(proposed("shopify"), "they become local times of America/New_York")


def test_whether_times_are_really_in_utc_is_a_question() -> None:
    zoned = EXPORTS["shopify"].content.replace(b" -0500", b"Z")
    proposal = of(zoned)
    assert proposal.table["times_in"] == "offset"
    assert asked(proposal, "'2022-01-31 07:07:21Z' would be 2022-01-31 02:07:21 in America/New_York")


def test_the_day_of_times_with_an_offset_is_the_local_one() -> None:
    """In UTC, the evening of New York is the next day."""
    lines = "id,item,qty,amount,sold_at\n" + "".join(
        f"{number},Espresso,1,2.50,2022-02-01T0{number % 4}:10:00Z\n" for number in range(1, 20)
    )
    proposal = of(lines)
    assert (proposal.usual_date, proposal.has_several_dates) == (dt.date(2022, 1, 31), False)


def test_what_the_files_cannot_tell_is_a_question() -> None:
    assert asked(proposed("mexican_spreadsheet"), "read as windows-1252. Is 'Caffè Latte' written as it should be?")
    assert asked(proposed("eight_columns"), "No business unit is called 'BU_XX'")
    assert asked(proposed("eight_columns"), "each line counts as an order of its own")
    assert asked(proposed("french_bakery"), "Ids like '150001.0'")
    assert asked(proposed("square"), "Is '$' the currency USD?")
    assert asked(proposed("shopify"), "No row of the sample is a refund")


def test_what_stands_for_nobody_is_declared_and_what_might_is_a_question() -> None:
    assert proposed("mexican_spreadsheet").table["nobody"] == ["Público en general"]
    assert proposed("database_dump").table["nobody"] == [r"\N"]
    assert found(proposed("database_dump"), "30 % of the rows are anonymous")
    dump = EXPORTS["database_dump"].content.replace(rb"\N", b"C9999")
    assert asked(of(dump), "Is 'C9999' in 'member_id' (30 % of the rows) a customer, or nobody?")


def test_evidence_is_said_with_what_was_found() -> None:
    assert found(proposed("square"), "'Net Sales' is 'Gross Sales' less 'Discounts'")
    assert found(proposed("american_register"), "'Net' is 'Price' × quantity less 'Disc' in 100 % of the rows")
    assert found(proposed("vending"), "unique in all 140 rows")
    assert found(proposed("toast"), "all sales are anonymous")
    assert found(proposed("square"), "21 % of the rows are anonymous")
    assert found(proposed("lightspeed"), "refunds, by their sign; column 'Operation Type' says the same")
    assert found(proposed("eight_columns"), "a chain file")
    assert asked(
        proposed("online_retailer"),
        "Can each day be exported by itself? The rows are of 3 dates, 2022-01-29 to 2022-01-31",
    )
    several_days = "export GLOBOLATTE_SALES_PATHS='sales/{unit}/{date:%Y/%m/%d}/*;exports/{unit}/*'"
    assert asked(proposed("online_retailer"), several_days)


ROWS = "receipt,sold at,item,qty,price\n{}\n"


def sold(*rows: str) -> str:
    return ROWS.format("\n".join(rows))


AMBIGUOUS = sold(
    "1,3/2/2022 08:15,Espresso,1,2.50", "1,3/2/2022 08:15,Croissant,2,2.10", "2,3/2/2022 09:00,Espresso,1,2.50"
)


def test_a_date_that_could_be_either_is_decided_by_the_path() -> None:
    assert of(AMBIGUOUS, "sales/usa/2022/02/03/a.csv").table["date_format"] == "%d/%m/%Y %H:%M"
    american = of(AMBIGUOUS, "sales/usa/2022/03/02/a.csv")
    assert american.table["date_format"] == "%m/%d/%Y %H:%M"
    assert not asked(american, "Does the day or the month come first")


def test_a_date_that_nothing_decides_is_a_question() -> None:
    for folder, form in (("usa", "%m/%d/%Y %H:%M"), ("mexico", "%d/%m/%Y %H:%M")):
        proposal = of(AMBIGUOUS, "export.csv", folder)
        assert asked(proposal, "Does the day or the month come first in '3/2/2022 08:15'?")
        assert proposal.table["date_format"] == form


def test_a_value_above_twelve_decides_a_date() -> None:
    decided = AMBIGUOUS.replace("2,3/2/2022", "2,3/14/2022")
    proposal = of(decided)
    assert proposal.table["date_format"] == "%m/%d/%Y %H:%M"
    assert not asked(proposal, "Does the day or the month come first")


def test_the_night_after_a_day_belongs_to_it_and_nights_between_days_are_a_question() -> None:
    night = sold(
        "1,2022-02-03 08:15,Espresso,1,2.50", "2,2022-02-03 23:50,Espresso,1,2.50", "3,2022-02-04 01:10,Espresso,1,2.50"
    )
    assert of(night).table["day_ends"] == "04:00"
    days = night + "4,2022-02-04 12:10,Espresso,1,2.50\n"
    assert "day_ends" not in of(days).table
    assert asked(of(days), "When does the day end? 1 of the sampled rows are of the hours after midnight, until 01:10")


def test_a_price_is_of_the_piece_or_of_the_line_as_the_rows_say() -> None:
    rows = ("1,2022-02-03 08:15,Espresso,1,2.50", "1,2022-02-03 08:15,Croissant,1,2.10")
    piece = of(sold(*rows, "2,2022-02-03 09:00,Espresso,3,2.50"))
    line = of(sold(*rows, "2,2022-02-03 09:00,Espresso,3,7.50"))
    assert (piece.meanings["unit_price"], line.meanings["total_price"]) == ("price", "price")
    assert asked(of(sold(*rows, "2,2022-02-03 09:00,Baguette,3,7.50")), "the price of one piece or of the line?")


def test_the_total_of_a_receipt_is_not_the_amount_of_its_lines() -> None:
    rows = (
        "1,2022-02-03 08:15,Espresso,1,2.50,4.60",
        "1,2022-02-03 08:15,Croissant,1,2.10,4.60",
        "2,2022-02-03 09:00,Espresso,3,2.50,9.60",
        "2,2022-02-03 09:00,Croissant,1,2.10,9.60",
    )
    proposal = of("receipt,sold at,item,qty,price,total\n" + "\n".join(rows) + "\n")
    assert (proposal.meanings["unit_price"], "total_price" in proposal.meanings) == ("price", False)
    assert asked(proposal, "What are 'total'? They are not 'price' × quantity")


def test_ids_that_repeat_are_receipts_whatever_they_are_called() -> None:
    text = "transaction_id,date,product_id,quantity,total_price\n" + "".join(
        f"{number // 2},2022-02-03 08:{number:02d},P001,1,2.50\n" for number in range(40)
    )
    proposal = of(text)
    assert proposal.table["line_ids"] == "receipt"
    assert proposal.table["columns"]["order_id"] == "transaction_id"


def test_ids_that_a_spreadsheet_destroyed_are_asked_about() -> None:
    text = AMBIGUOUS.replace("\n1,", "\n2.40301E+11,")
    assert asked(of(text), "a spreadsheet destroyed ('2.40301E+11')")


def test_names_that_the_catalogue_writes_in_another_way_become_aliases_and_others_questions() -> None:
    text = AMBIGUOUS.replace("Espresso", "Caffe-Latte").replace("Croissant", "Kroissant")
    proposal = of(text)
    assert proposal.table["product_aliases"] == {"Caffe-Latte": "P002"}
    assert asked(proposal, "What are 'Kroissant' in 'item' (1 rows)?")
    assert asked(proposal, "'Kroissant' looks like 'Croissant'")


def test_without_a_catalogue_products_are_taken_by_their_header() -> None:
    proposal = of(AMBIGUOUS, known=Known(UNITS, {}))
    assert proposal.meanings["product_id"] == "item"
    assert asked(proposal, "reference/products.csv is not there yet")


def test_amounts_below_zero_in_brackets_are_declared() -> None:
    proposal = of(AMBIGUOUS.replace("1,2.50", "1,(2.50)"))
    assert proposal.table["negative_in_brackets"] is True
    assert proposal.faults == ()
    assert found(proposal, "stands in brackets, like '(2.50)'")


@pytest.mark.parametrize(
    ("written", "form"),
    [("%d %b %Y", "%d %b %Y"), ("%B %d, %Y", "%B %d, %Y"), ("%d-%b-%y", "%d-%b-%y")],
)
def test_written_months_are_declared(written: str, form: str) -> None:
    days = [dt.date(2022, 1, 31) + dt.timedelta(days=number) for number in range(40)]
    lines = "id,item,qty,amount,sold_at\n" + "".join(
        f'{number},Espresso,1,2.50,"{day.strftime(written)} 08:15"\n' for number, day in enumerate(days)
    )
    proposal = of(lines)
    assert proposal.faults == ()
    assert proposal.table["date_format"] == f"{form} %H:%M"


def test_months_in_a_language_that_cannot_be_declared_are_a_fault() -> None:
    lines = "id,item,qty,amount,date\n" + "".join(
        f"{number},Espresso,1,2.50,{number} märz 2022 08:15\n" for number in range(1, 20)
    )
    assert any("export dates as numbers" in fault for fault in of(lines).faults)


@pytest.mark.parametrize(
    ("missing", "fault"),
    [
        ("receipt", "no column names the line or the receipt"),
        ("sold at", "no column has dates"),
        ("item", "no column names the product"),
        ("qty", "no column has quantities"),
        ("price", "no column has amounts"),
    ],
)
def test_what_a_file_lacks_is_named_with_its_remedy(missing: str, fault: str) -> None:
    names = ROWS.partition("\n")[0].split(",")
    place = names.index(missing)
    lines = [line.split(",") for line in AMBIGUOUS.splitlines()]
    text = "\n".join(",".join(value for at, value in enumerate(row) if at != place) for row in lines)
    assert any(fault in found and "export" in found for found in of(text).faults)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 workbook", "is an Excel workbook"),
        (b"just one column\nof text\n", "has no columns"),
        (b"1,2,3\n4,5,6\n7,8,9\n", "no line with the names of its columns"),
    ],
)
def test_what_is_no_table_is_refused_with_its_remedy(content: bytes, fault: str) -> None:
    with pytest.raises(RefusedError, match=fault):
        of(content)


def test_whatever_a_file_holds_it_is_described_or_refused() -> None:
    for case in cases():
        with suppress(RefusedError):
            proposal = of(case.content, f"sales/usa/2022/01/31/a{case.suffix}")
            assert proposal.findings or proposal.questions or proposal.faults, case.name


def test_a_separator_line_is_no_line_above_the_header() -> None:
    proposal = of("sep=;\n" + AMBIGUOUS.replace(",", ";"))
    assert "lines_above_header" not in proposal.table
    assert proposal.rows == 3


def test_files_of_one_form_are_declared_together_and_of_two_forms_by_their_names() -> None:
    register, web = EXPORTS["american_register"], EXPORTS["square"]
    again = Source("journal_0013.csv", "usa", register.content)
    one = survey([Source(register.path, "usa", register.content), again], KNOWN, LIMITS)
    assert len(one.forms) == 1
    assert one.table["lines_above_header"] == 2
    two = survey([Source(item.path, "usa", item.content) for item in (register, web)], KNOWN, LIMITS)
    assert [family["pattern"] for family in two.table["files"]] == ["journal_*.csv", "items-*.csv"]
    assert two.table["files"][1]["columns"]["order_id"] == "Transaction ID"


def test_two_forms_under_one_name_are_a_question() -> None:
    sources = [
        Source(f"day-{place}.csv", "usa", EXPORTS[name].content) for place, name in enumerate(("square", "toast"))
    ]
    assert "Which files are of which form?" in survey(sources, KNOWN, LIMITS).questions[0]
