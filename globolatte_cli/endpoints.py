"""`globolatte endpoints …`: serve, list, start, stop, logs of the online endpoint."""

import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from globolatte_cli.output import JSON, plain_console, print_json
from globolatte_cli.running_parts import BRING_BACK, online_endpoint
from resources.endpoint.endpoint import EndpointError, ObservedDeployment, ObservedState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import last_lines
from resources.endpoint.local.keys import OVERLAP_HOURS, rotate_key
from resources.endpoint.local.supervisor import AlreadyRunningError, MovedError, Supervisor
from resources.environment import endpoint_of
from resources.settings.choices import MLKind
from resources.settings.settings import Settings

NOTHING_DEPLOYED = "Nothing is deployed yet: `globolatte endpoints deploy`, or the job `deploy` in the UI."


@click.group()
def endpoints() -> None:
    """The online endpoint: POST /score on 127.0.0.1, kept running by a supervisor.

    The key is in endpoints/key, or GLOBOLATTE_ENDPOINT_KEY.
    """


def local_endpoint(settings: Settings) -> LocalEndpoint:
    """The endpoint. Raises `UserError` if it is not on this machine."""
    endpoint = endpoint_of(settings) if settings.ml is MLKind.LOCAL else None
    if not isinstance(endpoint, LocalEndpoint):
        raise UserError(f"GLOBOLATTE_ML={settings.ml}: that endpoint is not on this machine; set GLOBOLATTE_ML=local")
    return endpoint


@endpoints.command()
def serve() -> None:
    """Keep the endpoint running in the foreground, until Ctrl-C."""
    settings = Settings()
    prepare_home(settings)
    endpoint = local_endpoint(settings)
    endpoint.files.stopped.unlink(missing_ok=True)
    try:
        Supervisor(endpoint.options).run()
    except (AlreadyRunningError, MovedError, EndpointError, OSError) as error:
        raise UserError(f"cannot serve: {error}") from error
    endpoint.files.stopped.touch()  # by whoever ended it: nothing else brings it back


@endpoints.command("deploy")
def deploy_champion() -> None:
    """Put the champion behind the endpoint, blue/green: the job `deploy`."""
    from globolatte_cli.run_pass import deploy  # loads all assets; other commands do not need them

    settings = Settings()
    deploy(settings)
    show(endpoint_of(settings).observed(), plain_console())


@endpoints.command()
def start() -> None:
    """Start the endpoint in the background and wait until it answers."""
    settings, console = Settings(), plain_console()
    prepare_home(settings)
    endpoint = local_endpoint(settings)
    try:
        with console.status("Starting"):
            endpoint.ensure_running()
            for name, percent in endpoint.desired().traffic.items():
                if percent:
                    endpoint.wait_healthy(name)
    except EndpointError as error:
        raise UserError(str(error)) from error
    show(endpoint.observed(), console)


@endpoints.command()
def stop() -> None:
    """End the endpoint with all of its processes."""
    console, endpoint = plain_console(), local_endpoint(Settings())
    ran = endpoint.supervisor() is not None
    try:
        with console.status("Stopping"):
            left = endpoint.stop()
    except EndpointError as error:
        raise UserError(str(error)) from error
    ended = f"; {left} processes of a killed supervisor ended too" if left else ""
    console.print(("The endpoint has stopped" if ran or left else "The endpoint was not running") + ended + ".")


@endpoints.command("rotate-key")
@click.option(
    "--at-once", is_flag=True, help="No other key is good from now on: for one that has got into wrong hands."
)
def rotate(*, at_once: bool) -> None:
    """Make a new key. The one before stays good for 24 hours, so that callers can change theirs one by one.

    Nothing is restarted. The new key is in endpoints/key; it is not printed.
    """
    files = local_endpoint(Settings()).files
    try:
        rotate_key(files, at_once=at_once)
    except (EndpointError, OSError) as error:
        raise UserError(str(error)) from error
    before = "no other one is good any more" if at_once else f"the one before is good for another {OVERLAP_HOURS} hours"
    plain_console().print(f"A new key is in {files.key}; {before}.", highlight=False, soft_wrap=True)


