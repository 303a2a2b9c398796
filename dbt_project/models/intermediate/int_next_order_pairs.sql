{{ config(materialized='view') }}

with

orders as (

    select * from {{ ref('fct_orders') }}
    where
        main_product_id is not null
        and customer_id is not null

),

choices as (

    select
        order_key,
        customer_id,
        business_unit,
        main_product_id,
        lag(main_product_id) over (partition by customer_id order by ordered_at, order_key) as anchor
    from orders

),

later_orders as (

    select * from choices
    where anchor is not null

),

changes as (

    select
        order_key,
        main_product_id as companion
    from later_orders
    where main_product_id <> anchor

),

{{ product_pairs('later_orders', 'changes') }}

select * from final
