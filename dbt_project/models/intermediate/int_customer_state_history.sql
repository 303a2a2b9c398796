{{ config(
    materialized='incremental',
    incremental_strategy='as_of_states',
    meta={'follows': ['fct_orders']},
    post_hook="{{ set_watermark('customer_changes') }}"
) }}
{%- set until_now = 'rows between unbounded preceding and current row' -%}
{%- set so_far = 'partition by customer_id order by business_date ' ~ until_now -%}
{%- set in_time = 'partition by customer_id order by business_date, place, ordered_at, order_key' -%}
{%- set counts = [
    'order_count', 'line_count', 'morning_orders', 'midday_orders', 'afternoon_orders', 'evening_orders'
] -%}

with

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {{ only_since_touched('orders') }}
    where
        orders.main_product_id is not null
        and orders.customer_id is not null

),

{%- if follows_changes() %}

-- the state before the first change: what follows goes on from it, so that no earlier order is read
bases as (

    select bases.* from {{ this }} as bases
    {{ only_bases('bases') }}

),
{%- endif %}

counted as (

    select
        customer_id,
        business_date,
        0 as place,
        ordered_at,
        order_key,
        business_date as first_order_date,
        main_product_id,
        1 as order_count,
        line_count,
        case when daypart = 'morning' then 1 else 0 end as morning_orders,
        case when daypart = 'midday' then 1 else 0 end as midday_orders,
        case when daypart = 'afternoon' then 1 else 0 end as afternoon_orders,
        case when daypart = 'evening' then 1 else 0 end as evening_orders
    from orders
    {%- if follows_changes() %}
    {%- for product in (3, 2, 1) %}
    union all
    select
        customer_id,
        last_order_date as business_date,
        -{{ product }} as place,
        cast(null as timestamp) as ordered_at,
        cast(null as varchar) as order_key,
        first_order_date,
        recent_product_{{ product }} as main_product_id,
        {%- for count in counts %}
        {{ count if product == 1 else '0 as ' ~ count }}{{ ',' if not loop.last }}
        {%- endfor %}
    from bases
    where recent_product_{{ product }} is not null
    {%- endfor %}
    {%- endif %}

),

sequenced as (

    select
        *,
        lag(main_product_id, 1) over ({{ in_time }}) as previous_product_id,
        lag(main_product_id, 2) over ({{ in_time }}) as second_previous_product_id,
        row_number() over (
            partition by customer_id, business_date order by place desc, ordered_at desc, order_key desc
        ) as recency
    from counted

),

days as (

    select
        customer_id,
        business_date,
        min(first_order_date) as first_order_date,
        sum(order_count) as order_count,
        sum(line_count) as line_count,
        sum(morning_orders) as morning_orders,
        sum(midday_orders) as midday_orders,
        sum(afternoon_orders) as afternoon_orders,
        sum(evening_orders) as evening_orders,
        max(case when recency = 1 then main_product_id end) as recent_product_1,
        max(case when recency = 1 then previous_product_id end) as recent_product_2,
        max(case when recency = 1 then second_previous_product_id end) as recent_product_3
    from sequenced
    group by customer_id, business_date

),

final as (

    select
        customer_id,
        business_date + 1 as valid_from,
        lead(business_date) over (partition by customer_id order by business_date) as valid_to,
        cast(sum(order_count) over ({{ so_far }}) as bigint) as order_count,
        cast(sum(line_count) over ({{ so_far }}) as bigint) as line_count,
        min(first_order_date) over ({{ so_far }}) as first_order_date,
        business_date as last_order_date,
        cast(sum(morning_orders) over ({{ so_far }}) as bigint) as morning_orders,
        cast(sum(midday_orders) over ({{ so_far }}) as bigint) as midday_orders,
        cast(sum(afternoon_orders) over ({{ so_far }}) as bigint) as afternoon_orders,
        cast(sum(evening_orders) over ({{ so_far }}) as bigint) as evening_orders,
        recent_product_1,
        recent_product_2,
        recent_product_3
    from days

)

select * from final
{{ in_the_order_of('valid_to') }}
