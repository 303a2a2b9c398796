"""Dagster's daemon, its code server and its runs, killed at named points between an event and its loaded rows: nothing is lost or doubled.

Each kill ends the whole process group with SIGKILL; the next daemon takes up what the killed one left.
"""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.keys import SALES_TRANSACTIONS
from globolatte_cli.instance import prepare_home
from globolatte_ingest.kill_points import RUN_POINTS, SENSOR_POINTS
from resources.azure_storage import KEY_VARIABLE
from resources.settings.settings import PROJECT_ROOT, Settings
from resources.warehouse.duckdb_file import DuckDBWarehouse
from resources.warehouse.warehouse import WarehouseBusyError
from sensors.run_health import fail_dead_runs, free_slots_of_finished_runs
from tests.blob_builders import Bay, Events
from tests.builders import csv, fetch, line, put_reference_data, sales_path
from tests.emulators.azurite_server import Azurite

TODAY = dt.date(2022, 3, 31)
IN_THE_CODE = (
    "event tick: before receiving",
    "event tick: received",
    "event tick: requests made",
    "run started",
    "attempt noted",
    "files read, load not begun",
    "before the commit",
    "committed",
    "run reported",
    "acknowledging: before the first deletion",
    "acknowledging: after the first deletion",
    "acknowledging: done, cursor not written",
    "reconciliation: listed",
    "reconciliation: requests made",
    "poison: in both queues",
)
IN_THE_DAEMON = (
    "Checking for new runs for sensor: blob_event_sensor",
    "Launching run for blob_event_sensor",
    "Completed launch of run",
)
"""Points in Dagster's own process, by what it logs there."""
ON_THE_WAY = {
    *RUN_POINTS,
    *SENSOR_POINTS,
    "attempt noted",
    "files read, load not begun",
    "before the commit",
    "committed",
}
"""The declared points that a file passes between its event and its rows; the others are killed in the tests of the load."""


A_FEW = ("committed", "acknowledging: after the first deletion")
"""One after each thing that is written once: rows, messages. That requests come again: tests/unit/sensors/test_blob_event_sensor.py."""
UNDISTURBED = "nowhere"


