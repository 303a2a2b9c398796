with

source as (

    select * from {{ source('sales_data', 'exchange_rates') }}

),

renamed as (

    select
        date as rate_date,
        currency,
        cast(rate as decimal(18, 8)) as rate
    from source

)

select * from renamed
