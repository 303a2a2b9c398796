with

products as (

    select
        *,
        true as is_in_reference
    from {{ ref('stg_products') }}

),

sold as (

    select distinct product_id from {{ ref('int_daily_product_sales') }}

),

final as (

    select
        coalesce(products.product_id, sold.product_id) as product_id,
        coalesce(products.product_name, sold.product_id) as product_name,
        products.category,
        products.price,
        products.currency,
        products.stock_quantity,
        coalesce(products.is_in_reference, false) as is_in_reference
    from products
    full outer join sold on products.product_id = sold.product_id

)

select * from final
