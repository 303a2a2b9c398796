with

source as (

    select * from {{ source('sales_data', 'products') }}

),

renamed as (

    select
        product_id,
        product_name,
        category,
        cast(price as decimal(18, 2)) as price,
        currency,
        cast(stock_quantity as bigint) as stock_quantity
    from source

)

select * from renamed
