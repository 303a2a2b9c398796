{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['business_unit', 'business_date'],
    meta={'follows': ['fct_order_lines']},
    pre_hook=["{{ log_changed_customers(ref('fct_order_lines')) }}", "{{ delete_emptied_days(ref('fct_order_lines')) }}"],
    post_hook="{{ set_watermark('day_changes') }}"
) }}

with

order_lines as (

    select order_lines.* from {{ ref('fct_order_lines') }} as order_lines
    {{ only_touched_days('order_lines') }}

),

units as (

    select * from {{ ref('stg_business_units') }}

),

first_lines as (

    select * from order_lines
    where
        line_number = 1
        and booking = 'sold'

),

totals as (

    select
        order_lines.order_key,
        -- lines without a customer go with the one that the others name
        min(order_lines.customer_id) as customer_id,
        sum(case when order_lines.booking = 'sold' then 1 else 0 end) as line_count,
        sum(order_lines.quantity) as quantity,
        -- lines without a currency are in their unit's; amounts of several have no sum
        case
            when count(distinct coalesce(order_lines.currency, units.currency, '')) = 1
                then min(order_lines.currency)
        end as currency,
        case
            when count(distinct coalesce(order_lines.currency, units.currency, '')) = 1
                then sum(order_lines.total_price)
        end as total_price
    from order_lines
    left join units on order_lines.business_unit = units.business_unit_id
    where order_lines.booking <> 'refunds'
    group by order_lines.order_key

),

final as (

    select
        first_lines.order_key,
        first_lines.order_id,
        coalesce(first_lines.customer_id, totals.customer_id) as customer_id,
        first_lines.business_unit,
        first_lines.business_date,
        first_lines.store_id,
        first_lines.transacted_at as ordered_at,
        {{ daypart('first_lines.transacted_at', 'first_lines.business_date') }} as daypart,
        {{ season('first_lines.business_date') }} as season,
        first_lines.weather,
        first_lines.payment_method,
        case when first_lines.is_main_line then first_lines.product_id end as main_product_id,
        cast(totals.line_count as bigint) as line_count,
        cast(totals.quantity as bigint) as quantity,
        cast(totals.total_price as decimal(18, 2)) as total_price,
        totals.currency,
        first_lines.load_id
    from first_lines
    inner join totals on first_lines.order_key = totals.order_key

)

select * from final
{{ in_the_order_of('business_date') }}
