{{ config(materialized='view') }}

with

current_states as (

    select * from {{ ref('int_customer_product_state_history') }}
    where valid_to is null

),

final as (

    select
        customer_id,
        product_id,
        main_orders,
        addon_lines,
        decayed_main_30d,
        decayed_main_120d
    from current_states

)

select * from final
