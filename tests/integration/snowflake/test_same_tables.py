"""The same files and steps on DuckDB and on the emulator of Snowflake end in the same tables, row for row.

This executes on the emulator; it is not verified on Snowflake.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from globolatte_assets.features.dbt_project import manifest_of
from globolatte_assets.jobs import BUILD_FEATURES, INGEST_SALES, LOAD_REFERENCE_DATA
from globolatte_assets.monitoring.data_drift import order_facts
from globolatte_assets.monitoring.performance import EXAMPLE_PRODUCTS, PRODUCT_STATE
from globolatte_assets.tables import example_span, last_business_date
from globolatte_ingest.discovery import LoadRange
from globolatte_ingest.ledger import Ledger, Step
from resources.environment import DBT_PROJECT_FOLDER
from resources.warehouse.warehouse import Warehouse
from sensors.landing import range_tags
from simulator import simulate, write
from tests.builders import Deployment, ask_for, checks, csv, deliver, deployment, failure_of, line, sales_path
from tests.emulators.fakesnow_server import FakeSnowflake
from tests.emulators.snowflake_gate import Gate, gate_before
from tests.snowflake_builders import emulator_settings

FIRST, LAST = dt.date(2022, 1, 1), dt.date(2022, 1, 6)
CORRECTED_DAY = dt.date(2022, 1, 3)
RETRACTED, RELEASED, CORRECTED = (
    sales_path(name, date=CORRECTED_DAY) for name in ("a.csv", "b.csv", "usa_2022-01-03.csv")
)
RUN_DEPENDENT = {"run_id", "recorded_at", "step_id", "asked_at", "settled_at", "etag", "started_at"}
RAW = (
    "business_units",
    "products",
    "customers",
    "holidays",
    "sales_transactions",
    "quarantine",
    "load_ledger",
    "load_parts",
    "row_corrections",
)
MAY_BE_EMPTY = {
    "sales_data.business_units",
    "staging.stg_exchange_rates",
    "staging.stg_weather",
    "intermediate.int_exchange_rates",
}
"""What this chain has no rows for: no rates and no weather feed landed."""

EPOCH = dt.datetime.fromisoformat("1970-01-01")
"""What the emulator answers for a timestamp that is NULL."""

RUNS: list[dg.ExecuteInProcessResult] = []
SETS_TAG = "alter session set query_tag"

DAYS = {"business_date": (FIRST + dt.timedelta(days=1), LAST)}
QUERIES: list[Callable[[Warehouse], list[object]]] = [
    lambda warehouse: warehouse.read("intermediate.int_delivered_days", between=DAYS).to_pylist(),
    lambda warehouse: warehouse.read(EXAMPLE_PRODUCTS, PRODUCT_STATE, between=DAYS).to_pylist(),
    lambda warehouse: order_facts(warehouse, FIRST, LAST).to_pylist(),
    lambda warehouse: [last_business_date(warehouse), example_span(warehouse)],
]
"""Python's queries of tables beyond reading them whole."""

pytestmark = pytest.mark.slow


def lines_of_the_day(*lines: dict[str, str]) -> bytes:
    return csv(*({**fields, "transaction_date": f"{CORRECTED_DAY}T08:15:00"} for fields in lines))


