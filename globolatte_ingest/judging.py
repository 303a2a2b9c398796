"""Judging rows: which are certain enough to be loaded, and why the others are not. SQL over staged text columns.

The queries work on two staged tables of a load transaction: `incoming` (text rows with `load_number`, `row_number`) and
`batch_loads` (one row per file). Bad rows are found first, with all checks; the good ones are then written without.
"""

from collections.abc import Collection
from dataclasses import dataclass

from resources.warehouse.dialect import Dialect, literal

WEATHER_TYPES = ("Sunny", "Rainy", "Snowy", "Cloudy")

WHOLE_NUMBER = "[+-]?[0-9]{1,15}"
AMOUNT = "[+-]?[0-9]{1,15}([.][0-9]{1,2}0*)?"
LOCAL_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?"
SPACES = " \u00a0\u202f"
"""What stands for a declared thousands mark `space`: usual, no-break and narrow no-break."""


QUANTITY = (WHOLE_NUMBER, "bigint")
PRICE = (AMOUNT, "decimal(18, 2)")


def number(dialect: Dialect, column: str, format_column: str, kind: tuple[str, str], formats: Collection[str]) -> str:
    """An expression for the number that a text column writes, NULL where it is none.

    `kind` is the usual pattern and the SQL type. `formats` are the declared ones among the rows: a decimal mark, then a thousands
    mark if there is one.
    """
    pattern, sql_type = kind
    usual = f"case when {dialect.matches(column, pattern)} then try_cast({column} as {sql_type}) end"
    if not formats:
        return usual
    branches = [
        f"when {format_column} = {literal(marks)} then {_declared_number(dialect, column, marks, sql_type)}"
        for marks in sorted(formats)
    ]
    return f"case when {format_column} is null then {usual} {' '.join(branches)} end"


def _declared_number(dialect: Dialect, column: str, marks: str, sql_type: str) -> str:
    decimal, thousands = f"[{marks[0]}]", marks[1:]
    whole = "[0-9]{1,15}"
    plain = column
    if thousands:
        some = f"[{SPACES}]" if thousands == " " else f"[{thousands}]"
        whole = f"([0-9]{{1,15}}|[0-9]{{1,3}}({some}[0-9]{{3}}){{1,4}})"
        plain = dialect.without(column, some)
    fraction = "" if sql_type == "bigint" else f"({decimal}[0-9]{{1,2}}0*)?"
    pattern = f"[+-]?{whole}{fraction}"
    point = f"replace({plain}, {literal(marks[0])}, '.')"
    return f"case when {dialect.matches(column, pattern)} then try_cast({point} as {sql_type}) end"


def moment(dialect: Dialect, formats: Collection[str]) -> str:
    """An expression for the time that `transaction_date_text` writes, NULL where it is none. `formats` are the declared ones."""
    column = "transaction_date_text"
    usual = f"case when {dialect.matches(column, LOCAL_TIME)} then try_cast({column} as timestamp) end"
    if not formats:
        return usual
    branches = [f"when date_format = {literal(form)} then {dialect.moment(column, form)}" for form in sorted(formats)]
    return f"case when date_format is null then {usual} {' '.join(branches)} end"


@dataclass(frozen=True)
class Writing:
    """How the incoming rows are written: the declared formats among them, and whether values may have blanks around them.

    `dialect` is that of the engine that reads them.
    """

    dialect: Dialect
    number_formats: Collection[str] = ()
    date_formats: Collection[str] = ()
    is_padded: bool = True


def trimmed(is_padded: bool) -> str:
    """The incoming rows without blanks around values, beside what their file says of them: a common table expression."""
    trim = "trim" if is_padded else ""
    return f"""
with trimmed as (
    select
        incoming.load_number, incoming.row_number, {trim}(transaction_id) as transaction_id, {trim}(order_id) as order_id,
        {trim}(incoming.business_unit) as business_unit_text, {trim}(product_id) as product_id, {trim}(customer_id) as customer_id,
        {trim}(quantity) as quantity_text, {trim}(total_price) as total_price_text,
        {trim}(transaction_date) as transaction_date_text, nullif({trim}(payment_method), '') as payment_method,
        {trim}(weather) as weather_text, loads.load_id, loads.business_unit, loads.business_date, loads.number_format, loads.date_format
    from incoming
    inner join batch_loads as loads on incoming.load_number = loads.load_number
)
"""


