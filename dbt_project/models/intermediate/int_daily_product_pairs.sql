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
        lesser.business_unit,
        lesser.business_date,
        lesser.product_id,
        greater.product_id as other_product_id,
        count(*) as order_count
    from products_of_orders as lesser
    inner join products_of_orders as greater
        on
            lesser.order_key = greater.order_key
            and lesser.product_id < greater.product_id
    group by lesser.business_unit, lesser.business_date, lesser.product_id, greater.product_id

)

select * from final
