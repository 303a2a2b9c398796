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
        currency,
        cast(sum(total_price) as decimal(18, 2)) as total_price
    from order_lines
    group by business_unit, business_date, currency

)

select * from final
