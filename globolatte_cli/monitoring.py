"""`globolatte monitoring accept|undo|list`: changes that people accept, after which windows are judged against the new normal."""

import datetime as dt
from dataclasses import asdict

import click
from rich.table import Table

from globolatte_assets.jobs import MONITOR
from globolatte_assets.monitoring.accepted_changes import (
    HEADS,
    Acceptance,
    CannotBeAcceptedError,
    accept_change,
    acceptances,
    cells_of,
    undo_acceptance,
)
from globolatte_cli.errors import UserError
from globolatte_cli.output import BY, JSON, WHY, plain_console, print_json
from globolatte_ml.monitoring.accepted import AcceptedChange
from resources.environment import clock_of, warehouse_of
from resources.settings.settings import Settings


@click.group()
def monitoring() -> None:
    """Monitoring: accept a change as the new normal, undo that, list what was accepted."""


@monitoring.command()
@click.argument("column")
@click.option("--unit", help="The business unit's id, such as BU_MX; default: all units.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help="The first business date on which the column was as it is now.",
)
@click.option("--empty", is_flag=True, help="Values are missing since then, all or some, and that is meant too.")
@BY
@WHY
def accept(column: str, unit: str | None, since: dt.datetime, *, empty: bool, by: str, why: str) -> None:
    """Accept that COLUMN changed: its windows are compared with what it has been since then, those evaluated already, too.

    That its values are missing is accepted by --empty alone.
    """
    settings = Settings()
    try:
        made = accept_change(
            warehouse_of(settings),
            AcceptedChange(column, unit, since.date(), empty),
            by=by,
            why=why,
            clock=clock_of(settings),
        )
    except CannotBeAcceptedError as error:
        raise UserError(str(error)) from error
    plain_console().print(f"Accepted as {made.change_id}: {made}", markup=False)
    judge_again(settings)


@monitoring.command()
@click.argument("change")
@BY
@WHY
def undo(change: str, by: str, why: str) -> None:
    """Undo the acceptance of CHANGE, an id of `globolatte monitoring list`: windows are judged as before it."""
    settings = Settings()
    try:
        undone = undo_acceptance(warehouse_of(settings), change, by=by, why=why, clock=clock_of(settings))
    except CannotBeAcceptedError as error:
        raise UserError(str(error)) from error
    plain_console().print(f"Undone: {undone}", markup=False)
    judge_again(settings)


@monitoring.command("list")
@JSON
def list_accepted(*, as_json: bool) -> None:
    """List the changes that people accepted, with those that were undone."""
    found = acceptances(warehouse_of(Settings()))
    if as_json:
        print_json([asdict(one) for one in found])
    elif not found:
        plain_console().print("No change was accepted.")
    else:
        plain_console().print(listed(found))


def judge_again(settings: Settings) -> None:
    """Has monitoring judge the windows that what was accepted concerns."""
    from globolatte_cli.run_pass import run_job  # loads all assets, which a refusal does not need

    run_job(settings, MONITOR, "Windows judged again")


def listed(found: list[Acceptance]) -> Table:
    """The acceptances as a table."""
    table = Table("change", *HEADS)
    for one in found:
        table.add_row(one.change_id, *cells_of(one))
    return table
