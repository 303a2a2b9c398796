"""`globolatte campaign`: an audience for a product within a budget, through the same job that the launchpad starts."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from resources.settings.settings import Settings


def make_campaign(config: dict[str, Any], *, as_json: bool) -> None:
    """Runs the job and prints what it chose."""
    from globolatte_assets.jobs import CAMPAIGN
    from globolatte_assets.keys import CAMPAIGN_AUDIENCES
    from globolatte_cli.run_pass import opened_pass
    from resources.warehouse.campaigns import AUDIENCES, CAMPAIGNS

    settings, name = Settings(), CAMPAIGN_AUDIENCES.to_python_identifier()
    with opened_pass(settings) as one:
        if as_json:
            one.console.quiet = True
        result = one.job(CAMPAIGN, "Campaign", config={name: {"config": config}})
        metadata = result.asset_materializations_for_node(name)[0].metadata
        campaign_id = str(metadata["campaign"].value)
        campaign = one.warehouse.read(CAMPAIGNS, where={"campaign_id": campaign_id}).to_pylist()[0]
        audience = one.warehouse.read(AUDIENCES, where={"campaign_id": campaign_id}, order_by=["rank"]).to_pylist()
    console = Console()
    if as_json:
        console.print_json(json.dumps({**campaign, "audience": audience}, default=str))
        return
    console.print(f"Campaign {campaign_id}: {metadata['expected'].value}.", highlight=False)
    console.print(f"Left out: {metadata['left_out'].value}. Held back: {campaign['controls']:,}.", highlight=False)
    console.print(table_of(audience))
    console.print(
        f"[dim]All {len(audience):,} customers: {AUDIENCES}; result: endpoints/campaign_results after {campaign['ends_on']}[/]"
    )


def table_of(audience: list[dict[str, Any]], shown: int = 10) -> Table:
    """The first customers who get the offer, for the terminal."""
    table = Table()
    for name in ("#", "customer", "unit", "offer", "would buy", "extra"):
        table.add_column(name, justify="right" if name in ("#", "would buy", "extra") else "left")
    for row in [row for row in audience if row["arm"] == "offer"][:shown]:
        numbers = f"{row['expected_purchases']:.2f}", f"{row['expected_extra']:.3f}"
        table.add_row(str(row["rank"]), row["customer_id"], row["business_unit"], row["product_id"], *numbers)
    return table
