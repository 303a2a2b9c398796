{{ config(materialized='view') }}

with

products as (

    select * from {{ ref('int_refunded_products') }}

),

final as (

    select
        order_key,
        business_unit,
        order_date,
        customer_id,
        max(refunded_on) as refunded_on
    from products
    group by order_key, business_unit, order_date, customer_id
    having sum(product_quantity) >= max(order_quantity)

)

select * from final
