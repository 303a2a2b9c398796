"""The retraining sensor: requests snapshot, training, evaluation, promotion and deployment when the decision says so."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from globolatte_assets.endpoints.rollout import is_in_service, lags_behind
from globolatte_assets.jobs import DEPLOY, RETRAIN, TRAIN_MODEL, AssetJob, job_named
from globolatte_assets.keys import DATA_DRIFT, DELIVERED_DAYS, PROMOTION, TRAINING_EXAMPLES, TRAINING_SNAPSHOT
from globolatte_assets.models.causes import findings_of, tried_without_effect
from globolatte_assets.models.champion import champion_with_snapshot
from globolatte_assets.models.retraining import RetrainingRules, TrainingSituation, decide_retraining
from globolatte_assets.models.trainings import Training, trainings
from globolatte_assets.monitoring.standing import NOTHING_KNOWN, standing_of
from globolatte_assets.tables import has_examples, last_business_date
from resources.endpoint.endpoint import Endpoint
from resources.environment import warehouse_with_short_timeout
from resources.ml.ml_platform import CHAMPION, MLPlatform, fault_of
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Warehouse, WarehouseBusyError
from sensors.landing import is_running
from sensors.outstanding import latest_place, latest_places


def retraining_rules(settings: Settings) -> RetrainingRules:
    """The rules of a deployment."""
    return RetrainingRules(
        champion_age_days=settings.retraining_age_days, cooldown_days=settings.retraining_cooldown_days
    )


def training_situation(instance: dg.DagsterInstance, warehouse: Warehouse, ml: MLPlatform) -> TrainingSituation:
    """The inputs of the decision: the champion's standing and the trainings from tables, the order of materializations from the event log.

    Raises `WarehouseBusyError`.
    """
    places = latest_places(instance, (DELIVERED_DAYS, TRAINING_EXAMPLES, TRAINING_SNAPSHOT, PROMOTION, DATA_DRIFT))
    examples, snapshot = places.get(TRAINING_EXAMPLES, -1), places.get(TRAINING_SNAPSHOT, -1)
    verdict, seen = places.get(PROMOTION, -1), places.get(DATA_DRIFT, -1)
    trained = trainings(warehouse)
    champion = champion_with_snapshot(ml) if DELIVERED_DAYS in places else None
    standing = standing_of(warehouse, champion) if champion is not None else NOTHING_KNOWN
    findings = findings_of(warehouse, champion) if champion is not None else []
    learned = champion.learned_until if champion is not None else None
    version = ml.model(CHAMPION)
    has_champion = version is not None
    unreadable = fault_of(version) if version is not None else None
    refusals = _refusals(trained, is_unreadable=unreadable is not None) if unreadable or not has_champion else 0
    until = last_business_date(warehouse) if refusals else standing.data_until
    return TrainingSituation(
        has_examples=TRAINING_EXAMPLES in places and (has_champion or has_examples(warehouse)),
        has_champion=has_champion,
        chain_is_complete=verdict >= snapshot,
        was_refused=refusals > 0 and examples < snapshot < verdict,
        refusals=refusals,
        unreadable=unreadable,
        monitoring_is_current=seen >= examples and not standing.is_outdated,
        broken=standing.broken,
        drift=standing.drift,
        performance=standing.performance,
        tried=tried_without_effect(findings, trained),
        refused_at_age=_days(learned, trained[-1].last_business_date) if trained and trained[-1].was_refused else None,
        champion_age_days=_days(learned, standing.data_until),
        days_since_training=_days(trained[-1].last_business_date if trained else learned, until),
    )


def _days(first: dt.date | None, last: dt.date | None) -> int | None:
    return (last - first).days if first is not None and last is not None else None


def _refusals(trained: Sequence[Training], *, is_unreadable: bool) -> int:
    """How many of the latest trainings in a row brought no model that can be used."""
    refused = [one.was_refused if is_unreadable else one.left_no_champion for one in reversed(trained)]
    return refused.index(False) if False in refused else len(refused)


def training_is_under_way(instance: dg.DagsterInstance) -> bool:
    """Whether a training run is running or waiting."""
    return is_running(instance, TRAIN_MODEL) or is_running(instance, RETRAIN)


def retraining_sensor(settings: Settings, jobs: Sequence[AssetJob]) -> dg.SensorDefinition:
    """Builds the sensor. Each build of the training examples is requested for training once; if it fails, the next build is requested.

    Where an endpoint is in service, the new champion is deployed to it; an endpoint that serves an older champion gets the current one.
    """

    @dg.sensor(
        name="retraining_sensor",
        jobs=[job_named(jobs, name) for name in (TRAIN_MODEL, RETRAIN, DEPLOY)],
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the first model as soon as there are training examples, resumes a training that was cut off, and "
        "retrains when the data drifted, the champion got worse or old; never on broken data.",
    )
    def consider_retraining(
        context: dg.SensorEvaluationContext, ml: dg.ResourceParam[MLPlatform], endpoint: dg.ResourceParam[Endpoint]
    ) -> dg.RunRequest | dg.SkipReason:
        instance = context.instance
        if training_is_under_way(instance):
            return dg.SkipReason("A training is under way.")
        try:
            situation = training_situation(instance, warehouse_with_short_timeout(settings), ml)
        except WarehouseBusyError as busy:
            return dg.SkipReason(f"{busy}. Looking again in a minute.")
        decision = decide_retraining(situation, retraining_rules(settings))
        champion = ml.model(CHAMPION)
        if not decision.retrain and lags_behind(endpoint, champion):
            return dg.RunRequest(run_key=f"{DEPLOY} {champion and champion.version}", job_name=DEPLOY)
        if not decision.retrain:
            return dg.SkipReason(decision.reason)
        examples = latest_place(instance, TRAINING_EXAMPLES)
        return dg.RunRequest(
            run_key=f"{decision.reason} {examples}",
            job_name=RETRAIN if is_in_service(endpoint) else TRAIN_MODEL,
            tags={"globolatte/reason": decision.reason},
        )

    return consider_retraining
