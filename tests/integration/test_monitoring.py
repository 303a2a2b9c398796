"""Drift, performance and takeover end to end: a small chain is learned and served, then it changes, then it breaks."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from globolatte_assets.jobs import MONITOR
from globolatte_assets.keys import DATA_DRIFT, PERFORMANCE
from globolatte_assets.models.retraining import decide_retraining
from globolatte_cli.demo_online import continuous_requests, go_offline
from globolatte_cli.endpoints import local_endpoint
from globolatte_cli.instance import open_instance
from resources.environment import ml_of, predictions_of, warehouse_of
from resources.ml.ml_platform import CHAMPION
from resources.settings.settings import Settings
from resources.warehouse.duckdb_file import DuckDBWarehouse
from sensors.retraining import training_situation
from simulator import Scenario, continue_into
from tests.homes import Home, NewHome

QUESTION = {"customer_id": "C0007", "region": "USA", "weather": "Sunny"}


class Monitored:
    """A home whose monitoring job runs in this process."""

    def __init__(self, home: Home) -> None:
        from definitions import build_definitions

        self.home, self.settings = home, Settings(home=home.folder)
        self.definitions = build_definitions(self.settings)

    def monitor(self) -> dict[str, dict[str, Any]]:
        """Runs the job; the metadata of both assets, by the last part of their key."""
        with open_instance(self.settings) as instance:
            result = self.definitions.resolve_job_def(MONITOR).execute_in_process(instance=instance)
            return {key.path[-1]: metadata(result, key) for key in (DATA_DRIFT, PERFORMANCE)}

    def decision(self) -> tuple[bool, str]:
        with open_instance(self.settings) as instance:
            decision = decide_retraining(
                training_situation(instance, warehouse_of(self.settings), ml_of(self.settings))
            )
        return decision.retrain, decision.reason

    def champion(self) -> str:
        version = ml_of(self.settings).model(CHAMPION)
        assert version is not None
        return version.version

    def rows(self, table: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = DuckDBWarehouse(file=str(self.settings.warehouse_file)).read(table).to_pylist()
        return rows

    def windows(self, table: str, status: str, version: str) -> list[str]:
        """What was found of the chain's windows under a version of the model, in the order of time."""
        rows = [row for row in self.rows(table) if (row["model_version"], row["scope"]) == (version, "chain")]
        found = {(row["window_from"], row[status]) for row in rows}
        assert len({start for start, _ in found}) == len(found)
        return [one for _, one in sorted(found)]


def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    materialization = result.asset_materializations_for_node(key.to_python_identifier())[0]
    return {name: entry.value for name, entry in materialization.metadata.items()}


@pytest.fixture
def chain(home_that_ran: NewHome) -> Iterator[Monitored]:
    """A chain of two months with a champion behind its endpoint."""
    chain = Monitored(home_that_ran())
    try:
        assert "up" in chain.home.ok("endpoints", "deploy", GLOBOLATTE_PREDICTION_LOG_SECONDS="1")
        yield chain
    finally:
        go_offline(chain.settings)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_chain_goes_through_a_launch_a_retraining_that_takes_over_and_a_breakdown(chain: Monitored) -> None:
    found = chain.monitor()
    assert "Nothing to compare yet" in found["data_drift"]["note"]
    assert chain.decision() == (False, "The champion still fits what is sold.")

    continue_into(chain.home.folder, Scenario.PRODUCT_LAUNCH, days=44)
    with continuous_requests(local_endpoint(chain.settings), QUESTION) as outcomes:
        output = chain.home.ok("run")
    assert "Trained: Data drifted in 2 of the last 2 windows of chain" in output
    of_chain = [row for row in chain.rows("monitoring.drift") if row["scope"] == "chain"]
    assert {(row["model_version"], row["window_status"]) for row in of_chain} == {("1", "drifted")}
    assert {row["column_name"] for row in of_chain if row["status"] == "drifted"} >= {"main_product_id"}
    assert {row["status"] for row in chain.rows("monitoring.performance") if row["scope"] == "chain"} == {"below_band"}
    reports = list((chain.settings.drift_reports_folder).rglob("*.html"))
    assert reports
    assert min(report.stat().st_size for report in reports) > 1_000_000
    assert chain.champion() == "2"

    assert "Champion behind the endpoint" in output
    assert not outcomes.failures
    assert set(outcomes.answers) == {"1", "2"}
    assert local_endpoint(chain.settings).score([QUESTION])["model_version"] == "2"

    go_offline(chain.settings)
    continue_into(chain.home.folder, Scenario.NONE, days=22)
    continue_into(chain.home.folder, Scenario.BROKEN_UPSTREAM, days=24)
    lenient = {
        "GLOBOLATTE_MAX_BAD_SHARE": "1.0"
    }  # as if somebody had approved each file: else there were no orders to watch
    output = chain.home.ok("run", **lenient)
    assert "Trained" not in output
    assert not local_endpoint(chain.settings).observed().running, "what was stopped stays stopped"
    assert not predictions_of(chain.settings).finished()
    rows = [row for row in chain.rows("monitoring.prediction_log") if row["customer_id"] == QUESTION["customer_id"]]
    assert len(rows) == outcomes.answers.total() + 1, "every answer is in the log once"
    by_id = {(row["prediction_id"], row["model_version"]) for row in rows}
    assert len(by_id) == len({prediction_id for prediction_id, _ in by_id}), "an id belongs to one model"
    assert chain.windows("monitoring.drift", "window_status", "2") == ["ok", "broken"]
    assert chain.windows("monitoring.performance", "status", "2")[0] == "ok"
    retrain, reason = chain.decision()
    assert not retrain
    assert "weather is empty" in reason
    broken = [row for row in chain.rows("monitoring.drift") if row["window_status"] == "broken"]
    assert {row["column_name"] for row in broken if row["status"] == "noted"} == {"payment_method"}
    chain.home.ok(
        "monitoring",
        "accept",
        "weather",
        "--since",
        str(broken[0]["window_from"]),
        "--by",
        "Ana",
        "--why",
        "New tills.",
    )
    assert chain.windows("monitoring.drift", "window_status", "2")[-1] != "broken"
    assert "broken" not in chain.decision()[1]
    assert chain.champion() == "2"
    again = chain.monitor()
    assert (again["data_drift"]["windows_judged"], again["performance"]["windows_judged"]) == (0, 0)
    assert chain.home.ok("run", **lenient).startswith("Nothing to do")
