"""Picks the resources of an environment. Only this module knows which environment it is; only the chosen libraries are imported."""

import os
import sys
from pathlib import Path

from resources.alerts import Alerts
from resources.clock import Clock
from resources.endpoint.endpoint import Endpoint
from resources.endpoint.prediction_files import PredictionFiles
from resources.endpoint.serving_state import ServingStates
from resources.landing.event_queue import EventQueue
from resources.landing.landing_zone import LandingZone
from resources.ml.ml_platform import MLPlatform
from resources.ml.training_method import training_method
from resources.settings.azureml import AzureMLSettings
from resources.settings.choices import (
    Environment,
    LandingKind,
    MLKind,
    WarehouseKind,
    required,
)
from resources.settings.settings import NO_STAGE, PROJECT_ROOT, Settings
from resources.warehouse.snapshot_export import SnapshotExports, StraightIntoBlob, ThroughThisWorker
from resources.warehouse.warehouse import Warehouse

DBT_PROJECT_FOLDER = PROJECT_ROOT / "dbt_project"
DBT_EXECUTABLE = Path(sys.executable).with_name("globolatte-dbt")
"""The dbt of this Python environment, not one on the path."""


def clock_of(settings: Settings) -> Clock:
    """The clock: the real one unless `GLOBOLATTE_NOW` fixes it."""
    return Clock(fixed_at=settings.now.isoformat() if settings.now else None)


def landing_of(settings: Settings) -> LandingZone:
    """The landing zone. Raises `MissingSettingError` if the kind needs a setting that is not there."""
    if settings.landing is LandingKind.FOLDER:
        from resources.landing.folder import FolderLandingZone

        return FolderLandingZone(folder=str(settings.landing_folder))
    from resources.landing.blob import BlobLandingZone

    return BlobLandingZone(
        account_url=required(settings.blob_account_url, "GLOBOLATTE_BLOB_ACCOUNT_URL", "GLOBOLATTE_LANDING=blob"),
        container=settings.blob_container,
        credential=settings.blob_credential,
    )


def has_event_queue(settings: Settings) -> bool:
    """Whether a queue reports new files: the landing zone is a container, and a queue is named."""
    return settings.landing is LandingKind.BLOB and bool(settings.blob_queue)


def event_queue_of(settings: Settings) -> EventQueue:
    """The queue with the events of new blobs. Raises `MissingSettingError` if a setting that it needs is missing."""
    return EventQueue(
        account_url=settings.queue_account_url,
        queue=required(settings.blob_queue, "GLOBOLATTE_BLOB_QUEUE", "the blob event sensor"),
        credential=settings.blob_credential,
        hidden_seconds=settings.blob_queue_hidden_seconds,
    )


def warehouse_of(settings: Settings) -> Warehouse:
    """The warehouse. Raises `MissingSettingError` if the kind needs a setting that is not there."""
    if settings.warehouse is WarehouseKind.DUCKDB:
        from resources.warehouse.duckdb_file import DuckDBWarehouse

        return DuckDBWarehouse(file=str(settings.warehouse_file), wait_seconds=settings.warehouse_wait_seconds)
    from resources.warehouse.snowflake import SnowflakeWarehouse

    why = "GLOBOLATTE_WAREHOUSE=snowflake"
    key_path = settings.snowflake_private_key_path
    return SnowflakeWarehouse(
        account=required(settings.snowflake_account, "GLOBOLATTE_SNOWFLAKE_ACCOUNT", why),
        user=required(settings.snowflake_user, "GLOBOLATTE_SNOWFLAKE_USER", why),
        database=settings.snowflake_database,
        compute=settings.snowflake_warehouse,
        role=settings.snowflake_role,
        authentication=settings.snowflake_authentication,
        private_key_path=str(key_path) if key_path else None,
        host=settings.snowflake_host,
        port=settings.snowflake_port,
        protocol=settings.snowflake_protocol,
        wait_seconds=settings.warehouse_wait_seconds,
        network_seconds=settings.snowflake_network_seconds,
    )


SHORT_TIMEOUT_SECONDS = 2.0


def warehouse_with_short_timeout(settings: Settings) -> Warehouse:
    """The warehouse for a sensor. A tick has only a minute, so it waits briefly; if the warehouse is busy, the next tick tries again."""
    return warehouse_of(settings.model_copy(update={"warehouse_wait_seconds": SHORT_TIMEOUT_SECONDS}))


def warehouse_for_reading(settings: Settings) -> Warehouse:
    """The warehouse as it is, with a short timeout: a DuckDB file is neither made nor migrated."""
    if settings.warehouse is WarehouseKind.DUCKDB:
        from resources.warehouse.duckdb_file import DuckDBWarehouse

        return DuckDBWarehouse(file=str(settings.warehouse_file), wait_seconds=SHORT_TIMEOUT_SECONDS, read_only=True)
    return warehouse_with_short_timeout(settings)


def ml_of(settings: Settings) -> MLPlatform:
    """The ML platform. Raises `MissingSettingError` if a setting of Azure ML is not there."""
    if settings.ml is MLKind.LOCAL:
        from resources.ml.local.platform import LocalMLPlatform

        return LocalMLPlatform(
            folder=str(settings.mlflow_folder),
            training=settings.training,
            training_file=str(settings.training_file) if settings.training_file else None,
            wait_seconds=settings.warehouse_wait_seconds,
        )
    from resources.ml.azureml.platform import AzureMLPlatform

    method = training_method(settings.training, settings.training_file)
    return AzureMLPlatform(AzureMLSettings.from_environment(), settings.azureml_folder, method)


