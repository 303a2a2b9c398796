"""What the retraining sensor gathers, and which job it asks for."""

import json
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.jobs import DEPLOY, RETRAIN, TRAIN_MODEL, jobs
from globolatte_assets.keys import DATA_DRIFT, PERFORMANCE, PROMOTION, TRAINING_EXAMPLES, TRAINING_SNAPSHOT
from globolatte_assets.monitoring.data_drift import SITUATION
from resources.endpoint.endpoint import Deployment, DesiredState, ObservedState
from resources.ml.local.platform import LocalMLPlatform
from resources.ml.ml_platform import TrainedModel
from sensors.retraining import retraining_sensor, training_situation
from tests.builders import deployment

DRIFTED = {
    "model_version": "1",
    "learned_until": "2023-12-31",
    "data_until": "2024-02-29",
    "broken": [],
    "statuses": {"chain": ["drifted", "drifted"]},
}


@dataclass
class Endpoint:
    """An endpoint that serves a model with this content, or nothing."""

    content_hash: str | None = None
    running: bool = True

    def desired(self) -> DesiredState:
        if self.content_hash is None:
            return DesiredState()
        return DesiredState({"blue": Deployment("folder", "1", self.content_hash)}, {"blue": 100})

    def observed(self) -> ObservedState:
        return ObservedState(None, self.running, healthy=self.running, routed=True, settled=True)


NOTHING_DEPLOYED, SERVING, STOPPED = Endpoint(), Endpoint("first"), Endpoint("first", running=False)


@pytest.fixture
def ml(tmp_path: Path) -> LocalMLPlatform:
    return LocalMLPlatform(folder=str(tmp_path))


@pytest.fixture
def with_champion(ml: LocalMLPlatform, tmp_path: Path) -> LocalMLPlatform:
    """A platform whose registry has a champion, version 1, with the content `first`."""
    ml.promote(ml.register(TrainedModel(tmp_path, "first", "snapshot", "job", {})), ["There was none."])
    return ml


def materialize(instance: dg.DagsterInstance, key: dg.AssetKey, **metadata: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(key, metadata=metadata))


def trained(instance: dg.DagsterInstance) -> None:
    """Examples, a snapshot up to the end of 2023, and a champion."""
    materialize(instance, TRAINING_EXAMPLES)
    materialize(instance, TRAINING_SNAPSHOT, last_business_date="2023-12-31")
    materialize(instance, PROMOTION, champion="1")


def asked(
    instance: dg.DagsterInstance, ml: LocalMLPlatform, tmp_path: Path, endpoint: Endpoint = SERVING
) -> list[dg.RunRequest]:
    there = deployment(tmp_path / "home", instance)
    resources = {"ml": ml, "endpoint": endpoint}
    context = dg.build_sensor_context(instance=instance, definitions=there.definitions, resources=resources)
    data = retraining_sensor(jobs()).evaluate_tick(context)
    return list(data.run_requests or [])


def test_a_first_model_is_trained_alone(instance: dg.DagsterInstance, ml: LocalMLPlatform, tmp_path: Path) -> None:
    materialize(instance, TRAINING_EXAMPLES)
    (request,) = asked(instance, ml, tmp_path, NOTHING_DEPLOYED)
    assert request.job_name == TRAIN_MODEL


def test_the_registry_says_whether_there_is_a_champion(
    instance: dg.DagsterInstance, ml: LocalMLPlatform, tmp_path: Path
) -> None:
    trained(instance)
    (request,) = asked(instance, ml, tmp_path)
    assert "no champion" in request.tags["globolatte/reason"]


@pytest.mark.parametrize(
    ("endpoint", "job"), [(SERVING, RETRAIN), (NOTHING_DEPLOYED, TRAIN_MODEL), (STOPPED, TRAIN_MODEL)]
)
def test_a_retrained_model_is_deployed_where_an_endpoint_is_in_service(
    instance: dg.DagsterInstance, with_champion: LocalMLPlatform, tmp_path: Path, endpoint: Endpoint, job: str
) -> None:
    trained(instance)
    materialize(instance, DATA_DRIFT, **{SITUATION: json.dumps(DRIFTED)})
    (request,) = asked(instance, with_champion, tmp_path, endpoint)
    assert request.job_name == job
    assert "drifted in 2 of the last 2 windows" in request.tags["globolatte/reason"]


def test_an_endpoint_that_fell_behind_is_brought_up_to_the_champion(
    instance: dg.DagsterInstance, with_champion: LocalMLPlatform, tmp_path: Path
) -> None:
    trained(instance)
    (request,) = asked(instance, with_champion, tmp_path, Endpoint("another"))
    assert request.job_name == DEPLOY
    assert asked(instance, with_champion, tmp_path, Endpoint("another", running=False)) == []


def test_examples_that_monitoring_has_not_seen_are_waited_for(
    instance: dg.DagsterInstance, with_champion: LocalMLPlatform, tmp_path: Path
) -> None:
    trained(instance)
    materialize(instance, DATA_DRIFT, **{SITUATION: json.dumps(DRIFTED)})
    materialize(instance, TRAINING_EXAMPLES)
    assert asked(instance, with_champion, tmp_path) == []


def test_broken_data_ask_for_nothing(
    instance: dg.DagsterInstance, with_champion: LocalMLPlatform, tmp_path: Path
) -> None:
    trained(instance)
    materialize(instance, DATA_DRIFT, **{SITUATION: json.dumps(DRIFTED | {"broken": ["BU_US: 40% quarantined"]})})
    assert asked(instance, with_champion, tmp_path) == []


def test_the_situation_counts_in_business_time(instance: dg.DagsterInstance, ml: LocalMLPlatform) -> None:
    trained(instance)
    materialize(instance, DATA_DRIFT, **{SITUATION: json.dumps(DRIFTED)})
    materialize(instance, PERFORMANCE, **{SITUATION: json.dumps({"model_version": "1", "statuses": {"chain": ["ok"]}})})
    situation = training_situation(instance, ml)
    assert (situation.champion_age_days, situation.days_since_training) == (60, 60)
    assert situation.performance == {"chain": ["ok"]}


def test_what_was_said_of_an_earlier_champion_does_not_count(instance: dg.DagsterInstance, ml: LocalMLPlatform) -> None:
    trained(instance)
    materialize(instance, DATA_DRIFT, **{SITUATION: json.dumps(DRIFTED)})
    materialize(instance, PROMOTION, champion="2")
    assert training_situation(instance, ml).drift == {}


def test_right_after_a_training_nothing_more_is_asked_for(
    instance: dg.DagsterInstance, with_champion: LocalMLPlatform, tmp_path: Path
) -> None:
    trained(instance)
    materialize(instance, DATA_DRIFT, **{SITUATION: json.dumps(DRIFTED)})
    materialize(instance, TRAINING_SNAPSHOT, last_business_date="2024-02-29")
    materialize(instance, PROMOTION, champion="1")
    assert asked(instance, with_champion, tmp_path) == []
