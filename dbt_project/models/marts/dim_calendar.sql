with

business_units as (

    select * from {{ ref('stg_business_units') }}

),

sales_days as (

    select * from {{ ref('int_sales_days') }}
    where rows_loaded > 0

),

holidays as (

    -- two holidays can fall on one date
    select
        country,
        holiday_date,
        {{ dbt.listagg('holiday_name', "'; '", 'order by holiday_name') }} as holiday_name
    from {{ ref('stg_holidays') }}
    group by country, holiday_date

),

span as (

    select
        cast(date_trunc('year', min(business_date)) as date) as first_date,
        extract(year from max(business_date)) as last_year
    from sales_days

),

dates as (

    select span.first_date + day_numbers.day_number as date
    from span
    inner join {{ day_numbers() }} as day_numbers
        on extract(year from span.first_date + day_numbers.day_number) <= span.last_year

),

final as (

    select
        business_units.business_unit_id as business_unit,
        dates.date,
        {{ season('dates.date') }} as season,
        cast(extract(month from dates.date) as integer) as month,
        -- 1900-01-01 was a Monday
        cast(mod(dates.date - cast('1900-01-01' as date), 7) + 1 as integer) as day_of_week,
        holidays.holiday_name is not null as is_holiday,
        holidays.holiday_name
    from business_units
    cross join dates
    left join holidays
        on
            business_units.country = holidays.country
            and dates.date = holidays.holiday_date

)

select * from final
