"""A deployment with its UI really running, and a browser to look at it. What is started here is ended here."""

import datetime as dt
import json
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from simulator import Scenario, continue_into
from tests.dev_server import developing, free_port
from tests.homes import NewHome

DAYS_AFTER_LAUNCH = 22
"""One window of monitoring, and a day."""
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SENSORS = """query ($where: RepositorySelector!) { sensorsOrError(repositorySelector: $where) {
  __typename ... on Sensors { results { id name } } } }"""
STOP_SENSOR = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"
PATIENCE_MILLISECONDS = 60_000
"""A click or a text is waited for so long at the most: machines are shared."""


@dataclass(frozen=True)
class Ui:
    """A deployment whose UI runs."""

    home: Path
    url: str
    reports_url: str

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data

    def stop_sensors(self) -> None:
        """From now on only clicks start something."""
        where = {"repositoryName": "__repository__", "repositoryLocationName": "globolatte"}
        sensors = self.graphql(SENSORS, where=where)["sensorsOrError"]["results"]
        assert {sensor["name"] for sensor in sensors} >= {"landing_sensor", "automation_sensor", "retraining_sensor"}
        for sensor in sensors:
            stopped = self.graphql(STOP_SENSOR, id=sensor["id"])
            assert stopped["stopSensor"]["__typename"] == "StopSensorMutationResult", stopped

    def landing_file(self, folder: str, date: dt.date) -> Path:
        """Where a unit's sales of a day land."""
        return self.home / "landing" / "sales" / folder / f"{date:%Y/%m/%d}" / "sales.csv"


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The machine's Chromium. Skips where there is none."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip(
        "no Chromium on the path: install it (Debian: `apt-get install chromium`; `make browser` tries) and run again"
    )


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Drift starts no training: a click does."""
    return {
        "GLOBOLATTE_REPORTS_URL": f"http://127.0.0.1:{free_port()}",
        "GLOBOLATTE_RETRAINING_COOLDOWN_DAYS": "10000",
    }


@pytest.fixture(scope="module")
def ui(
    environment: dict[str, str], browser_path: str, home_that_ran: NewHome, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ui]:
    """Two months that a model has learned, three weeks after them in which a product was launched, and the UI over it."""
    home = home_that_ran()
    continue_into(home.folder, Scenario.PRODUCT_LAUNCH, days=DAYS_AFTER_LAUNCH)
    home.ok("run", **environment)
    with developing(home, tmp_path_factory.mktemp("log") / "dev.log", **environment) as url:
        started = Ui(home.folder, url, environment["GLOBOLATTE_REPORTS_URL"])
        started.stop_sensors()
        yield started


@pytest.fixture
def page(ui: Ui, browser_path: str) -> Iterator[Page]:
    """An empty page of a browser with a fresh profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, headless=True, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1920, "height": 1080}, base_url=ui.url)
        opened.set_default_timeout(PATIENCE_MILLISECONDS)
        expect.set_options(timeout=PATIENCE_MILLISECONDS)
        try:
            yield opened
        finally:
            browser.close()
