-- Every order with a main product is counted in exactly one customer's state, by customer and by product alike.
{{ config(meta={
    'checks': 'touched_customers',
    'follows': ['int_customer_product_state_history', 'int_customer_sales'],
    'dagster': {'ref': {'name': 'feat_customer_state'}}
}) }}

with

states as (

    select states.* from {{ ref('feat_customer_state') }} as states
    {{ only_touched_customers('states') }}

),

sales as (

    select
        sales.customer_id,
        sum(sales.main_orders) as main_orders
    from {{ ref('int_customer_sales') }} as sales
    {{ only_touched_customers('sales') }}
    group by sales.customer_id

),

products as (

    select
        products.customer_id,
        sum(products.main_orders) as main_orders,
        sum(products.main_orders + products.addon_lines) as line_count
    from {{ ref('feat_customer_product_state') }} as products
    {{ only_touched_customers('products') }}
    group by products.customer_id

)

select
    coalesce(states.customer_id, sales.customer_id, products.customer_id) as customer_id,
    states.order_count,
    sales.main_orders as counted_orders,
    products.main_orders
from states
full outer join sales on states.customer_id = sales.customer_id
full outer join products on coalesce(states.customer_id, sales.customer_id) = products.customer_id
where
    coalesce(states.order_count, -1) <> coalesce(sales.main_orders, 0)
    or coalesce(products.main_orders, 0) <> coalesce(sales.main_orders, 0)
    or coalesce(products.line_count, 0) <> coalesce(states.line_count, -1)
