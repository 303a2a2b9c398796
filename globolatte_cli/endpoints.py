"""`globolatte endpoints …`: serve, list, start, stop, logs of the online endpoint."""

import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from globolatte_cli.output import JSON, print_json
from resources.endpoint.endpoint import EndpointError, ObservedDeployment, ObservedState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import last_lines
from resources.endpoint.local.supervisor import AlreadyRunningError, Supervisor
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
    except (AlreadyRunningError, EndpointError, OSError) as error:
        raise UserError(f"cannot serve: {error}") from error


@endpoints.command("deploy")
def deploy_champion() -> None:
    """Put the champion behind the endpoint, blue/green: the job `deploy`."""
    from globolatte_cli.run_pass import deploy  # loads all assets; other commands do not need them

    settings = Settings()
    deploy(settings)
    show(endpoint_of(settings).observed(), Console())


@endpoints.command()
def start() -> None:
    """Start the endpoint in the background and wait until it answers."""
    settings, console = Settings(), Console()
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
    console, endpoint = Console(), local_endpoint(Settings())
    ran = endpoint.supervisor() is not None
    with console.status("Stopping"):
        left = endpoint.stop()
    ended = f"; {left} processes of a killed supervisor ended too" if left else ""
    console.print(("The endpoint has stopped" if ran or left else "The endpoint was not running") + ended + ".")


@endpoints.command("list")
@JSON
def list_deployments(*, as_json: bool) -> None:
    """Show what runs: deployments, models, traffic, health."""
    state = endpoint_of(Settings()).observed()
    if as_json:
        print_json(asdict(state))
    else:
        show(state, Console())


def show(state: ObservedState, console: Console) -> None:
    """What runs, as a table."""
    if not state.running:
        console.print("The endpoint does not run. Start it with `globolatte endpoints start`, or deploy to it.")
        return
    console.print(f"{state.url}/score", "[green]up[/]" if state.healthy else "[red]gateway down[/]", highlight=False)
    if not state.deployments:
        console.print(NOTHING_DEPLOYED)
        return
    table = Table("deployment", "model", "traffic", "phase", "restarts", "answers", "state", box=SIMPLE_HEAD)
    for item in state.deployments:
        table.add_row(
            item.name,
            item.deployment.model_version,
            f"{item.traffic} %",
            f"[{'green' if item.healthy and not item.problems else 'yellow'}]{item.phase}[/]",
            str(item.restarts),
            _answers(item),
            str(item.status.get("state_version", "")),
        )
    console.print(table)
    for item in state.deployments:
        for problem in item.problems:
            console.print(f"[yellow]{item.name}[/]: ", end="")
            console.print(problem, markup=False, highlight=False)


def _answers(item: ObservedDeployment) -> str:
    """How many answers were logged since the process started, and how many could not be."""
    log = item.status.get("prediction_log") or {}
    lost = log.get("dropped", 0) + log.get("failed", 0)
    return f"{log.get('written', 0):,}" + (f" [red]({lost:,} not logged)[/]" if lost else "")


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
    console = Console(markup=False, highlight=False, soft_wrap=True)
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
