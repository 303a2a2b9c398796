-- Conservation: by unit and date, what the marts count as sold and taken back is what the loaded lines say, to the cent.
{{ config(meta={
    'checks': 'touched_days',
    'follows': ['int_daily_sales'],
    'dagster': {'ref': {'name': 'int_daily_sales'}}
}) }}

with

raw_lines as (

    select
        sales.business_unit,
        sales.business_date,
        sum(sales.quantity) as quantity,
        sum(sales.total_price) as total_price
    from {{ ref('stg_sales_transactions') }} as sales
    {{ only_touched_days('sales') }}
    group by sales.business_unit, sales.business_date

),

days as (

    select days.* from {{ ref('int_daily_sales') }} as days
    {{ only_touched_days('days') }}

)

select
    coalesce(days.business_unit, raw_lines.business_unit) as business_unit,
    coalesce(days.business_date, raw_lines.business_date) as business_date,
    days.quantity,
    raw_lines.quantity as loaded_quantity,
    days.total_price,
    raw_lines.total_price as loaded_total_price
from days
full outer join raw_lines
    on
        days.business_unit = raw_lines.business_unit
        and days.business_date = raw_lines.business_date
where
    days.quantity is distinct from raw_lines.quantity
    or days.total_price is distinct from raw_lines.total_price
