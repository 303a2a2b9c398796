"""`globolatte recall`: what a wrong file reached, what is at stake, and what mends it."""

import click
from rich.table import Table

from globolatte_cli.errors import UserError
from globolatte_cli.files import landing_path
from globolatte_cli.output import JSON, plain_console, print_json
from globolatte_cli.trace import print_trace
from globolatte_lineage.forward import NothingKnownError
from globolatte_lineage.recall import Recall, recall_file
from globolatte_lineage.records import places_of
from resources.environment import warehouse_of
from resources.settings.settings import Settings

OF_UNIT = "(in the unit's currency)"
"""In place of a currency that the rows do not name."""


@click.command()
@click.argument("path")
@JSON
def recall(path: str, *, as_json: bool) -> None:
    """Show what a wrong file reached, what is at stake, and what mends it. Changes nothing.

    PATH is the file's path in the landing zone, such as sales/usa/2024/01/31/sales.csv.
    """
    settings = Settings()
    try:
        with warehouse_of(settings).transaction() as transaction:
            found = recall_file(transaction, places_of(settings), landing_path(path))
    except NothingKnownError as error:
        raise UserError(str(error)) from error
    if as_json:
        print_json({**found.as_document(), "mend": mend_of(found)})
        return
    console = plain_console(highlight=False)
    table = Table(show_header=False, box=None)
    for name, value in _facts(found).items():
        table.add_row(name, value)
    console.print(table)
    print_trace(found.trace, console)
    console.print(f"To mend it: {mend_of(found)}", soft_wrap=True)


def mend_of(found: Recall) -> str:
    """What a person does about it, in words with the commands."""
    if not found.lines:
        return "nothing of it is loaded."
    mend = (
        f"upload the corrected file under the same path, or `globolatte retract {found.path}`; then `globolatte run`: marts, features, "
        "state, segments and recommendations follow"
    )
    if found.models:
        mend += (
            f", and model version {', '.join(found.models)} is replaced at the next training (the job `train_model`)"
        )
    return f"{mend}."


def _facts(found: Recall) -> dict[str, str]:
    takings = ", ".join(f"{amount} {currency or OF_UNIT}" for currency, amount in found.takings.items())
    return {
        "rows": f"{found.lines:,} order lines in {found.orders:,} orders",
        "dates": ", ".join(map(str, found.dates)) or "none",
        "takings at stake": takings or "none",
        "customers": f"{len(found.customers):,} whose features count its rows (all of them with --json)",
        "models": ", ".join(found.models) or "none was trained on it",
    }
