-- Point in time: an example counts exactly the customer's examples of earlier business dates, and its parts add up.
{{ config(meta={'dagster': {'ref': {'name': 'feat_training_examples'}}}) }}

with

examples as (

    select
        *,
        -- rank, unlike row_number, is the same for all of one date: one more than the examples before that date
        rank() over (partition by customer_id order by business_date) - 1 as earlier_orders
    from {{ ref('feat_training_examples') }}

),

products as (

    select
        order_key,
        sum(main_orders) as main_orders,
        sum(main_orders + addon_lines) as line_count
    from {{ ref('feat_training_example_products') }}
    group by order_key

)

select examples.*
from examples
left join products on examples.order_key = products.order_key
where
    examples.order_count <> examples.earlier_orders
    or examples.last_order_date >= examples.business_date
    or examples.first_order_date > examples.last_order_date
    or (examples.last_order_date is null) <> (examples.order_count = 0)
    or examples.order_count
    <> examples.morning_orders + examples.midday_orders + examples.afternoon_orders + examples.evening_orders
    or examples.order_count <> coalesce(products.main_orders, 0)
    or examples.line_count <> coalesce(products.line_count, 0)
