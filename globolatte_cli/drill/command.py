"""`globolatte drill`: plays faults on a copy of the home, and fails if one of them is silent."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from globolatte_cli.drill.deliveries import DELIVERIES, Delivery, play_deliveries
from globolatte_cli.drill.serving import SERVING
from globolatte_cli.drill.stage import Fault, Shown, Stage, played, stage_in
from globolatte_cli.drill.states import STATES
from globolatte_cli.errors import UserError
from globolatte_cli.output import JSON, print_json
from resources.environment import export
from resources.settings.settings import Settings

FAULTS: tuple[Fault | Delivery, ...] = (*STATES, *DELIVERIES, *SERVING)


@click.command()
@click.option(
    "--only", "names", multiple=True, metavar="NAME", help="Play this fault alone; may be given several times."
)
@click.option(
    "--home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The home to copy; default: GLOBOLATTE_HOME.",
)
@JSON
def drill(*, names: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Play faults on a copy of the home, and show what says so of each.

    Which check or message showed it, how soon, and what was lost. The home itself is not touched. Exit code 1 if a fault was silent.
    """
    settings = Settings() if home is None else Settings(home=home.resolve())
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        raise UserError(f"there is no fault {min(unknown)!r}; there are: {', '.join(fault.name for fault in FAULTS)}")
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="globolatte-drill-") as folder,
        console.status("Copying the home") as status,
    ):
        shown = list(results(settings, Path(folder), names, status.update))
    if as_json:
        print_json([{**asdict(one), "silent": one.silent} for one in shown])
    else:
        _print(shown)
    sys.exit(1 if any(one.silent for one in shown) else 0)


def results(settings: Settings, folder: Path, names: tuple[str, ...], say: Callable[[str], object]) -> Iterator[Shown]:
    """What came of each chosen fault; all if none is chosen. Ends whatever it starts."""
    chosen = {fault.name for fault in FAULTS if not names or fault.name in names}
    stage = stage_in(folder / "home", settings)
    export(stage.settings)
    for fault in STATES:
        if fault.name in chosen:
            say(fault.what)
            yield played(fault, stage)
    say("Delivering files and running a pass")
    yield from play_deliveries(stage, [one for one in DELIVERIES if one.name in chosen])
    serving = [fault for fault in SERVING if fault.name in chosen]
    if serving:
        yield from _on_an_endpoint(stage, serving, say)


def _on_an_endpoint(stage: Stage, faults: list[Fault], say: Callable[[str], object]) -> Iterator[Shown]:
    say("Deploying on the copy")
    try:
        deployed = stage.globolatte("endpoints", "deploy")
        if deployed.returncode:
            raise UserError(f"the copy cannot be deployed: {deployed.stderr.strip()[-1000:]}")
        for fault in faults:
            say(fault.what)
            yield played(fault, stage)
            stage.endpoint.wait_until_converged()
    finally:
        stage.endpoint.stop()


def _print(shown: list[Shown]) -> None:
    table = Table("fault", "what happened", "shown by", "after", "lost", show_lines=True)
    for one in shown:
        by = one.by[:160] if one.by else "[red]nothing[/]"
        table.add_row(one.fault, one.what, by.replace("[", r"\[") if one.by else by, f"{one.seconds:.1f} s", one.lost)
    console = Console()
    console.print(table)
    silent = [one.fault for one in shown if one.silent]
    console.print(f"{len(shown)} faults, {len(silent)} of them silent{': ' + ', '.join(silent) if silent else ''}.")
