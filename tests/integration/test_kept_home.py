"""A home that an earlier version made goes on under this one: nothing is lost, loaded twice, or answered differently.

The tests go through one home in the order they stand in. What is in it: tests/kept_homes/README.txt.
"""

import datetime as dt
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from globolatte_assets.features.builds import fingerprint
from globolatte_assets.jobs import BUILD_FEATURES, INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES
from globolatte_assets.keys import ORDERS, SALES_TRANSACTIONS
from globolatte_ingest.discovery import LoadRange
from globolatte_ingest.ledger import Step
from globolatte_ingest.quarantine_sheets import read_corrections
from resources.clock import Clock
from resources.environment import DBT_PROJECT_FOLDER, clock_of, ml_of
from resources.ml.ml_platform import CHAMPION
from resources.settings.settings import Settings
from sensors.landing import REQUESTED_BY_A_PERSON, listing_of, look, range_tags
from tests.builders import Deployment, ask_for, deployment, failure_of
from tests.homes import Home
from tests.kept_homes.make import WHO, WHY, ask_endpoint
from tests.table_comparison import assert_same, comparable

pytestmark = pytest.mark.slow

CUSTOMER_SALES = "intermediate.int_customer_sales"
WORDED_BY_THE_VERSION = {
    "sales_data.load_ledger.reason",
    "sales_data.load_parts.reason",
    "sales_data.quarantine.detail",
    "staging.stg_load_ledger.reason",
    "staging.stg_quarantine.detail",
}
"""Sentences in the words of the version that wrote them; what is wrong stands beside them as a code."""
ARCHIVE = Path(__file__).parents[1] / "kept_homes" / "0.1.0.tar.xz"


@dataclass(frozen=True)
class Kept:
    """A kept home, taken over by this version where it lies; `folder` is what came with it."""

    home: Home
    folder: Path
    made: dict[str, Any]

    @property
    def warehouse(self) -> Path:
        return self.home.folder / "warehouse.duckdb"

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def land(self, files: str) -> list[str]:
        """Puts files that were kept back into the landing zone; their paths there."""
        return land(self.folder / files, self.home.folder)

    def retracted(self) -> str:
        return (self.folder / "later" / "retract.txt").read_text().strip()

    def ok(self, *arguments: str, **more: str) -> str:
        return self.home.ok(*arguments, GLOBOLATTE_NOW=self.made["later"], **more)


def land(files: Path, home: Path) -> list[str]:
    paths = [file.relative_to(files).as_posix() for file in sorted(files.rglob("*")) if file.is_file()]
    for path in paths:
        target = home / "landing" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files / path, target)
    return paths


def lines_in(file: Path) -> int:
    return len(file.read_text().splitlines()) - 1


def manifest() -> dict[str, Any]:
    return json.loads((DBT_PROJECT_FOLDER / "target" / "manifest.json").read_bytes())


def columns_of(table: str) -> list[str]:
    """The columns of a model's table as its YAML declares them."""
    [node] = [node for node in manifest()["nodes"].values() if f"{node['schema']}.{node['name']}" == table]
    return list(node["columns"])


@pytest.fixture(scope="module")
def kept(new_home: Callable[[], Home]) -> Kept:
    folder = new_home().folder
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    made = json.loads((folder / "made.json").read_text())
    return Kept(Home(folder / "home"), folder, made)


def test_its_runs_and_partitions_are_listed(kept: Kept) -> None:
    with dg.DagsterInstance.from_config(str(kept.home.folder / "dagster")) as instance:
        runs = instance.get_runs()
        assert len(runs) > 20
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        assert all(instance.all_logs(run.run_id) for run in runs)
        assert len(instance.get_materialized_partitions(SALES_TRANSACTIONS)) == 180
        assert instance.get_latest_materialization_event(ORDERS) is not None


def test_the_doctor_knows_what_is_in_it(kept: Kept) -> None:
    output = kept.ok("doctor")
    assert "1 held, 185 loaded, 2 refused, 1 retracted, 3 superseded" in output
    assert "champion is version 1" in output


def within_rounding(answered: Any) -> Any:
    """The same document; its version answered by an ONNX graph, which was held to the model to nine digits."""
    if isinstance(answered, dict):
        return {name: within_rounding(value) for name, value in answered.items()}
    if isinstance(answered, list):
        return [within_rounding(value) for value in answered]
    return pytest.approx(answered, rel=1e-9) if isinstance(answered, float) else answered


def test_it_recommends_what_it_did(kept: Kept) -> None:
    assert json.loads(kept.ok(*kept.made["asked"])) == within_rounding(kept.made["answer"])


def test_its_endpoint_starts_and_answers_what_it_did(kept: Kept) -> None:
    try:
        kept.home.ok("endpoints", "start", GLOBOLATTE_PREDICTION_LOG_SECONDS="1")
        assert ask_endpoint(kept.home) == within_rounding(kept.made["answers"])
    finally:
        assert "stopped" in kept.home.ok("endpoints", "stop")


