-- The sums over orders are the sums over order lines, order by order, less what was voided on its day; every line
-- sold has its order.
{{ config(meta={
    'checks': 'touched_days',
    'follows': ['fct_orders'],
    'dagster': {'ref': {'name': 'fct_orders'}}
}) }}

with

order_lines as (

    select
        order_lines.order_key,
        sum(case when order_lines.booking = 'sold' then 1 else 0 end) as line_count,
        sum(order_lines.quantity) as quantity,
        case when count(distinct order_lines.currency) <= 1 then sum(order_lines.total_price) end as total_price
    from {{ ref('fct_order_lines') }} as order_lines
    {{ only_touched_days('order_lines') }}
    where order_lines.booking <> 'refunds'
    group by order_lines.order_key
    having sum(case when order_lines.booking = 'sold' then 1 else 0 end) > 0

),

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {{ only_touched_days('orders') }}

)

select
    coalesce(orders.order_key, order_lines.order_key) as order_key,
    orders.line_count,
    order_lines.line_count as counted_lines
from orders
full outer join order_lines on orders.order_key = order_lines.order_key
where
    coalesce(orders.line_count, 0) <> coalesce(order_lines.line_count, 0)
    or coalesce(orders.quantity, 0) <> coalesce(order_lines.quantity, 0)
    or coalesce(orders.total_price, 0) <> coalesce(order_lines.total_price, 0)
