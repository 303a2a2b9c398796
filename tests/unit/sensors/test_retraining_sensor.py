"""What the retraining sensor gathers, and which job it requests."""

import datetime as dt
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from globolatte_assets.jobs import DEPLOY, RETRAIN, TRAIN_MODEL, jobs
from globolatte_assets.keys import DATA_DRIFT, DELIVERED_DAYS, PROMOTION, TRAINING_EXAMPLES, TRAINING_SNAPSHOT
from globolatte_assets.models.causes import as_text, findings_of, said_of
from globolatte_assets.models.champion import MANIFEST_FILE, champion_with_snapshot
from globolatte_assets.models.retraining import TrainingSituation
from globolatte_assets.models.trainings import Training, record_training
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.model_files import DOCUMENT_NAME
from resources.endpoint.endpoint import Deployment as Served
from resources.endpoint.endpoint import DesiredState, ObservedState
from resources.ml.local.platform import LocalMLPlatform
from resources.ml.ml_platform import CHAMPION, MODEL_NAME, NOT_TOLD, TrainedModel
from resources.warehouse.warehouse import Warehouse
from sensors.retraining import retraining_sensor, training_situation
from tests.builders import Deployment, deployment
from tests.dbt_views import make_view
from tests.endpoint_builders import train_into


@dataclass
class Endpoint:
    """An endpoint that serves a model with this content, or nothing."""

    content_hash: str | None = None
    running: bool = True

    def desired(self) -> DesiredState:
        if self.content_hash is None:
            return DesiredState()
        return DesiredState({"blue": Served("folder", "1", self.content_hash)}, {"blue": 100})

    def observed(self) -> ObservedState:
        return ObservedState(None, self.running, healthy=self.running, routed=True, converged=True)


NOTHING_DEPLOYED, SERVING, STOPPED = Endpoint(), Endpoint("first"), Endpoint("first", running=False)


def materialize(instance: dg.DagsterInstance, key: dg.AssetKey) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(key))


LEARNED_UNTIL, DATA_UNTIL = dt.date(2023, 12, 31), dt.date(2024, 2, 29)
AT = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - as the warehouse holds it


