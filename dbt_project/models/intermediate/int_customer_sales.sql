{{ config(
    materialized='incremental',
    incremental_strategy='as_of_states',
    meta={'follows': ['fct_orders']},
    post_hook="{{ set_watermark('customer_changes') }}"
) }}

with

{%- if follows_changes() %}
{%- set touched_with_past %}
    (
        select
            touched.customer_id,
            -- without an order on that date or after it, what is known goes on; else the customer's orders are read again
            case
                when coalesce(max(known.last_order_date) < min(touched.from_date), true) then min(touched.from_date)
                else cast('0001-01-01' as date)
            end as read_from
        from {{ touched_customers() }} as touched
        left join {{ this }} as known on touched.customer_id = known.customer_id
        group by touched.customer_id
    )
{%- endset %}
{%- set earliest = run_query('select min(read_from) from ' ~ touched_with_past ~ ' as touched').columns[0].values()[0] %}

touched as (

    select * from {{ touched_with_past }} as touched_with_past

),
{%- endif %}

orders as (

    select orders.* from {{ ref('fct_orders') }} as orders
    {%- if follows_changes() %}
    inner join touched
        on
            orders.customer_id = touched.customer_id
            and orders.business_date >= touched.read_from
            and orders.business_date >= cast('{{ earliest or '9999-12-31' }}' as date)
    {%- endif %}
    where orders.customer_id is not null

),

counted as (

    select
        customer_id,
        business_unit,
        1 as order_count,
        line_count,
        quantity,
        total_price,
        business_date as first_order_date,
        business_date as last_order_date,
        case when main_product_id is not null then 1 else 0 end as main_orders,
        case when main_product_id is not null then ordered_at end as latest_main_ordered_at
    from orders
    {%- if follows_changes() %}
    union all
    select
        known.customer_id,
        known.business_unit,
        known.order_count,
        known.line_count,
        known.quantity,
        known.total_price,
        known.first_order_date,
        known.last_order_date,
        known.main_orders,
        known.latest_main_ordered_at
    from {{ this }} as known
    inner join touched
        on
            known.customer_id = touched.customer_id
            and known.last_order_date < touched.read_from
    {%- endif %}

),

units as (

    select
        customer_id,
        business_unit,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(line_count) as bigint) as line_count,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price,
        min(first_order_date) as first_order_date,
        max(last_order_date) as last_order_date,
        cast(sum(main_orders) as bigint) as main_orders,
        max(latest_main_ordered_at) as latest_main_ordered_at
    from counted
    group by customer_id, business_unit

),

final as (

    select
        *,
        main_orders > 0
        and row_number() over (
            partition by customer_id
            order by main_orders desc, latest_main_ordered_at desc nulls last, business_unit asc
        ) = 1 as is_home
    from units

)

select * from final
