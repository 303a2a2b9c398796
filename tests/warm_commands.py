"""The command line in processes that have the libraries imported: a fork of one process that imported them once for each worker.

What is ours is imported in each command. The first run of the shared home and `globolatte dev` start as a person's shell starts them.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

LIBRARIES = (
    "azure.ai.ml",
    "azure.identity",
    "click",
    "dagster",
    "dagster_azure.blob",
    "dagster_dbt",
    "dbt.adapters.duckdb",
    "dbt.cli.main",
    "dagster_snowflake",
    "duckdb",
    "evidently",
    "matplotlib.pyplot",
    "mlflow.pyfunc",
    "mlflow.tracking",
    "pandas",
    "pyarrow",
    "pydantic_settings",
    "rich.live",
    "scipy.stats",
    "sklearn",
)
"""Nothing of these starts a thread or reads a setting of ours when it is imported."""

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(list(LIBRARIES))


def start(
    arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path | None = None
) -> "ForkServerProcess":
    """Starts `globolatte` with these arguments; what it prints goes into files, errors into the output's if they have none."""
    process = FORKED.Process(target=_globolatte, args=(list(arguments), dict(environment), output, errors))
    process.start()
    return process


def _globolatte(arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path | None) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with output.open("wb") as said:
        os.dup2(said.fileno(), sys.stdout.fileno())
        if errors is None:
            os.dup2(said.fileno(), sys.stderr.fileno())
    if errors is not None:
        with errors.open("wb") as complained:
            os.dup2(complained.fileno(), sys.stderr.fileno())
    sys.argv = ["globolatte", *arguments]
    from globolatte_cli.main import main

    main()
