with

source as (

    select * from {{ source('sales_data', 'quarantine') }}

),

renamed as (

    select
        load_id,
        cast(row_number as bigint) as file_row_number,
        cast(line_number as bigint) as line_number,
        reason,
        detail,
        business_unit,
        business_date,
        nullif(trim(transaction_id), '') as transaction_id,
        nullif(trim(order_id), '') as order_id,
        -- else a line without an order is one of its own
        reason in ('wrong_field_count', 'unparseable_row', 'empty_key', 'lost_id') as is_of_unknown_order,
        store_id,
        raw_text
    from source

)

select * from renamed
