"""What starts work: the jobs, and the sensors that ask for them."""

import dagster as dg

from globolatte_assets.jobs import jobs
from resources.settings.settings import Settings
from sensors.alerts import alert_sensor
from sensors.automation import automation_sensor
from sensors.landing import file_sensors
from sensors.prediction_log import prediction_log_sensor
from sensors.retraining import retraining_rules, retraining_sensor
from sensors.run_health import run_health_sensor


def sensors(settings: Settings) -> dg.Definitions:
    """The jobs, which select across the stages, and all sensors of a deployment."""
    all_jobs = jobs()
    return dg.Definitions(
        jobs=all_jobs,
        sensors=[
            *file_sensors(settings, all_jobs),
            retraining_sensor(all_jobs, retraining_rules(settings)),
            prediction_log_sensor(all_jobs),
            run_health_sensor(),
            alert_sensor(settings),
            automation_sensor(),
        ],
    )
