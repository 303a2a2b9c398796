{{ config(materialized='view') }}

with

orders as (

    select * from {{ ref('fct_orders') }}
    where
        main_product_id is not null
        and customer_id is not null

),

calendar as (

    select * from {{ ref('dim_calendar') }}

),

states as (

    select * from {{ ref('int_customer_state_history') }}

),

final as (

    select
        orders.order_key,
        coalesce(orders.order_id, orders.order_key) as order_id,
        orders.customer_id,
        orders.business_unit,
        orders.business_date,
        orders.ordered_at,
        orders.daypart,
        orders.season,
        orders.weather,
        coalesce(calendar.is_holiday, false) as is_holiday,
        orders.main_product_id,
        {{ customer_state_columns('states') }}
    from orders
    -- an interval ends on the customer's next day with orders, so the state as of such a day is the one that ends on it
    left join states
        on
            orders.customer_id = states.customer_id
            and orders.business_date = states.valid_to
    left join calendar
        on
            orders.business_unit = calendar.business_unit
            and orders.business_date = calendar.date

)

select * from final
