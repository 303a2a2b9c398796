{{ config(
    materialized='incremental',
    incremental_strategy='as_of_states',
    meta={'follows': ['int_refunded_lines']},
    post_hook="{{ set_watermark('customer_changes') }}"
) }}
{%- set until_now = 'rows between unbounded preceding and current row' -%}
{%- set so_far = 'partition by customer_id, started_on order by known_on ' ~ until_now -%}
{%- set in_time = 'partition by customer_id, started_on order by known_on, place, ordered_at, order_key' -%}
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

{{ resets() }},

{{ orders_left() }},

latest_left as (

    select
        *,
        row_number() over (
            partition by customer_id, reset_date order by business_date desc, ordered_at desc, order_key desc
        ) as recency
    from orders_left

),

-- what a history goes on from: what is left after a refund, and the state before the first change
starts as (

    select
        resets.customer_id,
        resets.reset_date as known_on,
        true as is_reset,
        min(latest_left.business_date) as first_order_date,
        max(latest_left.business_date) as last_order_date,
        count(latest_left.order_key) as order_count,
        coalesce(sum(latest_left.line_count), 0) as line_count,
        sum(case when latest_left.daypart = 'morning' then 1 else 0 end) as morning_orders,
        sum(case when latest_left.daypart = 'midday' then 1 else 0 end) as midday_orders,
        sum(case when latest_left.daypart = 'afternoon' then 1 else 0 end) as afternoon_orders,
        sum(case when latest_left.daypart = 'evening' then 1 else 0 end) as evening_orders,
        max(case when latest_left.recency = 1 then latest_left.main_product_id end) as recent_product_1,
        max(case when latest_left.recency = 2 then latest_left.main_product_id end) as recent_product_2,
        max(case when latest_left.recency = 3 then latest_left.main_product_id end) as recent_product_3
    from resets
    left join latest_left
        on
            resets.customer_id = latest_left.customer_id
            and resets.reset_date = latest_left.reset_date
    group by resets.customer_id, resets.reset_date
    {%- if follows_changes() %}
    union all
    -- so that no earlier order is read
    select
        bases.customer_id,
        bases.valid_from - 1 as known_on,
        false as is_reset,
        bases.first_order_date,
        bases.last_order_date,
        {%- for count in counts %}
        bases.{{ count }},
        {%- endfor %}
        bases.recent_product_1,
        bases.recent_product_2,
        bases.recent_product_3
    from {{ this }} as bases
    {{ only_bases('bases') }}
    {%- endif %}

),

counted as (

    select
        orders.customer_id,
        orders.business_date as known_on,
        false as is_reset,
        0 as place,
        orders.ordered_at,
        orders.order_key,
        orders.business_date as first_order_date,
        orders.business_date as last_order_date,
        orders.main_product_id,
        1 as order_count,
        orders.line_count,
        case when orders.daypart = 'morning' then 1 else 0 end as morning_orders,
        case when orders.daypart = 'midday' then 1 else 0 end as midday_orders,
        case when orders.daypart = 'afternoon' then 1 else 0 end as afternoon_orders,
        case when orders.daypart = 'evening' then 1 else 0 end as evening_orders
    from orders
    left join resets
        on
            orders.customer_id = resets.customer_id
            and orders.business_date = resets.reset_date
    -- the orders of such a day are in what is left after it
    where resets.customer_id is null
    {{ recent_products_of_starts(counts) }}

),

started as (

    select
        *,
        max(case when is_reset then known_on end) over (partition by customer_id order by known_on) as started_on
    from counted

),

sequenced as (

    select
        *,
        lag(main_product_id, 1) over ({{ in_time }}) as previous_product_id,
        lag(main_product_id, 2) over ({{ in_time }}) as second_previous_product_id,
        row_number() over (
            partition by customer_id, known_on order by place desc, ordered_at desc, order_key desc
        ) as recency
    from started

),

days as (

    select
        customer_id,
        started_on,
        known_on,
        min(first_order_date) as first_order_date,
        max(last_order_date) as last_order_date,
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
    group by customer_id, started_on, known_on

),

final as (

    select
        customer_id,
        known_on + 1 as valid_from,
        lead(known_on) over (partition by customer_id order by known_on) as valid_to,
        cast(sum(order_count) over ({{ so_far }}) as bigint) as order_count,
        cast(sum(line_count) over ({{ so_far }}) as bigint) as line_count,
        min(first_order_date) over ({{ so_far }}) as first_order_date,
        max(last_order_date) over ({{ so_far }}) as last_order_date,
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
