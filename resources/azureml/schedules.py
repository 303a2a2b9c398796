"""Schedules and model monitors of the workspace, as definitions: for teams that want Azure ML itself to start them.

GloboLatte retrains and watches drift by its own graph; these do the same inside Azure ML, where it stands without Dagster.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.azureml.data_assets import SNAPSHOTS
from resources.azureml.environments import ensure_environment, training_environment
from resources.azureml.faults import faults_of
from resources.azureml.settings import AzureMLSettings
from resources.azureml.training_jobs import JobParts, components, pipeline_job
from resources.azureml.workspace import Workspace

if TYPE_CHECKING:
    from azure.ai.ml.entities import JobSchedule, MonitorSchedule

LATEST = f"azureml:{SNAPSHOTS}@latest"
RETRAINING, MONITOR = "globolatte-weekly-training", "globolatte-monitor"
JENSEN_SHANNON, CHI_SQUARED = 0.1, 0.02
SPARK, SPARK_SIZE = "3.4", "standard_e4s_v3"


def parts_of(settings: AzureMLSettings, code: Path, environment: str, compute: str | None) -> JobParts:
    """A training of whatever snapshot is the latest when it begins."""
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

    def collected(name: str) -> Input:
        path = f"azureml:{settings.endpoint}-{deployment}-{name}:1"
        return Input(type="uri_folder", path=path)

    signal = DataDriftSignal(
        production_data=ProductionData(
            input_data=collected("model_inputs"),
            data_context=MonitorDatasetContext.MODEL_INPUTS,
            data_window=BaselineDataRange(lookback_window_size="P7D", lookback_window_offset="P0D"),
        ),
        reference_data=ReferenceData(
            input_data=collected("model_inputs"),
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


def ensure_retraining(workspace: Workspace, code: Path, compute: str | None) -> str:
    """Makes the schedule, or changes the one that is there; its name."""
    environment = ensure_environment(workspace, training_environment(workspace))
    parts = parts_of(workspace.settings, code, environment, compute)
    with faults_of(f"schedule {RETRAINING}", workspace.studio("schedules")):
        schedule = retraining_schedule(parts, components(parts))
        return str(workspace.client.schedules.begin_create_or_update(schedule).result().name)


def ensure_monitor(workspace: Workspace, deployment: str, emails: list[str]) -> str:
    """Makes the monitor, or changes the one that is there; its name."""
    with faults_of(f"monitor {MONITOR}", workspace.studio("monitoring")):
        monitor = monitor_schedule(workspace.settings, deployment, emails)
        return str(workspace.client.schedules.begin_create_or_update(monitor).result().name)
