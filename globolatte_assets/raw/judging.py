"""Judging rows: which are certain enough to be loaded, and why the others are not. SQL over staged text columns.

`judged_rows` works on two staged tables of a load transaction: `incoming` (text rows with `load_id`, `row_number`) and
`batch_loads` (one row per file). Nothing is written to a permanent table here.
"""

from resources.warehouse import Transaction

WEATHER_TYPES = ("Sunny", "Rainy", "Snowy", "Cloudy")

WHOLE_NUMBER = "[+-]?[0-9]{1,15}"
AMOUNT = r"[+-]?[0-9]{1,15}(\.[0-9]{1,2}0*)?"
LOCAL_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?"

DUPLICATE_IN_FILE = "duplicate_in_file"
DUPLICATE_ACROSS_FILES = "duplicate_across_files"
UNREADABLE_ROW = "wrong_field_count"

TYPED = f"""
create or replace temp table typed as
with trimmed as (
    select
        incoming.load_id, incoming.row_number,
        trim(transaction_id) as transaction_id, trim(order_id) as order_id, trim(incoming.business_unit) as business_unit_text,
        trim(product_id) as product_id, trim(customer_id) as customer_id, trim(quantity) as quantity_text,
        trim(total_price) as total_price_text, trim(transaction_date) as transaction_date_text,
        nullif(trim(payment_method), '') as payment_method, trim(weather) as weather_text,
        batch_loads.business_unit, batch_loads.business_date, batch_loads.priority
    from incoming
    inner join batch_loads on incoming.load_id = batch_loads.load_id
)
select
    *,
    case when regexp_full_match(quantity_text, '{WHOLE_NUMBER}') then try_cast(quantity_text as bigint) end as quantity,
    case when regexp_full_match(total_price_text, '{AMOUNT}') then try_cast(total_price_text as decimal(18, 2)) end as total_price,
    case when regexp_full_match(transaction_date_text, '{LOCAL_TIME}')
        then try_cast(transaction_date_text as timestamp) end as transaction_date,
    case lower(weather_text) {" ".join(f"when '{w.lower()}' then '{w}'" for w in WEATHER_TYPES)} end as weather
from trimmed
"""

JUDGED = """
create or replace temp table judged as
select
    typed.*,
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
"""

DETAIL = f"""
case reason
    when 'empty_key' then 'transaction_id, order_id, product_id or customer_id is empty'
    when 'bad_number' then 'quantity ''' || quantity_text || ''' or total_price ''' || total_price_text || ''' is no number'
    when 'non_positive_quantity' then 'quantity ' || quantity_text || ' is not above zero'
    when 'negative_price' then 'total_price ' || total_price_text || ' is below zero'
    when 'bad_date' then 'transaction_date ''' || transaction_date_text || ''' is no local ISO date and time'
    when 'date_not_of_folder' then 'transaction_date ' || transaction_date_text || ' is not on the folder''s date'
    when 'unknown_business_unit' then 'no business unit is called ''' || business_unit_text
        || '''; add it to reference/business_units.csv, then deliver this file again'
    when 'business_unit_not_of_folder' then 'the folder belongs to ' || business_unit || ', the row to ' || business_unit_text
    when 'unknown_product' then 'reference/products.csv has no product ''' || product_id
        || '''; add it there, then deliver this file again'
    when 'unknown_weather' then 'weather ''' || weather_text || ''' is none of {", ".join(WEATHER_TYPES)}'
    when '{DUPLICATE_IN_FILE}' then 'transaction ' || transaction_id || ' stands earlier in this file'
    when '{DUPLICATE_ACROSS_FILES}' then 'transaction ' || transaction_id || ' was delivered first by another file'
end
"""

# A transaction id belongs to the path that delivered it first within its business unit and date. Whenever a file of that day
# changes, ownership is settled again among the new rows and the valid rows of the day's other files. Of a file's rows with the
# same id only the first can ever own it, so a duplicate in a file stays one.
SETTLED = f"""
create or replace temp table settled as
with contested as (
    select load_id, row_number, transaction_id, order_id, business_unit, product_id, customer_id, quantity, total_price,
        transaction_date, payment_method, weather, business_date, priority, false as is_new
    from day_rows
    union all
    select load_id, row_number, transaction_id, order_id, business_unit, product_id, customer_id, quantity, total_price,
        transaction_date, payment_method, weather, business_date, priority, true as is_new
    from judged
    where reason is null
),

ranked as (
    select
        *,
        row_number() over (
            partition by business_unit, business_date, transaction_id order by priority, load_id, row_number
        ) as place,
        row_number() over (
            partition by business_unit, business_date, transaction_id, load_id order by row_number
        ) as place_in_file
    from contested
)

select
    *,
    case when place_in_file > 1 then '{DUPLICATE_IN_FILE}' when place > 1 then '{DUPLICATE_ACROSS_FILES}' end as reason
from ranked
"""


def judged_rows(transaction: Transaction) -> None:
    """Makes the temporary table `judged`: every incoming row typed, with the reason why it cannot be loaded, or none."""
    transaction.execute(TYPED)
    transaction.execute(JUDGED)
