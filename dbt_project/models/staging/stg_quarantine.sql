with

source as (

    select * from {{ source('sales_data', 'quarantine') }}

),

renamed as (

    select
        load_id,
        cast(row_number as bigint) as file_row_number,
        reason,
        detail,
        business_unit,
        business_date,
        nullif(trim(transaction_id), '') as transaction_id,
        -- empty: an order of its own; NULL: its order cannot be told
        trim(order_id) as order_id,
        store_id,
        raw_text
    from source

)

select * from renamed
