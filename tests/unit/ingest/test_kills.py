"""SIGKILL at named points of a load, and other ends: run again, it gives the same tables, and nothing was half done between."""

import multiprocessing
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from globolatte_ingest import kill_points
from globolatte_ingest.kill_points import LOAD_POINTS, POINTS, RETRACTION_POINTS
from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.requested_steps import requested_step
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import NOW, csv, deliver, fetch, landing_in, line, put_reference_data, sales_path, warehouse_in
from tests.unit.ingest import doomed
from tests.unit.ingest.doomed import Doomed

A, B, C, H = (sales_path(name) for name in ("a.csv", "b.csv", "c.csv", "h.csv"))
E = "exports/e.csv"

INSIDE = tuple(name for name in LOAD_POINTS if name not in ("attempt noted", "committed"))
"""Points at which a load has not committed anything that it loads; beyond the others nothing is left to be undone."""
A_FEW = ("noting the attempt", "rows half written", "owners moved", "steps marked done", "retracted rows deleted")
"""One before a load's first commit, one in the middle of its rows, one between rows and ledger, one at its end, one of a retraction;
others in the test that kills a load again and again. At all points they are killed in depth."""
COMMITS = [Doomed("before the commit", seconds / 1000) for seconds in (0, 1, 2, 3, 5, 8, 12, 20, 30, 50)]
A_FEW_MILLISECONDS = (0, 5, 20)


assert set(A_FEW) <= {*LOAD_POINTS, *RETRACTION_POINTS}, "else none of a renamed point is held by `make test`"


def each_or_a_few(points: tuple[str, ...]) -> list[Any]:
    """All points as a test's cases; those beyond the few in depth."""
    return [pytest.param(point, marks=() if point in A_FEW else pytest.mark.depth) for point in points]


RUN_DEPENDENT = (
    "run_id",
    "recorded_at",
    "attempt",
    "etag",
    "sequence",
    "settled_at",
    "asked_at",
    "step_id",
    "started_at",
    "happened_at",
)
COUNTS = ("rows_loaded", "rows_quarantined")
PRESENT = "load_id in (select load_id from sales_data.load_ledger where status in ('loaded', 'held'))"
TABLES = (
    "sales_transactions",
    "quarantine",
    "load_ledger",
    "load_parts",
    "ledger_events",
    "ledger_steps",
    "row_corrections",
)


def child(target: Callable[..., None], *arguments: object) -> multiprocessing.Process:
    """A process that does this and nothing else; started from a server that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.ingest.doomed", "duckdb", "pyarrow.csv", "pyarrow.compute", "numpy"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def ended(process: multiprocessing.Process) -> int | None:
    process.join(60)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day in the middle of things: a and b are loaded and share a transaction, h is held; then a is corrected, c is new, and

    somebody approves h, and puts a corrected row of b back. e is of two units and dates, and is corrected to others.
    """
    folder: Path = tmp_path_factory.mktemp("template")
    warehouse, landing = warehouse_in(folder), landing_in(folder)
    put_reference_data(warehouse)
    deliver(landing, A, csv(line(1), line(2), line(3, quantity="x")))
    deliver(landing, B, csv(line(1), line(4), line(5, weather="Hail")))
    deliver(landing, H, csv(line(9), line(10, quantity="x"), line(11, quantity="x")))
    canadian = {"business_unit": "BU_CA"}
    deliver(landing, E, csv(line(18), line(20), line(21, transaction_date="2022-01-05", **canadian)))
    doomed.run(warehouse, landing)
    deliver(landing, E, csv(line(20), line(21, transaction_date="2022-01-06", **canadian), line(22, quantity="x")))
    deliver(landing, A, csv(line(2), line(6, quantity="x"), line(7), line(7)))
    deliver(landing, C, csv(line(4), line(8)))
    request(warehouse, Step.APPROVE, H)
    request(warehouse, Step.RELEASE, B, {**line(5), "row_number": 3})
    return folder


def request(warehouse: DuckDBWarehouse, step: Step, path: str, *put_back: dict[str, object]) -> None:
    import pyarrow as pa

    with warehouse.transaction() as transaction:
        numbers = [row["row_number"] for row in put_back]
        one = requested_step(step, Ledger(transaction).history(path), "ana", None, numbers, numbers)
        Ledger(transaction).request(one, NOW, pa.Table.from_pylist([*put_back]) if put_back else None)


