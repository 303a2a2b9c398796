{%- set follows = ['fct_orders'] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='touched_customers',
    meta={'follows': follows},
    post_hook="{{ set_watermark('customer_changes', ['fct_orders']) }}"
) }}

with

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {{ only_touched_customers('orders', follows) }}

),

final as (

    select
        customer_id,
        business_unit,
        count(*) as order_count,
        cast(sum(line_count) as bigint) as line_count,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price,
        min(business_date) as first_order_date,
        max(business_date) as last_order_date,
        count(main_product_id) as main_orders,
        max(case when main_product_id is not null then ordered_at end) as latest_main_ordered_at
    from orders
    group by customer_id, business_unit

)

select * from final
