with

customers as (

    select
        *,
        true as is_in_reference
    from {{ ref('stg_customers') }}

),

seen as (

    select distinct customer_id from {{ ref('int_customer_sales') }}

),

final as (

    select
        coalesce(customers.customer_id, seen.customer_id) as customer_id,
        customers.customer_name,
        customers.email,
        customers.location,
        -- nobody may write to a person whose wish is unknown
        coalesce(customers.marketing_opt_out, true) as marketing_opt_out,
        coalesce(customers.is_in_reference, false) as is_in_reference
    from customers
    full outer join seen on customers.customer_id = seen.customer_id

)

select * from final
