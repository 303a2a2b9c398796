with

source as (

    select * from {{ source('sales_data', 'holidays') }}

),

renamed as (

    select
        country,
        date as holiday_date,
        name as holiday_name
    from source

)

select * from renamed
