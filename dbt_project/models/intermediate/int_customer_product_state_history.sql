{{ config(
    materialized='incremental',
    incremental_strategy='as_of_states',
    meta={'follows': ['int_customer_state_history']},
    post_hook="{{ set_watermark('customer_changes') }}"
) }}
{%- set until_now = 'rows between unbounded preceding and current row' -%}
{%- set so_far = 'partition by customer_id, product_id, started_on order by known_on ' ~ until_now -%}

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
    where booking = 'sold'{{ ' and business_date >= ' ~ earliest_touched() if follows_changes() }}

),

{{ resets() }},

{{ orders_left() }},

customer_states as (

    select
        customer_history.*,
        customer_history.valid_from - 1 as known_on
    from {{ ref('int_customer_state_history') }} as customer_history
    {{ only_touched_intervals('customer_history') }}

),

-- each state, and the refund from which it goes on
customer_history as (

    select
        customer_states.*,
        coalesce(
            max(resets.reset_date) over (partition by customer_states.customer_id order by customer_states.known_on),
            cast('0001-01-01' as date)
        ) as started_on
    from customer_states
    left join resets
        on
            customer_states.customer_id = resets.customer_id
            and customer_states.known_on = resets.reset_date

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
    left join resets
        on
            orders.customer_id = resets.customer_id
            and orders.business_date = resets.reset_date
    -- the orders of such a day are in what is left after it
    where resets.customer_id is null
    group by orders.customer_id, order_lines.product_id, orders.business_date

),

products_left as (

    select
        orders_left.customer_id,
        orders_left.reset_date,
        orders_left.business_date,
        lines_left.product_id,
        case when lines_left.place = 1 then 1 else 0 end as main_orders,
        case when lines_left.place = 1 then 0 else 1 end as addon_lines
    from orders_left
    inner join lines_left
        on
            orders_left.order_key = lines_left.order_key
            and orders_left.reset_date = lines_left.reset_date
    union all
    select
        orders_left.customer_id,
        orders_left.reset_date,
        orders_left.business_date,
        sold.product_id,
        case when sold.is_main_line then 1 else 0 end as main_orders,
        case when sold.is_main_line then 0 else 1 end as addon_lines
    from orders_left
    inner join {{ ref('fct_order_lines') }} as sold
        on
            orders_left.order_key = sold.order_key
            and orders_left.business_date = sold.business_date
            and sold.booking = 'sold'
    where not orders_left.has_refunds

),

days_left as (

    select
        customer_id,
        reset_date,
        product_id,
        business_date,
        sum(main_orders) as main_orders,
        sum(addon_lines) as addon_lines
    from products_left
    group by customer_id, reset_date, product_id, business_date

),

days as (

    select
        customer_id,
        product_id,
        business_date as known_on,
        main_orders,
        addon_lines,
        {{ decay_weight('main_orders', 'business_date', 30) }} as main_weight_30d,
        cast(0 as decimal(37, 0)) as main_weight_before_30d,
        {{ decay_weight('main_orders', 'business_date', 120) }} as main_weight_120d,
        cast(0 as decimal(37, 0)) as main_weight_before_120d
    from bought
    union all
    select
        days_left.customer_id,
        days_left.product_id,
        days_left.reset_date as known_on,
        sum(days_left.main_orders) as main_orders,
        sum(days_left.addon_lines) as addon_lines,
        {{ weight_left('days_left', 'customer_history', 30, 0) }} as main_weight_30d,
        {{ weight_left('days_left', 'customer_history', 30, 1) }} as main_weight_before_30d,
        {{ weight_left('days_left', 'customer_history', 120, 0) }} as main_weight_120d,
        {{ weight_left('days_left', 'customer_history', 120, 1) }} as main_weight_before_120d
    from days_left
    inner join customer_history
        on
            days_left.customer_id = customer_history.customer_id
            and days_left.reset_date = customer_history.known_on
    group by days_left.customer_id, days_left.product_id, days_left.reset_date
    {%- if follows_changes() %}
    union all
    select
        customer_id,
        product_id,
        valid_from - 1 as known_on,
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
        days.customer_id,
        days.product_id,
        customer_history.started_on,
        min(days.known_on) as first_date
    from days
    inner join customer_history
        on
            days.customer_id = customer_history.customer_id
            and days.known_on = customer_history.known_on
    group by days.customer_id, days.product_id, customer_history.started_on

),

-- every interval of the customer x every product bought by then: equality joins only, never days x days
intervals as (

    select
        customer_history.customer_id,
        first_days.product_id,
        customer_history.started_on,
        customer_history.known_on,
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
            and customer_history.started_on = first_days.started_on
            and customer_history.known_on >= first_days.first_date
    left join days
        on
            customer_history.customer_id = days.customer_id
            and first_days.product_id = days.product_id
            and customer_history.known_on = days.known_on

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
