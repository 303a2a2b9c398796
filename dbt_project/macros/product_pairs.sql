{#-
How often what was bought together, from two relations: `events` (order_key, customer_id, business_unit, anchor), one row per order
with an anchor, and `hits` (order_key, companion), what was taken with it. By unit and for the chain as a whole (`region`). Orders of
one customer hang together, so beside the counts stand sums of the customers' squares (globolatte_ml/affinity/pairs.py). An anonymous
order hangs together with no other: it counts as a customer of its own, known by the order's key, which is no customer's id.
-#}
{% macro product_pairs(events, hits) -%}
regional as (

    select
        order_key,
        coalesce(customer_id, order_key) as customer_id,
        business_unit as region,
        anchor
    from {{ events }}
    union all
    select
        order_key,
        coalesce(customer_id, order_key) as customer_id,
        'chain' as region,
        anchor
    from {{ events }}

),

by_customer as (

    select
        region,
        anchor,
        customer_id,
        count(*) as orders
    from regional
    group by region, anchor, customer_id

),

hits_by_customer as (

    select
        regional.region,
        regional.anchor,
        regional.customer_id,
        hits.companion,
        count(*) as hits
    from regional
    inner join {{ hits }} as hits on regional.order_key = hits.order_key
    group by regional.region, regional.anchor, regional.customer_id, hits.companion

),

anchors as (

    select
        region,
        anchor,
        cast(null as varchar) as companion,
        cast(sum(orders) as bigint) as orders,
        cast(sum(orders * orders) as bigint) as orders_squared,
        cast(null as bigint) as pair_orders,
        cast(null as bigint) as customers,
        cast(null as bigint) as pair_orders_squared,
        cast(null as bigint) as pair_orders_by_orders
    from by_customer
    group by region, anchor

),

pairs as (

    select
        found.region,
        found.anchor,
        found.companion,
        cast(null as bigint) as orders,
        cast(null as bigint) as orders_squared,
        cast(sum(found.hits) as bigint) as pair_orders,
        count(*) as customers,
        cast(sum(found.hits * found.hits) as bigint) as pair_orders_squared,
        cast(sum(found.hits * by_customer.orders) as bigint) as pair_orders_by_orders
    from hits_by_customer as found
    inner join by_customer
        on
            found.region = by_customer.region
            and found.anchor = by_customer.anchor
            and found.customer_id = by_customer.customer_id
    group by found.region, found.anchor, found.companion

),

final as (

    select * from anchors
    union all
    select * from pairs

)
{%- endmacro %}