@dataclass(frozen=True)
class Chain:
    """A deployment whose warehouse and event log a test fills."""

    deployed: Deployment
    ml: LocalMLPlatform
    model: Path
    """The folder of a small model."""

    @property
    def content(self) -> str:
        """The small model's content hash, in place of `first`."""
        return PreferenceModel.load(self.model).content_hash()

    @property
    def warehouse(self) -> Warehouse:
        return self.deployed.warehouse

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.deployed.instance

    def built(self, orders: int = 10) -> None:
        """Training examples are built; sales were delivered until `DATA_UNTIL`."""
        with self.warehouse.transaction() as transaction:
            transaction.execute("create schema intermediate")
            transaction.execute(
                "create table intermediate.int_daily_sales (business_unit varchar, business_date date, main_orders bigint)"
            )
            transaction.execute("insert into intermediate.int_daily_sales values ('BU_US', ?, ?)", (DATA_UNTIL, orders))
        make_view(self.warehouse, "int_load_parts")
        make_view(self.warehouse, "int_delivered_days")
        self.deliver(DATA_UNTIL)
        materialize(self.instance, DELIVERED_DAYS)
        materialize(self.instance, TRAINING_EXAMPLES)

    def deliver(self, date: dt.date, bad: int = 0) -> None:
        entry = {
            "load_id": str(date), "sequence": date.toordinal(), "path": f"sales/usa/{date}", "etag": "", "sha256": "", "size_bytes": 1,
            "business_unit": "BU_US", "business_date": date, "status": "loaded", "rows_in_file": 100, "rows_loaded": 100 - bad,
            "rows_quarantined": bad, "attempt": 1, "run_id": "run", "recorded_at": AT,
        }  # fmt: skip
        self.warehouse.replace("sales_data.load_ledger", pa.Table.from_pylist([entry]), {"load_id": entry["load_id"]})

    def trained(self, until: dt.date = LEARNED_UNTIL, champion: str | None = "1") -> None:
        """A snapshot of examples until a date, and a verdict on its model."""
        training = Training("run", "snapshot", until, AT, "1", champion is not None, champion, AT)
        record_training(self.warehouse, training)
        materialize(self.instance, TRAINING_SNAPSHOT)
        materialize(self.instance, PROMOTION)

    def promoted(self) -> None:
        """The registry has a champion, version 1, with the content `first`, of a snapshot until `LEARNED_UNTIL`."""
        staging = self.ml.snapshot_staging("snapshot")
        (staging / MANIFEST_FILE).write_text(json.dumps({"last_business_date": str(LEARNED_UNTIL)}))
        self.ml.keep_snapshot(staging, "snapshot")
        folder = Path(self.ml.folder, "jobs", "job")
        shutil.copytree(self.model, folder)
        model = TrainedModel(folder, self.content, "snapshot", "job", {})
        self.ml.promote(self.ml.register(model), ["There was none."])

    def watched(self, *statuses: str, table: str = "monitoring.drift", version: str = "1") -> None:
        """The chain's windows were evaluated, the last one just before the data end."""
        for number, status in enumerate(statuses):
            window = window_row(f"{version}-{number}", DATA_UNTIL - dt.timedelta(days=len(statuses) - number), version)
            more = {"window_status": status, **DRIFT} if table == "monitoring.drift" else {"status": status, **BAND}
            self.warehouse.replace(table, pa.Table.from_pylist([window | more]), {"window_id": window["window_id"]})
        materialize(self.instance, DATA_DRIFT)

    def ticked(self, endpoint: Endpoint = SERVING) -> Any:
        if endpoint.content_hash == "first":
            endpoint = replace(endpoint, content_hash=self.content)
        resources = {"ml": self.ml, "endpoint": endpoint}
        context = dg.build_sensor_context(
            instance=self.instance, definitions=self.deployed.definitions, resources=resources
        )
        return retraining_sensor(self.deployed.settings, jobs()).evaluate_tick(context)

    def requested(self, endpoint: Endpoint = SERVING) -> list[dg.RunRequest]:
        return list(self.ticked(endpoint).run_requests or [])

    def situation(self) -> TrainingSituation:
        return training_situation(self.instance, self.warehouse, self.ml)


DRIFT = {
    "reference": "same time of year", "reference_orders": 100, "column_name": "weather", "method": "jensenshannon", "statistic": 0.3,
    "threshold": 0.2, "status": "drifted",
}  # fmt: skip
BAND = {"highest_log_loss": 1.0, "lowest_hit_rate": 0.5}


def window_row(window_id: str, last: dt.date, version: str) -> dict[str, object]:
    return {
        "window_id": window_id, "scope": "chain", "window_from": last, "window_to": last, "orders": 100, "model_version": version,
        "snapshot": "snapshot", "recorded_at": AT,
    }  # fmt: skip


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_into(tmp_path_factory.mktemp("model"))


@pytest.fixture
def chain(tmp_path: Path, instance: dg.DagsterInstance, small_model: Path) -> Iterator[Chain]:
    made = deployment(tmp_path / "home", instance)
    with made.warehouse.keep_open():
        yield Chain(made, LocalMLPlatform(folder=str(tmp_path)), small_model)


def test_a_first_model_is_trained_alone(chain: Chain) -> None:
    chain.built()
    (request,) = chain.requested(NOTHING_DEPLOYED)
    assert request.job_name == TRAIN_MODEL


def test_without_an_order_there_is_nothing_to_train_on(chain: Chain) -> None:
    chain.built(orders=0)
    assert chain.requested(NOTHING_DEPLOYED) == []


