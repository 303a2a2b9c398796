"""What starts work: the jobs, and the sensors that request their runs."""

from collections.abc import Sequence

import dagster as dg

from globolatte_assets.jobs import AssetJob, jobs
from resources.environment import has_event_queue
from resources.settings.choices import LandingKind, MissingDelivery
from resources.settings.settings import Settings
from sensors.alerts import alert_sensor
from sensors.audit import audit_schedule
from sensors.automation import automation_sensor
from sensors.container import blob_event_sensor, reconciliation_sensor
from sensors.landing import landing_sensor
from sensors.prediction_log import prediction_log_sensor
from sensors.retraining import retraining_sensor
from sensors.run_health import run_health_sensor


def file_sensors(settings: Settings, jobs: Sequence[AssetJob]) -> list[dg.SensorDefinition]:
    """The sensors of this deployment's landing zone: one for a folder; event and reconciliation sensor for a container."""
    if settings.landing is LandingKind.FOLDER:
        return [landing_sensor(settings, jobs)]
    events = [blob_event_sensor(settings, jobs)] if has_event_queue(settings) else []
    return [*events, reconciliation_sensor(settings, jobs)]


def sensors(settings: Settings) -> dg.Definitions:
    """The jobs, which select across the stages, and all sensors and schedules of a deployment."""
    watched = settings.missing_delivery is not MissingDelivery.OFF
    all_jobs = jobs(sorted(settings.business_units) if watched else ())
    return dg.Definitions(
        jobs=all_jobs,
        sensors=[
            *file_sensors(settings, all_jobs),
            retraining_sensor(settings, all_jobs),
            prediction_log_sensor(all_jobs),
            run_health_sensor(settings),
            alert_sensor(settings),
            automation_sensor(),
        ],
        schedules=[audit_schedule(all_jobs)],
    )
