"""Validating rows: which of them can be loaded, why the others cannot, and whether a file has too many bad ones.

SQL over staged text columns. The queries work on two staged tables of a load transaction: `incoming` (text rows with `load_number`,
`row_number`) and `batch_loads` (one row per file). Bad rows are found first, with all checks; the good ones are then written without.
"""

from collections.abc import Collection
from dataclasses import dataclass

from globolatte_ingest.reading.sales import SALES_TEXTS
from globolatte_ingest.reasons import RowReason
from resources.warehouse.dialect import Dialect, literal

WEATHER_TYPES = ("Sunny", "Rainy", "Snowy", "Cloudy")

WHOLE_NUMBER = "[+-]?[0-9]{1,15}"
AMOUNT = "[+-]?[0-9]{1,15}([.][0-9]{1,2}0*)?"
LOCAL_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?"
SPACES = " \u00a0\u202f"
"""The characters of a declared thousands mark `space`: usual, no-break and narrow no-break."""

PRICE = "decimal(18, 2)"

WEATHER = (
    f"case lower(weather_text) {' '.join(f'when {literal(w.lower())} then {literal(w)}' for w in WEATHER_TYPES)} end"
)

KEYS = ("transaction_id", "order_id", "product_id", "customer_id")


@dataclass(frozen=True)
class RowCheck:
    """A reason for quarantine: the condition and the detail to write. Both are SQL."""

    reason: RowReason
    fails: str
    detail: str


CHECKS = (
    RowCheck(
        RowReason.EMPTY_KEY,
        " or ".join(f"typed.{key} = ''" for key in KEYS),
        "'transaction_id, order_id, product_id or customer_id is empty'",
    ),
    RowCheck(
        RowReason.BAD_NUMBER,
        "typed.quantity is null or typed.total_price is null",
        "'quantity ''' || quantity_text || ''' or total_price ''' || total_price_text || ''' is no number'",
    ),
    RowCheck(
        RowReason.NON_POSITIVE_QUANTITY, "typed.quantity <= 0", "'quantity ' || quantity_text || ' is not above zero'"
    ),
    RowCheck(
        RowReason.NEGATIVE_PRICE, "typed.total_price < 0", "'total_price ' || total_price_text || ' is below zero'"
    ),
    RowCheck(
        RowReason.BAD_DATE,
        "typed.transaction_date is null",
        "'transaction_date ''' || transaction_date_text || ''' is no ' "
        "|| coalesce('date like ' || date_format, 'local ISO date and time')",
    ),
    RowCheck(
        RowReason.DATE_NOT_OF_FOLDER,
        "cast(typed.transaction_date as date) <> typed.business_date",
        "'transaction_date ' || transaction_date_text || ' is not on the folder''s date'",
    ),
    RowCheck(
        RowReason.UNKNOWN_BUSINESS_UNIT,
        "units.business_unit_id is null",
        "'no business unit is called ''' || business_unit_text "
        "|| '''; add it to reference/business_units.csv, then `globolatte quarantine retry` this file'",
    ),
    RowCheck(
        RowReason.BUSINESS_UNIT_NOT_OF_FOLDER,
        "typed.business_unit_text <> typed.business_unit",
        "'the folder belongs to ' || business_unit || ', the row to ' || business_unit_text",
    ),
    RowCheck(
        RowReason.UNKNOWN_PRODUCT,
        "products.product_id is null",
        "'reference/products.csv has no product ''' || product_id "
        "|| '''; add it there, then `globolatte quarantine retry` this file'",
    ),
    RowCheck(
        RowReason.UNKNOWN_WEATHER,
        "typed.weather is null",
        f"'weather ''' || weather_text || ''' is none of {', '.join(WEATHER_TYPES)}'",
    ),
)
"""If a row has several faults, the first in this order is its reason."""

DETAIL = f"case reason {' '.join(f'when {literal(check.reason)} then {check.detail}' for check in CHECKS)} end"
"""The detail written for a bad row, by its `reason`."""


