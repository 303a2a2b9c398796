with

days as (

    select
        business_unit,
        business_date,
        order_count,
        quantity,
        total_price
    from {{ ref('int_daily_sales') }}
    union all
    -- an order is booked off on the day on which the last of it was refunded
    select
        business_unit,
        refunded_on as business_date,
        -1 as order_count,
        0 as quantity,
        0 as total_price
    from {{ ref('int_refunded_orders') }}

),

scoped as (

    select
        business_unit as scope,
        cast(date_trunc('month', business_date) as date) as month,
        business_date,
        order_count,
        quantity,
        total_price
    from days
    union all
    select
        'chain' as scope,
        cast(date_trunc('month', business_date) as date) as month,
        business_date,
        order_count,
        quantity,
        total_price
    from days

),

months as (

    select
        scope,
        month,
        count(distinct case when order_count > 0 then business_date end) as order_days,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price
    from scoped
    group by scope, month

),

final as (

    select
        months.scope,
        months.month,
        {{ season('months.month') }} as season,
        cast(months.order_days as bigint) as order_days,
        months.order_count,
        months.quantity,
        months.total_price,
        case when months.order_count > 0 then cast(months.total_price as double) / months.order_count end
            as price_per_order,
        year_before.order_count as order_count_year_before,
        cast(months.order_count as double) / year_before.order_count - 1 as order_growth
    from months
    left join months as year_before
        on
            months.scope = year_before.scope
            and cast({{ dbt.dateadd('month', -12, 'months.month') }} as date) = year_before.month
            and year_before.order_count > 0

)

select * from final
