"""`globolatte dev`: runs `dagster dev`, the UI and the daemon, on this deployment's state, and serves the drift reports."""

import os
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from globolatte_cli.instance import prepare_home
from globolatte_cli.prepare import ensure_manifest
from globolatte_cli.report_pages import start_beside_this_process
from resources.environment import endpoint_of, landing_of
from resources.settings.choices import MLKind
from resources.settings.settings import PROJECT_ROOT, Settings


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the web page.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def dev(port: int, host: str) -> None:
    """Start the Dagster UI with sensors and automation on."""
    # A script starts what runs in the background with interrupts ignored. Dagster would take over that for SIGTERM, and not end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    settings = Settings()
    prepare_home(settings)
    ensure_manifest()
    console = Console(stderr=True)
    console.print(
        f"Dagster UI: http://{host}:{port}\n"
        f"Drop sales files into sales/ of {landing_of(settings).describe()}. Ctrl-C stops everything."
    )
    complaint = start_beside_this_process(settings.reports_folder, settings.reports_url)
    console.print(f"[yellow]{complaint}[/]" if complaint else f"Drift reports: {settings.reports_url}", highlight=False)
    if settings.ml is MLKind.LOCAL and endpoint_of(settings).bring_back():
        console.print("The online endpoint is declared and did not run; it is started again.")
    os.chdir(PROJECT_ROOT)
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.execv(dagster, [dagster, "dev", "--host", host, "--port", str(port), "--workspace", "workspace.yaml"])  # noqa: S606