def tables(warehouse: DuckDBWarehouse) -> dict[str, list[tuple[object, ...]]]:
    """What is known of the business; not who found it out, when, and at which try.

    How many rows a superseded version had to the last depends on what came before what: it is history.
    """
    found = {}
    for table in TABLES:
        names = [name for name in warehouse.read(f"sales_data.{table}").column_names if name not in RUN_DEPENDENT]
        if table in ("load_ledger", "load_parts"):
            names = [f"case when status <> 'superseded' then {n} end" if n in COUNTS else n for n in names]
        which = PRESENT if table == "quarantine" else "true"
        found[table] = fetch(warehouse, f"select {', '.join(names)} from sales_data.{table} where {which} order by all")
    return found


@pytest.fixture(scope="module")
def undisturbed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    """The tables after a load that nothing happened to."""
    warehouse, landing = linked(template, tmp_path_factory.mktemp("undisturbed"))
    doomed.run(warehouse, landing)
    return tables(warehouse)


def linked(template: Path, folder: Path) -> tuple[DuckDBWarehouse, FolderLandingZone]:
    """A copy of the template; its landed files are the same ones, since an etag is made of time, size and inode."""
    warehouse, landing = warehouse_in(folder), landing_in(folder)
    shutil.copy(warehouse_in(template).file, warehouse.file)
    shutil.copytree(Path(template, "landing"), landing.folder, dirs_exist_ok=True, copy_function=link)
    return warehouse, landing


def link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


@pytest.fixture
def day(template: Path, tmp_path: Path) -> tuple[DuckDBWarehouse, FolderLandingZone]:
    return linked(template, tmp_path)


def committed_whole(warehouse: DuckDBWarehouse) -> None:
    with warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []


@pytest.mark.parametrize("point", each_or_a_few(INSIDE))
def test_a_load_killed_at_a_named_point_leaves_nothing_half_done_and_ends_the_same(
    day: tuple[DuckDBWarehouse, FolderLandingZone],
    undisturbed: dict[str, list[tuple[object, ...]]],
    tmp_path: Path,
    point: str,
) -> None:
    warehouse, landing = day
    before = tables(warehouse)
    assert ended(child(doomed.killed_at, str(tmp_path), Doomed(point))) == -signal.SIGKILL
    assert tables(warehouse) == before
    committed_whole(warehouse)
    doomed.run(warehouse, landing)
    assert tables(warehouse) == undisturbed


@pytest.mark.parametrize(
    "commit",
    [
        pytest.param(
            commit,
            id=f"{commit.after_seconds * 1000:g} ms",
            marks=() if round(commit.after_seconds * 1000) in A_FEW_MILLISECONDS else pytest.mark.depth,
        )
        for commit in COMMITS
    ],
)
def test_a_load_killed_within_its_commit_is_there_as_a_whole_or_not_at_all(
    day: tuple[DuckDBWarehouse, FolderLandingZone],
    undisturbed: dict[str, list[tuple[object, ...]]],
    tmp_path: Path,
    commit: Doomed,
) -> None:
    warehouse, landing = day
    before = tables(warehouse)
    assert ended(child(doomed.killed_at, str(tmp_path), commit)) in (-signal.SIGKILL, 0)
    assert tables(warehouse) in (before, undisturbed)
    doomed.run(warehouse, landing)
    assert tables(warehouse) == undisturbed


@pytest.mark.parametrize("end", [doomed.killed_while_reading, doomed.killed_after], ids=lambda end: end.__name__)
def test_a_load_killed_outside_of_transactions_ends_the_same(
    day: tuple[DuckDBWarehouse, FolderLandingZone],
    undisturbed: dict[str, list[tuple[object, ...]]],
    tmp_path: Path,
    end: Callable[[str], None],
) -> None:
    warehouse, landing = day
    assert ended(child(end, str(tmp_path))) == -signal.SIGKILL
    committed_whole(warehouse)
    doomed.run(warehouse, landing)
    assert tables(warehouse) == undisturbed


@pytest.mark.parametrize("point", each_or_a_few(RETRACTION_POINTS))
def test_a_retraction_killed_at_a_named_point_ends_the_same(
    day: tuple[DuckDBWarehouse, FolderLandingZone], tmp_path: Path, point: str
) -> None:
    warehouse, landing = day
    doomed.run(warehouse, landing)
    request(warehouse, Step.RETRACT, B)
    before = tables(warehouse)
    assert ended(child(doomed.killed_at, str(tmp_path), Doomed(point))) == -signal.SIGKILL
    assert tables(warehouse) == before
    doomed.run(warehouse, landing)
    with warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []
        assert Ledger(transaction).open_steps() == []
    loaded = fetch(
        warehouse,
        "select path, status from sales_data.load_ledger where status in ('loaded', 'retracted') order by all",
    )
    assert loaded == [(E, "loaded"), (A, "loaded"), (B, "retracted"), (C, "loaded"), (H, "loaded")]
    owners = "select path from sales_data.sales_transactions inner join sales_data.load_ledger using (load_id) where transaction_id = '{}'"
    assert fetch(warehouse, owners.format("T00000004")) == [(C,)]
    assert fetch(warehouse, owners.format("T00000001")) == []


