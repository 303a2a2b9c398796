"""The SQL of a load beyond judging single rows: the day's other loads, ownership, quarantine, counts. Statements only.

They work on the permanent tables of schema `sales_data` and on the temporary tables of one load transaction: `batch_loads`
(a row per file of the batch), `judged` and `settled` (see `judging`), `unreadable` (rows that could not be split).
"""

from globolatte_assets.raw import judging

SALES_COLUMN_LIST = (
    "business_unit, business_date, transaction_id, order_id, product_id, customer_id, quantity, total_price, "
    "transaction_date, payment_method, weather, load_id, row_number"
)

DAY_LOADS = """
create or replace temp table day_loads as
select ledger.load_id, ledger.business_unit, ledger.business_date, first_delivery.priority
from sales_data.load_ledger as ledger
inner join (select distinct business_unit, business_date from batch_loads) as days
    on ledger.business_unit = days.business_unit and ledger.business_date = days.business_date
inner join (
    select path, min(sequence) as priority from sales_data.load_ledger
    where status in ('loaded', 'superseded') group by path
) as first_delivery on ledger.path = first_delivery.path
where ledger.status = 'loaded' and ledger.load_id not in (select load_id from batch_loads)
"""

DAY_ROWS = f"""
create or replace temp table day_rows as
select {SALES_COLUMN_LIST}, priority
from sales_data.sales_transactions
inner join day_loads using (load_id, business_unit, business_date)
union all
select
    business_unit, business_date, transaction_id, order_id, product_id, customer_id, cast(quantity_text as bigint),
    cast(total_price_text as decimal(18, 2)), cast(transaction_date_text as timestamp), payment_method, weather_text,
    load_id, row_number, priority
from sales_data.quarantine
inner join day_loads using (load_id, business_unit, business_date)
where reason = '{judging.DUPLICATE_ACROSS_FILES}'
"""

QUARANTINE_COLUMNS = (
    "load_id, row_number, reason, detail, business_unit, business_date, transaction_id, order_id, business_unit_text, product_id, "
    "customer_id, quantity_text, total_price_text, transaction_date_text, payment_method, weather_text, raw_text"
)

QUARANTINE = f"""
insert into sales_data.quarantine ({QUARANTINE_COLUMNS})
with rejected as (
    select load_id, row_number, reason, business_unit, business_date, transaction_id, order_id, business_unit_text, product_id,
        customer_id, quantity_text, total_price_text, transaction_date_text, payment_method, weather_text
    from judged
    where reason is not null
    union all
    select load_id, row_number, reason, business_unit, business_date, transaction_id, order_id, business_unit, product_id,
        customer_id, cast(quantity as varchar), cast(total_price as varchar), cast(transaction_date as varchar), payment_method, weather
    from settled
    where reason is not null
)

select
    load_id, row_number, reason, {judging.DETAIL} as detail, business_unit, business_date, nullif(transaction_id, ''),
    nullif(order_id, ''), business_unit_text, product_id, customer_id, quantity_text, total_price_text, transaction_date_text,
    payment_method, weather_text,
    concat_ws(',', transaction_id, order_id, business_unit_text, product_id, customer_id, quantity_text, total_price_text,
        transaction_date_text, coalesce(payment_method, ''), weather_text) as raw_text
from rejected
union all
select
    unreadable.load_id, unreadable.row_number, '{judging.UNREADABLE_ROW}', unreadable.detail, loads.business_unit, loads.business_date,
    null, null, null, null, null, null, null, null, null, null, unreadable.raw_text
from unreadable
inner join batch_loads as loads on unreadable.load_id = loads.load_id
"""

TOUCHED = """
create or replace temp table touched as
with loads as (
    select load_id from batch_loads
    union
    select load_id from day_loads
),

loaded as (
    select load_id, count(*) as n from sales_data.sales_transactions where load_id in (select load_id from loads) group by load_id
),

quarantined as (
    select load_id, count(*) as n from sales_data.quarantine where load_id in (select load_id from loads) group by load_id
)

select loads.load_id, coalesce(loaded.n, 0) as rows_loaded, coalesce(quarantined.n, 0) as rows_quarantined
from loads
left join loaded on loads.load_id = loaded.load_id
left join quarantined on loads.load_id = quarantined.load_id
"""
