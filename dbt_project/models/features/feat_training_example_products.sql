{{ config(materialized='view') }}

with

example_products as (

    select * from {{ ref('int_training_example_products') }}

),

final as (

    select
        order_key,
        product_id,
        main_orders,
        addon_lines,
        decayed_main_30d,
        decayed_main_120d
    from example_products

)

select * from final
