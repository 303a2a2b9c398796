"""`globolatte as-of`: what was known, decided and served at a moment of the past."""

import datetime as dt

import click
from rich.table import Table

from globolatte_cli.output import JSON, plain_console, print_json
from globolatte_lineage.as_of import AsOf, Row
from resources.environment import warehouse_of
from resources.settings.settings import Settings

SHOWN = 50


@click.command("as-of")
@click.argument("moment", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]))
@click.option("--files", is_flag=True, help="List the files with the status that each had.")
@JSON
def as_of(moment: dt.datetime, *, files: bool, as_json: bool) -> None:
    """Show what was known, decided and served at a moment of the past.

    MOMENT is in UTC: a date, which counts to its end, or a date and time such as 2024-03-05T06:00:00.
    """
    from globolatte_lineage import as_of as lineage

    until = moment + dt.timedelta(days=1) if moment.time() == dt.time() else moment
    with warehouse_of(Settings()).transaction() as transaction:
        found = lineage.as_of(transaction, until)
    if as_json:
        print_json(found.as_document())
    else:
        _print(found, files=files)


def _verdict(decision: Row) -> str:
    verdict = "promoted" if decision["promoted"] else "refused"
    last = f"version {decision['model_version']} {verdict} at {decision['decided_at']:%Y-%m-%d %H:%M} UTC"
    return f"version {decision['champion_version'] or 'none'}; the last verdict: {last}"


def _print(found: AsOf, *, files: bool) -> None:
    console = plain_console(highlight=False)
    statuses = ", ".join(f"{count:,} {status}" for status, count in found.statuses.items()) or "none"
    facts = Table(show_header=False, box=None)
    facts.add_row("before", f"{found.moment:%Y-%m-%d %H:%M:%S} UTC")
    facts.add_row("files", f"{statuses} (up to event {found.last_event:,} of the ledger)")
    decision, state = found.decision, found.state
    facts.add_row("champion", "not on record" if decision is None else _verdict(decision))
    served = (
        "not on record"
        if state is None
        else f"{state['state_version']}, published at {state['published_at']:%Y-%m-%d %H:%M} UTC"
    )
    facts.add_row("state served", served)
    for row in found.answers:
        words = f"{row['answers']:,} to {row['customers']:,} customers by {row['deployment']}, model version {row['model_version']}"
        facts.add_row("answers of the day", words)
    console.print(facts)
    if files:
        table = Table("file", "status", "sha256", "reason")
        for row in found.files[:SHOWN]:
            table.add_row(row["path"], row["status"], row["sha256"][:12], row["reason"] or "")
        console.print(table)
        if (more := len(found.files) - SHOWN) > 0:
            console.print(f"… and {more:,} more (all of them with --json)")
