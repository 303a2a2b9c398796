"""What monitoring reads of the warehouse: parts of tables by date or by key, so that a run costs what is new, not the history.

Belongs here: the queries. Does not belong here: what is made of their rows (`globolatte_ml.monitoring`).
"""

import datetime as dt
from typing import TYPE_CHECKING

from resources.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

# One row per unit and date that a file was delivered for, by the latest version of each path.
DELIVERED_DAYS = """
with latest as (
    select business_unit, business_date, status, rows_loaded, rows_quarantined
    from sales_data.load_ledger
    where business_unit is not null and business_date > ?
    qualify row_number() over (partition by path order by sequence desc) = 1
),

files as (
    select
        business_unit, business_date,
        cast(sum(case when status = 'loaded' then rows_loaded else 0 end) as bigint) as rows_loaded,
        cast(sum(case when status = 'loaded' then rows_quarantined else 0 end) as bigint) as rows_quarantined,
        cast(sum(case when status = 'loaded' then 1 else 0 end) as bigint) as files_loaded,
        cast(sum(case when status = 'refused' then 1 else 0 end) as bigint) as files_refused
    from latest
    where status in ('loaded', 'refused')
    group by business_unit, business_date
),

orders as (
    select business_unit, business_date, count(*) as orders
    from features.feat_training_examples
    where business_date > ?
    group by business_unit, business_date
)

select
    files.business_unit, files.business_date, files.rows_loaded, files.rows_quarantined, files.files_loaded, files.files_refused,
    coalesce(orders.orders, 0) as orders
from files
left join orders on files.business_unit = orders.business_unit and files.business_date = orders.business_date
order by files.business_unit, files.business_date
"""

EXAMPLES_BETWEEN = """
select * from features.feat_training_examples where business_date between ? and ? order by ordered_at, order_key
"""

EXAMPLE_PRODUCTS_BETWEEN = """
select pairs.*
from features.feat_training_example_products as pairs
inner join features.feat_training_examples as examples on pairs.order_key = examples.order_key
where examples.business_date between ? and ?
"""

FACTS_BETWEEN = """
select order_key, payment_method, line_count from marts.fct_orders where business_date between ? and ?
"""


def delivered_days(warehouse: Warehouse, after: dt.date) -> "pa.Table":
    """Per unit and date after `after`: rows loaded and quarantined, files loaded and refused, orders that can be judged.

    Columns business_unit, business_date, rows_loaded, rows_quarantined, files_loaded, files_refused, orders. Days for which
    nothing was delivered have no row.
    """
    with warehouse.transaction() as transaction:
        return transaction.fetch(DELIVERED_DAYS, [after, after])


def examples_between(warehouse: Warehouse, first: dt.date, last: dt.date) -> "pa.Table":
    """The training examples of the business dates from `first` to `last`, in time order."""
    with warehouse.transaction() as transaction:
        return transaction.fetch(EXAMPLES_BETWEEN, [first, last])


def example_products_between(warehouse: Warehouse, first: dt.date, last: dt.date) -> "pa.Table":
    """The product states behind `examples_between`."""
    with warehouse.transaction() as transaction:
        return transaction.fetch(EXAMPLE_PRODUCTS_BETWEEN, [first, last])


def order_facts_between(warehouse: Warehouse, first: dt.date, last: dt.date) -> "pa.Table":
    """order_key, payment_method and line_count of the orders of these business dates."""
    with warehouse.transaction() as transaction:
        return transaction.fetch(FACTS_BETWEEN, [first, last])
