with

source as (

    select * from {{ source('sales_data', 'sales_transactions') }}

),

renamed as (

    select
        business_unit,
        business_date,
        transaction_id,
        -- a line without an order is an order of its own
        coalesce(order_id, 'line ' || transaction_id) as order_id,
        product_id,
        customer_id,
        cast(quantity as bigint) as quantity,
        cast(total_price as decimal(18, 2)) as total_price,
        cast(transaction_date as timestamp) as transacted_at,
        payment_method,
        coalesce(weather, 'Unknown') as weather,
        load_id,
        cast(row_number as bigint) as file_row_number
    from source
    -- refunds, and sales of nobody in particular, are loaded and not yet counted
    where
        kind = 'sale'
        and customer_id is not null

)

select * from renamed