def snapshots_of(settings: Settings, warehouse: Warehouse, ml: MLPlatform) -> SnapshotExports:
    """How snapshots get from the warehouse to the ML platform."""
    both = settings.warehouse is WarehouseKind.SNOWFLAKE and settings.ml is MLKind.AZUREML
    if both and settings.snowflake_stage != NO_STAGE:
        from resources.ml.azureml.platform import AzureMLPlatform
        from resources.warehouse.snowflake import SnowflakeWarehouse

        if isinstance(warehouse, SnowflakeWarehouse) and isinstance(ml, AzureMLPlatform):
            return lambda _: StraightIntoBlob(warehouse, ml, settings.snowflake_stage)
    return lambda run_id: ThroughThisWorker(warehouse, ml, ml.snapshot_staging(run_id))


def endpoint_of(settings: Settings) -> Endpoint:
    """The online endpoint. Raises `MissingSettingError` if a setting of Azure ML is not there."""
    if settings.ml is MLKind.LOCAL:
        from resources.endpoint.local.endpoint import LocalEndpoint

        return LocalEndpoint(
            folder=str(settings.endpoints_folder),
            port=settings.endpoint_port,
            log_seconds=settings.prediction_log_seconds,
            wait_seconds=settings.endpoint_wait_seconds,
        )
    from resources.endpoint.azureml.endpoint import AzureMLEndpoint

    return AzureMLEndpoint(AzureMLSettings.from_environment(), settings.azureml_folder / "models", states_of(settings))


def states_of(settings: Settings) -> ServingStates:
    """The customer states that serving reads."""
    folder, kept = str(settings.endpoints_folder), settings.states_kept
    if settings.ml is MLKind.LOCAL:
        return ServingStates(folder=folder, kept=kept)
    from resources.endpoint.azureml.serving_storage import SharedServingStates

    return SharedServingStates(folder=folder, kept=kept)


def predictions_of(settings: Settings) -> PredictionFiles:
    """The files in which the endpoint's deployments log their answers."""
    folder = str(settings.endpoints_folder / "prediction_log")
    if settings.ml is MLKind.LOCAL:
        return PredictionFiles(folder=folder, days=settings.prediction_log_days)
    from resources.endpoint.azureml.serving_storage import SharedPredictionFiles

    return SharedPredictionFiles(folder=folder, days=settings.prediction_log_days)


def export(settings: Settings) -> None:
    """Passes the settings to this process' children: dbt, training jobs, Dagster's own processes."""
    os.environ.update(settings.environment_variables())
    # A build of some models runs only the tests whose tables all exist, not those that compare with models not built yet.
    os.environ.setdefault("DBT_INDIRECT_SELECTION", "buildable")


def dbt_artifacts_of(settings: Settings) -> Path:
    """The folder for logs of builds, and for dbt's parsed project, which the next build reuses."""
    return settings.home / "dbt"


def check_secrets(settings: Settings) -> None:
    """That dev, staging and prod start with the secrets that they need: one that is missing ends the start, not the first run of the day.

    Locally a secret is read where it is used. Raises `MissingSettingError` with the name of the variable.
    """
    if settings.env is Environment.LOCAL:
        return
    if settings.landing is LandingKind.BLOB:
        from resources.azure_storage import secret_variable

        if (variable := secret_variable(settings.blob_credential)) is not None:
            why = f"GLOBOLATTE_BLOB_CREDENTIAL={settings.blob_credential}"
            required(os.environ.get(variable), variable, why)
    if settings.warehouse is WarehouseKind.SNOWFLAKE:
        from resources.warehouse.snowflake_account import credentials

        key = settings.snowflake_private_key_path
        credentials(settings.snowflake_authentication, str(key) if key else None)


def resources_of(settings: Settings) -> dict[str, object]:
    """The resources of assets and sensors, by name. Raises `MissingSettingError` for a setting or secret that the environment needs."""
    from resources.dbt_cli import DbtOfThisEnvironment

    check_secrets(settings)
    warehouse, ml = warehouse_of(settings), ml_of(settings)
    return {
        "clock": clock_of(settings),
        "alerts": Alerts(),
        "landing": landing_of(settings),
        **({"events": event_queue_of(settings)} if has_event_queue(settings) else {}),
        "warehouse": warehouse,
        "ml": ml,
        "snapshots": snapshots_of(settings, warehouse, ml),
        "states": states_of(settings),
        "endpoint": endpoint_of(settings),
        "predictions": predictions_of(settings),
        "dbt": DbtOfThisEnvironment(
            project_dir=str(DBT_PROJECT_FOLDER),
            profiles_dir=str(DBT_PROJECT_FOLDER),
            dbt_executable=str(DBT_EXECUTABLE),
            artifacts_dir=str(dbt_artifacts_of(settings)),
            # Writing dbt's debug log, and its parsed project as JSON, takes a tenth of a daily build each.
            global_config_flags=["--log-level-file", "info", "--no-write-json"],
        ),
    }
