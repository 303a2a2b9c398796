"""The dbt that builds run: dbt's own command line, except that `--version` does not look for newer releases on the package index,
and that each home's warehouse has the same name for it.

dagster-dbt calls `--version` before each build, and a build must neither need the internet nor wait for it.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path

WAREHOUSE_FILE = "GLOBOLATTE_DUCKDB_PATH"


def main() -> None:
    """`globolatte-dbt`: takes what `dbt` takes."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{version('dbt-core')}\n")
        return
    if "DBT_PROJECT_DIR" in os.environ:
        _start_beside_the_warehouse()
    from dbt.cli.main import cli

    cli()


def _start_beside_the_warehouse() -> None:
    """Names the warehouse's file from its own folder.

    dbt parses the whole project anew when anything of its connection has changed. So what `globolatte prepare` parsed serves every
    home, also one that was moved or copied.
    """
    file = Path(os.environ.get(WAREHOUSE_FILE, ""))
    if file.is_absolute() and file.parent.is_dir():
        os.chdir(file.parent)
        os.environ[WAREHOUSE_FILE] = file.name
