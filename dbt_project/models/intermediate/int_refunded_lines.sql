{{ config(
    materialized='incremental',
    incremental_strategy='as_of_states',
    meta={'follows': ['fct_refunds']},
    post_hook="{{ set_watermark('customer_changes') }}"
) }}

with

refunds as (

    select refunds.* from {{ ref('fct_refunds') }} as refunds
    {{ only_touched_customers('refunds') }}
    where
        refunds.order_key is not null
        and refunds.customer_id is not null

),

{%- if follows_changes() %}

-- the orders that changed, or of which something was taken back since: the customers' others stay as they are
changed_orders as (

    select refunds.order_key
    from refunds
    {{ only_touched_customers('refunds') }}
    where
        refunds.order_date >= touched.from_date
        or refunds.business_date >= touched.from_date
    union
    select known.order_key
    from {{ this }} as known
    {{ only_touched_customers('known') }}
    where
        known.business_date >= touched.from_date
        or known.refunded_on >= touched.from_date

),
{%- endif %}

orders as (

    select distinct
        order_key,
        order_date,
        customer_id
    from refunds
    {{ 'where order_key in (select changed_orders.order_key from changed_orders)' if follows_changes() }}

),

-- the pieces of a product that are back by the end of a day
back as (

    select
        order_key,
        product_id,
        business_date,
        -- in the order, less what was voided of a line on its day
        max(product_quantity) as product_quantity,
        -sum(sum(quantity)) over (
            partition by order_key, product_id order by business_date rows between unbounded preceding and current row
        ) as quantity
    from refunds
    group by order_key, product_id, business_date

),

-- pieces are taken back from the order's last line on
lines as (

    select
        orders.customer_id,
        sold.business_unit,
        sold.business_date,
        sold.order_key,
        sold.order_line_key,
        sold.line_number,
        sold.product_id,
        sold.follows_a_gap,
        sum(sold.quantity) over (
            partition by sold.order_key, sold.product_id
            order by sold.line_number desc rows between unbounded preceding and current row
        ) as quantity_from_the_last,
        sum(sold.quantity) over (partition by sold.order_key, sold.product_id) as quantity_sold
    from {{ ref('fct_order_lines') }} as sold
    inner join orders
        on
            sold.order_key = orders.order_key
            and sold.business_date = orders.order_date
    where sold.booking = 'sold'

),

refunded as (

    select
        lines.customer_id,
        lines.business_unit,
        lines.business_date,
        lines.order_key,
        lines.order_line_key,
        lines.line_number,
        lines.product_id,
        lines.follows_a_gap,
        min(back.business_date) as refunded_on
    from lines
    left join back
        on
            lines.order_key = back.order_key
            and lines.product_id = back.product_id
            and lines.quantity_from_the_last - lines.quantity_sold + back.product_quantity <= back.quantity
    group by
        lines.customer_id, lines.business_unit, lines.business_date, lines.order_key, lines.order_line_key,
        lines.line_number, lines.product_id, lines.follows_a_gap

),

final as (

    select
        customer_id,
        business_unit,
        business_date,
        order_key,
        order_line_key,
        line_number,
        product_id,
        follows_a_gap,
        max(case when line_number = 1 and not follows_a_gap then 1 else 0 end) over (partition by order_key) = 1
            as has_main_product,
        refunded_on
    from refunded
    -- orders of which only money was paid back stay as they are
    qualify count(refunded_on) over (partition by order_key) > 0
    {%- if follows_changes() %}
    union all
    select
        {%- for column in [
            'customer_id', 'business_unit', 'business_date', 'order_key', 'order_line_key', 'line_number', 'product_id',
            'follows_a_gap', 'has_main_product', 'refunded_on'
        ] %}
        known.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ this }} as known
    {{ only_touched_customers('known') }}
    where known.order_key not in (select changed_orders.order_key from changed_orders)
    {%- endif %}

)

select * from final
