{%- set follows = ['fct_order_lines'] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='touched_days',
    meta={'follows': follows},
    post_hook="{{ set_watermark('day_changes', ['fct_order_lines']) }}"
) }}

with

products_of_orders as (

    select distinct
        order_lines.business_unit,
        order_lines.business_date,
        order_lines.order_key,
        order_lines.product_id
    from {{ ref('fct_order_lines') }} as order_lines
    {{ only_touched_days('order_lines', follows) }}

),

final as (

    select
        one.business_unit,
        one.business_date,
        one.product_id,
        other.product_id as other_product_id,
        count(*) as order_count
    from products_of_orders as one
    inner join products_of_orders as other
        on
            one.order_key = other.order_key
            and one.product_id < other.product_id
    group by one.business_unit, one.business_date, one.product_id, other.product_id

)

select * from final
