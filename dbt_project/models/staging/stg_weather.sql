with

source as (

    select * from {{ source('sales_data', 'weather') }}

),

business_units as (

    select * from {{ ref('stg_business_units') }}

),

final as (

    select
        business_unit,
        store_id,
        date as business_date,
        cast(hour as integer) as hour_of_day,
        weather,
        path as file_path,
        false as is_of_any_unit
    from source
    where business_unit is not null
    union all
    -- a store that is named without its unit is the store of that name of every unit
    select
        business_units.business_unit_id as business_unit,
        source.store_id,
        source.date as business_date,
        cast(source.hour as integer) as hour_of_day,
        source.weather,
        source.path as file_path,
        true as is_of_any_unit
    from source
    cross join business_units
    where source.business_unit is null

)

select * from final
