"""A load that is cut off, at any instant, leaves nothing but the note that it was tried."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from globolatte_ingest.ownership import ConservationError
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from resources.warehouse.warehouse import Transaction
from tests.builders import (
    InterferedWarehouse,
    csv,
    deliver,
    deliver_and_load,
    everything,
    fetch,
    ledger,
    line,
    load,
    quarantine,
    sales,
    sales_path,
)

A, B, C = sales_path("a.csv"), sales_path("b.csv"), sales_path("c.csv")
ROOT = Path(__file__).parents[3]


class CrashError(Exception):
    """What a test throws into a load."""


class CrashAt:
    """Crashes at the statement of this number; counts what it saw."""

    def __init__(self, number: int) -> None:
        self.number, self.seen = number, 0

    def __call__(self, transaction: Transaction, sql: str) -> None:
        self.seen += 1
        if self.seen == self.number:
            raise CrashError


def test_a_crash_at_any_statement_leaves_nothing_but_the_attempt(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    """The batch corrects one file, brings a new one, and moves the ownership of a third one's row."""
    deliver_and_load(warehouse, landing, A, line(1), line(2))
    deliver_and_load(warehouse, landing, B, line(1))
    before = everything(warehouse)
    batch = [deliver(landing, A, csv(line(2, quantity="x"))), deliver(landing, C, csv(line(3), line(2), line(3)))]
    crashes = 0
    while True:
        crash = CrashAt(crashes + 1)
        try:
            load(InterferedWarehouse(warehouse, crash), landing, *batch)
            break
        except CrashError:
            crashes += 1
        assert everything(warehouse) == before
    assert crashes > 20
    assert sales(warehouse, "path, transaction_id") == [(B, "T00000001"), (C, "T00000003"), (C, "T00000002")]
    assert quarantine(warehouse) == [(A, 1, "bad_number"), (C, 3, "duplicate_in_file")]
    attempts = fetch(
        warehouse, "select path, max(attempt), count(*) from sales_data.load_attempts group by path order by path"
    )
    noted = attempts[0][1]
    assert attempts == [(A, noted, noted + 1), (B, 1, 1), (C, noted, noted)]
    assert crashes - 3 <= noted <= crashes  # but for the few statements that note the attempt itself
    assert ledger(warehouse, "path, attempt")[-2:] == [(A, noted), (C, noted)]


@pytest.mark.parametrize(
    "harm",
    [
        "delete from sales_data.sales_transactions where row_number = 1",
        "insert into sales_data.sales_transactions select * from sales_data.sales_transactions",
        "delete from sales_data.quarantine where reason = 'bad_number'",
        "update sales_data.load_ledger set rows_in_file = null where path like '%b.csv'",
    ],
    ids=["lost", "doubled", "lost-in-quarantine", "not-counted"],
)
def test_a_load_that_would_lose_or_double_a_row_is_rolled_back(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, harm: str
) -> None:
    deliver_and_load(warehouse, landing, A, line(1))
    before = everything(warehouse)
    file = deliver(landing, B, csv(line(2), line(3, quantity="x")))

    def just_before_counting(transaction: Transaction, sql: str) -> None:
        if "fill touched" in sql:
            transaction.execute(harm)

    with pytest.raises(ConservationError, match="nothing of this batch was loaded"):
        load(InterferedWarehouse(warehouse, just_before_counting), landing, file)
    assert everything(warehouse) == before
    assert load(warehouse, landing, file).rows_loaded == 1


DIES_BEFORE_COMMIT = """
import os, sys
from pathlib import Path
from globolatte_ingest import kill_points
from tests.builders import *
warehouse, landing = warehouse_in(Path(sys.argv[1])), landing_in(Path(sys.argv[1]))
def die(point):
    if point == "before the commit":
        os._exit(9)
kill_points.hook = die
load(warehouse, landing, landed(landing, sys.argv[2]))
"""


def test_a_process_that_dies_in_a_load_leaves_nothing_but_the_attempt(
    closed_warehouse: DuckDBWarehouse, landing: FolderLandingZone, tmp_path: Path
) -> None:
    deliver_and_load(closed_warehouse, landing, A, line(1))
    before = everything(closed_warehouse)
    file = deliver(landing, A, csv(line(2)))
    command = [sys.executable, "-c", DIES_BEFORE_COMMIT, str(tmp_path), A]
    assert subprocess.run(command, cwd=ROOT, env=os.environ, check=False).returncode == 9
    assert everything(closed_warehouse) == before
    assert fetch(closed_warehouse, "select max(attempt), count(*) from sales_data.load_attempts") == [(1, 2)]
    load(closed_warehouse, landing, file)
    assert ledger(closed_warehouse, "status, attempt") == [("superseded", 1), ("loaded", 2)]
    assert sales(closed_warehouse) == [(A, 1, "T00000002")]
