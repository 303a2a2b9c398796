-- The sums over orders are the sums over order lines, order by order, less what was voided on its day; every line
-- sold has its order.
{{ config(meta={
    'checks': 'touched_days',
    'follows': ['fct_orders'],
    'dagster': {'ref': {'name': 'fct_orders'}}
}) }}

with

order_lines as (

    select order_lines.* from {{ ref('fct_order_lines') }} as order_lines
    {{ only_touched_days('order_lines') }}

),

units as (

    select * from {{ ref('stg_business_units') }}

),

totals as (

    select
        order_lines.order_key,
        sum(case when order_lines.booking = 'sold' then 1 else 0 end) as line_count,
        sum(order_lines.quantity) as quantity,
        case
            when count(distinct coalesce(order_lines.currency, units.currency, '')) = 1
                then sum(order_lines.total_price)
        end as total_price
    from order_lines
    left join units on order_lines.business_unit = units.business_unit_id
    where order_lines.booking <> 'refunds'
    group by order_lines.order_key
    having sum(case when order_lines.booking = 'sold' then 1 else 0 end) > 0

),

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {{ only_touched_days('orders') }}

)

select
    coalesce(orders.order_key, totals.order_key) as order_key,
    orders.line_count,
    totals.line_count as counted_lines
from orders
full outer join totals on orders.order_key = totals.order_key
where
    coalesce(orders.line_count, 0) <> coalesce(totals.line_count, 0)
    or coalesce(orders.quantity, 0) <> coalesce(totals.quantity, 0)
    or coalesce(orders.total_price, 0) <> coalesce(totals.total_price, 0)
