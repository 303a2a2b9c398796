"""`globolatte drill`: plays faults on a copy of the home, and fails if one of them is silent or takes something without a word."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from globolatte_cli.drill.callers import CALLERS
from globolatte_cli.drill.deliveries import DELIVERIES, Delivery
from globolatte_cli.drill.passes import play_deliveries
from globolatte_cli.drill.programs import PROGRAMS
from globolatte_cli.drill.serving import SERVING
from globolatte_cli.drill.stage import OF_THE_ORIGINAL, Fault, Outcome, Shown, Stage, played, stage_in
from globolatte_cli.drill.states import STATES
from globolatte_cli.errors import UserError
from globolatte_cli.output import JSON, print_json
from resources.endpoint.endpoint import EndpointError
from resources.environment import export
from resources.settings.settings import Settings

ON_AN_ENDPOINT: tuple[Fault, ...] = (*CALLERS, *SERVING)
FAULTS: tuple[Fault | Delivery, ...] = (*STATES, *PROGRAMS, *DELIVERIES, *ON_AN_ENDPOINT)
KILLED_BY = 128
"""An exit code is this and the signal's number."""


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

    Which check or message showed it, how soon, and what was lost. The home itself is not touched. Exit code 1 if a fault was silent, took
    something without a word, was red before, or could not be played.
    """
    settings = Settings() if home is None else Settings(home=home.resolve())
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        raise UserError(f"there is no fault {min(unknown)!r}; there are: {', '.join(fault.name for fault in FAULTS)}")
    console = Console(stderr=True)
    with (
        ended_by_a_signal(),
        tempfile.TemporaryDirectory(prefix="globolatte-drill-") as folder,
        console.status("Copying the home") as status,
    ):
        shown = list(results(settings, Path(folder), names, status.update))
    if as_json:
        print_json([asdict(one) for one in shown])
    else:
        _print(shown)
    sys.exit(0 if all(one.fine for one in shown) else 1)


@contextmanager
def ended_by_a_signal() -> Iterator[None]:
    """A first SIGTERM or SIGINT ends what goes on as an exception does, so that all that was started is stopped; further ones wait."""
    signals = (signal.SIGTERM, signal.SIGINT)

    def end(number: int, _: object) -> None:
        for one in signals:
            signal.signal(one, signal.SIG_IGN)
        sys.exit(KILLED_BY + number)

    before = {one: signal.signal(one, end) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def results(settings: Settings, folder: Path, names: tuple[str, ...], say: Callable[[str], object]) -> Iterator[Shown]:
    """What came of each chosen fault; all if none is chosen. Ends whatever it starts."""

    def chosen(faults: tuple[Fault, ...]) -> list[Fault]:
        return [fault for fault in faults if not names or fault.name in names]

    stage = stage_in(folder / "home", settings)
    for name in OF_THE_ORIGINAL:
        os.environ.pop(name, None)
    export(stage.settings)
    for fault in [*chosen(STATES), *chosen(PROGRAMS)]:
        say(fault.what)
        yield played(fault, stage)
    if deliveries := chosen_deliveries(names):
        say("Delivering files and running passes")
        yield from play_deliveries(stage, deliveries)
    if on_an_endpoint := chosen(ON_AN_ENDPOINT):
        yield from _on_an_endpoint(stage, on_an_endpoint, say)


def chosen_deliveries(names: tuple[str, ...]) -> list[Delivery]:
    """Those of these names, all if there is none; a later one brings what it builds on."""
    wanted = {one.name for one in DELIVERIES if not names or one.name in names}
    wanted |= {one.builds_on for one in DELIVERIES if one.name in wanted}
    return [one for one in DELIVERIES if one.name in wanted]


def _on_an_endpoint(stage: Stage, faults: list[Fault], say: Callable[[str], object]) -> Iterator[Shown]:
    say("Deploying on the copy")
    try:
        deployed = stage.globolatte("endpoints", "deploy")
        for fault in faults:
            if deployed.returncode:
                why = f"the copy cannot be deployed: {deployed.stderr.strip()[-1000:]}"
                yield Shown(fault.name, fault.kind, fault.what, Outcome.NOT_PLAYED, why, 0.0, "not measured")
                continue
            say(fault.what)
            shown = played(fault, stage)
            try:
                stage.endpoint.wait_until_converged()
            except EndpointError as error:
                shown = shown.worse(Outcome.LOST, f"it does not come back: {error}")
            yield shown
    finally:
        stage.endpoint.stop()


def _print(shown: list[Shown]) -> None:
    table = Table("fault", "what happened", "outcome", "shown by", "after", "lost", show_lines=True)
    for one in shown:
        outcome = f"[{'green' if one.fine else 'red'}]{one.outcome}[/]"
        table.add_row(one.fault, one.what, outcome, escape(one.by[:160]), f"{one.seconds:.1f} s", escape(one.lost))
    console = Console()
    console.print(table)
    failed = [f"{one.fault} ({one.outcome})" for one in shown if not one.fine]
    console.print(
        f"{len(shown)} faults, {len(failed)} of them not as they should be{': ' * bool(failed)}{', '.join(failed)}."
    )
