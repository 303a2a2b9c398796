-- Every unit has twelve months and all weather types; the shares of a month add up to 1 and one type is most likely.
{{ config(meta={'dagster': {'ref': {'name': 'mart_monthly_weather'}}}) }}

with

business_units as (

    select * from {{ ref('dim_business_unit') }}

),

months as (

    select
        business_unit,
        month,
        count(*) as row_count,
        count(distinct weather) as weather_types,
        sum(share) as total_share,
        sum(case when is_most_likely then 1 else 0 end) as most_likely
    from {{ ref('mart_monthly_weather') }}
    group by business_unit, month

)

select
    business_units.business_unit_id,
    count(months.month) as complete_months
from business_units
left join months
    on
        business_units.business_unit_id = months.business_unit
        and months.row_count = months.weather_types
        and months.weather_types = {{ var('weather_types') | length }}
        and months.most_likely = 1
        and abs(months.total_share - 1) < 1e-9
group by business_units.business_unit_id
having count(months.month) <> 12
