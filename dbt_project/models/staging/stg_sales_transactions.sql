with

source as (

    select * from {{ source('sales_data', 'sales_transactions') }}

),

renamed as (

    select
        business_unit,
        business_date,
        transaction_id,
        order_id,
        product_id,
        customer_id,
        cast(quantity as bigint) as quantity,
        cast(total_price as decimal(18, 2)) as total_price,
        cast(transaction_date as timestamp) as transacted_at,
        payment_method,
        weather,
        store_id,
        coalesce(kind, 'sale') as kind,
        refunded_order_id,
        refunded_date,
        cast(discount as decimal(18, 2)) as discount,
        cast(weight as decimal(18, 3)) as weight,
        promotion,
        currency,
        load_id,
        cast(row_number as bigint) as file_row_number
    from source

)

select * from renamed