def test_a_retraction_a_correction_and_new_days_are_taken_in_and_nothing_else_and_a_challenger_meets_its_champion(
    kept: Kept,
) -> None:
    [(before, rows, requests)] = kept.fetch(
        "select max(sequence), (select count(*) from sales_data.sales_transactions), "
        "(select count(*) from monitoring.prediction_log) from sales_data.load_ledger"
    )
    [(retracted,)] = kept.fetch(f"select rows_loaded from sales_data.load_ledger where path = '{kept.retracted()}'")
    assert f"{retracted} rows taken out" in kept.ok("retract", kept.retracted(), "--yes", "--note", WHY, LOGNAME=WHO)
    new = kept.land("later/new_days")
    assert len(new) == 6
    [corrected] = kept.land("later/corrected")
    with duckdb.connect(str(kept.warehouse)) as connection:
        # as if that version's models had differed more than they did
        connection.execute(f"alter table {CUSTOMER_SALES} drop column {columns_of(CUSTOMER_SALES)[-1]}")

    output = kept.ok("run", GLOBOLATTE_RETRAINING_AGE_DAYS="1", GLOBOLATTE_RETRAINING_COOLDOWN_DAYS="1")
    assert "7 files loaded" in output
    loaded = kept.fetch(f"select path from sales_data.load_ledger where sequence > {before} order by all")
    assert [path for (path,) in loaded] == sorted([*new, corrected])
    rows += sum(lines_in(kept.home.folder / "landing" / path) for path in new) - retracted - 1
    assert kept.fetch("select count(*) from sales_data.sales_transactions") == [(rows,)]
    assert kept.fetch("select count(*) from marts.fct_order_lines") == [(rows,)]
    assert "Trained: Sales go on" in output
    evaluated = kept.fetch(
        "select snapshot, list_sort(list(model_version)) from ml.evaluations group by all order by 2"
    )
    assert [versions for _, versions in evaluated] == [["1"], ["1", "2"]], "both are evaluated on the later snapshot"
    assert "against the champion's" in output
    assert len(kept.made["questions"]) == 3
    assert kept.fetch("select count(*) from monitoring.prediction_log") == [(requests + 3,)]
    assert kept.ok("run").startswith("Nothing to do")


def test_its_models_are_those_of_this_version(kept: Kept) -> None:
    """dbt built them anew by itself, since another version had built them."""
    models = sorted(node["name"] for node in manifest()["nodes"].values() if node["resource_type"] == "model")
    built = kept.fetch("select model, fingerprint from sales_data.dbt_builds order by model")
    assert [model for model, _ in built] == models
    assert {version for _, version in built} == {fingerprint(manifest())}
    schema, table = CUSTOMER_SALES.split(".")
    found = kept.fetch(
        f"select column_name from information_schema.columns where (table_schema, table_name) = ('{schema}', '{table}') "
        "order by ordinal_position"
    )
    assert [column for (column,) in found] == columns_of(CUSTOMER_SALES)


def test_it_is_as_sound_as_before_and_recommends(kept: Kept) -> None:
    output = kept.ok("doctor")
    assert "1 held, 190 loaded, 2 refused, 2 retracted, 4 superseded" in output
    champion = ml_of(Settings(home=kept.home.folder)).model(CHAMPION)
    assert f"champion is version {champion.version}" in output
    assert len(json.loads(kept.ok(*kept.made["asked"]))["products"]) == 6


class UnchangedChain:
    """The same files and steps in the same order, by this version alone; nothing is built until all have come."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.home, self.instance = home, instance

    def at(self, now: str) -> Deployment:
        return deployment(self.home, self.instance, now=dt.datetime.fromisoformat(now))

    def take_in(self, world: Deployment) -> None:
        backlog = self._look(world)
        if backlog.pending.reference:
            ran(world, LOAD_REFERENCE_DATA)
            backlog = self._look(world)
        if backlog.pending.misplaced:
            ran(world, RECORD_MISPLACED_FILES)
        for load in backlog.loads:
            ran(world, INGEST_SALES, range_tags(load))

    def _look(self, world: Deployment) -> Any:
        clock: Clock = clock_of(world.settings)
        files = listing_of(world.landing)
        return look(self.instance, world.settings, files, world.warehouse, clock, REQUESTED_BY_A_PERSON)

    def do(self, world: Deployment, step: Step, path: str, corrected: Path | None = None) -> None:
        rows = read_corrections(corrected.read_bytes(), path) if corrected else None
        ask_for(world.warehouse, step, path, rows)
        _, folder, *date, _ = path.split("/")
        day = dt.date(*map(int, date))
        ran(world, INGEST_SALES, range_tags(LoadRange(folder, day, day)))


def ran(world: Deployment, job: str, tags: dict[str, str] | None = None) -> None:
    result = world.run(job, tags)
    assert result.success, failure_of(result)


def test_its_tables_are_those_of_a_chain_that_never_changed_versions(
    kept: Kept, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    chain = UnchangedChain(tmp_path, instance)
    for one in kept.made["passes"]:
        world = chain.at(one["now"])
        for step, path, *rows in one["steps_before"]:
            chain.do(world, Step(step), path, kept.folder / rows[0] if rows else None)
        land(kept.folder / one["files"], chain.home)
        chain.take_in(world)
    world = chain.at(kept.made["later"])
    chain.do(world, Step.RETRACT, kept.retracted())
    land(kept.folder / "later" / "new_days", chain.home)
    land(kept.folder / "later" / "corrected", chain.home)
    chain.take_in(world)
    ran(world, BUILD_FEATURES)
    unchanged = comparable(world.settings.warehouse_file, WORDED_BY_THE_VERSION)
    assert {
        "sales_data.quarantine",
        "sales_data.load_ledger",
        "marts.fct_orders",
        "features.feat_training_examples",
    } <= {name for name, rows in unchanged.items() if rows}
    assert_same(comparable(kept.warehouse, WORDED_BY_THE_VERSION), unchanged, tolerance=1e-12)