@dataclass
class Place:
    """A home, a container and a queue, and which file must be loaded with which rows in the end."""

    home: Path
    bay: Bay
    events: Events
    settings: Settings
    expected: dict[str, int] = field(default_factory=dict)

    def deliver(self, day: int, *, with_event: bool) -> None:
        """Two units' files of a day, each with three lines; `with_event`: whether an event reports them."""
        date = dt.date(2022, 3, 1) + dt.timedelta(days=day)
        for folder, unit in (("usa", "BU_US"), ("canada", "BU_CA")):
            path = sales_path(f"{day}'; --☕.csv", folder, date)
            numbers = range(day * 10, day * 10 + 3)
            lines = (line(n, business_unit=unit, transaction_date=str(date)) for n in numbers)
            file = self.bay.put(path, csv(*lines))
            self.expected[path] = 3
            if with_event:
                self.events.tell(file, cloud=day % 2 == 0)
                self.events.tell(file)  # at least once, says Event Grid

    @property
    def mark(self) -> Path:
        return self.home / "killed"

    def environment(self, point: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("GLOBOLATTE_", "DAGSTER_"))}
        return {
            **clean,
            **self.settings.environment_variables(),
            KEY_VARIABLE: os.environ[KEY_VARIABLE],
            # Elsewhere events must do, or both sensors would ask for the same and each kill wait for twice the runs.
            "GLOBOLATTE_RECONCILE_SECONDS": "1"
            if point.startswith("reconciliation") or point == UNDISTURBED
            else "3600",
            "KILL_AT": point,
            "KILL_MARK": str(self.mark),
            "PYTHONPATH": str(PROJECT_ROOT),
        }

    @contextmanager
    def daemon(self, point: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        """A running daemon with a process group of its own, and its log; nothing of it is left afterwards."""
        self.mark.unlink(missing_ok=True)
        log = self.home / "daemon.log"
        command = [
            str(Path(sys.executable).with_name("dagster-daemon")),
            "run",
            "-m",
            "tests.integration.blob.kill_points",
        ]
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                env=self.environment(point),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield process, log
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def killed_at(self, point: str) -> bool:
        """Runs a daemon until the point is reached and it dies of it."""
        with self.daemon(point) as (process, log):
            until(
                point,
                lambda: process.poll() is not None or (point in IN_THE_DAEMON and point in log.read_text()),
                150,
                log,
            )
            return self.mark.exists() or point in log.read_text()

    def free_what_the_dead_hold(self, patience_seconds: float = 0) -> None:
        """What the run health sensor does, without its minute's wait and its patience with runs that are starting."""
        with dg.DagsterInstance.from_config(str(self.settings.dagster_folder)) as instance:
            fail_dead_runs(instance, patience_seconds)
            free_slots_of_finished_runs(instance)

    def loaded(self) -> dict[str, int]:
        """Rows in the sales table by path; nothing while another process uses the warehouse."""
        warehouse = DuckDBWarehouse(file=str(self.settings.warehouse_file), wait_seconds=0.1)
        try:
            return dict(
                fetch(
                    warehouse,
                    "select path, count(*) from sales_data.sales_transactions inner join sales_data.load_ledger using (load_id) "
                    "where status = 'loaded' group by path",
                )
            )
        except WarehouseBusyError:
            return {}


def until(what: str, reached: Callable[[], bool], seconds: float, log: Path, every: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise AssertionError(
                f"{what}: not reached within {seconds} seconds; the daemon's log ends:\n{log.read_text()[-6000:]}"
            )
        time.sleep(every)


@pytest.fixture
def place(azurite: Azurite, tmp_path: Path) -> Place:
    bay = Bay.new(azurite)
    events = Events.new(azurite, bay.container.container_name, hidden_seconds=2)
    settings = Settings(
        home=tmp_path,
        now=dt.datetime(2022, 3, 31, 23, tzinfo=dt.UTC),
        first_business_date=dt.date(2022, 3, 1),
        landing="blob",
        blob_account_url=azurite.account_url,
        blob_container=bay.container.container_name,
        blob_credential="key",
        blob_queue=events.queue.queue,
        blob_queue_account_url=azurite.queue_account_url,
        blob_queue_hidden_seconds=2,
        landing_poll_seconds=1,
        reconcile_seconds=1,
        retry_base_seconds=1e-9,
        max_load_attempts=50,
    )
    prepare_home(settings)
    put_reference_data(DuckDBWarehouse(file=str(settings.warehouse_file)))
    return Place(tmp_path, bay, events, settings)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "points",
    [pytest.param(A_FEW, id="a few"), pytest.param((*IN_THE_CODE, *IN_THE_DAEMON), id="all", marks=pytest.mark.depth)],
)
def test_whatever_is_killed_between_an_event_and_its_rows_nothing_is_lost_or_doubled(
    place: Place, points: tuple[str, ...]
) -> None:
    assert set(IN_THE_CODE) >= ON_THE_WAY
    reached = []
    for day, point in enumerate(points):
        if point.startswith("poison") or point == A_FEW[-1]:
            place.events.say("this is no event")
        place.deliver(day, with_event=not point.startswith("reconciliation"))
        if place.killed_at(point):
            reached.append(point)
        place.free_what_the_dead_hold()
    assert reached == list(points)

    def is_done() -> bool:
        place.free_what_the_dead_hold(patience_seconds=60)  # a machine under load may cut off a launch, too
        return place.loaded() == place.expected and place.events.left == 0

    with place.daemon(UNDISTURBED) as (_, log):
        until("everything loaded", is_done, 300, log, every=2)
        time.sleep(12)  # two more looks: whatever would be loaded twice would be by now

    warehouse = DuckDBWarehouse(file=str(place.settings.warehouse_file))
    assert place.loaded() == place.expected
    entries = fetch(
        warehouse, "select path, status, rows_in_file, rows_loaded, rows_quarantined from sales_data.load_ledger"
    )
    assert sorted(entries) == sorted((path, "loaded", rows, rows, 0) for path, rows in place.expected.items())
    [(lines, distinct)] = fetch(
        warehouse, "select count(*), count(distinct (business_unit, transaction_id)) from sales_data.sales_transactions"
    )
    assert lines == distinct == sum(place.expected.values())
    partitions = {f"{path.split('/')[1]}|{'-'.join(path.split('/')[2:5])}" for path in place.expected}
    with dg.DagsterInstance.from_config(str(place.settings.dagster_folder)) as instance:
        assert instance.get_materialized_partitions(SALES_TRANSACTIONS) == partitions
    assert {message["message"] for message in place.events.poison()} == {"this is no event"}
