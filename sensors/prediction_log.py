"""The prediction log's sensor: loads the answers of the online endpoint into the warehouse as soon as a log file is finished."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from globolatte_assets.jobs import INGEST_PREDICTION_LOG, AssetJob, job_named
from resources.endpoint.prediction_files import PredictionFiles
from sensors.landing import is_running


def prediction_log_sensor(jobs: Sequence[AssetJob]) -> dg.SensorDefinition:
    """Builds the sensor. One run loads all finished files; the asset, not the sensor, guarantees exactly once."""

    @dg.sensor(
        name="prediction_log_sensor",
        job=job_named(jobs, INGEST_PREDICTION_LOG),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the load of the online endpoint's finished log files into monitoring.prediction_log; where answers are "
        "kept for a number of days, once a day also without files, so that they are forgotten in time.",
    )
    def look_for_finished_files(
        context: dg.SensorEvaluationContext, predictions: PredictionFiles
    ) -> dg.SensorResult | dg.SkipReason:
        files, today = predictions.finished(), str(dt.datetime.now(dt.UTC).date())
        if not files and (predictions.days is None or context.cursor == today):
            return dg.SkipReason("The endpoint has finished no log file since the last time.")
        if is_running(context.instance, INGEST_PREDICTION_LOG):
            return dg.SkipReason("An ingestion is under way.")
        return dg.SensorResult([dg.RunRequest(tags={"globolatte/files": str(len(files))})], cursor=today)

    return look_for_finished_files
