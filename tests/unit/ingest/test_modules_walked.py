"""How many modules a reader walks through from a sensor's tick to the committed row: counted while it happens.

Counted is every file of ours in which a function is executed between the start of the landing sensor's evaluation and the moment at
which the load is committed, in this process and all of its threads: in `sensors`, `globolatte_assets.raw`, `globolatte_ingest`,
`resources.landing` and `resources.warehouse`. Settings, clock and the building of the graph are not, nor what runs at import: one
load goes before, so that everything is imported and the warehouse is made. Nor are the kill points, where nothing happens.
"""

import datetime as dt
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import dagster as dg
import pytest

from globolatte_ingest import kill_points
from resources.settings.settings import PROJECT_ROOT
from tests.builders import Deployment, csv, deliver, line, sales, sales_path

COUNTED = ("sensors/", "globolatte_assets/raw/", "globolatte_ingest/", "resources/landing/", "resources/warehouse/")
MOST_MODULES = 18


@contextmanager
def walked(until: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The files of ours that are walked through until the named point."""
    files: set[str] = set()
    over = threading.Event()

    def see(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and not over.is_set():
            files.add(frame.f_code.co_filename)

    monkeypatch.setattr(kill_points, "hook", lambda name: over.set() if name == until else None)
    threading.setprofile(see)
    sys.setprofile(see)
    try:
        yield files
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert over.is_set(), f"{until!r} was never reached"
    ours = {str(Path(file).relative_to(PROJECT_ROOT)) for file in files if Path(file).is_relative_to(PROJECT_ROOT)}
    files.clear()
    files |= {file for file in ours if file.startswith(COUNTED) and not file.endswith("/kill_points.py")}


def tick_and_run(deployed: Deployment, day: int) -> None:
    """A file of a day with a row twice and one that is bad, found by the sensor and loaded by the run that it requests."""
    date = dt.date(2022, 1, day)
    lines = [line(day * 100 + number, transaction_date=str(date)) for number in (*range(20), 1)]
    lines[5]["quantity"] = "x"
    deliver(deployed.landing, sales_path(date=date), csv(*lines))
    result = deployed.definitions.resolve_sensor_def("landing_sensor")(deployed.sensor_context())
    assert isinstance(result, dg.SensorResult)
    [request] = result.run_requests or []
    assert deployed.run(str(request.job_name), dict(request.tags)).success


def test_from_a_tick_to_the_committed_row_is_a_short_walk(ready: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    tick_and_run(ready, 3)
    with walked("committed", monkeypatch) as files:
        tick_and_run(ready, 4)
    assert len(sales(ready.warehouse)) == 2 * 19
    assert {"sensors/landing.py", "globolatte_ingest/load.py", "globolatte_ingest/reading/sales.py"} <= files
    assert len(files) <= MOST_MODULES, "\n".join(sorted(files))