WEATHER = (
    f"case lower(weather_text) {' '.join(f'when {literal(w.lower())} then {literal(w)}' for w in WEATHER_TYPES)} end"
)


def bad_rows(writing: Writing) -> str:
    """The query for the incoming rows that cannot be loaded, with their text and the first reason."""
    return f"""
{trimmed(writing.is_padded)},

typed as (
    select
        *,
        {number(writing.dialect, "quantity_text", "number_format", QUANTITY, writing.number_formats)} as quantity,
        {number(writing.dialect, "total_price_text", "number_format", PRICE, writing.number_formats)} as total_price,
        {moment(writing.dialect, writing.date_formats)} as transaction_date,
        {WEATHER} as weather
    from trimmed
)

select
    typed.load_number, typed.load_id, row_number, business_unit, business_date, transaction_id, order_id, typed.product_id, customer_id,
    business_unit_text, quantity_text, total_price_text, transaction_date_text, payment_method, weather_text, typed.date_format,
    case
        when typed.transaction_id = '' or typed.order_id = '' or typed.product_id = '' or typed.customer_id = '' then 'empty_key'
        when typed.quantity is null or typed.total_price is null then 'bad_number'
        when typed.quantity <= 0 then 'non_positive_quantity'
        when typed.total_price < 0 then 'negative_price'
        when typed.transaction_date is null then 'bad_date'
        when cast(typed.transaction_date as date) <> typed.business_date then 'date_not_of_folder'
        when units.business_unit_id is null then 'unknown_business_unit'
        when typed.business_unit_text <> typed.business_unit then 'business_unit_not_of_folder'
        when products.product_id is null then 'unknown_product'
        when typed.weather is null then 'unknown_weather'
    end as reason
from typed
left join sales_data.business_units as units on typed.business_unit_text = units.business_unit_id
left join sales_data.products as products on typed.product_id = products.product_id
where reason is not null
"""


def good_rows(writing: Writing) -> str:
    """The query for the incoming rows once the bad ones were taken out: typed, not judged again.

    A value that turns out to be none after all is NULL, which no column of the sales takes.
    """
    if writing.number_formats:
        quantity = number(writing.dialect, "quantity_text", "number_format", QUANTITY, writing.number_formats)
        price = number(writing.dialect, "total_price_text", "number_format", PRICE, writing.number_formats)
    else:
        quantity, price = "try_cast(quantity_text as bigint)", f"try_cast(total_price_text as {PRICE[1]})"
    when = (
        moment(writing.dialect, writing.date_formats)
        if writing.date_formats
        else "try_cast(transaction_date_text as timestamp)"
    )
    return f"""
{trimmed(writing.is_padded)}

select
    business_unit, business_date, transaction_id, order_id, product_id, customer_id, {quantity} as quantity, {price} as total_price,
    {when} as transaction_date, payment_method, {WEATHER} as weather, load_id, row_number
from trimmed
"""


DETAIL = f"""
case reason
    when 'empty_key' then 'transaction_id, order_id, product_id or customer_id is empty'
    when 'bad_number' then 'quantity ''' || quantity_text || ''' or total_price ''' || total_price_text || ''' is no number'
    when 'non_positive_quantity' then 'quantity ' || quantity_text || ' is not above zero'
    when 'negative_price' then 'total_price ' || total_price_text || ' is below zero'
    when 'bad_date' then 'transaction_date ''' || transaction_date_text || ''' is no '
        || coalesce('date like ' || date_format, 'local ISO date and time')
    when 'date_not_of_folder' then 'transaction_date ' || transaction_date_text || ' is not on the folder''s date'
    when 'unknown_business_unit' then 'no business unit is called ''' || business_unit_text
        || '''; add it to reference/business_units.csv, then `globolatte quarantine retry` this file'
    when 'business_unit_not_of_folder' then 'the folder belongs to ' || business_unit || ', the row to ' || business_unit_text
    when 'unknown_product' then 'reference/products.csv has no product ''' || product_id
        || '''; add it there, then `globolatte quarantine retry` this file'
    when 'unknown_weather' then 'weather ''' || weather_text || ''' is none of {", ".join(WEATHER_TYPES)}'
end
"""