@dataclass(frozen=True)
class RowFormats:
    """How the incoming rows are written: the declared formats among them, and whether values may have blanks around them.

    A number format is a decimal mark, then a thousands mark if there is one. `dialect` is that of the engine that reads the rows.
    """

    dialect: Dialect
    number_formats: Collection[str] = ()
    date_formats: Collection[str] = ()
    is_padded: bool = True

    def quantity(self) -> str:
        """An expression for the whole number that `quantity_text` writes, NULL where it is none."""
        return self._number("quantity_text", WHOLE_NUMBER, "bigint")

    def price(self) -> str:
        """An expression for the amount that `total_price_text` writes, NULL where it is none."""
        return self._number("total_price_text", AMOUNT, PRICE)

    def moment(self) -> str:
        """An expression for the time that `transaction_date_text` writes, NULL where it is none."""
        column = "transaction_date_text"
        usual = self._cast_if(column, LOCAL_TIME, column, "timestamp")
        return _by_format("date_format", usual, {form: self.dialect.moment(column, form) for form in self.date_formats})

    def trimmed(self) -> str:
        """A common table expression: the incoming rows without blanks around values, with the columns of their file."""
        values = {
            column: f"trim(incoming.{column})" if self.is_padded else f"incoming.{column}" for column in SALES_TEXTS
        }
        values["payment_method"] = f"nullif({values['payment_method']}, '')"
        texts = ", ".join(f"{values[column]} as {text}" for column, text in SALES_TEXTS.items())
        return f"""
with trimmed as (
    select
        incoming.load_number, incoming.row_number, {texts},
        loads.load_id, loads.business_unit, loads.business_date, loads.number_format, loads.date_format
    from incoming
    inner join batch_loads as loads on incoming.load_number = loads.load_number
)
"""

    def _number(self, column: str, usual: str, sql_type: str) -> str:
        declared = {marks: self._declared_number(column, marks, sql_type) for marks in self.number_formats}
        return _by_format("number_format", self._cast_if(column, usual, column, sql_type), declared)

    def _declared_number(self, column: str, marks: str, sql_type: str) -> str:
        whole, plain, thousands = "[0-9]{1,15}", column, marks[1:]
        if thousands:
            some = f"[{SPACES}]" if thousands == " " else f"[{thousands}]"
            whole = f"([0-9]{{1,15}}|[0-9]{{1,3}}({some}[0-9]{{3}}){{1,4}})"
            plain = self.dialect.without(column, some)
        fraction = "" if sql_type == "bigint" else f"([{marks[0]}][0-9]{{1,2}}0*)?"
        point = f"replace({plain}, {literal(marks[0])}, '.')"
        return self._cast_if(column, f"[+-]?{whole}{fraction}", point, sql_type)

    def _cast_if(self, column: str, pattern: str, value: str, sql_type: str) -> str:
        return f"case when {self.dialect.matches(column, pattern)} then try_cast({value} as {sql_type}) end"


def _by_format(format_column: str, usual: str, declared: dict[str, str]) -> str:
    """The usual expression, or that of the format that a row's file declares."""
    if not declared:
        return usual
    branches = " ".join(f"when {format_column} = {literal(form)} then {declared[form]}" for form in sorted(declared))
    return f"case when {format_column} is null then {usual} {branches} end"


def bad_rows(formats: RowFormats) -> str:
    """The query for the incoming rows that cannot be loaded, with their text and the first reason."""
    return f"""
{formats.trimmed()},

typed as (
    select
        *, {formats.quantity()} as quantity, {formats.price()} as total_price, {formats.moment()} as transaction_date,
        {WEATHER} as weather
    from trimmed
)

select
    typed.load_number, typed.load_id, row_number, business_unit, business_date, typed.date_format,
    {", ".join(f"typed.{text}" for text in SALES_TEXTS.values())},
    case {" ".join(f"when {check.fails} then {literal(check.reason)}" for check in CHECKS)} end as reason
from typed
left join sales_data.business_units as units on typed.business_unit_text = units.business_unit_id
left join sales_data.products as products on typed.product_id = products.product_id
where reason is not null
"""


def good_rows(formats: RowFormats) -> str:
    """The query for the incoming rows once the bad ones were taken out: typed, not validated again.

    A value that cannot be converted after all is NULL, which no column of the sales table accepts.
    """
    quantity, price, when = (
        declared() if has_declared else f"try_cast({column} as {sql_type})"
        for declared, has_declared, column, sql_type in (
            (formats.quantity, formats.number_formats, "quantity_text", "bigint"),
            (formats.price, formats.number_formats, "total_price_text", PRICE),
            (formats.moment, formats.date_formats, "transaction_date_text", "timestamp"),
        )
    )
    return f"""
{formats.trimmed()}

select
    business_unit, business_date, transaction_id, order_id, product_id, customer_id, {quantity} as quantity, {price} as total_price,
    {when} as transaction_date, payment_method, {WEATHER} as weather, load_id, row_number
from trimmed
"""


def held_for(rows: int, bad: int, max_bad_share: float, *, is_approved: bool) -> str | None:
    """Why a file with so many rows, and bad ones among them, is held until someone approves it; none if it is not.

    A file whose share equals `max_bad_share` is not held, nor is a file without rows. A row that another file delivered before is not
    bad: it is valid, and loaded already.
    """
    if is_approved or not rows or bad / rows <= max_bad_share:
        return None
    return (
        f"{bad} of {rows} rows are bad, more than {max_bad_share:.0%} (GLOBOLATTE_MAX_BAD_SHARE); nothing is loaded: "
        "see `globolatte quarantine show`, then upload the file corrected, or load its good rows by `globolatte quarantine release`"
    )
