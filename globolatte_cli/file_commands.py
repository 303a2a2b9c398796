"""The commands on landed files: quarantine, retract, ledger. Words and options only; what they do is in `steps`, imported when they run."""

from pathlib import Path

import click


@click.group()
def quarantine() -> None:
    """Rows that were not certain enough to be loaded, and files that are held: see them, mend them, put them back.

    PATH is the file's path in the landing zone, such as sales/usa/2024/01/31/sales.csv.
    """


@quarantine.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def quarantine_list(*, as_json: bool) -> None:
    """List held files, and files with quarantined rows."""
    from globolatte_cli.steps import list_quarantine

    list_quarantine(as_json=as_json)


@quarantine.command("show")
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def quarantine_show(path: str, *, as_json: bool) -> None:
    """Show a file's quarantined rows: line, reason, text."""
    from globolatte_cli.steps import show_quarantine

    show_quarantine(path, as_json=as_json)


@quarantine.command("export")
@click.argument("path", required=False)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="CSV file to write.")
def quarantine_export(path: str | None, out: Path) -> None:
    """Write a file's quarantined rows, or all of them, for a spreadsheet. Cells that would be run as formulas are escaped."""
    from globolatte_cli.steps import export_quarantine

    export_quarantine(path, out)


NOTE = click.option("--note", help="Why, for the record.")


@quarantine.command("release")
@click.argument("path")
@click.option(
    "--rows",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Exported rows, corrected, to put in the place of the quarantined ones.",
)
@NOTE
def quarantine_release(path: str, rows: Path | None, note: str | None) -> None:
    """Put corrected rows back (--rows), or load the good rows of a held file."""
    from globolatte_cli.steps import release

    release(path, rows, note)


@quarantine.command("retry")
@click.argument("path")
@NOTE
def quarantine_retry(path: str, note: str | None) -> None:
    """Validate a file again under what is known now: after a product or a unit was added, or a format declared."""
    from globolatte_cli.steps import retry

    retry(path, note)


@click.command()
@click.argument("path")
@NOTE
@click.confirmation_option(prompt="Take the rows of this file out?")
def retract(path: str, note: str | None) -> None:
    """Take a file's rows out of the tables; the ledger says so. Uploading it again loads it again."""
    from globolatte_cli.steps import retract as take_out

    take_out(path, note)


@click.group()
def ledger() -> None:
    """The load ledger: every version of every file, and what became of it."""


@ledger.command("list")
@click.option(
    "--status",
    type=click.Choice(["loaded", "refused", "held", "retracted"]),
    help="Only files in this state, such as refused.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and all files.")
def ledger_list(status: str | None, *, as_json: bool) -> None:
    """List what became of the latest version of each file, the latest first."""
    from globolatte_cli.steps import list_ledger

    list_ledger(status, as_json=as_json)


@ledger.command("show")
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ledger_show(path: str, *, as_json: bool) -> None:
    """Show every version of a file, and every step that people took."""
    from globolatte_cli.steps import show_ledger

    show_ledger(path, as_json=as_json)
