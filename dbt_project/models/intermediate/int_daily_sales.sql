{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['business_unit', 'business_date'],
    meta={'follows': ['fct_orders', 'int_daily_product_sales']},
    pre_hook="{{ delete_emptied_days() }}",
    post_hook="{{ set_watermark('day_changes') }}"
) }}

with

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {{ only_touched_days('orders') }}

),

-- what was sold, and what was taken back, whether or not an order is left of it
products as (

    select products.* from {{ ref('int_daily_product_sales') }} as products
    {{ only_touched_days('products') }}

),

-- stores of one unit may report different weather: a day counts once, for what most of the orders say that tell it
weather_of_days as (

    select
        business_unit,
        business_date,
        weather
    from orders
    group by business_unit, business_date, weather
    qualify row_number() over (
        partition by business_unit, business_date
        order by case when weather = '{{ var('unknown_weather') }}' then 1 else 0 end, count(*) desc, weather asc
    ) = 1

),

orders_of_days as (

    select
        business_unit,
        business_date,
        count(*) as order_count,
        count(case when customer_id is not null then main_product_id end) as main_orders,
        count(distinct customer_id) as customer_count,
        count(*) - count(customer_id) as anonymous_orders,
        cast(sum(line_count) as bigint) as line_count
    from orders
    group by business_unit, business_date

),

totals as (

    select
        business_unit,
        business_date,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price,
        cast(sum(refunded_quantity) as bigint) as refunded_quantity,
        cast(sum(refunded_price) as decimal(18, 2)) as refunded_price
    from products
    group by business_unit, business_date

),

final as (

    select
        totals.business_unit,
        totals.business_date,
        coalesce(orders_of_days.order_count, 0) as order_count,
        coalesce(orders_of_days.main_orders, 0) as main_orders,
        coalesce(orders_of_days.customer_count, 0) as customer_count,
        coalesce(orders_of_days.anonymous_orders, 0) as anonymous_orders,
        cast(orders_of_days.anonymous_orders as double) / orders_of_days.order_count as anonymous_share,
        coalesce(orders_of_days.line_count, 0) as line_count,
        totals.quantity,
        totals.total_price,
        totals.refunded_quantity,
        totals.refunded_price,
        coalesce(weather_of_days.weather, '{{ var('unknown_weather') }}') as weather
    from totals
    left join orders_of_days
        on
            totals.business_unit = orders_of_days.business_unit
            and totals.business_date = orders_of_days.business_date
    left join weather_of_days
        on
            totals.business_unit = weather_of_days.business_unit
            and totals.business_date = weather_of_days.business_date

)

select * from final
