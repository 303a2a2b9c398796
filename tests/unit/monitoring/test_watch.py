"""What monitoring finds to evaluate in a real warehouse: new windows once, broken ones again after they were corrected."""

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest

from globolatte_assets.models.champion import Champion
from globolatte_assets.monitoring.accepted_changes import (
    Acceptance,
    CannotBeAcceptedError,
    accept_change,
    acceptances,
    criteria_of,
    undo_acceptance,
)
from globolatte_assets.monitoring.data_drift import drift_rows
from globolatte_assets.monitoring.standing import standing_of
from globolatte_assets.monitoring.windows import DRIFT_TABLE, Watch, drop_obsolete, stored_rows, watch
from globolatte_ml.monitoring.accepted import AcceptedChange
from globolatte_ml.monitoring.verdicts import ColumnVerdict, DriftVerdict, Status
from globolatte_ml.monitoring.windows import Window, WindowRules
from resources.clock import Clock
from resources.ml.ml_platform import ModelVersion, Snapshot
from resources.warehouse.duckdb_file import DuckDBWarehouse
from resources.warehouse.warehouse import Warehouse
from tests.builders import warehouse_in
from tests.dbt_views import make_view

FIRST = dt.date(2024, 3, 1)
CHAMPION = Champion(
    ModelVersion("4", "hash", "snap", "job", Path()), Snapshot("snap", Path()), FIRST - dt.timedelta(days=1), None
)
RULES = WindowRules(orders=100, days=10)
CLOCK = Clock(fixed_at="2024-06-01T00:00:00+00:00")

DAILY_SALES = (
    "create table intermediate.int_daily_sales (business_unit varchar, business_date date, main_orders bigint)"
)


@pytest.fixture
def stocked(tmp_path: Path) -> DuckDBWarehouse:
    made = warehouse_in(tmp_path)
    with made.transaction() as transaction:
        transaction.execute("create schema intermediate")
        transaction.execute(DAILY_SALES)
    make_view(made, "int_load_parts")
    make_view(made, "int_delivered_days")
    return made


def deliver(warehouse: Warehouse, day: int, good: int, bad: int = 0, status: str = "loaded", version: int = 1) -> None:
    """A unit's file of a day: `good` orders of one line, `bad` quarantined rows."""
    date = FIRST + dt.timedelta(days=day)
    entry = {
        "load_id": f"{day}-{version}",
        "sequence": 100 * version + day,
        "path": f"sales/usa/{date:%Y/%m/%d}/sales.csv",
        "etag": str(version),
        "sha256": "",
        "size_bytes": 1,
        "business_unit": "BU_US",
        "business_date": date,
        "status": status,
        "rows_in_file": good + bad,
        "rows_loaded": good,
        "rows_quarantined": bad,
        "attempt": 1,
        "run_id": "run",
        "recorded_at": dt.datetime(2024, 3, 1),  # noqa: DTZ001 - as the warehouse holds it
    }
    warehouse.replace("sales_data.load_ledger", pa.Table.from_pylist([entry]), {"load_id": entry["load_id"]})
    sales = [{"business_unit": "BU_US", "business_date": date, "main_orders": good}]
    if good:
        warehouse.replace("intermediate.int_daily_sales", pa.Table.from_pylist(sales), {"business_date": date})


def build(warehouse: Warehouse, day: int, content: str) -> None:
    """The marts are built from this content of a day."""
    date = FIRST + dt.timedelta(days=day)
    with warehouse.transaction() as transaction:
        transaction.execute("delete from build_state.built_days where business_date = ?", [date])
        transaction.execute("insert into build_state.built_days values ('BU_US', ?, ?)", [date, content])


def look(warehouse: Warehouse) -> Watch:
    return watch(warehouse, DRIFT_TABLE, CHAMPION, RULES, criteria_of(warehouse).name)


def record(warehouse: Warehouse, window: Window, status: Status) -> None:
    column = ColumnVerdict("weather", "jensenshannon", 0.1, 0.2, Status.OK)
    faults = window.delivery.faults()
    verdict = DriftVerdict(window, status, (column,), "same time of year", 500, faults)
    judged_by = criteria_of(warehouse).name(window.scope, window.last)
    warehouse.replace(DRIFT_TABLE, drift_rows(verdict, CHAMPION, CLOCK, judged_by), {"window_id": window.window_id})


def test_a_complete_window_is_evaluated_once(stocked: DuckDBWarehouse) -> None:
    for day in range(12):
        deliver(stocked, day, good=20)
    (window,) = look(stocked).windows
    assert (window.first, window.orders) == (FIRST, 200)
    record(stocked, window, Status.OK)
    assert look(stocked).windows == []


