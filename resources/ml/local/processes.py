"""One training process: under Dagster Pipes where it is the run's only one, else with its words in the run's log."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from resources.settings.settings import PROJECT_ROOT

STOP_SECONDS = 10.0


def environment() -> dict[str, str]:
    """What training processes get: shared cores, so one thread each."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def under_pipes(context: dg.AssetExecutionContext, module: str, *arguments: str | Path) -> None:
    """Runs a module under Dagster Pipes. Raises Dagster's error if it fails."""
    dg.PipesSubprocessClient().run(
        command=[sys.executable, "-m", module, *map(str, arguments)],
        context=context,
        cwd=str(PROJECT_ROOT),
        env=environment(),
    )


def run_module(context: dg.AssetExecutionContext, module: str, *arguments: str | Path) -> None:
    """Runs a module and puts what it says into the run's log; ends it if the run is interrupted.

    Raises `dagster.Failure` with its last words if it fails.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=PROJECT_ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        words, _ = process.communicate()
    except BaseException:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    if process.returncode:
        raise dg.Failure(
            description=f"{module} ended with code {process.returncode}: {words.strip()[-2000:]}", allow_retries=False
        )
    for line in words.splitlines():
        context.log.info(line)
