"""`globolatte campaign`: an audience for a product within a budget, through the same job that the launchpad starts."""

from typing import Any

import click
from rich.table import Table

from globolatte_assets.jobs import CAMPAIGN
from globolatte_assets.keys import CAMPAIGN_AUDIENCES
from globolatte_cli.output import JSON, numbers, plain_console, print_json
from globolatte_cli.run_pass import opened_pass
from resources.settings.settings import Settings
from resources.warehouse.campaigns import AUDIENCES, CAMPAIGNS


@click.command()
@click.option(
    "--product", default="", help="Product to offer, by id or name; default: what is worth most to push in each unit."
)
@click.option("--budget", type=click.FloatRange(min=0), required=True, help="What all contacts may cost together.")
@click.option(
    "--cost",
    "cost_per_contact",
    type=click.FloatRange(min=0, min_open=True),
    default=0.25,
    show_default=True,
    help="Of one contact.",
)
@click.option(
    "--unit", "units", multiple=True, help="Business unit to address; may be given several times. Default: all."
)
@click.option(
    "--days", type=click.IntRange(min=1), default=14, show_default=True, help="For how many days purchases count."
)
@click.option(
    "--control",
    "control_share",
    type=click.FloatRange(0, 0.9),
    default=0.2,
    show_default=True,
    help="Share that is held back.",
)
@click.option("--name", default="", help="Name of the campaign; default: the product's.")
@JSON
def campaign(*, as_json: bool, **config: Any) -> None:
    """Choose who to offer what within a budget, log the contacts, and hold a control group back."""
    config["units"] = list(config["units"])
    node = CAMPAIGN_AUDIENCES.to_python_identifier()
    with opened_pass(Settings()) as one:
        if as_json:
            one.console.quiet = True
        result = one.job(CAMPAIGN, "Campaign", config={node: {"config": config}})
        metadata = result.asset_materializations_for_node(node)[0].metadata
        campaign_id = str(metadata["campaign"].value)
        made = one.warehouse.read(CAMPAIGNS, where={"campaign_id": campaign_id}).to_pylist()[0]
        audience = one.warehouse.read(AUDIENCES, where={"campaign_id": campaign_id}, order_by=["rank"]).to_pylist()
    if as_json:
        print_json({**made, "audience": audience})
        return
    console = plain_console()
    console.print(f"Campaign {campaign_id}: {metadata['expected'].value}.", highlight=False)
    console.print(f"Left out: {metadata['left_out'].value}. Held back: {made['controls']:,}.", highlight=False)
    console.print(table_of(audience))
    console.print(
        f"All {len(audience):,} customers: {AUDIENCES}; result: endpoints/campaign_results after {made['ends_on']}",
        style="dim",
    )


def table_of(audience: list[dict[str, Any]], shown: int = 10) -> Table:
    """The first customers who get the offer, for the terminal."""
    table = Table(numbers("#"), "customer", "unit", "offer", numbers("would buy"), numbers("extra"))
    for row in [row for row in audience if row["arm"] == "offer"][:shown]:
        expected = f"{row['expected_purchases']:.2f}", f"{row['expected_extra']:.3f}"
        table.add_row(str(row["rank"]), row["customer_id"], row["business_unit"], row["product_id"], *expected)
    return table
