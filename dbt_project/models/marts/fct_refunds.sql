{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='order_line_key',
    meta={'follows': ['fct_orders']},
    pre_hook="{{ note_refunds_to_resolve() }}",
    post_hook="{{ log_resolved_refunds() }}"
) }}

with

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select
        refunding.order_line_key,
        refunding.order_key as receipt_key,
        refunding.business_unit,
        refunding.business_date,
        refunding.store_id,
        refunding.transacted_at,
        refunding.kind,
        refunding.product_id,
        refunding.customer_id as named_customer_id,
        refunding.refunded_order_id,
        refunding.refunded_date,
        refunding.quantity,
        refunding.total_price,
        refunding.currency
    from {{ ref('fct_order_lines') }} as refunding
    {{ only_touched_days('refunding') }}
    where refunding.booking = 'refunds'
    {%- if follows_changes() %}
    union all
    select
        known.order_line_key,
        known.receipt_key,
        known.business_unit,
        known.business_date,
        known.store_id,
        known.transacted_at,
        known.kind,
        known.product_id,
        known.named_customer_id,
        known.refunded_order_id,
        known.refunded_date,
        known.quantity,
        known.total_price,
        known.currency
    from {{ this }} as known
    inner join build_state.refunds_to_resolve as again on known.order_line_key = again.order_line_key
    {%- endif %}

),

-- the order that the refund names
named as (

    select
        refunds.order_line_key,
        sold.order_key,
        1 as preference
    from refunds
    inner join order_lines as sold
        on
            refunds.business_unit = sold.business_unit
            and refunds.refunded_order_id = sold.order_id
            and refunds.product_id = sold.product_id
            and refunds.store_id is not distinct from sold.store_id
            and refunds.business_date >= sold.business_date
            and coalesce(refunds.refunded_date, sold.business_date) = sold.business_date
            and sold.booking = 'sold'

),

-- the order on whose receipt it stands
on_its_receipt as (

    select
        refunds.order_line_key,
        sold.order_key,
        2 as preference
    from refunds
    inner join order_lines as sold
        on
            refunds.business_unit = sold.business_unit
            and refunds.business_date = sold.business_date
            and refunds.receipt_key = sold.order_key
            and refunds.product_id = sold.product_id
            and sold.booking = 'sold'
    where refunds.refunded_order_id is null

),

-- the customer's earlier orders of the store with the product
of_the_customer as (

    select
        refunds.order_line_key,
        orders.order_key,
        3 as preference
    from refunds
    inner join orders
        on
            refunds.business_unit = orders.business_unit
            and refunds.named_customer_id = orders.customer_id
            and refunds.store_id is not distinct from orders.store_id
            and refunds.business_date >= orders.business_date
            and refunds.transacted_at > orders.ordered_at
    inner join order_lines as sold
        on
            orders.order_key = sold.order_key
            and refunds.product_id = sold.product_id
            and sold.booking = 'sold'
    where refunds.refunded_order_id is null

),

found as (

    select * from named
    union all
    select * from on_its_receipt
    union all
    select * from of_the_customer

),

resolved as (

    select
        found.order_line_key,
        orders.order_key,
        orders.business_date as order_date,
        orders.customer_id,
        orders.main_product_id,
        orders.quantity as order_quantity
    from found
    inner join orders on found.order_key = orders.order_key
    qualify row_number() over (
        partition by found.order_line_key
        order by found.preference asc, orders.business_date desc, orders.ordered_at desc, orders.order_key desc
    ) = 1

),

resolved_orders as (

    select distinct order_key from resolved

),

product_quantities as (

    select
        sold.order_key,
        sold.product_id,
        cast(sum(sold.quantity) as bigint) as quantity
    from order_lines as sold
    inner join resolved_orders on sold.order_key = resolved_orders.order_key
    where sold.booking <> 'refunds'
    group by sold.order_key, sold.product_id

),

final as (

    select
        refunds.order_line_key,
        refunds.receipt_key,
        refunds.business_unit,
        refunds.business_date,
        refunds.store_id,
        refunds.transacted_at,
        refunds.kind,
        refunds.product_id,
        refunds.named_customer_id,
        refunds.refunded_order_id,
        refunds.refunded_date,
        refunds.quantity,
        refunds.total_price,
        refunds.currency,
        resolved.order_key,
        resolved.order_date,
        -- whose order it was; of an order that is not known, who brought it back
        case
            when resolved.order_key is null then refunds.named_customer_id else resolved.customer_id
        end as customer_id,
        coalesce(resolved.main_product_id = refunds.product_id, false) as is_main_product,
        product_quantities.quantity as product_quantity,
        resolved.order_quantity
    from refunds
    left join resolved on refunds.order_line_key = resolved.order_line_key
    left join product_quantities
        on
            resolved.order_key = product_quantities.order_key
            and refunds.product_id = product_quantities.product_id

)

select * from final
{{ in_the_order_of('business_date') }}
