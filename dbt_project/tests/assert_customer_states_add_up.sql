-- Every order with a main product is counted in exactly one customer's state, by customer and by product alike.
{{ config(meta={'dagster': {'ref': {'name': 'feat_customer_state'}}}) }}

with

states as (

    select * from {{ ref('feat_customer_state') }}

),

orders as (

    select
        customer_id,
        count(*) as order_count,
        sum(line_count) as line_count
    from {{ ref('fct_orders') }}
    where main_product_id is not null
    group by customer_id

),

products as (

    select
        customer_id,
        sum(main_orders) as main_orders,
        sum(main_orders + addon_lines) as line_count
    from {{ ref('feat_customer_product_state') }}
    group by customer_id

)

select
    coalesce(states.customer_id, orders.customer_id, products.customer_id) as customer_id,
    states.order_count,
    orders.order_count as counted_orders,
    products.main_orders
from states
full outer join orders on states.customer_id = orders.customer_id
full outer join products on coalesce(states.customer_id, orders.customer_id) = products.customer_id
where
    coalesce(states.order_count, -1) <> coalesce(orders.order_count, 0)
    or coalesce(states.line_count, -1) <> coalesce(orders.line_count, 0)
    or coalesce(products.main_orders, 0) <> coalesce(orders.order_count, 0)
    or coalesce(products.line_count, 0) <> coalesce(orders.line_count, 0)
