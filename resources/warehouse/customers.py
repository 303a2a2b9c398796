"""What customers bought, as whole-table aggregates: inputs of segments, affinities and campaigns.

Belongs here: the queries. Does not belong here: what is made of their rows (`globolatte_ml`).
"""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

SPEND = """
select customer_id, cast(sum(total_price) as double) as spend from marts.fct_orders group by customer_id
"""


def spend_by_customer(warehouse: Warehouse) -> "pa.Table":
    """customer_id, spend: what each customer paid in all, over all units."""
    with warehouse.transaction() as transaction:
        return transaction.fetch(SPEND)


LAST_DATE = "select max(business_date) as last_date from marts.fct_orders"


def last_business_date(warehouse: Warehouse) -> dt.date | None:
    """The last date with an order; none without orders."""
    with warehouse.transaction() as transaction:
        last: dt.date | None = transaction.fetch(LAST_DATE)["last_date"][0].as_py()
        return last


@dataclass(frozen=True)
class ExampleSpan:
    """How many training examples there are, and their first and last business date."""

    orders: int
    first: dt.date
    last: dt.date


SPAN = """
select count(*) as orders, min(business_date) as first_date, max(business_date) as last_date
from features.feat_training_examples
"""


def example_span(warehouse: Warehouse) -> ExampleSpan | None:
    """Which training examples there are; none without any."""
    with warehouse.transaction() as transaction:
        [found] = transaction.fetch(SPAN).to_pylist()
    return ExampleSpan(*found.values()) if found["orders"] else None


# Events are orders with an anchor, hits what was taken with it. Both kinds are counted by what follows.
BASKETS = """
with orders as (
    select order_key, customer_id, business_unit, main_product_id as anchor
    from marts.fct_orders
    where main_product_id is not null
),

hits as (
    select distinct orders.order_key, order_lines.product_id as companion
    from orders
    inner join marts.fct_order_lines as order_lines on orders.order_key = order_lines.order_key
    where order_lines.line_number > 1 and order_lines.product_id != orders.anchor
),
"""

NEXT_ORDERS = """
with choices as (
    select
        order_key, customer_id, business_unit, main_product_id,
        lag(main_product_id) over (partition by customer_id order by ordered_at, order_key) as anchor
    from marts.fct_orders
    where main_product_id is not null
),

orders as (
    select order_key, customer_id, business_unit, anchor from choices where anchor is not null
),

hits as (
    select order_key, main_product_id as companion from choices where anchor is not null and main_product_id != anchor
),
"""

PAIR_COUNTS = """
regional as (
    select order_key, customer_id, business_unit as region, anchor from orders
    union all
    select order_key, customer_id, 'chain' as region, anchor from orders
),

by_customer as (
    select region, anchor, customer_id, count(*) as orders
    from regional
    group by region, anchor, customer_id
),

hits_by_customer as (
    select regional.region, regional.anchor, regional.customer_id, hits.companion, count(*) as hits
    from regional
    inner join hits on regional.order_key = hits.order_key
    group by regional.region, regional.anchor, regional.customer_id, hits.companion
),

anchors as (
    select
        region, anchor, null as companion, cast(sum(orders) as bigint) as orders, cast(sum(orders * orders) as bigint) as orders_squared,
        null as both, null as customers, null as both_squared, null as both_orders
    from by_customer
    group by region, anchor
),

pairs as (
    select
        found.region, found.anchor, found.companion, null as orders, null as orders_squared, cast(sum(found.hits) as bigint) as both,
        count(*) as customers, cast(sum(found.hits * found.hits) as bigint) as both_squared,
        cast(sum(found.hits * by_customer.orders) as bigint) as both_orders
    from hits_by_customer as found
    inner join by_customer
        on
            found.region = by_customer.region
            and found.anchor = by_customer.anchor
            and found.customer_id = by_customer.customer_id
    group by found.region, found.anchor, found.companion
)

select * from anchors
union all
select * from pairs
order by region, anchor, companion
"""


def basket_pairs(warehouse: Warehouse) -> "pa.Table":
    """How often which product is an add-on to which main product, by unit and for the chain (`region`).

    Columns region, anchor, companion, orders, orders_squared, both, customers, both_squared, both_orders as in
    `globolatte_ml.affinity.pairs.Pairs`. Rows without companion hold the anchor's orders, the others the pair's.
    """
    with warehouse.transaction() as transaction:
        return transaction.fetch(BASKETS + PAIR_COUNTS)


def next_order_pairs(warehouse: Warehouse) -> "pa.Table":
    """The same for main products: how often which one is chosen at the order after one with which."""
    with warehouse.transaction() as transaction:
        return transaction.fetch(NEXT_ORDERS + PAIR_COUNTS)
