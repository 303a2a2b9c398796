"""How a file's own columns become ours: headers, products and kinds by other names, amounts and moments made of two columns, line ids."""

import pyarrow as pa
import pytest

from globolatte_ingest.declarations import COLUMNS, USUAL, Declaration
from globolatte_ingest.reading.layout import Layout, Numbering, layout_of, multiplied, translated
from globolatte_ingest.reasons import RefusedError

HEADER = ["transaction_id", "product_id", "quantity", "total_price", "transaction_date"]


def shaped(layout: Layout, *rows: str) -> list[dict[str, str | None]]:
    columns = list(zip(*(row.split("|") for row in rows), strict=True))
    table = pa.table([pa.array(values) for values in columns], names=[f"f{place}" for place in range(len(columns))])
    return layout.shaped(table).to_pylist()


def refusal(names: list[str], declaration: Declaration = USUAL) -> str:
    with pytest.raises(RefusedError) as refused:
        layout_of(names, declaration)
    return str(refused.value)


def test_our_own_names_need_no_declaration_and_other_columns_are_extra() -> None:
    layout = layout_of([*reversed(HEADER), "till", "weather"], USUAL)
    assert layout.extra == ("till",)
    [row] = shaped(layout, "d|p|q|P|t|x|Sunny")
    assert [row[column] for column in (*HEADER, "weather")] == ["t", "P", "q", "p", "d", "Sunny"]
    assert {row[column] for column in COLUMNS if column not in (*HEADER, "weather")} == {None}


def test_a_declared_header_comes_first_then_the_next_and_then_our_own_name() -> None:
    declared = Declaration(columns=(("order_id", ("folio", "ticket")), ("quantity", ("menge",))))
    layout = layout_of([*HEADER, "ticket", "order_id"], declared)
    assert layout.places["order_id"] == HEADER.index("transaction_date") + 1
    assert layout.places["quantity"] == HEADER.index("quantity")
    assert layout.extra == ("order_id",)


def test_what_is_missing_is_named_with_its_declared_header_and_what_is_there() -> None:
    said = refusal(["Receipt", "Item"])
    assert said.startswith(
        "column 'transaction_id', 'product_id', 'quantity', 'total_price', 'transaction_date' is missing; "
    )
    assert (
        "; the header has 'Receipt', 'Item': add it and upload the file again, or declare under which header it "
        in said
    )
    assert said.endswith("reference/units.toml (docs/declarations.md), then `globolatte quarantine retry` this file")
    declared = Declaration(columns=(("quantity", ("menge", "anzahl")),), required=("customer_id",))
    assert (
        "column 'quantity', 'customer_id' is missing; quantity is declared as 'menge' or 'anzahl'; the header has"
        in (refusal([name for name in HEADER if name != "quantity"], declared))
    )
    assert "column 'quantity' stands more than once" in refusal([*HEADER, "quantity"])


def test_an_amount_may_be_a_price_times_a_quantity_and_a_moment_a_date_and_a_time() -> None:
    declared = Declaration(columns=(("unit_price", ("precio",)), ("date", ("fecha",)), ("time", ("hora",))))
    layout = layout_of(["transaction_id", "product_id", "quantity", "precio", "fecha", "hora"], declared)
    assert layout.extra == ()
    rows = shaped(layout, "t|P|3|1.50|2024-01-31|08:15", "t|P|1|x|2024-01-31|", "t|P|-2|0.005|2024-02-30|8")
    assert [(row["total_price"], row["transaction_date"]) for row in rows] == [
        ("4.50", "2024-01-31 08:15"),
        ("x", "2024-01-31"),
        ("-0.01", "2024-02-30 8"),
    ]


@pytest.mark.parametrize(
    ("price", "quantity", "total"),
    [
        ("1,50", "2", "3,00"),
        ("$ 1.234,5", "2", "2469,00"),
        ("-$1,5", "1", "-1,50"),
        ("$-1,5", "1,0", "-1,50"),
        ("0,90 €", "3", "2,70"),
        ("0,0545", "250", "13,63"),
        ("1.50", "2", "1.50"),
        ("4$50", "2", "4$50"),
        ("1,50", "two", "1,50"),
        ("", "2", ""),
    ],
)
def test_amounts_are_multiplied_as_they_are_declared(price: str, quantity: str, total: str) -> None:
    declared = Declaration(decimal_mark=",", thousands_mark=".", currency_signs=("$", "€"))
    assert multiplied(pa.array([price]), pa.array([quantity]), declared).to_pylist() == [total]


