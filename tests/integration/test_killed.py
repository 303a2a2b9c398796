"""Killing `globolatte run` at any moment and running it again gives the same tables and the same partitions materialized."""

import time
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from globolatte_assets.keys import SALES_TRANSACTIONS
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests import warm_commands
from tests.homes import Home, NewHome

MOMENTS: tuple[tuple[str, float], ...] = (
    ("· Reference data", 0.2),
    ("· Sales canada", 0.3),  # in the first unit's load
    ("· Sales mexico", 0.45),  # in the second one's, or while it is reported
    ("· Sales usa", 0.15),
    ("· Features", 1.5),  # while dbt starts
    ("· Features", 3.0),  # while dbt builds
    ("· Training", 0.3),  # in the snapshot
    ("· Training", 3.0),  # in the training job
    ("· Recommendations", 0.2),
)
"""Each run takes up what the killed one before it left: a step's first line, and the seconds after it."""
A_FEW = (MOMENTS[2], MOMENTS[5], MOMENTS[7])
"""One in each stage that writes tables of its own: a load, dbt, training."""

RUN_DEPENDENT = {"run_id", "etag", "recorded_at", "evaluated_at", "attempt", "sequence", "started_at", "settled_at"}
"""Columns that say who did it, when, at which try, and when a file was written: not what is known of the business."""

TABLES = (
    "sales_data.sales_transactions",
    "sales_data.load_ledger",
    "sales_data.quarantine",
    "sales_data.products",
    "sales_data.customers",
    "sales_data.holidays",
    "marts.fct_orders",
    "marts.fct_order_lines",
    "features.feat_customer_state",
    "features.feat_customer_product_state",
    "features.feat_training_examples",
    "ml.holdout_predictions",
    "serving.recommendations",
)


def tables(home: Home) -> dict[str, pa.Table]:
    """Every table's rows in an order of their own, without what depends on the run."""
    warehouse = DuckDBWarehouse(file=str(home.folder / "warehouse.duckdb"))
    found = {}
    for name in TABLES:
        rows = warehouse.read(name)
        kept = [column for column in rows.column_names if column not in RUN_DEPENDENT]
        found[name] = rows.select(kept).sort_by([(column, "ascending") for column in kept])
    return found


def materialized(home: Home) -> dict[str, set[str]]:
    """The partitions of the raw sales, and of every other asset whether it is materialized."""
    with dg.DagsterInstance.from_config(str(home.folder / "dagster")) as instance:
        keys = instance.get_asset_keys()
        return {
            key.to_user_string(): set(instance.get_materialized_partitions(key))
            for key in keys
            if instance.get_latest_materialization_event(key) is not None or key == SALES_TRANSACTIONS
        }


def kill_at(home: Home, words: str, seconds: float, log: Path) -> bool:
    """Runs, waits for a step's line and then some, and kills; says whether there was something left to kill."""
    log.write_text("")
    process = warm_commands.start(["run"], home.environment(), log)
    deadline = time.monotonic() + 90
    while words not in log.read_text() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(seconds)
    alive = process.is_alive()
    process.kill()
    process.wait()
    return alive


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moments", "at_least"),
    [pytest.param(A_FEW, 2, id="a few"), pytest.param(MOMENTS, 5, id="all", marks=pytest.mark.depth)],
)
def test_killed_runs_leave_the_same_tables_and_partitions(
    small_home: NewHome, home_that_ran: NewHome, tmp_path: Path, moments: tuple[tuple[str, float], ...], at_least: int
) -> None:
    killed, undisturbed = small_home(), home_that_ran()
    kills = 0
    for words, seconds in moments:
        kills += kill_at(killed, words, seconds, tmp_path / "output.txt")
    assert kills >= at_least
    killed.ok("run")
    assert killed.ok("run").startswith("Nothing to do")
    assert materialized(killed) == materialized(undisturbed)
    ours, theirs = tables(killed), tables(undisturbed)
    for name in TABLES:
        assert ours[name].to_pylist() == theirs[name].to_pylist(), name
