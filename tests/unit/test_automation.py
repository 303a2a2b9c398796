"""What the automation conditions ask for, tick by tick, as data arrives in the real graph."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest

from globolatte_assets.automation import follow_new_data
from sensors.outstanding import outstanding
from tests.builders import Deployment

REFERENCE = ["raw/business_units", "raw/products", "raw/customers"]
TRAINING = ["models/training_snapshot", "models/preference_model", "models/evaluation"]
PROMOTION = "models/promotion"
SERVED = {"endpoints/serving_state", "endpoints/recommendations", "endpoints/regional_recommendations"}
UNDERSTOOD = {"models/segments", "models/product_affinity"}


class Ticks:
    """The automation sensor's ticks over some definitions; materializing is what a run would have done."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.definitions, self.instance = definitions, instance
        self.cursor = None

    def tick(self) -> set[str]:
        result = dg.evaluate_automation_conditions(self.definitions, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        keys = self.definitions.resolve_all_asset_keys()
        return {key.to_user_string() for key in keys if result.get_num_requested(key)}

    def materialize(self, names: Iterable[str], partition: str | None = None) -> None:
        for name in sorted(names):
            key = dg.AssetKey.from_user_string(name)
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))

    def follow(self) -> set[str]:
        """Ticks, and does what is requested until nothing is."""
        done: set[str] = set()
        while requested := self.tick():
            assert not requested & done, f"requested twice: {requested & done}"
            self.materialize(requested)
            done |= requested
        return done


@pytest.fixture
def ticks(deployed: Deployment) -> Ticks:
    """The real graph, its first tick done."""
    ticks = Ticks(deployed.definitions, deployed.instance)
    assert ticks.tick() == set()
    return ticks


def group(deployed: Deployment, *names: str) -> set[str]:
    specs = deployed.definitions.resolve_all_asset_specs()
    return {spec.key.to_user_string() for spec in specs if spec.group_name in names}


def test_the_graph_follows_the_data_and_waits_for_a_champion(deployed: Deployment, ticks: Ticks) -> None:
    dbt = group(deployed, "staging", "intermediate", "marts", "features")

    ticks.materialize(REFERENCE)
    first = ticks.follow()
    assert "raw/holidays" in first
    assert "staging/stg_sales_transactions" not in first

    ticks.materialize(["raw/sales_transactions"], "usa|2022-01-03")  # thousands of partitions stay missing
    with_sales = ticks.follow()
    assert first | with_sales >= dbt | {"endpoints/serving_state"} | UNDERSTOOD
    assert "endpoints/recommendations" not in with_sales  # there is no champion to recommend anything

    ticks.materialize(TRAINING)
    assert "endpoints/recommendations" not in ticks.follow()

    ticks.materialize([PROMOTION])
    assert "endpoints/recommendations" in ticks.follow()

    ticks.materialize(["raw/sales_transactions"], "canada|2022-01-04")
    after_sales = ticks.follow()
    assert after_sales >= SERVED | {"staging/stg_sales_transactions", "features/feat_customer_state"}
    assert after_sales & group(deployed, "models") == UNDERSTOOD
    assert "staging/stg_products" not in after_sales

    assert ticks.tick() == set()


def test_several_partitions_at_once_are_one_reason_to_follow(deployed: Deployment, ticks: Ticks) -> None:
    ticks.materialize(REFERENCE)
    ticks.follow()
    for day in (3, 4, 5):
        ticks.materialize(["raw/sales_transactions"], f"usa|2022-01-0{day}")
    assert "staging/stg_sales_transactions" in ticks.tick()
    assert ticks.tick() == set()


# The condition on a graph of three -------------------------------------------------------------------------------------


def small(*, added: bool = False) -> dg.Definitions:
    @dg.asset
    def data() -> None: ...

    @dg.asset(deps=[data], automation_condition=follow_new_data())
    def model() -> None: ...

    @dg.asset(deps=[data, model], automation_condition=follow_new_data())
    def report() -> None: ...

    return dg.Definitions([data, model, report] if added else [data, model])


@contextmanager
def under_way(instance: dg.DagsterInstance, name: str) -> Iterator[None]:
    """A run of this asset meanwhile."""
    started, may_end = threading.Event(), threading.Event()

    @dg.asset(name=name)
    def takes_long() -> None:
        started.set()
        assert may_end.wait(timeout=60)

    with ThreadPoolExecutor() as pool:
        run = pool.submit(dg.materialize, [takes_long], instance=instance)
        assert started.wait(timeout=60)
        try:
            yield
        finally:
            may_end.set()
        assert run.result(timeout=60).success


