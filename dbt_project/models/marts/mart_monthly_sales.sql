with

days as (

    select
        business_unit,
        business_date,
        order_count,
        quantity
    from {{ ref('int_daily_sales') }}
    union all
    -- an order is booked off on the day on which the last of it was refunded
    select
        business_unit,
        refunded_on as business_date,
        -1 as order_count,
        0 as quantity
    from {{ ref('int_refunded_orders') }}

),

booked as (

    select
        business_unit,
        business_date,
        currency,
        total_price
    from {{ ref('int_daily_amounts') }}
    where booking <> 'refunds'
    union all
    -- a refund can be in the currency of its order
    select
        business_unit,
        business_date,
        currency,
        total_price
    from {{ ref('fct_refunds') }}

),

amounts as (

    select
        booked.business_unit,
        booked.business_date,
        coalesce(booked.currency, business_units.currency) as currency,
        booked.total_price
    from booked
    left join {{ ref('dim_business_unit') }} as business_units
        on booked.business_unit = business_units.business_unit_id

),

converted as (

    select
        amounts.*,
        amounts.total_price * rates.rate as reporting_price
    from amounts
    left join {{ ref('int_exchange_rates') }} as rates
        on
            amounts.currency = rates.currency
            and amounts.business_date >= rates.valid_from
            and amounts.business_date < coalesce(rates.valid_before, cast('9999-12-31' as date))

),

scoped_days as (

    select
        business_unit as scope,
        cast(date_trunc('month', business_date) as date) as month,
        business_date,
        order_count,
        quantity
    from days
    union all
    select
        'chain' as scope,
        cast(date_trunc('month', business_date) as date) as month,
        business_date,
        order_count,
        quantity
    from days

),

scoped_amounts as (

    select
        business_unit as scope,
        cast(date_trunc('month', business_date) as date) as month,
        currency,
        total_price,
        reporting_price
    from converted
    union all
    select
        'chain' as scope,
        cast(date_trunc('month', business_date) as date) as month,
        currency,
        total_price,
        reporting_price
    from converted

),

months as (

    select
        scope,
        month,
        count(distinct case when order_count > 0 then business_date end) as order_days,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(quantity) as bigint) as quantity
    from scoped_days
    group by scope, month

),

-- amounts of several currencies have no sum, and converted ones none if a rate is missing
monthly_amounts as (

    select
        scope,
        month,
        case when count(distinct coalesce(currency, '')) = 1 then min(currency) end as currency,
        case when count(distinct coalesce(currency, '')) = 1 then cast(sum(total_price) as decimal(18, 2)) end
            as total_price,
        case when count(*) = count(reporting_price) then cast(sum(reporting_price) as decimal(18, 2)) end
            as reporting_price
    from scoped_amounts
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
        monthly_amounts.total_price,
        monthly_amounts.currency,
        monthly_amounts.reporting_price,
        case when months.order_count > 0 then cast(monthly_amounts.total_price as double) / months.order_count end
            as price_per_order,
        year_before.order_count as order_count_year_before,
        cast(months.order_count as double) / year_before.order_count - 1 as order_growth
    from months
    left join monthly_amounts
        on
            months.scope = monthly_amounts.scope
            and months.month = monthly_amounts.month
    left join months as year_before
        on
            months.scope = year_before.scope
            and cast({{ dbt.dateadd('month', -12, 'months.month') }} as date) = year_before.month
            and year_before.order_count > 0

)

select * from final
