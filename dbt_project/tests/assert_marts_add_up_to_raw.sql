-- Conservation: by unit and date, what the marts count as sold and taken back is what the loaded lines say,
-- to the cent.
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

daily_sales as (

    select daily_sales.* from {{ ref('int_daily_sales') }} as daily_sales
    {{ only_touched_days('daily_sales') }}

)

select
    coalesce(daily_sales.business_unit, raw_lines.business_unit) as business_unit,
    coalesce(daily_sales.business_date, raw_lines.business_date) as business_date,
    daily_sales.quantity,
    raw_lines.quantity as loaded_quantity,
    daily_sales.total_price,
    raw_lines.total_price as loaded_total_price
from daily_sales
full outer join raw_lines
    on
        daily_sales.business_unit = raw_lines.business_unit
        and daily_sales.business_date = raw_lines.business_date
where
    daily_sales.quantity is distinct from raw_lines.quantity
    or daily_sales.total_price is distinct from raw_lines.total_price
