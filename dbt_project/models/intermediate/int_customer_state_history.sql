{%- set follows = ['fct_orders'] -%}
{{ config(
    materialized='incremental',
    incremental_strategy='touched_intervals',
    meta={'follows': follows},
    post_hook="{{ set_watermark('customer_changes', ['fct_orders']) }}"
) }}
{%- set until_now = 'rows between unbounded preceding and current row' -%}
{%- set so_far = 'partition by customer_id order by business_date ' ~ until_now -%}

with

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {{ only_touched_customers('orders', follows) }}
    where orders.main_product_id is not null

),

sequenced as (

    select
        *,
        lag(main_product_id, 1) over (
            partition by customer_id order by business_date, ordered_at, order_key
        ) as previous_product_id,
        lag(main_product_id, 2) over (
            partition by customer_id order by business_date, ordered_at, order_key
        ) as second_previous_product_id,
        row_number() over (
            partition by customer_id, business_date order by ordered_at desc, order_key desc
        ) as recency
    from orders

),

days as (

    select
        customer_id,
        business_date,
        count(*) as order_count,
        sum(line_count) as line_count,
        sum(case when daypart = 'morning' then 1 else 0 end) as morning_orders,
        sum(case when daypart = 'midday' then 1 else 0 end) as midday_orders,
        sum(case when daypart = 'afternoon' then 1 else 0 end) as afternoon_orders,
        sum(case when daypart = 'evening' then 1 else 0 end) as evening_orders,
        max(case when recency = 1 then main_product_id end) as recent_product_1,
        max(case when recency = 1 then previous_product_id end) as recent_product_2,
        max(case when recency = 1 then second_previous_product_id end) as recent_product_3
    from sequenced
    group by customer_id, business_date

),

intervals as (

    select
        customer_id,
        business_date + 1 as valid_from,
        lead(business_date) over (partition by customer_id order by business_date) as valid_to,
        cast(sum(order_count) over ({{ so_far }}) as bigint) as order_count,
        cast(sum(line_count) over ({{ so_far }}) as bigint) as line_count,
        min(business_date) over ({{ so_far }}) as first_order_date,
        business_date as last_order_date,
        cast(sum(morning_orders) over ({{ so_far }}) as bigint) as morning_orders,
        cast(sum(midday_orders) over ({{ so_far }}) as bigint) as midday_orders,
        cast(sum(afternoon_orders) over ({{ so_far }}) as bigint) as afternoon_orders,
        cast(sum(evening_orders) over ({{ so_far }}) as bigint) as evening_orders,
        recent_product_1,
        recent_product_2,
        recent_product_3
    from days

),

final as (

    select intervals.* from intervals
    {{ only_touched_intervals('intervals', follows) }}

)

select * from final
{{ in_the_order_of('valid_to') }}