def test_a_load_killed_again_and_again_ends_the_same(
    day: tuple[DuckDBWarehouse, FolderLandingZone], undisturbed: dict[str, list[tuple[object, ...]]], tmp_path: Path
) -> None:
    warehouse, landing = day
    for point in ("rows written", "ledger written", "before the commit", "quarantined"):
        assert ended(child(doomed.killed_at, str(tmp_path), Doomed(point))) == -signal.SIGKILL
    doomed.run(warehouse, landing)
    assert tables(warehouse) == undisturbed


@pytest.mark.parametrize("point", ["attempt noted", "committed"])
def test_a_load_killed_between_its_transactions_ends_the_same(
    day: tuple[DuckDBWarehouse, FolderLandingZone],
    undisturbed: dict[str, list[tuple[object, ...]]],
    tmp_path: Path,
    point: str,
) -> None:
    warehouse, landing = day
    before = tables(warehouse)
    assert ended(child(doomed.killed_at, str(tmp_path), Doomed(point))) == -signal.SIGKILL
    assert tables(warehouse) == (undisturbed if point == "committed" else before)
    doomed.run(warehouse, landing)
    assert tables(warehouse) == undisturbed


def test_every_declared_point_is_passed_in_the_order_in_which_it_is_declared_and_no_other(
    day: tuple[DuckDBWarehouse, FolderLandingZone], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse, landing = day
    passed: list[str] = []
    monkeypatch.setattr(kill_points, "hook", passed.append)
    doomed.run(warehouse, landing)
    assert list(dict.fromkeys(passed)) == list(LOAD_POINTS)
    request(warehouse, Step.RETRACT, B)
    passed.clear()
    doomed.run(warehouse, landing)
    assert [name for name in passed if name not in LOAD_POINTS] == list(RETRACTION_POINTS)
    assert len(set(POINTS)) == len(POINTS)


def test_there_are_enough_kills() -> None:
    assert len(LOAD_POINTS) + len(RETRACTION_POINTS) >= 10
    assert len(LOAD_POINTS) + len(RETRACTION_POINTS) + len(COMMITS) + 2 + 4 >= 35


def test_two_runs_at_once_load_a_file_once(
    day: tuple[DuckDBWarehouse, FolderLandingZone], undisturbed: dict[str, list[tuple[object, ...]]], tmp_path: Path
) -> None:
    warehouse, _ = day
    both = [child(doomed.one_of_two, str(tmp_path), f"run-{number}") for number in (1, 2)]
    assert [ended(process) for process in both] == [0, 0]
    assert tables(warehouse) == undisturbed


def test_a_full_disk_is_a_clear_error_and_leaves_nothing_half_done(
    day: tuple[DuckDBWarehouse, FolderLandingZone], tmp_path: Path
) -> None:
    warehouse, landing = day
    large = csv(*(line(number, customer_id=f"C{number * 7919 % 1_000_003}") for number in range(100, 30_100)))
    deliver(landing, C, large)
    assert ended(child(doomed.with_little_disk, str(tmp_path), 100_000)) == doomed.DISK_IS_FULL
    committed_whole(warehouse)
    of_c = f"select count(*) from sales_data.sales_transactions inner join sales_data.load_ledger using (load_id) where path = '{C}'"
    assert fetch(warehouse, of_c) == [(0,)]
    doomed.run(warehouse, landing)
    assert fetch(warehouse, of_c) == [(30_000,)]
    committed_whole(warehouse)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="globolatte-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_warehouse_that_may_only_be_read_is_a_clear_error(template: Path, open_folder: Path) -> None:
    warehouse, _ = linked(template, open_folder)
    before = tables(warehouse)
    Path(warehouse.file).chmod(0o444)
    assert ended(child(doomed.without_permission, str(open_folder))) == doomed.CANNOT_WRITE
    Path(warehouse.file).chmod(0o644)
    assert tables(warehouse) == before
