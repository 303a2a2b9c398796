"""`globolatte quarantine …`, `globolatte ledger …`, `globolatte retract`: the status of files, and steps that people request.

A step is recorded first; then the ingest job does it for exactly that file's partition, as in a run requested by a sensor.
"""

import getpass
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from globolatte_cli.errors import UserError
from globolatte_cli.output import JSON, plain_console, print_json
from globolatte_ingest.discovery import LoadRange
from globolatte_ingest.kept_files import KeptFiles, NotKeptError
from globolatte_ingest.ledger import Ledger, LedgerStatus, Step
from globolatte_ingest.paths import layout_of
from globolatte_ingest.quarantine_sheets import export, overview, quarantined_rows, read_corrections
from globolatte_ingest.reasons import RefusedError
from globolatte_ingest.requested_steps import CannotBeDoneError, not_in_the_ledger, requested_step, to_retry
from resources.environment import clock_of, landing_of, warehouse_of
from resources.settings.choices import LandingKind
from resources.settings.settings import Settings

SHOWN = 50
NOTHING_IN_QUARANTINE = "Nothing is held or quarantined."

COLUMNS_OF_ROWS = ("row_number", "line_number", "reason", "detail", "raw_text")
COLUMNS_OF_FILES = ("recorded_at", "path", "status", "rows_loaded", "rows_quarantined", "reason_code", "reason")
COUNTS = ("rows_in_file", "rows_loaded", "rows_quarantined")
COLUMNS_OF_VERSIONS = ("recorded_at", "status", *COUNTS, "sha256", "reason_code", "reason")
COLUMNS_OF_EVENTS = (
    "happened_at",
    "event",
    "sha256",
    "business_unit",
    "business_date",
    "reason",
    "asked_by",
    "note",
    "run_id",
)
COLUMNS_OF_STEPS = ("asked_at", "step", "asked_by", "note", "settled_at", "outcome")

NOTE = click.option("--note", help="Why, for the record.")


@click.group()
def quarantine() -> None:
    """Rows that could not be loaded, and files that are held: list, correct and release them.

    PATH is the file's path in the landing zone, such as sales/usa/2024/01/31/sales.csv.
    """


@click.group()
def ledger() -> None:
    """The load ledger: every version of every file, and what became of it."""


@quarantine.command("list")
@JSON
def list_quarantine(*, as_json: bool) -> None:
    """List held files, and files with quarantined rows."""
    with warehouse_of(Settings()).transaction() as transaction:
        files = overview(transaction)
    if as_json:
        print_json(files)
    elif not files:
        plain_console().print(NOTHING_IN_QUARANTINE)
    else:
        columns = {
            "path": "file",
            "status": "state",
            "rows_in_file": "rows",
            "rows_quarantined": "bad",
            "reasons": "reasons",
        }
        print_table(files, columns)


@quarantine.command("show")
@click.argument("path")
@JSON
def show_quarantine(path: str, *, as_json: bool) -> None:
    """Show a file's quarantined rows: line, reason, text."""
    rows = _rows(landing_path(path))
    if as_json:
        print_json(rows.to_pylist())
        return
    shown = rows.select(list(COLUMNS_OF_ROWS)).slice(0, SHOWN).to_pylist()
    print_table(shown, COLUMNS_OF_ROWS, "`globolatte quarantine export`", rows.num_rows)


@quarantine.command("export")
@click.argument("path", required=False)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="CSV file to write.")
def export_quarantine(path: str | None, out: Path) -> None:
    """Write a file's quarantined rows, or all of them, for a spreadsheet. Cells that would be run as formulas are escaped."""
    path = None if path is None else landing_path(path)
    rows = _rows(path)
    export(rows, out)
    plain_console(soft_wrap=True).print(
        f"{rows.num_rows:,} rows written to {out}. Correct them there, leave path and row_number as they are, and put them back by "
        f"`globolatte quarantine release {path or 'PATH'} --rows {out}`"
        + (", for each PATH in it." if path is None else "."),
        highlight=False,
        markup=False,
    )


def _rows(path: str | None) -> pa.Table:
    with warehouse_of(Settings()).transaction() as transaction:
        rows = quarantined_rows(transaction, path)
        history = Ledger(transaction).history(path) if path else None
    if rows.num_rows:
        return rows
    if history is None:
        raise UserError(NOTHING_IN_QUARANTINE)
    if not history.versions:
        raise UserError(not_in_the_ledger(history.path))
    last = history.versions[-1]
    why = f": {last['reason']}" if last["reason"] else ""
    raise UserError(f"{path}: has no quarantined rows; it is {last['status']}{why}")


