"""The check that says when a till begins to write its customers' ids in another way."""

from pathlib import Path

import pytest

from tests.builders import warehouse_in
from tests.dbt_views import failures

CHECK = "assert_customers_are_not_nearly_all_new"
TABLES = """
create schema marts; create schema intermediate;
create table marts.fct_orders as
    select 'BU_US' as business_unit, date '2024-01-01' + day::int as business_date,
        case when day >= {changed} then 'US-' else '' end || (day * 7 % 40 + who) as customer_id
    from range({days}) as days(day), range(25) as people(who);
create table intermediate.int_daily_sales as
    select business_unit, business_date, count(distinct customer_id) as customer_count from marts.fct_orders group by all;
create table intermediate.int_customer_sales as
    select customer_id, business_unit, min(business_date) as first_order_date from marts.fct_orders group by all
"""


@pytest.mark.parametrize(
    ("days", "changed", "said"),
    [(40, 99, []), (40, 37, ["2024-02-07"]), (28, 27, []), (60, 37, [])],
    ids=["always the same", "other ids since the 38th day", "a new unit", "long since"],
)
def test_a_day_of_nearly_all_new_customers_is_said(tmp_path: Path, days: int, changed: int, said: list[str]) -> None:
    warehouse = warehouse_in(tmp_path)
    with warehouse.transaction() as transaction:
        for statement in TABLES.format(days=days, changed=changed).split(";"):
            transaction.execute(statement)
    found = failures(warehouse, CHECK)
    assert [str(row["business_date"]) for row in found] == said
    assert all(row["new_customers"] == row["customer_count"] for row in found)
