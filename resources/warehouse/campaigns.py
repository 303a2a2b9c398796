"""What campaigns read and leave in the warehouse, each in one transaction.

Belongs here: the queries. Does not belong here: who is addressed (`globolatte_ml.campaigns`).
"""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

CAMPAIGNS, AUDIENCES, CONTACTS = "serving.campaigns", "serving.campaign_audiences", "serving.contact_log"
RESULTS = "serving.campaign_results"

OPTED_OUT = "select customer_id from marts.dim_customer where marketing_opt_out"
RECENTLY_CONTACTED = f"""
select distinct customer_id from {CONTACTS} where campaign_id != ? and contacted_on > ? and contacted_on <= ?
"""
HELD_OUT = f"""
select distinct audiences.customer_id
from {AUDIENCES} as audiences
inner join {CAMPAIGNS} as campaigns on audiences.campaign_id = campaigns.campaign_id
where audiences.arm = 'control' and campaigns.campaign_id != ? and campaigns.ends_on >= ? and campaigns.starts_on <= ?
"""
OUTCOMES = f"""
select
    audiences.customer_id, audiences.arm, count(orders.order_key) as orders,
    cast(coalesce(sum(case when orders.main_product_id = audiences.product_id then 1 else 0 end), 0) as bigint) as purchases
from {AUDIENCES} as audiences
left join marts.fct_orders as orders
    on audiences.customer_id = orders.customer_id and orders.business_date between ? and ?
where audiences.campaign_id = ?
group by audiences.customer_id, audiences.arm
order by audiences.customer_id
"""
MEASURED = (
    f"select log_odds_ratio, log_odds_error from {RESULTS} where status = 'complete' and log_odds_error is not null"
)


@dataclass(frozen=True)
class Exclusions:
    """Customers who must not be addressed, by reason."""

    opted_out: frozenset[str]
    recently_contacted: frozenset[str]
    held_out: frozenset[str]

    @property
    def everyone(self) -> frozenset[str]:
        """All of them."""
        return self.opted_out | self.recently_contacted | self.held_out


def exclusions(
    warehouse: Warehouse, campaign_id: str, starts_on: dt.date, ends_on: dt.date, rest_days: int
) -> Exclusions:
    """Who opted out of marketing, was contacted within `rest_days` before, or is in the control group of a campaign in between."""
    with warehouse.transaction() as transaction:

        def customers(sql: str, *parameters: object) -> frozenset[str]:
            return frozenset(transaction.fetch(sql, parameters)["customer_id"].to_pylist())

        return Exclusions(
            customers(OPTED_OUT),
            customers(RECENTLY_CONTACTED, campaign_id, starts_on - dt.timedelta(days=rest_days), starts_on),
            customers(HELD_OUT, campaign_id, starts_on, ends_on),
        )


def keep_campaign(
    warehouse: Warehouse, campaign_id: str, campaign: "pa.Table", audience: "pa.Table", contacts: "pa.Table"
) -> None:
    """Record, audience and contact log of a campaign, all or none; what an earlier run of the same campaign left is replaced."""
    kept = (
        ("campaign_record", CAMPAIGNS, campaign),
        ("audience", AUDIENCES, audience),
        ("contacts", CONTACTS, contacts),
    )
    with warehouse.transaction() as transaction:
        for staged, _, rows in kept:
            transaction.stage(staged, rows)
        for staged, table, rows in kept:
            names = ", ".join(rows.column_names)
            transaction.execute(f"delete from {table} where campaign_id = ?", [campaign_id])
            transaction.execute(f"insert into {table} ({names}) select {names} from {staged}")


def outcomes(warehouse: Warehouse, campaign_id: str, first: dt.date, last: dt.date) -> "pa.Table":
    """Per customer of a campaign: arm, orders of these dates, purchases (orders with the offered product as main product)."""
    with warehouse.transaction() as transaction:
        return transaction.fetch(OUTCOMES, [first, last, campaign_id])


def measured_effects(warehouse: Warehouse) -> list[tuple[float, float]]:
    """Log odds ratio and its error of every campaign that is over and has a control group with orders."""
    with warehouse.transaction() as transaction:
        rows = transaction.fetch(MEASURED).to_pylist()
    return [(row["log_odds_ratio"], row["log_odds_error"]) for row in rows]
