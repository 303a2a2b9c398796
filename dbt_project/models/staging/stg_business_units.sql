with

source as (

    select * from {{ source('sales_data', 'business_units') }}

),

renamed as (

    select
        business_unit_id,
        country,
        unit_name,
        folder,
        time_zone
    from source

)

select * from renamed
