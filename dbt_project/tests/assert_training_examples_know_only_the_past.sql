-- Point in time: an example knows all orders of its customer's earlier business dates and no other; its parts add up.
-- Of customers with refunds the counts are left out: what is known of their past changes (int_refunded_lines).
{{ config(meta={
    'checks': 'since_touched',
    'follows': ['int_customer_state_history'],
    'dagster': {'ref': {'name': 'feat_training_examples'}}
}) }}

with

examples as (

    select examples.* from {{ ref('feat_training_examples') }} as examples
    {{ only_since_touched('examples') }}

),

-- the examples of one date share one state
dates as (

    select
        customer_id,
        business_date,
        count(*) as example_count,
        min(order_count) as order_count,
        lag(business_date) over (partition by customer_id order by business_date) as date_before
    from examples
    group by customer_id, business_date

),

customers_with_refunds as (

    select distinct customer_id from {{ ref('int_refunded_lines') }}

),

compared as (

    select
        examples.*,
        dates.date_before,
        earlier.order_count + earlier.example_count as earlier_orders,
        customers_with_refunds.customer_id is not null as has_refunds
    from examples
    inner join dates
        on
            examples.customer_id = dates.customer_id
            and examples.business_date = dates.business_date
    left join dates as earlier
        on
            dates.customer_id = earlier.customer_id
            and dates.date_before = earlier.business_date
    left join customers_with_refunds on examples.customer_id = customers_with_refunds.customer_id

)

select *
from compared
where
    -- among changes, the first example has what the history goes on from, which is tested with the history
    (not has_refunds and order_count <> coalesce(earlier_orders, {{ 'order_count' if follows_changes() else 0 }}))
    or coalesce(not has_refunds and last_order_date <> date_before, false)
    or last_order_date >= business_date
    or first_order_date > last_order_date
    or (last_order_date is null) <> (order_count = 0)
    or order_count <> morning_orders + midday_orders + afternoon_orders + evening_orders
