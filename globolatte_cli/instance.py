"""Dagster's instance folder, and the settings of this call."""

import os
import tempfile
from pathlib import Path

import dagster as dg

from globolatte_cli.errors import UserError
from resources.environment import export
from resources.settings.settings import Settings

DAGSTER_YAML = """\
# Written by globolatte when this file is missing; yours to edit from then on.
nux:
  enabled: false
telemetry:
  enabled: false
run_retries:
  # A run whose process died is started again; one that failed by its own fault is not.
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
concurrency:
  runs:
    max_concurrent_runs: 3
  pools:
    # Everything that touches the warehouse shares the pool `warehouse`: DuckDB lets one process at a time use its file.
    default_limit: 1
"""

EVENT_BATCH_SIZE = "500"
"""Events of a step written to Dagster's storage at a time: one SQLite write per event is most of a backfill's time."""


def prepare_home(settings: Settings) -> Path:
    """Makes the state folders and Dagster's instance configuration, and passes the settings to child processes.

    Raises `UserError` if the home cannot be written.
    """
    try:
        for folder in (settings.home, settings.landing_folder, settings.dagster_folder):
            folder.mkdir(parents=True, exist_ok=True)
        configuration = settings.dagster_folder / "dagster.yaml"
        if not configuration.exists():
            configuration.write_text(DAGSTER_YAML)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as fault:
        raise UserError(
            f"the home {settings.home} cannot be written: {fault.strerror or fault}; make it writable for this user, or set "
            "GLOBOLATTE_HOME to another folder"
        ) from fault
    export(settings)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENT_BATCH_SIZE)
    return settings.dagster_folder


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of this deployment, as its `dagster.yaml` says."""
    return dg.DagsterInstance.from_config(str(prepare_home(settings)))
