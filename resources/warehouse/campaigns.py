"""The tables of campaigns: which customers must not be addressed, what was measured, and writing a campaign as a whole."""

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa

from resources.warehouse.tables import replace_rows
from resources.warehouse.warehouse import Warehouse

CAMPAIGNS, AUDIENCES, CONTACTS = "serving.campaigns", "serving.campaign_audiences", "serving.contact_log"
RESULTS = "serving.campaign_results"


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
    """Who opted out of marketing, was contacted within the last `rest_days`, or is in the control group of an overlapping campaign."""
    rest = starts_on - dt.timedelta(days=rest_days - 1), starts_on
    with warehouse.keep_open():
        opted_out = warehouse.read("marts.dim_customer", ["customer_id"], {"marketing_opt_out": True})
        contacts = warehouse.read(CONTACTS, ["campaign_id", "customer_id"], between={"contacted_on": rest}).to_pylist()
        meanwhile = [
            campaign["campaign_id"]
            for campaign in warehouse.read(CAMPAIGNS, ["campaign_id", "starts_on", "ends_on"]).to_pylist()
            if campaign["ends_on"] >= starts_on and campaign["starts_on"] <= ends_on
        ]
        controls = [
            warehouse.read(AUDIENCES, ["customer_id"], {"campaign_id": other, "arm": "control"})["customer_id"]
            for other in meanwhile
            if other != campaign_id
        ]
    return Exclusions(
        frozenset(opted_out["customer_id"].to_pylist()),
        frozenset(contact["customer_id"] for contact in contacts if contact["campaign_id"] != campaign_id),
        frozenset(customer for group in controls for customer in group.to_pylist()),
    )


def keep_campaign(
    warehouse: Warehouse, campaign_id: str, campaign: pa.Table, audience: pa.Table, contacts: pa.Table
) -> None:
    """Writes record, audience and contact log of a campaign, all or none; replaces those of an earlier run of the same campaign."""
    written = (CAMPAIGNS, campaign), (AUDIENCES, audience), (CONTACTS, contacts)
    with warehouse.transaction() as transaction:
        for table, rows in written:
            transaction.stage(staged_name(table), rows)
        for table, rows in written:
            replace_rows(transaction, table, rows.column_names, {"campaign_id": campaign_id}, staged_name(table))


def staged_name(table: str) -> str:
    """The name of the new rows of `table` within the transaction."""
    return f"new_{table.partition('.')[2]}"


def measured_effects(warehouse: Warehouse) -> list[tuple[float, float]]:
    """Log odds ratio and its error of every campaign that is over and has a control group with orders."""
    rows = warehouse.read(RESULTS, ["log_odds_ratio", "log_odds_error"], {"status": "complete"}).to_pylist()
    return [(row["log_odds_ratio"], row["log_odds_error"]) for row in rows if row["log_odds_error"] is not None]