def landing_path(given: str) -> str:
    """The path within the landing zone; a path of the file on this machine is converted to it."""
    settings = Settings()
    file = Path(given).resolve()
    if settings.landing is LandingKind.FOLDER and file.is_relative_to(settings.landing_folder.resolve()):
        return file.relative_to(settings.landing_folder.resolve()).as_posix()
    return given


@quarantine.command()
@click.argument("path")
@click.option(
    "--rows",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Exported rows, corrected, to replace the quarantined ones.",
)
@NOTE
def release(path: str, rows: Path | None, note: str | None) -> None:
    """Put corrected rows back (--rows), or load the good rows of a held file."""
    path = landing_path(path)
    if rows is None:
        request_and_do(Step.APPROVE, path, note)
        return
    try:
        corrections = read_corrections(rows.read_bytes(), path)
    except RefusedError as refused:
        raise UserError(f"{rows}: {refused}") from refused
    request_and_do(Step.RELEASE, path, note, corrections)


@quarantine.command()
@click.argument("path", required=False)
@click.option(
    "--unit",
    help="A unit's landing folder or id: all of its files that are refused or held, or have rows in quarantine.",
)
@NOTE
def retry(path: str | None, unit: str | None, note: str | None) -> None:
    """Validate a file again under what is known now: after a product or a unit was added, or a format declared."""
    if (path is None) == (unit is None):
        raise UserError("give the PATH of one file, or --unit and the landing folder or id of a unit")
    if unit is not None:
        _retry_unit(unit, note)
    else:
        request_and_do(Step.RETRY, landing_path(str(path)), note)


def _retry_unit(unit: str, note: str | None) -> None:
    """Requests a retry of each of a unit's files and does them, in one run for each landing folder that they lie in."""
    from globolatte_cli.run_pass import opened_pass  # loads all assets, which listing does not need

    settings = Settings()
    layout = layout_of(settings)
    with warehouse_of(settings).transaction() as transaction:
        units = transaction.fetch("select folder, business_unit_id from sales_data.business_units").to_pylist()
        folder = next((one["folder"] for one in units if unit in one.values()), None)
        if folder is None:
            known = ", ".join(sorted(one["folder"] for one in units))
            raise UserError(f"no business unit has the folder or id {unit!r} (known folders: {known}); correct it")
        load_ledger, now = Ledger(transaction), clock_of(settings).timestamp()
        steps = []
        for path in to_retry(transaction, folder, layout):
            try:
                history = load_ledger.history(path)
                steps.append(requested_step(Step.RETRY, history, getpass.getuser(), note, layout=layout))
            except CannotBeDoneError as fault:
                plain_console().print(str(fault), highlight=False, markup=False)
            else:
                load_ledger.request(steps[-1], now)
    if not steps:
        plain_console().print(f"{folder}: no file is refused or held, or has rows in quarantine.", highlight=False)
        return
    places = sorted(
        (step.folder, layout.is_home(step.business_date, step.business_date), step.business_date) for step in steps
    )
    with opened_pass(settings) as one:
        for (of_unit, _), alike in groupby(places, key=lambda place: place[:2]):
            dates = [date for *_, date in alike]
            one.ingest(LoadRange(of_unit, dates[0], dates[-1]))
    found = warehouse_of(settings).read("sales_data.ledger_steps", ["step_id", "path", "outcome"])
    outcomes = {row["step_id"]: row["outcome"] for row in found.to_pylist()}
    for step in steps:
        done = outcomes[step.step_id] or "recorded, but could not be done yet; `globolatte run` does it"
        plain_console().print(f"{step.path}: {done}", highlight=False, markup=False)
    plain_console().print("What follows from it is built by the automation, or by `globolatte run`.")


@click.command()
@click.argument("path")
@NOTE
@click.confirmation_option(prompt="Take the rows of this file out?")
def retract(path: str, note: str | None) -> None:
    """Take a file's rows out of the tables; the ledger says so. `globolatte quarantine retry` puts them back."""
    request_and_do(Step.RETRACT, landing_path(path), note)


@ledger.command("list")
@click.option(
    "--status",
    type=click.Choice(["loaded", "refused", "held", "retracted"]),
    help="Only files in this state, such as refused.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and all files.")
def list_ledger(status: str | None, *, as_json: bool) -> None:
    """List what became of the latest version of each file, the latest first."""
    with warehouse_of(Settings()).transaction() as transaction:
        files = Ledger(transaction).latest_versions(status or "")
    for file in files if not as_json else []:
        if file["status"] == LedgerStatus.LOADED and file["rows_in_file"] and not file["rows_loaded"]:
            file["status"] = "loaded, no row"
    if as_json:
        print_json(files)
        return
    if not files:
        plain_console().print(f"No file is {status}." if status else "The ledger is empty.")
        return
    print_table(files, COLUMNS_OF_FILES, "--json")


