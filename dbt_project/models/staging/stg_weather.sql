with

source as (

    select * from {{ source('sales_data', 'weather') }}

),

business_units as (

    select * from {{ ref('stg_business_units') }}

),

-- a store that is named without its unit is the store of that name of every unit
of_units as (

    select
        business_unit,
        store_id,
        date as weather_date,
        hour as weather_hour,
        weather,
        path as file_path,
        1 as names_unit
    from source
    where business_unit is not null
    union all
    select
        business_units.business_unit_id as business_unit,
        source.store_id,
        source.date as weather_date,
        source.hour as weather_hour,
        source.weather,
        source.path as file_path,
        0 as names_unit
    from source
    cross join business_units
    where source.business_unit is null

),

final as (

    select
        business_unit,
        store_id,
        weather_date,
        cast(weather_hour as integer) as weather_hour,
        weather,
        file_path
    from of_units
    qualify row_number() over (
        partition by business_unit, store_id, weather_date, weather_hour
        order by names_unit desc, file_path desc, weather asc
    ) = 1

)

select * from final
