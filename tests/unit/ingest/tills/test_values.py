"""What a column holds, told from its values: dates in every usual form, amounts with their marks; and what cannot be told."""

import datetime as dt

import pytest

from globolatte_ingest.onboarding.values import date_in, marks, moments, numbers
from globolatte_ingest.onboarding.words import is_nobody, likeness, plain


@pytest.mark.parametrize(
    ("values", "parts", "form", "is_ambiguous"),
    [
        (["2022-01-31", "2022-02-01"], "date", None, False),
        (["2022-01-31 08:15", "2022-02-01 23:59"], "moment", None, False),
        (["2022-01-31T08:15:00.123"], "moment", None, False),
        (["2022-01-31 8:15"], "moment", "%Y-%m-%d %H:%M", False),
        (["2022/01/31"], "date", "%Y/%m/%d", False),
        (["31/01/2022", "01/02/2022"], "date", "%d/%m/%Y", False),
        (["1/31/2022", "2/1/2022"], "date", "%m/%d/%Y", False),
        (["31.01.22"], "date", "%d.%m.%y", False),
        (["1/2/2022", "3/4/2022"], "date", "%d/%m/%Y", True),
        (["1/31/22 8:15 AM"], "moment", "%m/%d/%y %I:%M %p", False),
        (["31-01-2022 20:15:09"], "moment", "%d-%m-%Y %H:%M:%S", False),
        (["31/01/2022, 20:15"], "moment", "%d/%m/%Y, %H:%M", False),
        (["8:15PM", "11:02AM"], "time", "%I:%M%p", False),
        (["08:15:00"], "time", "%H:%M:%S", False),
        (["31-Jan-2022 08:15 AM", "1-feb-2022 9:00 AM"], "moment", "%d-%b-%Y %I:%M %p", False),
        (["Jan 5, 2022, 20:15", "May 6, 2022, 08:15"], "moment", "%b %d, %Y, %H:%M", False),
        (["5 May 2022"], "date", "%d %b %Y", False),
        (["5 May 2022", "5 March 2022"], "date", "%d %B %Y", False),
    ],
)
def test_the_form_of_dates_is_told_from_the_values(
    values: list[str], parts: str, form: str | None, is_ambiguous: bool
) -> None:
    found = moments(values)
    assert found is not None
    assert (found.parts, found.form, found.is_ambiguous, found.share) == (parts, form, is_ambiguous, 1.0)


@pytest.mark.parametrize("values", [["P001", "P002"], ["12", "13"], ["4.50"], ["12/2022"], [], [""], ["1-2"]])
def test_what_is_no_date_is_none(values: list[str]) -> None:
    assert moments(values) is None


def test_a_column_that_is_mostly_dates_says_how_many_are_written_in_another_way() -> None:
    found = moments([f"{day:02d}/01/2022" for day in range(10, 30)] + ["2022-01-05"])
    assert found is not None
    assert found.form == "%d/%m/%Y"
    assert 0.9 < found.share < 1


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2022-01-31 08:15:00 -0500", None),
        ("2022-01-31T08:15:00.123Z", None),
        ("31/01/2022 08:15 +01:00", "%d/%m/%Y %H:%M"),
        ("Jan 31, 2022 8:15 AM UTC", "%b %d, %Y %I:%M %p"),
    ],
)
def test_offsets_are_seen_and_no_part_of_the_form(value: str, form: str | None) -> None:
    found = moments([value])
    assert found is not None
    assert (found.parts, found.form, found.has_zone) == ("moment", form, True)


def test_months_that_are_no_english_words_are_seen() -> None:
    found = moments(["31-janv-2022", "01 févr 2022"])
    assert found is not None
    assert found.has_words


@pytest.mark.parametrize(
    ("texts", "decimal", "thousands"),
    [
        (["4.50", "12"], ".", None),
        (["0,90", "12,5"], ",", None),
        (["1.234,56", "0,90"], ",", "."),
        (["1,234.56"], ".", ","),
        (["1 234,56"], ",", " "),
        (["1\u202f234,56"], ",", " "),
        (["1'234.50"], ".", "'"),
        (["1,234,567"], None, ","),
        (["1,234", "4.50"], ".", ","),
        (["1.500", "2.250"], ".", None),
        (["12", "13"], None, None),
    ],
)
def test_marks_of_numbers_are_told_from_where_they_stand(texts: list[str], decimal: str, thousands: str) -> None:
    assert marks(texts) == (decimal, thousands)


@pytest.mark.parametrize(
    ("values", "signs", "has_negative", "is_whole"),
    [
        (["$4.50", "-$4.50"], ("$",), True, False),
        (["0,90 €"], ("€",), False, False),
        (["MX$12.00", "$1.00"], ("$", "MX$"), False, True),
        (["CHF 4.50"], ("CHF",), False, False),
        (["(4.50)", "4.50"], (), True, False),
        (["1.0", "-2.0"], (), True, True),
    ],
)
def test_signs_of_amounts_are_told(
    values: list[str], signs: tuple[str, ...], has_negative: bool, is_whole: bool
) -> None:
    found = numbers(values)
    assert found is not None
    assert (found.signs, found.has_negative, found.is_whole) == (signs, has_negative, is_whole)


@pytest.mark.parametrize("values", [["P001", "P002"], ["2022-01-31"], ["abc"], []])
def test_what_is_no_number_is_none(values: list[str]) -> None:
    assert numbers(values) is None


@pytest.mark.parametrize(
    ("path", "date"),
    [
        ("sales/usa/2022/01/31/items-2022-02-01.csv", dt.date(2022, 1, 31)),
        ("vends_20220131.csv", dt.date(2022, 1, 31)),
        ("ventas 31-01-2022.csv", dt.date(2022, 1, 31)),
        ("journal_0012.csv", None),
        ("export-400000021234567000.csv", None),
        ("2022-13-45.csv", None),
    ],
)
def test_a_path_tells_its_date(path: str, date: dt.date | None) -> None:
    assert date_in(path) == date


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Receipt No", "order_id"),
        ("N° de ticket", "order_id"),
        ("InvoiceNo", "order_id"),
        ("Cantidad", "quantity"),
        ("Quantité", "quantity"),
        ("Stück", "quantity"),
        ("Précio", "unit_price"),
        ("EINZELPREIS", "unit_price"),
        ("Forma de pago", "payment_method"),
        ("Zahlungsart", "payment_method"),
        ("Sucursal", "store_id"),
        ("customer_id", "customer_id"),
    ],
)
def test_headers_of_four_languages_are_known(header: str, column: str) -> None:
    assert likeness(header, column) > 0.4


def test_accents_capitals_and_marks_make_no_difference() -> None:
    assert [plain(text) for text in ("UnitPrice", "Nº de Ticket", "Check #", "Größe", "Void?")] == [
        "unit price", "no de ticket", "check number", "grosse", "void",
    ]  # fmt: skip


def test_a_number_that_could_be_a_customer_is_one() -> None:
    assert [
        value for value in (r"\N", "NULL", "-1", "0", "Walk-In", "Público en General") if not is_nobody(value)
    ] == []
    assert [value for value in ("1", "N", "C0001", "Ana", "10") if is_nobody(value)] == []
