"""A headless pass makes what the daemon would make: days of the real graph, played both ways.

What is played are events: a run is its materializations. Which assets are requested, in what order and how often is real on both
sides: the automation conditions, the sensors' decisions, and the pass's own loop.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from globolatte_assets.jobs import TRAIN_MODEL
from globolatte_assets.keys import CAMPAIGN_AUDIENCES, SALES_TRANSACTIONS
from globolatte_assets.models.champion import MANIFEST_FILE
from globolatte_cli.run_pass import FLOW, Pass
from resources.environment import ml_of, states_of
from resources.ml.ml_platform import CHAMPION, TrainedModel
from tests.builders import Deployment, deployment
from tests.dbt_views import make_view

REFERENCE = ("raw/business_units", "raw/products", "raw/customers", "raw/holidays")
DAYS = [dt.date(2022, 1, 3) + dt.timedelta(days=number) for number in range(10)]
TRAINED = (
    "models/training_snapshot",
    "models/preference_model",
    "models/evaluation",
    "models/responsible_ai",
    "models/promotion",
)


def report(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], partition: str | None = None) -> None:
    for key in keys:
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))


def in_flow_order(definitions: dg.Definitions, keys: Collection[dg.AssetKey]) -> list[dg.AssetKey]:
    """As a run makes them: inputs first."""
    return [key for key in definitions.resolve_asset_graph().toposorted_asset_keys if key in keys]


def named(*names: str) -> list[dg.AssetKey]:
    return [dg.AssetKey.from_user_string(name) for name in names]


def train(there: Deployment) -> None:
    """What the job `train_model` leaves behind: events, and a champion."""
    ml = ml_of(there.settings)
    staging = ml.snapshot_staging("snapshot")
    (staging / MANIFEST_FILE).write_text(json.dumps({"last_business_date": str(DAYS[-1])}))
    ml.keep_snapshot(staging, "snapshot")
    ml.promote(
        ml.register(TrainedModel(Path(ml.folder, "jobs", "job"), "content", "snapshot", "job", {})), ["The first."]
    )
    report(there.instance, named(*TRAINED))


class EventsOnly(Pass):
    """A pass whose jobs leave the events of their assets behind, and do nothing else."""

    def __init__(self, there: Deployment) -> None:
        super().__init__(there.settings, there.instance, Console(quiet=True))
        self.definitions, self.there, self.made = there.definitions, there, Counter[str]()

    def job(
        self,
        name: str,
        label: str,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        assets: Collection[dg.AssetKey] | None = None,
    ) -> Any:
        report(self.instance, in_flow_order(self.definitions, assets or ()))
        self.made.update(key.to_user_string() for key in assets or ())
        self.report.steps.append((label, 0.0))

    def _check(self) -> None: ...

    def _train_if_needed(self, label: str) -> bool:
        if self.ml.model(CHAMPION) is not None or "features/feat_training_examples" not in self.made:
            return False
        train(self.there)
        self.job(TRAIN_MODEL, label)
        return True


class Daemon:
    """The automation sensor and the retraining sensor, tick after tick; each run has ended before the next tick."""

    def __init__(self, there: Deployment) -> None:
        self.there, self.made, self.cursor = there, Counter[str](), None

    def day(self) -> None:
        while keys := self._tick():
            report(self.there.instance, in_flow_order(self.there.definitions, keys))
            self.made.update(key.to_user_string() for key in keys)
            if ml_of(self.there.settings).model(CHAMPION) is None and "features/feat_training_examples" in self.made:
                train(self.there)

    def _tick(self) -> list[dg.AssetKey]:
        result = dg.evaluate_automation_conditions(self.there.definitions, self.there.instance, cursor=self.cursor)
        self.cursor = result.cursor
        keys = self.there.definitions.resolve_all_asset_keys()
        return [key for key in keys if result.get_num_requested(key)]


def home(folder: Path, instance: dg.DagsterInstance) -> Deployment:
    there = deployment(folder, instance)
    folder.mkdir()
    with there.warehouse.transaction() as transaction:
        transaction.execute("create schema intermediate")
        transaction.execute(
            "create table intermediate.int_daily_sales (business_unit varchar, business_date date, main_orders bigint)"
        )
    make_view(there.warehouse, "int_load_parts")
    make_view(there.warehouse, "int_delivered_days")
    states = states_of(there.settings)
    states.publish(states.staging("made"), "made")
    return there


def deliver(there: Deployment, day: dt.date) -> None:
    """What the loads of a day report; now and then the catalogue changes, and a campaign is made."""
    report(there.instance, [SALES_TRANSACTIONS], f"usa|{day}")
    if day.day % 4 == 0:
        report(there.instance, named("raw/products"))
    if day == DAYS[2]:
        report(there.instance, [CAMPAIGN_AUDIENCES])


@pytest.mark.slow
@pytest.mark.parametrize("days", [pytest.param(3, id="a few"), pytest.param(10, id="ten", marks=pytest.mark.depth)])
def test_days_make_the_same_assets_as_often_in_a_pass_as_by_the_daemon(tmp_path: Path, days: int) -> None:
    with dg.DagsterInstance.ephemeral() as ours, dg.DagsterInstance.ephemeral() as theirs:
        headless, watched = home(tmp_path / "headless", ours), home(tmp_path / "daemon", theirs)
        daemon = Daemon(watched)
        daemon.day()  # it was running before the first file came
        for there in (headless, watched):
            report(there.instance, named(*REFERENCE))
        for day in DAYS[:days]:
            deliver(headless, day)
            deliver(watched, day)
            one = EventsOnly(headless)
            one._follow()
            before = Counter(daemon.made)
            daemon.day()
            assert set(one.made) == set(daemon.made - before), day
            assert max(one.made.values()) == 1 or day == DAYS[0], "nothing is made twice in a pass"
        known = [key for key in headless.definitions.resolve_all_asset_keys() if there_is(ours, key)]
        assert known == [key for key in headless.definitions.resolve_all_asset_keys() if there_is(theirs, key)]
        assert len(known) > 40
        last = EventsOnly(headless)
        last._follow()
        assert not last.made


def there_is(instance: dg.DagsterInstance, key: dg.AssetKey) -> bool:
    return instance.get_latest_materialization_event(key) is not None


def test_whatever_follows_new_data_is_made_by_a_job_of_the_flow(deployed: Deployment) -> None:
    specs = deployed.definitions.resolve_all_asset_specs()
    following = {spec.key for spec in specs if spec.automation_condition is not None}
    jobs = [deployed.definitions.resolve_job_def(job) for job, _ in FLOW]
    assert following <= {key for job in jobs for key in job.asset_layer.selected_asset_keys}


@pytest.mark.parametrize(
    "damaged",
    ['{"__class__": "OfAnotherRelease"}', *(pytest.param(text, marks=pytest.mark.depth) for text in ("", "{"))],
)
def test_a_cursor_that_cannot_be_read_loses_nothing(deployed: Deployment, damaged: str) -> None:
    deployed.settings.home.mkdir(exist_ok=True)
    (deployed.settings.home / "automation_cursor.json").write_text(damaged)
    report(deployed.instance, named(*REFERENCE))
    report(deployed.instance, [SALES_TRANSACTIONS], "usa|2022-01-03")
    made = EventsOnly(deployed)
    made._follow()
    assert "features/feat_training_examples" in made.made
