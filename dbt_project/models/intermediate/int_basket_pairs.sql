{{ config(materialized='view') }}

with

orders as (

    select
        order_key,
        customer_id,
        business_unit,
        main_product_id as anchor
    from {{ ref('fct_orders') }}
    where main_product_id is not null

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where
        line_number > 1
        and booking = 'sold'

),

addons as (

    select distinct
        orders.order_key,
        order_lines.product_id as companion
    from orders
    inner join order_lines on orders.order_key = order_lines.order_key
    where order_lines.product_id <> orders.anchor

),

{{ product_pairs('orders', 'addons') }}

select * from final
