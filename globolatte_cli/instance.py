"""Dagster's instance folder, and the settings of this call."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from resources.environment import export
from resources.settings.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

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

WITHOUT_CAPTURE = """\
# No capture of what steps print. Capturing starts four processes a step, which outlive a pass that is killed; a pass keeps what is
# printed in its own log.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
WITH_POOLED_STORAGE = """\
# The same storage, with its files kept open.
run_storage:
  module: resources.pooled_sqlite
  class: PooledSqliteRunStorage
  config:
    base_dir: {history}
event_log_storage:
  module: resources.pooled_sqlite
  class: PooledSqliteEventLog
  config:
    base_dir: {runs}
"""

HEADLESS_FILE = "headless.yaml"
EVENT_BATCH_SIZE = "500"
"""Events of a step written to Dagster's storage at a time: one SQLite write per event is most of a backfill's time."""


def prepare_home(settings: Settings) -> Path:
    """Makes the state folders and Dagster's instance configuration, and hands the settings on to child processes."""
    import os

    for folder in (settings.home, settings.landing_folder, settings.dagster_folder):
        folder.mkdir(parents=True, exist_ok=True)
    configuration = settings.dagster_folder / "dagster.yaml"
    if not configuration.exists():
        configuration.write_text(DAGSTER_YAML)
    export(settings)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENT_BATCH_SIZE)
    return settings.dagster_folder


def open_instance(settings: Settings) -> "dg.DagsterInstance":
    """The Dagster instance of this deployment, for a headless pass."""
    import dagster as dg

    folder = prepare_home(settings)
    (folder / HEADLESS_FILE).write_text(_headless(folder))
    return dg.DagsterInstance.from_config(str(folder), config_filename=HEADLESS_FILE)


def _headless(folder: Path) -> str:
    """What `dagster.yaml` says, and what suits a headless pass where it says nothing."""
    common = (folder / "dagster.yaml").read_text()
    text = f"# Written by globolatte at every headless pass, from dagster.yaml.\n{common}"
    if "compute_logs:" not in common:
        text += WITHOUT_CAPTURE
    if "storage:" not in common:
        history = folder / "history"
        text += WITH_POOLED_STORAGE.format(history=json.dumps(str(history)), runs=json.dumps(str(history / "runs")))
    return text
