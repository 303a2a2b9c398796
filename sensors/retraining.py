"""The retraining sensor: asks for snapshot, training, evaluation, promotion and deployment when the decision says so."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import dagster as dg

from globolatte_assets.endpoints.blue_green import is_in_service, lags_behind
from globolatte_assets.jobs import DEPLOY, RETRAIN, TRAIN_MODEL, AssetJob, job_named
from globolatte_assets.keys import DATA_DRIFT, PERFORMANCE, PROMOTION, TRAINING_EXAMPLES, TRAINING_SNAPSHOT
from globolatte_assets.models.promotion import NO_CHAMPION
from globolatte_assets.models.retraining import RULES, RetrainingRules, TrainingSituation, decide_retraining
from globolatte_assets.monitoring.data_drift import SITUATION
from resources.endpoint.endpoint import Endpoint
from resources.ml.ml_platform import CHAMPION, MLPlatform
from resources.settings.settings import Settings
from sensors.run_health import ACTIVE


def latest_materialization(instance: dg.DagsterInstance, key: dg.AssetKey) -> int | None:
    """The place in the event log of an asset's latest materialization, or none; later events have higher places."""
    records = instance.fetch_materializations(key, limit=1).records
    return records[0].storage_id if records else None


def retraining_rules(settings: Settings) -> RetrainingRules:
    """The rules of a deployment."""
    return RetrainingRules(
        champion_age_days=settings.retraining_age_days, cooldown_days=settings.retraining_cooldown_days
    )


def training_situation(instance: dg.DagsterInstance, ml: MLPlatform) -> TrainingSituation:
    """What is there to be decided on, from Dagster's event log; whether there is a champion, the model registry says.

    The warehouse stays closed: the monitoring assets put what the decision needs into their metadata.
    """
    snapshot = latest_materialization(instance, TRAINING_SNAPSHOT)
    verdict = latest_materialization(instance, PROMOTION)
    champion = _metadata(instance, PROMOTION).get("champion")
    drift = _monitored(instance, DATA_DRIFT, champion)
    performance = _monitored(instance, PERFORMANCE, champion)
    data_until = drift.get("data_until")
    examples = latest_materialization(instance, TRAINING_EXAMPLES)
    seen = latest_materialization(instance, DATA_DRIFT)
    return TrainingSituation(
        has_examples=examples is not None,
        has_champion=ml.model(CHAMPION) is not None,
        chain_is_complete=snapshot is None or (verdict is not None and verdict > snapshot),
        was_refused=champion == NO_CHAMPION and (examples or 0) < (snapshot or 0) < (verdict or 0),
        monitoring_is_current=examples is None or (seen is not None and seen > examples),
        broken=drift.get("broken", []),
        drift=drift.get("statuses", {}),
        performance=performance.get("statuses", {}),
        champion_age_days=_days(drift.get("learned_until"), data_until),
        days_since_training=_days(_metadata(instance, TRAINING_SNAPSHOT).get("last_business_date"), data_until),
    )


def _metadata(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Any]:
    """The values of an asset's latest metadata; empty if it was never materialized."""
    record = instance.get_latest_materialization_event(key)
    materialization = record.asset_materialization if record is not None else None
    return {name: entry.value for name, entry in materialization.metadata.items()} if materialization else {}


def _monitored(instance: dg.DagsterInstance, key: dg.AssetKey, champion: str | None) -> dict[str, Any]:
    """What a monitoring asset said of the champion; nothing if it last spoke of another one."""
    text = _metadata(instance, key).get(SITUATION)
    situation: dict[str, Any] = json.loads(text) if text else {}
    return situation if champion is None or situation.get("model_version") == champion else {}


def _days(first: str | None, last: str | None) -> int | None:
    if first is None or last is None:
        return None
    return (dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days


def training_is_under_way(instance: dg.DagsterInstance) -> bool:
    """Whether a run trains now, or waits to."""
    return any(instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=ACTIVE)) for job in (TRAIN_MODEL, RETRAIN))


def retraining_sensor(jobs: Sequence[AssetJob], rules: RetrainingRules = RULES) -> dg.SensorDefinition:
    """Builds the sensor. One build of the training examples is asked for once; if its training fails, the next build asks again.

    Where an endpoint is in service, the new champion goes behind it; an endpoint that fell behind the champion is brought up to it.
    """

    @dg.sensor(
        name="retraining_sensor",
        jobs=[job_named(jobs, name) for name in (TRAIN_MODEL, RETRAIN, DEPLOY)],
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for the first model as soon as there are training examples, takes up a training that was cut off, and "
        "retrains when the data drifted, the champion got worse or old; never on broken data.",
    )
    def consider_retraining(
        context: dg.SensorEvaluationContext, ml: dg.ResourceParam[MLPlatform], endpoint: dg.ResourceParam[Endpoint]
    ) -> dg.RunRequest | dg.SkipReason:
        instance = context.instance
        if training_is_under_way(instance):
            return dg.SkipReason("A training is under way.")
        situation = training_situation(instance, ml)
        decision = decide_retraining(situation, rules)
        champion = ml.model(CHAMPION)
        if not decision.retrain and lags_behind(endpoint, champion):
            return dg.RunRequest(run_key=f"{DEPLOY} {champion and champion.version}", job_name=DEPLOY)
        if not decision.retrain:
            return dg.SkipReason(decision.reason)
        examples = latest_materialization(instance, TRAINING_EXAMPLES)
        return dg.RunRequest(
            run_key=f"{decision.reason} {examples}",
            job_name=RETRAIN if is_in_service(endpoint) else TRAIN_MODEL,
            tags={"globolatte/reason": decision.reason},
        )

    return consider_retraining