def test_the_latest_version_of_a_file_counts(stocked: DuckDBWarehouse) -> None:
    for day in range(10):
        deliver(stocked, day, good=20, bad=20)
        deliver(stocked, day, good=20, version=2)
    assert look(stocked).windows[0].delivery.rows_quarantined == 0


def test_refused_files_are_days_that_failed(stocked: DuckDBWarehouse) -> None:
    for day in range(10):
        deliver(stocked, day, good=0, status="refused")
    assert "10 were refused" in look(stocked).windows[0].delivery.faults()[0]


def test_a_broken_window_is_evaluated_again_once_it_is_corrected(stocked: DuckDBWarehouse) -> None:
    for day in range(10):
        deliver(stocked, day, good=20, bad=20)
    record(stocked, look(stocked).windows[0], Status.BROKEN)
    assert look(stocked).windows == []
    for day in range(10):
        deliver(stocked, day, good=40, version=2)
    (window,) = look(stocked).windows
    assert window.orders == 400


def test_a_window_that_lacks_the_values_of_a_column_is_evaluated_again_once_other_files_came(
    stocked: DuckDBWarehouse,
) -> None:
    for day in range(10):
        deliver(stocked, day, good=20)
    (window,) = look(stocked).windows
    assert not window.delivery.faults()
    record(stocked, window, Status.BROKEN)
    assert look(stocked).windows == []
    deliver(stocked, 4, good=20, version=2)
    (again,) = look(stocked).windows
    assert again.window_id == window.window_id
    record(stocked, again, Status.BROKEN)
    assert look(stocked).windows == []


def test_a_correction_that_the_marts_did_not_have_yet_is_evaluated_once_they_do(stocked: DuckDBWarehouse) -> None:
    for day in range(10):
        deliver(stocked, day, good=20)
        build(stocked, day, "as it came first")
    deliver(stocked, 4, good=20, version=2)
    (window,) = look(stocked).windows
    record(stocked, window, Status.BROKEN)
    assert look(stocked).windows == []
    build(stocked, 4, "as it was corrected")
    (again,) = look(stocked).windows
    assert again.window_id == window.window_id
    record(stocked, again, Status.OK)
    assert look(stocked).windows == []


def test_a_broken_window_that_is_none_any_more_is_dropped(stocked: DuckDBWarehouse) -> None:
    for day in range(10):
        deliver(stocked, day, good=0, bad=20)
    record(stocked, look(stocked).windows[0], Status.BROKEN)
    for day in range(10):
        deliver(stocked, day, good=5, version=2)
    seen = look(stocked)
    assert seen.obsolete == ["BU_US_2024-03-01_2024-03-10"]
    drop_obsolete(stocked, DRIFT_TABLE, CHAMPION, seen)
    assert stored_rows(stocked, DRIFT_TABLE, CHAMPION, []) == []


def test_broken_days_are_noticed_before_a_window_is_complete(stocked: DuckDBWarehouse) -> None:
    for day in range(5):
        deliver(stocked, day, good=1, bad=3)
    seen = look(stocked)
    assert seen.windows == []
    assert "75% of 20 delivered rows were quarantined" in seen.faults["BU_US"]


def test_the_champion_s_standing_has_its_windows_in_time_order(stocked: DuckDBWarehouse) -> None:
    for day in range(30):
        deliver(stocked, day, good=20)
    statuses = [Status.OK, Status.DRIFTED, Status.BROKEN]
    for window, status in zip(look(stocked).windows, statuses, strict=True):
        record(stocked, window, status)
    standing = standing_of(stocked, CHAMPION)
    assert standing.drift == {"BU_US": ["ok", "drifted", "broken"]}
    assert standing.data_until == dt.date(2024, 3, 30)
    assert len(standing.broken) == 1


# What windows are judged by ----------------------------------------------------------------------------------------------


def judged(warehouse: Warehouse, *statuses: Status) -> list[Window]:
    """Windows of ten days each that were judged, one of each status."""
    for day in range(10 * len(statuses)):
        deliver(warehouse, day, good=20)
    windows = look(warehouse).windows
    for window, status in zip(windows, statuses, strict=True):
        record(warehouse, window, status)
    assert look(warehouse).windows == []
    return windows