@ledger.command("show")
@click.argument("path")
@JSON
def show_ledger(path: str, *, as_json: bool) -> None:
    """Show every version of a file, what happened to it in its order, and every step that people took."""
    path = landing_path(path)
    with warehouse_of(Settings()).transaction() as transaction:
        history = Ledger(transaction).history(path)
    if not history.versions:
        raise UserError(not_in_the_ledger(path))
    if as_json:
        parts = {name: list(getattr(history, name)) for name in ("versions", "steps", "events")}
        print_json({"path": path, **parts})
        return
    for entries, columns in ((history.versions, COLUMNS_OF_VERSIONS), (history.events, COLUMNS_OF_EVENTS)):
        print_table([{**entry, "sha256": entry["sha256"][:12]} for entry in entries], columns)
    if history.steps:
        print_table(history.steps, COLUMNS_OF_STEPS)


@ledger.command("fetch")
@click.argument("path")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@click.option(
    "--version", "start", help="The version whose SHA-256 starts like this, as `ledger show` has it; else the latest."
)
def fetch_version(path: str, out: Path, start: str | None) -> None:
    """Write the bytes of a loaded version as they landed, also after the file was replaced or removed."""
    path, settings = landing_path(path), Settings()
    kept = KeptFiles(settings.kept_files_folder, settings.keep_files_days)
    with warehouse_of(settings).transaction() as transaction:
        history = Ledger(transaction).history(path)
        places = {entry["sha256"]: kept.place_of(transaction, entry["sha256"]) for entry in history.versions}
    if not history.versions:
        raise UserError(not_in_the_ledger(path))
    found = [entry for entry in history.versions if entry["sha256"].startswith(start or "")]
    if start and len({entry["sha256"] for entry in found}) != 1:
        versions = ", ".join(sha256[:12] for sha256 in places)
        raise UserError(f"{path}: --version {start} is not the start of exactly one of {versions}")
    version = found[-1]
    try:
        kept.fetch(places[version["sha256"]], version["sha256"], landing_of(settings), out)
    except NotKeptError as fault:
        raise UserError(f"{path}, version {version['sha256'][:12]}: {fault}") from fault
    plain_console().print(
        f"{out}: {path} as of {version['recorded_at']:%Y-%m-%d %H:%M} UTC", highlight=False, markup=False
    )


def request_and_do(step: Step, path: str, note: str | None, corrections: pa.Table | None = None) -> None:
    """Records a step and runs the ingest job to do it. Raises `UserError` if it is not possible or fails."""
    from globolatte_cli.run_pass import opened_pass  # loads all assets, which listing does not need

    settings = Settings()
    with warehouse_of(settings).transaction() as transaction:
        load_ledger = Ledger(transaction)
        corrected = corrections["row_number"].to_pylist() if corrections is not None else []
        quarantined = quarantined_rows(transaction, path)["row_number"].to_pylist() if corrected else []
        try:
            requested = requested_step(
                step,
                load_ledger.history(path),
                getpass.getuser(),
                note,
                corrected,
                quarantined,
                layout_of(settings),
            )
        except CannotBeDoneError as fault:
            raise UserError(str(fault)) from fault
        load_ledger.request(requested, clock_of(settings).timestamp(), corrections)
    with opened_pass(settings) as one:
        one.ingest(LoadRange(requested.folder, requested.business_date, requested.business_date))
    found = warehouse_of(settings).read("sales_data.ledger_steps", ["outcome"], {"step_id": requested.step_id})
    done = found["outcome"][0].as_py()
    if done is None:
        raise UserError(f"{path}: {step} is recorded, but could not be done yet; `globolatte run` does it")
    plain_console().print(f"{path}: {done}", highlight=False, markup=False)
    plain_console().print("What follows from it is built by the automation, or by `globolatte run`.")


def print_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Iterable[str] | Mapping[str, str],
    others: str = "",
    total: int | None = None,
) -> None:
    """Prints these columns of rows for people, values unchanged.

    A mapping gives the columns other headings. Prints only the first `SHOWN` rows if `others` says how to see the others; `total` is
    the number of rows, if not all are in `rows`.
    """
    names = columns.values() if isinstance(columns, Mapping) else columns
    table = Table(*(Column(name, overflow="fold") for name in names), box=SIMPLE_HEAD)
    for row in rows[:SHOWN] if others else rows:
        table.add_row(*(Text("" if row[name] is None else str(row[name])) for name in columns))
    plain_console(highlight=False).print(table)
    if others and (more := (total or len(rows)) - SHOWN) > 0:
        plain_console().print(f"{more:,} more: see them by {others}.")
