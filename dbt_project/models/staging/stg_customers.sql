with

source as (

    select * from {{ source('sales_data', 'customers') }}

),

renamed as (

    select
        customer_id,
        customer_name,
        email,
        location,
        marketing_opt_out
    from source

)

select * from renamed
