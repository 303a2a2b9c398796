"""The asset `endpoints/campaign_results`: the measured effect of campaigns against their control groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.keys import CAMPAIGN_AUDIENCES, CAMPAIGN_RESULTS, ORDERS, OWNER_SCIENCE, WAREHOUSE_POOL
from globolatte_assets.pictures import png
from globolatte_assets.tables import last_business_date
from globolatte_ml.campaigns.plots import uplift_chart
from globolatte_ml.campaigns.tables import outcomes_of, result_row
from resources.clock import Clock
from resources.warehouse.campaigns import AUDIENCES, CAMPAIGNS, RESULTS
from resources.warehouse.tables import row_count
from resources.warehouse.warehouse import Warehouse

Row = Mapping[str, Any]


def results_in_words(rows: Sequence[Row]) -> str:
    """Results as a Markdown table, latest campaign first."""
    lines = [
        "| campaign | until | offers | held back | bought | extra, measured | extra, expected | odds ratio |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        measured = (
            "–"
            if row["extra_purchases"] is None
            else f"{row['extra_purchases']:.1f} ({row['extra_low']:.1f} to {row['extra_high']:.1f})"
        )
        odds = "–" if row["odds_ratio"] is None else f"{row['odds_ratio']:.2f}"
        lines.append(
            f"| {row['campaign_id']} ({row['status']}) | {row['measured_until']} | {row['customers_offer']:,} "
            f"| {row['customers_control']:,} | {row['purchases_offer']:,} / {row['purchases_control']:,} "
            f"| {measured} | {row['expected_extra']:.1f} | {odds} |"
        )
    return "\n".join(lines)


@dg.asset(
    key=CAMPAIGN_RESULTS,
    deps=[CAMPAIGN_AUDIENCES, ORDERS],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"python", "table"},
    retry_policy=RETRY_AFTER_A_FAULT,
    description="For each campaign the effect of its offers, measured against the customers held back. Campaigns that are over are "
    "measured once; their odds ratios replace what the next campaign would have assumed.",
)
def campaign_results(warehouse: dg.ResourceParam[Warehouse], clock: Clock) -> dg.MaterializeResult:
    """Measure every campaign that has begun and has no final measurement yet."""
    last = last_business_date(warehouse)
    done = set(warehouse.read(RESULTS, ["campaign_id"], {"status": "complete"})["campaign_id"].to_pylist())
    for campaign in warehouse.read(CAMPAIGNS).to_pylist():
        if last is None or campaign["campaign_id"] in done or last < campaign["starts_on"]:
            continue
        until = min(last, campaign["ends_on"])
        mine, days = {"campaign_id": campaign["campaign_id"]}, {"business_date": (campaign["starts_on"], until)}
        audience = warehouse.read(AUDIENCES, ["customer_id", "arm", "product_id"], mine, ["customer_id"])
        orders = warehouse.read("marts.fct_orders", ["customer_id", "main_product_id"], between=days)
        found = outcomes_of(audience, orders)
        row = result_row(campaign, found, until, last > campaign["ends_on"], clock.timestamp())
        warehouse.replace(RESULTS, row, mine)
    rows = warehouse.read(RESULTS).sort_by([("campaign_id", "descending")]).to_pylist()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": row_count(warehouse, RESULTS),
            "results": dg.MetadataValue.md(results_in_words(rows)),
            "measured_against_expected": png(uplift_chart, rows),
        }
    )