def test_products_and_kinds_are_translated_whatever_their_case_blanks_and_accents() -> None:
    words = (("Café Latte", "P001"), ("MOCHA", "P002"), ("mocha", "P009"))
    names = pa.array(["café latte", " Cafe\u0301 Latte ", "Mocha", "P001", ""])
    assert translated(names, words).to_pylist() == ["P001", "P001", "P002", "P001", ""]
    declared = Declaration(product_aliases=words, kinds=(("Devolución", "refund"),))
    [row] = shaped(layout_of([*HEADER, "kind"], declared), "t|MOCHA|1|3.50|d|DEVOLUCIÓN")
    assert (row["product_id"], row["kind"]) == ("P002", "refund")


def line_ids(declared: Declaration, *lines: tuple[str, ...], parts: int = 1) -> list[str]:
    numbering = Numbering()
    found: list[str] = []
    size = -(-len(lines) // parts)
    for start in range(0, len(lines), size):
        some = lines[start : start + size]
        columns = {
            name: pa.array([line[place] for line in some], pa.string())
            for place, name in enumerate(("order_id", "transaction_date", "store_id")[: len(lines[0])])
        }
        found += numbering.line_ids(columns, declared).to_pylist()
    return found


RECEIPTS = (
    ("R1", "2024-01-31 08:00"),
    ("R2", "2024-01-31T08:01"),
    ("R1", "2024-01-31 08:00"),
    ("", "2024-01-31 08:00"),
    ("R1", "2024-02-01"),
    ("R1", "2024-01-31 23:59"),
)


@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_a_line_is_called_by_its_receipt_and_its_place_in_it_in_however_many_parts_it_is_read(parts: int) -> None:
    declared = Declaration(line_ids="receipt")
    assert line_ids(declared, *RECEIPTS, parts=parts) == ["R1-1", "R2-1", "R1-2", "", "R1-1", "R1-3"]


def test_receipts_are_those_of_a_store_and_a_business_day() -> None:
    of_stores = [(order, moment, store) for order, moment in RECEIPTS[:3:2] for store in ("A", "B")]
    assert line_ids(Declaration(line_ids="receipt"), *of_stores) == ["R1-1", "R1-1", "R1-2", "R1-2"]
    late = (("R1", "31/01/2024 23:50"), ("R1", "01/02/2024 00:10"), ("R1", "01/02/2024 08:10"))
    by_night = Declaration(line_ids="receipt", day_ends="04:00", date_format="%d/%m/%Y %H:%M")
    assert line_ids(by_night, *late) == ["R1-1", "R1-2", "R1-1"]
    time_first = Declaration(line_ids="receipt", date_format="%H:%M %d/%m/%Y")
    assert line_ids(time_first, ("R1", "08:00 31/01/2024"), ("R1", "08:01 31/01/2024")) == ["R1-1", "R1-2"]


@pytest.mark.parametrize(
    ("date_format", "days"),
    [
        ("%d %b %Y %H:%M", ("5 Mar 2024 08:00", "5 Apr 2024 08:00")),
        ("%d-%b-%YT%H:%M", ("05-OCT-2024T08:00", "06-OCT-2024T08:00")),
        ("%d. %m. %Y, %H:%M", ("5. 3. 2024, 08:00", "5. 4. 2024, 08:00")),
        ("%B %d, %Y", ("March 5, 2024", "March 6, 2024")),
    ],
)
def test_receipts_of_two_days_are_told_apart_however_a_date_is_written(date_format: str, days: tuple[str, str]) -> None:
    declared = Declaration(line_ids="receipt", date_format=date_format)
    lines = tuple(("R1", day) for day in (*days, days[0]))
    assert line_ids(declared, *lines) == ["R1-1", "R1-1", "R1-2"]


def test_amounts_in_brackets_are_multiplied_as_they_are_declared() -> None:
    declared = Declaration(decimal_mark=",", negative_in_brackets=True, currency_signs=("$",))
    prices, quantities = pa.array(["($1,50)", "(1,50)"]), pa.array(["2", "(2)"])
    assert multiplied(prices, quantities, declared).to_pylist() == ["-3,00", "3,00"]
