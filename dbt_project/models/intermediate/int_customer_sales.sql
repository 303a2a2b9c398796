{{ config(
    materialized='incremental',
    incremental_strategy='as_of_states',
    meta={'follows': ['int_refunded_lines']},
    post_hook="{{ set_watermark('customer_changes') }}"
) }}

with

{%- if follows_changes() %}
{%- set touched_with_past %}
    (
        select
            touched.customer_id,
            -- without an order or refund on that date or after it, what is known goes on; else the customer's are read again.
            -- A refund changes what an earlier order counts for
            case
                when
                    coalesce(max(known.last_booked_date) < min(touched.from_date), true)
                    and count(refunded.refunded_on) = 0
                    then min(touched.from_date)
                else cast('0001-01-01' as date)
            end as read_from
        from {{ touched_customers() }} as touched
        left join {{ this }} as known on touched.customer_id = known.customer_id
        left join {{ ref('int_refunded_lines') }} as refunded
            on
                touched.customer_id = refunded.customer_id
                and touched.from_date <= refunded.refunded_on
        group by touched.customer_id
    )
{%- endset %}
{%- set earliest = run_query('select min(read_from) from ' ~ touched_with_past ~ ' as touched').columns[0].values()[0] %}

touched as (

    select * from {{ touched_with_past }} as touched_with_past

),
{%- endif %}

refunded_lines as (

    select
        refunded.*,
        refunded.refunded_on is null
        and row_number() over (
            partition by refunded.order_key, case when refunded.refunded_on is null then 0 else 1 end
            order by refunded.line_number
        ) = 1 as is_first_left
    from {{ ref('int_refunded_lines') }} as refunded
    {{ only_touched_customers('refunded') }}

),

orders_left as (

    select
        order_key,
        sum(case when refunded_on is null then 1 else 0 end) as line_count,
        max(case when is_first_left and not follows_a_gap and has_main_product then 1 else 0 end) as main_orders
    from refunded_lines
    group by order_key

),

orders as (

    select
        orders.customer_id,
        orders.business_unit,
        orders.currency,
        orders.business_date,
        orders.ordered_at,
        orders.quantity,
        orders.total_price,
        coalesce(orders_left.line_count, orders.line_count) as line_count,
        coalesce(
            orders_left.main_orders,
            case when orders.main_product_id is not null then 1 else 0 end
        ) as main_orders
    from {{ ref('fct_orders') }} as orders
    left join orders_left on orders.order_key = orders_left.order_key
    where orders.customer_id is not null

),

bookings as (

    select
        customer_id,
        business_unit,
        currency,
        business_date as booked_date,
        case when line_count > 0 then 1 else 0 end as order_count,
        line_count,
        quantity,
        total_price,
        case when line_count > 0 then business_date end as order_date,
        main_orders,
        case when main_orders > 0 then ordered_at end as main_ordered_at
    from orders
    union all
    select
        customer_id,
        business_unit,
        currency,
        business_date as booked_date,
        0 as order_count,
        0 as line_count,
        quantity,
        total_price,
        cast(null as date) as order_date,
        0 as main_orders,
        cast(null as timestamp) as main_ordered_at
    from {{ ref('fct_refunds') }}
    where customer_id is not null

),

counted as (

    select
        bookings.customer_id,
        bookings.business_unit,
        bookings.currency,
        bookings.order_count,
        bookings.line_count,
        bookings.quantity,
        bookings.total_price,
        bookings.order_date as first_order_date,
        bookings.order_date as last_order_date,
        bookings.main_orders,
        bookings.main_ordered_at as latest_main_ordered_at,
        bookings.booked_date as last_booked_date
    from bookings
    {%- if follows_changes() %}
    inner join touched
        on
            bookings.customer_id = touched.customer_id
            and bookings.booked_date >= touched.read_from
            and bookings.booked_date >= cast('{{ earliest or '9999-12-31' }}' as date)
    union all
    select
        known.customer_id,
        known.business_unit,
        known.currency,
        known.order_count,
        known.line_count,
        known.quantity,
        known.total_price,
        known.first_order_date,
        known.last_order_date,
        known.main_orders,
        known.latest_main_ordered_at,
        known.last_booked_date
    from {{ this }} as known
    inner join touched
        on
            known.customer_id = touched.customer_id
            and known.last_booked_date < touched.read_from
    {%- endif %}

),

units as (

    select
        customer_id,
        business_unit,
        currency,
        cast(sum(order_count) as bigint) as order_count,
        cast(sum(line_count) as bigint) as line_count,
        cast(sum(quantity) as bigint) as quantity,
        case when count(*) = count(total_price) then cast(sum(total_price) as decimal(18, 2)) end as total_price,
        min(first_order_date) as first_order_date,
        max(last_order_date) as last_order_date,
        cast(sum(main_orders) as bigint) as main_orders,
        max(latest_main_ordered_at) as latest_main_ordered_at,
        max(last_booked_date) as last_booked_date
    from counted
    group by customer_id, business_unit, currency

),

over_currencies as (

    select
        *,
        sum(main_orders) over (partition by customer_id, business_unit) as main_orders_of_unit,
        max(latest_main_ordered_at) over (partition by customer_id, business_unit) as latest_of_unit
    from units

),

final as (

    select
        customer_id,
        business_unit,
        currency,
        order_count,
        line_count,
        quantity,
        total_price,
        first_order_date,
        last_order_date,
        main_orders,
        latest_main_ordered_at,
        last_booked_date,
        main_orders_of_unit > 0
        and row_number() over (
            partition by customer_id
            order by
                main_orders_of_unit desc, latest_of_unit desc nulls last, business_unit asc, currency asc nulls first
        ) = 1 as is_home
    from over_currencies

)

select * from final
