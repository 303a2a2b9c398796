"""`globolatte dev`: the Dagster UI and daemon, on this deployment's state."""

import os
import signal
import sys
from pathlib import Path

from rich.console import Console

from globolatte_cli.instance import prepare_home
from globolatte_cli.prepare import ensure_manifest
from globolatte_cli.report_pages import start_beside_this_process
from resources.environment import landing_of
from resources.settings.settings import PROJECT_ROOT, Settings


def start_dagster(host: str, port: int) -> None:
    """Becomes `dagster dev`: the web server, the daemon, and the sensors that are on by default; drift reports are served beside it."""
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
    os.chdir(PROJECT_ROOT)
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.execv(dagster, [dagster, "dev", "--host", host, "--port", str(port), "--workspace", "workspace.yaml"])  # noqa: S606
