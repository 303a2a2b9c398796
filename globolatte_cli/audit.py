"""`globolatte audit`: add to the audit log, hold it against the tables, prove that an entry is in it."""

import click

from globolatte_cli.errors import UserError
from globolatte_cli.output import JSON, print_json
from globolatte_lineage.audit_log import (
    ANSWERS,
    BATCH,
    DECISION,
    ERASED,
    LEDGER_EVENT,
    SIGN_OFF,
    AuditLog,
    BrokenLogError,
)
from resources.environment import clock_of, warehouse_of
from resources.settings.settings import Settings
from resources.warehouse.predictions import kept_since

KINDS = {
    "event": LEDGER_EVENT,
    "decision": DECISION,
    "sign-off": SIGN_OFF,
    "erased-answer": ERASED,
    "answers": ANSWERS,
    "batch": BATCH,
}
BY_HAND = "command line"
MOST_SHOWN = 50


@click.group()
def audit() -> None:
    """Add to the audit log, hold it against the tables, prove that an entry is in it."""


def _log(settings: Settings) -> AuditLog:
    return AuditLog(settings.audit_segments_folder, warehouse_of(settings))


@audit.command()
@JSON
def append(*, as_json: bool) -> None:
    """Add what is new: ledger events, decisions, sign-offs, files of answers, batches of recommendations."""
    settings = Settings()
    try:
        done = _log(settings).append(clock_of(settings).timestamp(), BY_HAND)
    except BrokenLogError as error:
        raise UserError(str(error)) from error
    if as_json:
        print_json({"entries": done.entries, "answers": done.answers, "size": done.size, "root": done.root})
    else:
        click.echo(
            f"{done.entries:,} new entries with {done.answers:,} answers; the log has {done.size:,}. Root: {done.root}"
        )


@audit.command()
@click.option("--root", help="A root that was written down elsewhere; some head of the log has to have it.")
@JSON
def verify(root: str | None, *, as_json: bool) -> None:
    """Hold the segments of the log, the leaves on record and the tables against each other; name what differs."""
    settings = Settings()
    log = _log(settings)
    days = settings.prediction_log_days
    before = kept_since(log.warehouse, clock_of(settings).timestamp(), days) if days is not None else None
    found = log.verify(root=root, forgotten_before=before)
    if as_json:
        told = {"size": found.size, "root": found.root, "answers": found.answers}
        print_json(told | {"faults": list(found.faults), "notes": list(found.notes)})
    else:
        for fault in found.faults[:MOST_SHOWN]:
            click.secho(fault, fg="red")
        if len(found.faults) > MOST_SHOWN:
            click.echo(f"… and {len(found.faults) - MOST_SHOWN:,} more faults (all of them with --json)")
        for note in found.notes:
            click.echo(note)
        result = f"{len(found.faults):,} faults" if found.faults else "Nothing was removed, altered or reordered"
        click.echo(f"{result}: {found.size:,} entries and {found.answers:,} answers compared. Root: {found.root}")
    if found.faults:
        raise SystemExit(1)


@audit.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("key")
def prove(kind: str, key: str) -> None:
    """Print, as JSON, the proof of RFC 6962 that an entry is in the log.

    KEY: the sequence of a ledger event, the name of a file of answers, run/version of a decision, day/model/state of a batch.
    """
    try:
        print_json(_log(Settings()).prove(KINDS[kind], key))
    except KeyError as error:
        raise UserError(error.args[0]) from error
