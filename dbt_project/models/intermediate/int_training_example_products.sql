{{ config(materialized='view') }}

with

orders as (

    select * from {{ ref('fct_orders') }}
    where
        main_product_id is not null
        and customer_id is not null

),

states as (

    select * from {{ ref('int_customer_product_state_history') }}

),

final as (

    select
        orders.order_key,
        orders.business_date,
        states.product_id,
        states.main_orders,
        states.addon_lines,
        states.decayed_main_30d,
        states.decayed_main_120d
    from orders
    -- the interval that ends on the order's date, as in feat_training_examples
    inner join states
        on
            orders.customer_id = states.customer_id
            and orders.business_date = states.valid_to

)

select * from final
