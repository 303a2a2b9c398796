"""`globolatte scorecard`: a business unit's deliveries week by week, on the terminal or as a page to send to the unit."""

from pathlib import Path

import click
from rich.markdown import Markdown

from globolatte_assets.monitoring.supplier_scorecards import cards_of
from globolatte_assets.pictures import drawn
from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from globolatte_cli.output import plain_console
from globolatte_ingest.scorecard import WEEKS_TABLE, as_html, as_markdown, plot_of_weeks
from resources.atomic import write_text
from resources.environment import warehouse_of
from resources.settings.settings import Settings


@click.command()
@click.argument("unit")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page there: HTML, or Markdown if the name ends in .md.",
)
def scorecard(unit: str, out: Path | None) -> None:
    """Show what a business unit delivered, how late, and what could not be taken up; or write it as a page to send to the unit.

    UNIT is a business unit by its id, folder or name.
    """
    settings = Settings()
    prepare_home(settings)
    warehouse = warehouse_of(settings)
    units = warehouse.read("sales_data.business_units", ["business_unit_id", "folder", "unit_name"]).to_pylist()
    found = [one for one in units if unit.casefold() in {name.casefold() for name in one.values()}]
    if not found:
        known = ", ".join(f"{one['business_unit_id']} ({one['folder']})" for one in units) or "none"
        raise UserError(f"no business unit is called {unit!r}; use one of {known}")
    if not warehouse.has(WEEKS_TABLE):
        raise UserError("nothing was built yet; run `globolatte run` first")
    card = next((card for card in cards_of(warehouse) if card.business_unit == found[0]["business_unit_id"]), None)
    console = plain_console()
    if card is None:
        console.print(f"{found[0]['unit_name']} has delivered nothing yet.", highlight=False)
    elif out is None:
        console.print(Markdown(as_markdown(card, settings.delivery_hours)))
    else:
        plot, note = drawn(lambda: plot_of_weeks(card))
        write = as_markdown if out.suffix.lower() == ".md" else as_html
        write_text(out, write(card, settings.delivery_hours, plot))
        console.print(f"{out} has the scorecard of {card.name}. {note}".strip(), highlight=False)
