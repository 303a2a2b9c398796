"""`globolatte dev`: the Dagster UI and daemon, on this deployment's state."""

import os
import sys
from pathlib import Path

from rich.console import Console

from globolatte_cli.instance import prepare_home
from globolatte_cli.prepare import ensure_manifest
from resources.environment import landing_of
from resources.settings import PROJECT_ROOT, Settings


def start_dagster(host: str, port: int) -> None:
    """Becomes `dagster dev`: the web server, the daemon, and the sensors that are on by default."""
    settings = Settings()
    prepare_home(settings)
    ensure_manifest()
    console = Console(stderr=True)
    console.print(
        f"Dagster UI: http://{host}:{port}\n"
        f"Drop sales files into sales/ of {landing_of(settings).describe()}. Ctrl-C stops everything."
    )
    os.chdir(PROJECT_ROOT)
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.execv(dagster, [dagster, "dev", "--host", host, "--port", str(port), "--workspace", "workspace.yaml"])  # noqa: S606
