{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['business_unit', 'business_date'],
    meta={'follows': ['fct_order_lines']},
    pre_hook="{{ delete_emptied_days() }}",
    post_hook="{{ set_watermark('day_changes') }}"
) }}

with

order_lines as (

    select order_lines.* from {{ ref('fct_order_lines') }} as order_lines
    {{ only_touched_days('order_lines') }}

),

final as (

    select
        business_unit,
        business_date,
        product_id,
        count(distinct case when booking = 'sold' then order_key end) as order_count,
        cast(sum(case when booking = 'sold' then 1 else 0 end) as bigint) as line_count,
        cast(sum(case when is_main_line then 1 else 0 end) as bigint) as main_orders,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price,
        cast(sum(case when booking = 'refunds' then quantity else 0 end) as bigint) as refunded_quantity,
        cast(sum(case when booking = 'refunds' then total_price else 0 end) as decimal(18, 2)) as refunded_price
    from order_lines
    group by business_unit, business_date, product_id

)

select * from final
