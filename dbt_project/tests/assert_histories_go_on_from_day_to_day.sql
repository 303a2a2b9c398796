-- A state is the one before it and the orders of its own day, no more, where nothing was refunded; its products add
-- up to it.
{{ config(meta={
    'checks': 'touched_intervals',
    'follows': ['int_customer_product_state_history'],
    'dagster': {'ref': {'name': 'int_customer_state_history'}}
}) }}

with

states as (

    select
        states.*,
        -- what the history goes on from was compared when it was new
        {{ 'touched.from_date >= states.valid_from' if follows_changes() else 'false' }} as is_base
    from {{ ref('int_customer_state_history') }} as states
    {{ only_touched_intervals('states') }}

),

products as (

    select
        products.customer_id,
        products.valid_from,
        sum(products.main_orders) as main_orders,
        sum(products.main_orders + products.addon_lines) as line_count
    from {{ ref('int_customer_product_state_history') }} as products
    {{ only_touched_intervals('products') }}
    group by products.customer_id, products.valid_from

),

days as (

    select
        orders.customer_id,
        orders.business_date,
        count(*) as order_count,
        sum(orders.line_count) as line_count
    from {{ ref('fct_orders') }} as orders
    {{ only_since_touched('orders') }}
    where
        orders.main_product_id is not null
        and orders.customer_id is not null
    group by orders.customer_id, orders.business_date

),

customers_with_refunds as (

    select distinct customer_id from {{ ref('int_refunded_lines') }}

),

compared as (

    select
        coalesce(states.customer_id, days.customer_id) as customer_id,
        coalesce(states.valid_from - 1, days.business_date) as business_date,
        states.order_count,
        states.line_count,
        coalesce(earlier.order_count, 0) + days.order_count as counted_orders,
        coalesce(earlier.line_count, 0) + days.line_count as counted_lines,
        products.main_orders,
        products.line_count as product_lines,
        coalesce(states.is_base, false) or customers_with_refunds.customer_id is not null as is_base
    from states
    full outer join days
        on
            states.customer_id = days.customer_id
            and states.valid_from - 1 = days.business_date
    left join customers_with_refunds
        on coalesce(states.customer_id, days.customer_id) = customers_with_refunds.customer_id
    left join states as earlier
        on
            states.customer_id = earlier.customer_id
            and states.valid_from - 1 = earlier.valid_to
    left join products
        on
            states.customer_id = products.customer_id
            and states.valid_from = products.valid_from

)

select *
from compared
where
    coalesce(order_count, -1) <> coalesce(main_orders, 0)
    or coalesce(line_count, -1) <> coalesce(product_lines, 0)
    or (
        not is_base
        and (
            coalesce(order_count, -1) <> coalesce(counted_orders, -2)
            or coalesce(line_count, -1) <> coalesce(counted_lines, -2)
        )
    )
