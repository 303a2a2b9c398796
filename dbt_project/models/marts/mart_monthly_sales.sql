with

days as (

    select
        *,
        cast(date_trunc('month', business_date) as date) as month
    from {{ ref('int_daily_sales') }}

),

months as (

    select
        business_unit as scope,
        month,
        count(*) as order_days,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price
    from days
    group by business_unit, month
    union all
    select
        'chain' as scope,
        month,
        count(distinct business_date) as order_days,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price
    from days
    group by month

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
        cast(months.total_price as double) / months.order_count as price_per_order,
        year_before.order_count as order_count_year_before,
        cast(months.order_count as double) / year_before.order_count - 1 as order_growth
    from months
    left join months as year_before
        on
            months.scope = year_before.scope
            and cast({{ dbt.dateadd('month', -12, 'months.month') }} as date) = year_before.month

)

select * from final