@pytest.mark.parametrize("fault", ["gone", "another format", "another model", "cut off"])
def test_a_champion_that_cannot_be_read_is_a_reason_to_train(chain: Chain, fault: str) -> None:
    chain.built()
    chain.promoted()
    chain.trained()
    folder = Path(chain.ml.folder, "jobs", "job")
    document = folder / DOCUMENT_NAME
    if fault == "gone":
        shutil.rmtree(folder)
    elif fault == "another format":
        document.write_text(json.dumps({**json.loads(document.read_text()), "schema": "of another release"}))
    elif fault == "another model":
        words = json.loads(document.read_text())
        document.write_text(json.dumps({**words, "floor": words["floor"] * 2}))
    else:
        document.write_text(document.read_text()[:100])
    (request,) = chain.requested(NOTHING_DEPLOYED)
    assert request.job_name == TRAIN_MODEL
    assert request.tags["globolatte/reason"].startswith("The champion cannot be read: ")


def test_a_model_that_was_refused_in_place_of_an_unreadable_champion_waits_for_new_examples(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    shutil.rmtree(Path(chain.ml.folder, "jobs", "job"))
    record_training(chain.warehouse, Training("run", "snapshot", LEARNED_UNTIL, AT, "2", False, "1", AT))
    materialize(chain.instance, TRAINING_SNAPSHOT)
    materialize(chain.instance, PROMOTION)
    assert chain.requested(NOTHING_DEPLOYED) == []
    materialize(chain.instance, TRAINING_EXAMPLES)
    assert len(chain.requested(NOTHING_DEPLOYED)) == 1


def test_models_are_found_after_the_home_was_moved(chain: Chain, tmp_path: Path) -> None:
    chain.promoted()
    shutil.copytree(chain.ml.folder, tmp_path.with_name("moved"), ignore=shutil.ignore_patterns("home"))
    moved = LocalMLPlatform(folder=str(tmp_path.with_name("moved")))
    champion = moved.model(CHAMPION)
    assert champion is not None
    assert champion.folder == tmp_path.with_name("moved") / "jobs" / "job"


def test_a_version_of_an_earlier_release_is_read_as_far_as_it_goes(chain: Chain) -> None:
    from mlflow import MlflowClient

    chain.built()
    chain.promoted()
    chain.trained()
    registry = f"sqlite:///{chain.ml.folder}/mlflow.db"
    client = MlflowClient(tracking_uri=registry, registry_uri=registry)
    for tag in ("content_hash", "job_id", "snapshot"):
        client.delete_model_version_tag(MODEL_NAME, "1", tag)
    champion = chain.ml.model(CHAMPION)
    assert champion is not None
    assert (champion.content_hash, champion.job_id, champion.snapshot) == (NOT_TOLD,) * 3
    (request,) = chain.requested(NOTHING_DEPLOYED)
    assert "cannot be read" in request.tags["globolatte/reason"]


def test_the_registry_says_whether_there_is_a_champion(chain: Chain) -> None:
    chain.built()
    chain.trained()
    (request,) = chain.requested()
    assert "no champion" in request.tags["globolatte/reason"]


def test_a_first_model_that_was_refused_waits_for_new_examples(chain: Chain) -> None:
    chain.built()
    chain.trained(champion=None)
    assert chain.requested() == []
    materialize(chain.instance, TRAINING_EXAMPLES)
    assert len(chain.requested()) == 1


def test_after_several_refusals_the_examples_of_another_day_are_not_enough(chain: Chain) -> None:
    chain.built()
    for number in range(5):
        date = DATA_UNTIL - dt.timedelta(days=5 - number)
        refused = Training(f"run {number}", "snapshot", date, AT + dt.timedelta(hours=number), "1", False, None, AT)
        record_training(chain.warehouse, refused)
    materialize(chain.instance, TRAINING_SNAPSHOT)
    materialize(chain.instance, PROMOTION)
    materialize(chain.instance, TRAINING_EXAMPLES)
    assert chain.requested() == []
    with chain.warehouse.transaction() as transaction:
        later = DATA_UNTIL + dt.timedelta(days=15)
        transaction.execute("insert into intermediate.int_daily_sales values ('BU_US', ?, 10)", (later,))
    assert len(chain.requested()) == 1


@pytest.mark.parametrize(
    ("endpoint", "job"), [(SERVING, RETRAIN), (NOTHING_DEPLOYED, TRAIN_MODEL), (STOPPED, TRAIN_MODEL)]
)
def test_a_retrained_model_is_deployed_where_an_endpoint_is_in_service(
    chain: Chain, endpoint: Endpoint, job: str
) -> None:
    chain.built()
    chain.promoted()
    chain.trained()
    chain.watched("drifted", "drifted")
    (request,) = chain.requested(endpoint)
    assert request.job_name == job
    assert "drifted in 2 of the last 2 windows" in request.tags["globolatte/reason"]


def test_a_training_that_was_refused_is_not_repeated_for_the_same_cause_and_the_tick_says_so(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    chain.watched("drifted", "drifted")
    champion = champion_with_snapshot(chain.ml)
    assert champion is not None
    causes = as_text(findings_of(chain.warehouse, champion))
    refused = Training("run", "snapshot", LEARNED_UNTIL, AT, "2", False, "1", AT, causes)
    record_training(chain.warehouse, refused)
    materialize(chain.instance, TRAINING_SNAPSHOT)
    materialize(chain.instance, PROMOTION)
    tick = chain.ticked()
    assert not tick.run_requests
    assert "weather of chain: the training on sales until 2023-12-31 for the same cause had no effect" in str(
        tick.skip_message
    )
    assert said_of(chain.warehouse, champion) in str(tick.skip_message)
    record_training(chain.warehouse, replace(refused, decided_at=None, promoted=None))
    assert len(chain.requested()) == 1


def test_an_endpoint_that_fell_behind_is_brought_up_to_the_champion(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    chain.trained()
    chain.watched("ok")
    (request,) = chain.requested(Endpoint("another"))
    assert request.job_name == DEPLOY
    assert chain.requested(Endpoint("another", running=False)) == []


def test_examples_that_monitoring_has_not_seen_are_waited_for(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    chain.trained()
    chain.watched("drifted", "drifted")
    materialize(chain.instance, TRAINING_EXAMPLES)
    assert chain.requested() == []


def test_a_training_that_was_cut_off_before_its_verdict_is_taken_up(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    chain.trained()
    chain.watched("ok")
    assert chain.requested() == []
    materialize(chain.instance, TRAINING_SNAPSHOT)
    (request,) = chain.requested()
    assert "cut off" in request.tags["globolatte/reason"]


def test_broken_data_request_nothing(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    chain.trained()
    chain.watched("drifted", "drifted")
    chain.deliver(DATA_UNTIL, bad=40)
    assert chain.requested() == []
    assert "quarantined" in chain.situation().broken[0]


def test_the_situation_counts_in_business_time(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    chain.trained(dt.date(2024, 1, 31))
    chain.watched("ok", table="monitoring.performance")
    situation = chain.situation()
    assert (situation.champion_age_days, situation.days_since_training) == (60, 29)
    assert situation.performance == {"chain": ["ok"]}


def test_where_no_training_is_on_record_the_champion_s_own_counts(chain: Chain) -> None:
    """As in a home that is older than the record."""
    chain.built()
    chain.promoted()
    assert chain.situation().days_since_training == 60


def test_what_was_found_about_an_earlier_champion_does_not_count(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    chain.trained()
    chain.watched("drifted", "drifted", version="0")
    assert chain.situation().drift == {}


def test_right_after_a_training_nothing_more_is_requested(chain: Chain) -> None:
    chain.built()
    chain.promoted()
    chain.watched("drifted", "drifted")
    chain.trained(DATA_UNTIL)
    assert chain.requested() == []


def test_a_busy_warehouse_is_a_skipped_tick(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.built()
    monkeypatch.setattr("resources.environment.SHORT_TIMEOUT_SECONDS", 0.2)
    script = "import sys, duckdb; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    other = deployment(Path(chain.deployed.settings.home).with_name("other"), chain.instance)
    other.warehouse.read("sales_data.products")
    command = [sys.executable, "-c", script, str(other.settings.warehouse_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        context = dg.build_sensor_context(
            instance=chain.instance, definitions=other.definitions, resources={"ml": chain.ml, "endpoint": SERVING}
        )
        data = retraining_sensor(other.settings, jobs()).evaluate_tick(context)
        holder.communicate()
    assert not data.run_requests
    assert "Looking again in a minute" in str(data.skip_message)