def add_unit(warehouse: Warehouse, **declared: object) -> None:
    unit = {"business_unit_id": "BU_US", "country": "USA", "unit_name": "USA", "folder": "usa", "time_zone": "UTC"}
    warehouse.replace("sales_data.business_units", pa.Table.from_pylist([unit]), {"business_unit_id": "BU_US"})
    if declared:
        table = {"business_unit_id": "BU_US", "declaration": json.dumps(declared)}
        warehouse.replace("sales_data.unit_declarations", pa.Table.from_pylist([table]))


def accept(warehouse: Warehouse, column: str, since: dt.date, unit: str | None = None) -> Acceptance:
    change = AcceptedChange(column, unit, since)
    return accept_change(warehouse, change, by="Ana", why="New tills.", clock=CLOCK)


def test_windows_are_judged_again_once_a_change_of_theirs_is_accepted_and_once_that_is_undone(
    stocked: DuckDBWarehouse,
) -> None:
    first, second, third = judged(stocked, Status.OK, Status.DRIFTED, Status.BROKEN)
    made = accept(stocked, "weather", second.first)
    assert standing_of(stocked, CHAMPION).is_outdated
    assert sorted(look(stocked).windows, key=lambda one: one.first) == [second, third]
    for window in (second, third):
        record(stocked, window, Status.OK)
    assert (look(stocked).windows, standing_of(stocked, CHAMPION).is_outdated) == ([], False)
    undo_acceptance(stocked, made.change_id, by="Ben", why="It was a fault.", clock=CLOCK)
    assert sorted(look(stocked).windows, key=lambda one: one.first) == [second, third]
    accept(stocked, "weather", first.last)
    assert sorted(look(stocked).windows, key=lambda one: one.first) == [first, second, third]


def test_another_unit_s_acceptance_judges_nothing_again(stocked: DuckDBWarehouse) -> None:
    judged(stocked, Status.OK)
    stocked.replace(
        "sales_data.business_units",
        pa.table({name: ["BU_CA"] for name in ("business_unit_id", "country", "unit_name", "folder", "time_zone")}),
    )
    accept(stocked, "weather", FIRST, "BU_CA")
    assert look(stocked).windows == []


def test_windows_that_an_earlier_release_judged_are_judged_again(stocked: DuckDBWarehouse) -> None:
    windows = judged(stocked, Status.DRIFTED, Status.BROKEN)
    with stocked.transaction() as transaction:
        transaction.execute("update monitoring.drift set judged_by = null")
    assert sorted(look(stocked).windows, key=lambda one: one.first) == windows
    assert not standing_of(stocked, CHAMPION).is_outdated, "until then they count"


def test_a_column_that_a_unit_declares_as_required_is_needed_in_its_windows_and_the_chain_s(
    stocked: DuckDBWarehouse,
) -> None:
    add_unit(stocked, required=["payment_method"])
    criteria = criteria_of(stocked)
    assert criteria.required_of("BU_US") == criteria.required_of("chain") == {"payment_method"}
    assert criteria.required_of("BU_CA") == frozenset()


@pytest.mark.parametrize(
    ("column", "unit", "since", "sentence"),
    [
        ("colour", None, FIRST, "column 'colour' is not monitored; these are: main_product_id, weather"),
        ("weather", "BU_XX", FIRST, "no business unit 'BU_XX'; these are: BU_US"),
        ("business_unit", "BU_US", FIRST, "leave out --unit"),
        ("weather", None, dt.date(2030, 1, 1), "lies in the future"),
    ],
)
def test_what_cannot_be_accepted_is_refused(
    stocked: DuckDBWarehouse, column: str, unit: str | None, since: dt.date, sentence: str
) -> None:
    add_unit(stocked)
    with pytest.raises(CannotBeAcceptedError, match=sentence):
        accept(stocked, column, since, unit)
    assert acceptances(stocked) == []


def test_what_is_accepted_or_undone_already_is_refused(stocked: DuckDBWarehouse) -> None:
    made = accept(stocked, "weather", FIRST)
    with pytest.raises(CannotBeAcceptedError, match="accepted already"):
        accept(stocked, "weather", FIRST)
    undo_acceptance(stocked, made.change_id, by="Ben", why="A fault.", clock=CLOCK)
    for change_id, sentence in ((made.change_id, "undone already"), ("none", "there is no accepted change 'none'")):
        with pytest.raises(CannotBeAcceptedError, match=sentence):
            undo_acceptance(stocked, change_id, by="Ben", why="A fault.", clock=CLOCK)
    assert [(one.accepted_by, one.undone_by, one.holds) for one in acceptances(stocked)] == [("Ana", "Ben", False)]
