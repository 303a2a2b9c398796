{{ config(
    materialized='incremental',
    incremental_strategy='as_of_states',
    meta={'follows': ['fct_orders', 'int_customer_state_history']},
    post_hook="{{ set_watermark('customer_changes') }}"
) }}
{%- set until_now = 'rows between unbounded preceding and current row' -%}
{%- set so_far = 'partition by customer_id, product_id order by last_order_date ' ~ until_now -%}

with

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {{ only_since_touched('orders') }}
    where
        orders.main_product_id is not null
        and orders.customer_id is not null

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where
        booking = 'sold'
        and business_date >= {{ earliest_touched() if follows_changes() else "cast('0001-01-01' as date)" }}

),

customer_history as (

    select customer_history.* from {{ ref('int_customer_state_history') }} as customer_history
    {{ only_touched_intervals('customer_history') }}

),

{%- if follows_changes() %}

-- the state before the first change: what follows goes on from it, so that no earlier order is read
bases as (

    select bases.* from {{ this }} as bases
    {{ only_bases('bases') }}

),
{%- endif %}

-- the order's customer, also where a later line names another one
bought as (

    select
        orders.customer_id,
        order_lines.product_id,
        orders.business_date,
        sum(case when order_lines.is_main_line then 1 else 0 end) as main_orders,
        sum(case when order_lines.is_main_line then 0 else 1 end) as addon_lines
    from order_lines
    inner join orders on order_lines.order_key = orders.order_key
    group by orders.customer_id, order_lines.product_id, orders.business_date

),

days as (

    select
        customer_id,
        product_id,
        business_date,
        main_orders,
        addon_lines,
        {{ decay_weight('main_orders', 'business_date', 30) }} as main_weight_30d,
        cast(0 as decimal(37, 0)) as main_weight_before_30d,
        {{ decay_weight('main_orders', 'business_date', 120) }} as main_weight_120d,
        cast(0 as decimal(37, 0)) as main_weight_before_120d
    from bought
    {%- if follows_changes() %}
    union all
    select
        customer_id,
        product_id,
        valid_from - 1 as business_date,
        main_orders,
        addon_lines,
        main_weight_30d,
        main_weight_before_30d,
        main_weight_120d,
        main_weight_before_120d
    from bases
    {%- endif %}

),

first_days as (

    select
        customer_id,
        product_id,
        min(business_date) as first_date
    from days
    group by customer_id, product_id

),

-- every interval of the customer x every product bought by then: equality joins only, never days x days
intervals as (

    select
        customer_history.customer_id,
        first_days.product_id,
        customer_history.valid_from,
        customer_history.valid_to,
        customer_history.last_order_date,
        coalesce(days.main_orders, 0) as main_orders,
        coalesce(days.addon_lines, 0) as addon_lines,
        coalesce(days.main_weight_30d, 0) as main_weight_30d,
        coalesce(days.main_weight_before_30d, 0) as main_weight_before_30d,
        coalesce(days.main_weight_120d, 0) as main_weight_120d,
        coalesce(days.main_weight_before_120d, 0) as main_weight_before_120d
    from customer_history
    inner join first_days
        on
            customer_history.customer_id = first_days.customer_id
            and customer_history.last_order_date >= first_days.first_date
    left join days
        on
            customer_history.customer_id = days.customer_id
            and first_days.product_id = days.product_id
            and customer_history.last_order_date = days.business_date

),

added_up as (

    select
        customer_id,
        product_id,
        valid_from,
        valid_to,
        last_order_date,
        cast(sum(main_orders) over ({{ so_far }}) as bigint) as main_orders,
        cast(sum(addon_lines) over ({{ so_far }}) as bigint) as addon_lines,
        {{ weight_in_period('main_weight_30d', 30) }} as main_weight_30d,
        {{ weight_in_period_before('main_weight_30d', 'main_weight_before_30d', 30) }} as main_weight_before_30d,
        {{ weight_in_period('main_weight_120d', 120) }} as main_weight_120d,
        {{ weight_in_period_before('main_weight_120d', 'main_weight_before_120d', 120) }} as main_weight_before_120d
    from intervals

),

final as (

    select
        customer_id,
        product_id,
        valid_from,
        valid_to,
        main_orders,
        addon_lines,
        {{ decayed_count('main_orders', 'main_weight_30d', 'main_weight_before_30d', 30) }} as decayed_main_30d,
        {{ decayed_count('main_orders', 'main_weight_120d', 'main_weight_before_120d', 120) }} as decayed_main_120d,
        main_weight_30d,
        main_weight_before_30d,
        main_weight_120d,
        main_weight_before_120d
    from added_up

)

select * from final
{{ in_the_order_of('valid_to') }}
