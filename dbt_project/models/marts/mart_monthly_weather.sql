with

business_units as (

    select * from {{ ref('dim_business_unit') }}

),

days as (

    select * from {{ ref('int_daily_sales') }}

),

months as (

    select months.month
    from (values (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12)) as months (month)

),

weather_types as (

    select weather_types.weather
    from (
        values
        {%- for weather in var('weather_types') %}
            ('{{ weather }}'){{ ',' if not loop.last }}
        {%- endfor %}
    ) as weather_types (weather)

),

monthly as (

    select
        business_unit,
        extract(month from business_date) as month,
        weather,
        count(*) as order_days
    from days
    group by business_unit, extract(month from business_date), weather

),

grid as (

    select
        business_units.business_unit_id as business_unit,
        months.month,
        weather_types.weather,
        coalesce(monthly.order_days, 0) as order_days
    from business_units
    cross join months
    cross join weather_types
    left join monthly
        on
            business_units.business_unit_id = monthly.business_unit
            and months.month = monthly.month
            and weather_types.weather = monthly.weather

),

-- from the nearest history to the widest
histories as (

    select
        *,
        sum(order_days) over (partition by business_unit, month) as month_days,
        sum(order_days) over (partition by business_unit, weather) as unit_weather_days,
        sum(order_days) over (partition by business_unit) as unit_days,
        sum(order_days) over (partition by weather) as chain_weather_days,
        sum(order_days) over () as chain_days
    from grid

),

shares as (

    select
        business_unit,
        month,
        weather,
        order_days,
        case
            when month_days > 0 then cast(order_days as double) / cast(month_days as double)
            when unit_days > 0 then cast(unit_weather_days as double) / cast(unit_days as double)
            when chain_days > 0 then cast(chain_weather_days as double) / cast(chain_days as double)
            else cast(1 as double) / {{ var('weather_types') | length }}
        end as share
    from histories

),

final as (

    select
        business_unit,
        cast(month as integer) as month,
        weather,
        cast(order_days as bigint) as order_days,
        share,
        row_number() over (
            partition by business_unit, month
            order by share desc, weather asc
        ) = 1 as is_most_likely
    from shares

)

select * from final
