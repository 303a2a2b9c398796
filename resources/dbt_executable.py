"""The dbt that builds run: dbt's own command line, except that `--version` does not look for newer releases on the package index.

dagster-dbt calls `--version` before each build, and a build must neither need the internet nor wait for it.
"""

import sys
from importlib.metadata import version


def main() -> None:
    """`globolatte-dbt`: takes what `dbt` takes."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{version('dbt-core')}\n")
    else:
        from dbt.cli.main import cli

        cli()