@endpoints.command("list")
@JSON
def list_deployments(*, as_json: bool) -> None:
    """Show what runs: deployments, models, traffic, health. What is wrong is said as by `globolatte doctor`."""
    settings, console = Settings(), plain_console()
    state = endpoint_of(settings).observed()
    wrong = [found for found in online_endpoint(settings) if not found.fine]
    if as_json:
        print_json({**asdict(state), "wrong": [asdict(found) for found in wrong]})
        return
    show(state, console)
    for found in () if state.missing else wrong:  # that nothing runs is said already
        console.print("✗ ", style="red", end="")
        console.print(f"{found.name}: {found.state}; {found.remedy}", highlight=False)


def show(state: ObservedState, console: Console) -> None:
    """What runs, as a table."""
    if state.missing:
        console.print(
            f"[red]Declared, not running[/]: {escape(f'{state.missing}. {BRING_BACK}.')}", markup=True, highlight=False
        )
        return
    if not state.running:
        console.print("The endpoint does not run. Start it with `globolatte endpoints start`, or deploy to it.")
        return
    health = Text("up", "green") if state.healthy else Text("gateway down", "red")
    console.print(f"{state.url}/score", health, highlight=False)
    if state.gateway_restarts:
        why = f"; it {state.gateway_error}" if state.gateway_error else ""
        console.print(
            f"The gateway was started again {state.gateway_restarts} times{why}.", style="yellow", highlight=False
        )
    if state.note:
        console.print(state.note, style="yellow", markup=False, highlight=False)
    if not state.deployments:
        console.print(NOTHING_DEPLOYED)
        return
    table = Table("deployment", "model", "traffic", "phase", "restarts", "answers", "state", box=SIMPLE_HEAD)
    for item in state.deployments:
        table.add_row(
            item.name,
            item.deployment.model_version,
            f"{item.traffic} %",
            Text(item.phase, "green" if item.healthy and not item.problems else "yellow"),
            str(item.restarts),
            _answers(item),
            str(item.status.get("state_version", "")),
        )
    console.print(table)
    for item in state.deployments:
        for problem in item.problems:
            console.print(Text(item.name, "yellow"), ": ", sep="", end="")
            console.print(problem, markup=False, highlight=False)


def _answers(item: ObservedDeployment) -> Text:
    """How many answers were logged since the process started, and how many could not be."""
    log = item.status.get("prediction_log") or {}
    lost = log.get("dropped", 0) + log.get("failed", 0)
    written = f"{log.get('written', 0):,}"
    return Text.assemble(written, (f" ({lost:,} not logged)", "red")) if lost else Text(written)


@endpoints.command()
@click.argument("name", default="supervisor")
@click.option("--lines", default=40, show_default=True, type=click.IntRange(min=1), help="How many lines.")
@click.option("--follow", is_flag=True, help="Go on printing what is added.")
def logs(name: str, lines: int, *, follow: bool) -> None:
    """Print what supervisor, gateway or a deployment (blue, green) said last."""
    files = local_endpoint(Settings()).files
    path = files.log(name)
    if not path.exists():
        there = ", ".join(sorted(log.stem for log in path.parent.glob("*.log"))) or "none yet"
        raise UserError(f"there is no log of {name!r}; there are: {there}")
    console = plain_console(highlight=False, soft_wrap=True)
    console.print(last_lines(path, lines))
    if follow:
        _follow(path, console)


def _follow(path: Path, console: Console) -> None:
    with path.open(errors="replace") as stream:
        stream.seek(0, 2)
        while True:
            line = stream.readline()
            if line:
                console.print(line, end="")
            else:
                time.sleep(0.2)