def ran(deployed: Deployment, job: str, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
    result = deployed.run(job, tags)
    assert result.success, failure_of(result)
    return result


def ingest(deployed: Deployment, *folders: str) -> None:
    for folder in folders:
        ran(deployed, INGEST_SALES, range_tags(LoadRange(folder, FIRST, LAST)))
    with deployed.warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []


def build(deployed: Deployment) -> int:
    """Runs dbt; returns how many of its tests passed."""
    RUNS.append(ran(deployed, BUILD_FEATURES))
    found = checks(RUNS[-1])
    assert {name: check.passed for name, check in found.items() if not check.passed} == {}
    return len(found)


def a_chain_with_corrections(deployed: Deployment, *, built_before: bool) -> None:
    """Days of sales; then corrections, a duplicate delivery, a broken file, rows put back, a retraction; perhaps a build in between."""
    write(simulate(250, 30, 5, FIRST, LAST), deployed.settings.home)
    ran(deployed, LOAD_REFERENCE_DATA)
    ingest(deployed, "mexico", "usa")
    if built_before:
        build(deployed)
    good = [line(number, customer_id=f"C000{number}", product_id=f"P00{number}") for number in (1, 2, 3)]
    back = {"quantity": "-1", "total_price": "-3.50"}
    # a customer of two orders: the emulator adds up decimals as doubles, and so not exactly
    of_two_orders = {"customer_id": "C9999"}
    taken_back = [
        line(13, order_id="O0000005", **of_two_orders, **back),
        line(14, order_id="", customer_id="C0002", refunded_order_id="O0000099", **back),
    ]
    deliver(
        deployed.landing,
        RETRACTED,
        lines_of_the_day(*good, line(4, quantity="x"), line(3)),
    )
    deliver(
        deployed.landing,
        RELEASED,
        lines_of_the_day(
            line(2),
            line(5, **of_two_orders),
            line(6, weather="Rainy", **of_two_orders),
            line(10),
            line(11),
            line(12, total_price=""),
            *taken_back,
        ),
    )
    deliver(deployed.landing, sales_path("broken.csv", date=CORRECTED_DAY), b"no such columns\n1\n")
    deliver(
        deployed.landing, CORRECTED, lines_of_the_day(line(1, customer_id="C0009"), line(7), line(8, product_id="P999"))
    )
    ingest(deployed, "usa")
    ask_for(deployed.warehouse, Step.APPROVE, CORRECTED)
    ask_for(deployed.warehouse, Step.RETRACT, RETRACTED)
    mended = {**line(12, transaction_date=f"{CORRECTED_DAY}T09:00:00"), "row_number": 6}
    ask_for(deployed.warehouse, Step.RELEASE, RELEASED, pa.Table.from_pylist([mended]))
    ingest(deployed, "usa")
    deliver(
        deployed.landing,
        CORRECTED,
        lines_of_the_day(line(1, customer_id="C0009"), line(7), *good, line(9, total_price="")),
    )
    ingest(deployed, "usa")


def rows(warehouse: Warehouse, table: str) -> list[tuple[object, ...]]:
    """All rows of a table, in an order of their own, without what differs from run to run."""
    data = warehouse.read(table)
    kept = [name for name in sorted(data.column_names) if name not in RUN_DEPENDENT]
    told = (tuple(None if row[name] == EPOCH else row[name] for name in kept) for row in data.select(kept).to_pylist())
    return sorted(told, key=repr)


def dbt_nodes(kind: str) -> list[dict[str, Any]]:
    from dagster_dbt import DbtProject

    nodes = manifest_of(DbtProject(project_dir=DBT_PROJECT_FOLDER))["nodes"].values()
    return [node for node in nodes if node["resource_type"] == kind]


def dbt_tables() -> list[str]:
    return sorted(f"{node['schema']}.{node['name']}" for node in dbt_nodes("model"))


def dbt_tests() -> list[str]:
    return [f"test/{node['name']}" for node in dbt_nodes("test")]


@pytest.fixture
def gate(fakesnow: FakeSnowflake) -> Iterator[Gate]:
    """Takes the query tags, which the emulator does not know."""
    with gate_before(fakesnow.port) as made:
        made.instead = {SETS_TAG: lambda _: "select 1"}
        yield made


def query_tags(gate: Gate) -> list[dict[str, Any]]:
    return [json.loads(statement.split("'")[1]) for statement in gate.replaced if SETS_TAG in statement]


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_raw_ingestion_with_corrections_and_dbt_give_the_same_tables(
    tmp_path: Path, instance: dg.DagsterInstance, fakesnow: FakeSnowflake, gate: Gate
) -> None:
    worlds = {
        "duckdb": deployment(tmp_path / "duckdb", instance),
        "snowflake": deployment(
            tmp_path / "snowflake", instance, **emulator_settings(fakesnow, snowflake_port=gate.own_port)
        ),
    }
    built = {}
    for name, made in worlds.items():
        world = deployment(
            made.settings.home, instance, **made.settings.model_dump(exclude={"home", "now"})
        )  # its environment
        # On DuckDB one build of all equals builds of changes: tests/unit/dbt/test_incremental_equals_full_refresh.py.
        a_chain_with_corrections(world, built_before=name == "snowflake")
        built[name] = build(world)
    assert built["duckdb"] == built["snowflake"] > 20
    duckdb, snowflake = (world.warehouse for world in worlds.values())
    differing = {}
    for table in [*(f"sales_data.{name}" for name in RAW), *dbt_tables()]:
        expected = rows(duckdb, table)
        assert expected or table in MAY_BE_EMPTY, f"{table} has no rows: nothing is compared"
        if rows(snowflake, table) != expected:
            differing[table] = [
                pair for pair in zip(expected, rows(snowflake, table), strict=False) if pair[0] != pair[1]
            ][:2]
    assert differing == {}
    tags = query_tags(gate)
    assert {tag["run_id"] for tag in tags} <= {run.run_id for run in RUNS}
    last = [one for tag in tags if tag["run_id"] == RUNS[-1].run_id for one in tag["assets"]]
    assert sorted(last) == sorted([*(table.replace(".", "/") for table in dbt_tables()), *dbt_tests()])
    for query in QUERIES:
        assert sorted(map(repr, query(snowflake))) == sorted(map(repr, query(duckdb))) != [], query
