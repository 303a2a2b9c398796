{{ config(materialized='view') }}

with

refunds as (

    select * from {{ ref('fct_refunds') }}
    where order_key is not null

),

added_up as (

    select
        *,
        -sum(quantity) over (
            partition by order_key, product_id
            order by business_date, order_line_key
            rows between unbounded preceding and current row
        ) as refunded_quantity
    from refunds

),

final as (

    select
        order_key,
        product_id,
        business_unit,
        order_date,
        customer_id,
        is_main_product,
        product_quantity,
        order_quantity,
        min(business_date) as refunded_on
    from added_up
    where
        product_quantity > 0
        and refunded_quantity >= product_quantity
    group by
        order_key, product_id, business_unit, order_date, customer_id, is_main_product, product_quantity, order_quantity

)

select * from final
