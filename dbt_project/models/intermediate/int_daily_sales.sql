{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['business_unit', 'business_date'],
    meta={'follows': ['fct_orders']},
    pre_hook="{{ delete_emptied_days() }}",
    post_hook="{{ set_watermark('day_changes') }}"
) }}

with

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {{ only_touched_days('orders') }}

),

-- stores of one unit may report different weather: a day counts once, for what most of its orders say
weather_of_days as (

    select
        business_unit,
        business_date,
        weather
    from orders
    group by business_unit, business_date, weather
    qualify row_number() over (
        partition by business_unit, business_date
        order by count(*) desc, weather asc
    ) = 1

),

totals as (

    select
        business_unit,
        business_date,
        count(*) as order_count,
        count(main_product_id) as main_orders,
        count(distinct customer_id) as customer_count,
        cast(sum(line_count) as bigint) as line_count,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price
    from orders
    group by business_unit, business_date

),

final as (

    select
        totals.business_unit,
        totals.business_date,
        totals.order_count,
        totals.main_orders,
        totals.customer_count,
        totals.line_count,
        totals.quantity,
        totals.total_price,
        weather_of_days.weather
    from totals
    inner join weather_of_days
        on
            totals.business_unit = weather_of_days.business_unit
            and totals.business_date = weather_of_days.business_date

)

select * from final
