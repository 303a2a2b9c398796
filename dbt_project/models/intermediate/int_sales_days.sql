with

loads as (

    select * from {{ ref('int_load_parts') }}
    where status = 'loaded'

),

loaded_days as (

    select
        business_unit,
        business_date,
        cast(sum(rows_loaded) as bigint) as rows_loaded,
        -- rows move between the files of a day when who owns them is settled again: that changes the counts
        md5({{ dbt.listagg("load_id || ':' || rows_loaded || ':' || rows_quarantined", "','", 'order by load_id') }})
            as content_hash
    from loads
    group by business_unit, business_date

),

-- what the day has of it, whichever file tells it
weather as (

    select feed.* from {{ ref('stg_weather') }} as feed
    {{ that_count('feed') }}

),

weather_days as (

    select
        business_unit,
        business_date,
        {{ dbt.listagg(
            "coalesce(store_id, '') || '@' || coalesce(cast(hour_of_day as varchar), '') || ':' || weather",
            "','",
            "order by coalesce(store_id, ''), coalesce(hour_of_day, -1)"
        ) }} as weather_told
    from weather
    group by business_unit, business_date

),

units as (

    select * from {{ ref('stg_business_units') }}

),

final as (

    select
        loaded_days.business_unit,
        loaded_days.business_date,
        loaded_days.rows_loaded,
        case
            when weather_days.weather_told is null and units.currency is null then loaded_days.content_hash
            else md5(
                loaded_days.content_hash
                || coalesce(weather_days.weather_told, '')
                || coalesce(units.currency, '')
            )
        end as content_hash
    from loaded_days
    left join weather_days
        on
            loaded_days.business_unit = weather_days.business_unit
            and loaded_days.business_date = weather_days.business_date
    left join units on loaded_days.business_unit = units.business_unit_id

)

select * from final
