"""Ten days, once by `globolatte run` each evening and once with the daemon left to itself: the same tables in the end."""

import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from definitions import build_definitions
from globolatte_assets.keys import RECOMMENDATIONS, SALES_TRANSACTIONS
from resources.settings.settings import Settings
from sensors.outstanding import latest_places, outstanding
from simulator import Scenario, continue_into
from tests.dev_server import developing, free_port
from tests.homes import Home, NewHome
from tests.table_comparison import assert_same, comparable, tables

NOW = {"GLOBOLATTE_NOW": "2022-03-12T12:00:00+00:00", "GLOBOLATTE_LANDING_POLL_SECONDS": "5"}
DAYS = 10
RESULTS = ("serving", "ml", "monitoring")
OF_THE_RUN = {"run_id", "recorded_at", "evaluated_at"}
DAY_SECONDS = 420
"""A day's runs start one after the other, each in a process of its own."""


def deliver(home: Home) -> None:
    continue_into(home.folder, Scenario.NONE, days=1, orders=40)


def until(done: Callable[[], bool], seconds: float, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"the daemon does not get there; its log ends:\n{log.read_text()[-4000:]}"
        time.sleep(2)


class Followed:
    """Whether the daemon has made all that follows what was delivered, read from its event log."""

    def __init__(self, home: Home) -> None:
        self.definitions = build_definitions(Settings(home=home.folder))
        self.graph = self.definitions.resolve_asset_graph()
        self.folder = home.folder / "dagster"
        self.before = self._newest()

    def _newest(self) -> dict[dg.AssetKey, int]:
        with dg.DagsterInstance.from_config(str(self.folder)) as instance:
            return latest_places(instance, self.graph.materializable_asset_keys)

    def __call__(self) -> bool:
        with dg.DagsterInstance.from_config(str(self.folder)) as instance:
            unfinished = dg.RunsFilter(statuses=[one for one in dg.DagsterRunStatus if one.name in UNFINISHED])
            if instance.get_runs(unfinished, limit=1) or outstanding(self.graph, instance):
                return False
            now = latest_places(instance, self.graph.materializable_asset_keys)
        return all(now.get(key, 0) > self.before.get(key, 0) for key in FOLLOWS)


UNFINISHED = {"QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"}
FOLLOWS = (SALES_TRANSACTIONS, RECOMMENDATIONS)


@pytest.mark.slow
@pytest.mark.depth
@pytest.mark.timeout(2 * DAYS * DAY_SECONDS)
def test_ten_days_end_in_the_same_tables_by_passes_and_by_the_daemon(home_that_ran: NewHome, tmp_path: Path) -> None:
    headless, watched = home_that_ran(), home_that_ran()
    for _ in range(DAYS):
        deliver(headless)
        assert "3 files loaded" in headless.ok("run", **NOW)
    log = tmp_path / "daemon.log"
    with developing(watched, log, GLOBOLATTE_REPORTS_URL=f"http://127.0.0.1:{free_port()}", **NOW):
        for _ in range(DAYS):
            followed = Followed(watched)
            deliver(watched)
            until(followed, DAY_SECONDS, log)
    ours, theirs = headless.folder / "warehouse.duckdb", watched.folder / "warehouse.duckdb"
    assert_same(comparable(theirs), comparable(ours))
    assert_same(tables(theirs, RESULTS, OF_THE_RUN), tables(ours, RESULTS, OF_THE_RUN))