def test_nothing_is_requested_while_an_input_is_being_made(instance: dg.DagsterInstance) -> None:
    ticks = Ticks(small(), instance)
    ticks.tick()
    ticks.materialize(["data"])
    with under_way(instance, "data"):
        assert ticks.tick() == set()
    assert ticks.tick() == {"model"}
    ticks.materialize(["model"])
    assert ticks.tick() == set()


def test_an_asset_is_not_requested_while_it_is_being_made(instance: dg.DagsterInstance) -> None:
    ticks = Ticks(small(), instance)
    ticks.tick()
    with under_way(instance, "model"):
        ticks.materialize(["data"])
        assert ticks.tick() == set()


def left_behind(ticks: Ticks, **more: Any) -> set[str]:
    """What is outstanding whatever automation's cursor knows."""
    found = outstanding(ticks.definitions.resolve_asset_graph(), ticks.instance, **more)
    return {key.to_user_string() for key in found}


def test_an_asset_that_is_added_to_the_graph_is_made_without_waiting_for_new_data(
    instance: dg.DagsterInstance,
) -> None:
    ticks = Ticks(small(), instance)
    ticks.tick()
    ticks.materialize(["data"])
    ticks.follow()
    assert left_behind(ticks) == set()
    ticks.definitions = small(added=True)
    assert ticks.tick() == set(), "`since_last_handled` forgets what is missing at the first evaluation of a new asset"
    assert left_behind(ticks) == {"report"}
    ticks.materialize(["report"])
    assert left_behind(ticks) == set()


def test_what_a_run_left_undone_is_outstanding_though_the_cursor_has_handled_it(instance: dg.DagsterInstance) -> None:
    ticks = Ticks(small(added=True), instance)
    ticks.tick()
    ticks.materialize(["data"])
    assert ticks.tick() == {"model", "report"}
    ticks.materialize(["model"])  # and then the run died
    assert ticks.tick() == set()
    assert left_behind(ticks) == {"report"}


def test_a_graph_whose_data_came_before_its_first_evaluation_is_outstanding(instance: dg.DagsterInstance) -> None:
    ticks = Ticks(small(added=True), instance)
    ticks.materialize(["data"])
    assert ticks.tick() == set()
    assert left_behind(ticks) == {"model", "report"}
    assert left_behind(ticks, missing=[dg.AssetKey("data")]) == set()


def test_the_whole_graph_is_outstanding_after_a_load_that_the_cursor_does_not_know(deployed: Deployment) -> None:
    ticks = Ticks(deployed.definitions, deployed.instance)
    ticks.materialize([*REFERENCE, "raw/holidays"])
    ticks.materialize(["raw/sales_transactions"], "usa|2022-01-03")
    assert ticks.tick() == set()
    dbt = group(deployed, "staging", "intermediate", "marts", "features")
    assert (
        left_behind(ticks)
        == dbt | {"raw/weather", "endpoints/serving_state", "monitoring/supplier_scorecards"} | UNDERSTOOD
    )


# Blocking checks across runs -------------------------------------------------------------------------------------------


def test_what_follows_waits_for_a_blocking_check_only_where_it_is_declared(instance: dg.DagsterInstance) -> None:
    """As when a unit has not delivered and the policy says block: raw data and what follows are different runs."""

    def graph(*, waits: bool) -> dg.Definitions:
        @dg.asset
        def data() -> None: ...

        @dg.asset_check(asset=data, blocking=True)
        def delivered() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=True)

        @dg.asset(deps=[data], automation_condition=follow_new_data(waits_for_checks=waits))
        def model() -> None: ...

        return dg.Definitions([data, model], asset_checks=[delivered])

    def checked(passed: bool) -> None:
        evaluation = dg.AssetCheckEvaluation(asset_key=dg.AssetKey("data"), check_name="delivered", passed=passed)
        instance.report_runless_asset_event(evaluation)

    patient, hasty = Ticks(graph(waits=True), instance), Ticks(graph(waits=False), instance)
    patient.tick()
    hasty.tick()
    patient.materialize(["data"])
    checked(passed=False)
    assert hasty.tick() == {"model"}
    assert patient.tick() == set()
    assert left_behind(patient, waits_for_checks=True) == set()
    assert left_behind(patient) == {"model"}
    checked(passed=True)
    assert left_behind(patient, waits_for_checks=True) == {"model"}
    assert patient.tick() == {"model"}
    assert patient.tick() == set()
