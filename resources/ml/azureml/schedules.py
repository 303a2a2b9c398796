"""Schedules and model monitors of the workspace, as definitions: for teams that want Azure ML itself to start them.

GloboLatte retrains and monitors drift by its own graph; these definitions do the same inside Azure ML, without Dagster.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.ml.azureml.computes import ensure_compute
from resources.ml.azureml.data_assets import SNAPSHOTS, latest_data
from resources.ml.azureml.environments import copy_science, ensure_environment, training_environment
from resources.ml.azureml.faults import AzureMLError, faults_of, found_or_none
from resources.ml.azureml.training_jobs import JobParts, components, pipeline_job
from resources.ml.azureml.workspace import Workspace
from resources.settings.azureml import AzureMLSettings

if TYPE_CHECKING:
    from azure.ai.ml.entities import JobSchedule, MonitorSchedule

LATEST = f"azureml:{SNAPSHOTS}@latest"
"""In definitions that are written down."""
RETRAINING, MONITOR = "globolatte-weekly-training", "globolatte-monitor"
SNAPSHOT_TAG = "snapshot"
JENSEN_SHANNON, CHI_SQUARED = 0.1, 0.02
SPARK, SPARK_SIZE = "3.4", "standard_e4s_v3"


def parts_of(settings: AzureMLSettings, code: Path, environment: str, compute: str | None) -> JobParts:
    """A training of the snapshot that is the latest when this is sent to Azure ML."""
    return JobParts(settings, code, environment, compute, LATEST, {"started_by": "schedule"})


def retraining_schedule(parts: JobParts, steps: dict[str, Any]) -> "JobSchedule":
    """The training pipeline every Monday morning. Azure ML schedules pipelines only."""
    from azure.ai.ml.constants import TimeZone
    from azure.ai.ml.entities import JobSchedule, RecurrencePattern, RecurrenceTrigger

    pattern = RecurrencePattern(hours=4, minutes=0, week_days=["monday"])
    trigger = RecurrenceTrigger(frequency="week", interval=1, schedule=pattern, time_zone=TimeZone.UTC)
    job = pipeline_job(parts, steps, "")
    job.name = None
    return JobSchedule(name=RETRAINING, trigger=trigger, create_job=job, description="Train on the latest snapshot")


def monitor_schedule(settings: AzureMLSettings, deployment: str, emails: list[str]) -> "MonitorSchedule":
    """Data and prediction drift of a deployment against its training data, every night; needs the data collector."""
    from azure.ai.ml import Input
    from azure.ai.ml.constants import MonitorDatasetContext
    from azure.ai.ml.entities import (
        AlertNotification,
        BaselineDataRange,
        CategoricalDriftMetrics,
        CronTrigger,
        DataDriftMetricThreshold,
        DataDriftSignal,
        MonitorDefinition,
        MonitoringTarget,
        MonitorSchedule,
        NumericalDriftMetrics,
        ProductionData,
        ReferenceData,
        ServerlessSparkCompute,
    )

    requests = Input(type="uri_folder", path=f"azureml:{settings.endpoint}-{deployment}-model_inputs:1")
    signal = DataDriftSignal(
        production_data=ProductionData(
            input_data=requests,
            data_context=MonitorDatasetContext.MODEL_INPUTS,
            data_window=BaselineDataRange(lookback_window_size="P7D", lookback_window_offset="P0D"),
        ),
        reference_data=ReferenceData(
            input_data=requests,
            data_context=MonitorDatasetContext.MODEL_INPUTS,
            data_window=BaselineDataRange(lookback_window_size="P28D", lookback_window_offset="P7D"),
        ),
        metric_thresholds=DataDriftMetricThreshold(
            numerical=NumericalDriftMetrics(jensen_shannon_distance=JENSEN_SHANNON),
            categorical=CategoricalDriftMetrics(pearsons_chi_squared_test=CHI_SQUARED),
        ),
    )
    definition = MonitorDefinition(
        compute=ServerlessSparkCompute(instance_type=SPARK_SIZE, runtime_version=SPARK),
        monitoring_target=MonitoringTarget(
            ml_task="classification", endpoint_deployment_id=f"azureml:{settings.endpoint}:{deployment}"
        ),
        monitoring_signals={"request_drift": signal},
        alert_notification=AlertNotification(emails=emails) if emails else None,
    )
    return MonitorSchedule(name=MONITOR, trigger=CronTrigger(expression="0 3 * * *"), create_monitor=definition)


def ensure_retraining(workspace: Workspace) -> str:
    """Creates or updates the schedule to train on the latest snapshot, and enables it; returns its name.

    Azure ML looks up which version is the latest when a schedule is made, not when it fires: `follow_latest` makes it again.
    """
    settings = workspace.settings
    asset = latest_data(workspace, SNAPSHOTS)
    if asset is None:
        raise AzureMLError(
            f"schedule {RETRAINING}", "has no snapshot to train on", "materialize models/training_snapshot"
        )
    environment, compute = ensure_environment(workspace, training_environment(workspace)), ensure_compute(workspace)
    with tempfile.TemporaryDirectory(prefix="globolatte-schedule-") as scratch:
        parts = parts_of(settings, copy_science(Path(scratch) / "code"), environment, compute)
        parts = replace(
            parts,
            snapshot=f"azureml:{SNAPSHOTS}:{asset.version}",
            tags={**parts.tags, SNAPSHOT_TAG: str(asset.version)},
        )
        schedule = retraining_schedule(parts, components(parts))
        with faults_of(f"schedule {RETRAINING}", workspace.studio("schedules")):
            return str(workspace.client.schedules.begin_create_or_update(schedule).result().name)


def follow_latest(workspace: Workspace, version: str) -> None:
    """Makes the schedule train on a snapshot that was just stored, if there is a schedule and it is enabled."""
    found = find(workspace, RETRAINING)
    if found is not None and found.is_enabled and (found.create_job.tags or {}).get(SNAPSHOT_TAG) != version:
        ensure_retraining(workspace)


def ensure_monitor(workspace: Workspace, deployment: str, emails: list[str]) -> str:
    """Creates or updates the monitor, and enables it; returns its name."""
    with faults_of(f"monitor {MONITOR}", workspace.studio("monitoring")):
        monitor = monitor_schedule(workspace.settings, deployment, emails)
        return str(workspace.client.schedules.begin_create_or_update(monitor).result().name)


def find(workspace: Workspace, name: str) -> Any:
    """A schedule or monitor, or none."""
    return found_or_none(
        f"schedule {name}", lambda: workspace.client.schedules.get(name), workspace.studio("schedules")
    )


def disable(workspace: Workspace, name: str) -> None:
    """Disables a schedule or monitor, so that it can be enabled again. Raises `AzureMLError` if there is none."""
    if find(workspace, name) is None:
        raise AzureMLError(
            f"schedule {name}", "is not there", "there is nothing to switch off", workspace.studio("schedules")
        )
    with faults_of(f"schedule {name}", workspace.studio("schedules")):
        workspace.client.schedules.begin_disable(name).result()
