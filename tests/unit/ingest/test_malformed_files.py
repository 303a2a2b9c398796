"""Every malformed file ends as it should: refused with its code, or loaded with each bad row in quarantine under its reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from globolatte_ingest.declarations import UnitDeclaration
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.reading.landed_bytes import FileLimits
from globolatte_ingest.reasons import HOLDS, ReasonCode
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import UNITS, deliver, fetch, landing_in, load, put_reference_data, sales_path, warehouse_in
from tests.unit.ingest.malformed import Case, Loaded, cases

CASES = cases()
LIMITS = FileLimits(10_000_000)


@pytest.fixture(scope="module")
def loads(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[tuple[DuckDBWarehouse, FolderLandingZone]]":
    folder: Path = tmp_path_factory.mktemp("malformed")
    warehouse = warehouse_in(folder)
    put_reference_data(warehouse)
    with warehouse.keep_open():
        yield warehouse, landing_in(folder)


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 200
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.outcome for case in CASES if isinstance(case.outcome, ReasonCode)} >= set(ReasonCode) - {
        ReasonCode.MISPLACED, ReasonCode.BAD_REFERENCE_DATA, ReasonCode.UNREADABLE_CSV, *HOLDS,
    }  # fmt: skip


def became(warehouse: DuckDBWarehouse, path: str) -> tuple[object, ...]:
    """The file's entry in the ledger, its loaded rows' numbers, its quarantined rows' numbers and reasons."""
    with warehouse.transaction() as transaction:
        [entry] = transaction.fetch("select * from sales_data.load_ledger where path = ?", (path,)).to_pylist()
        assert Ledger(transaction).unbalanced_files() == []
    rows = fetch(
        warehouse,
        f"select row_number from sales_data.sales_transactions where load_id = '{entry['load_id']}' order by 1",
    )
    bad = fetch(
        warehouse,
        f"select row_number, reason from sales_data.quarantine where load_id = '{entry['load_id']}' order by 1",
    )
    return entry["status"], entry["reason_code"], entry["reason"], tuple(number for (number,) in rows), dict(bad)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_malformed_file_ends_as_it_should(loads: "tuple[DuckDBWarehouse, FolderLandingZone]", case: Case) -> None:
    warehouse, landing = loads
    with warehouse.transaction() as transaction:  # each file is the only one of its day
        for table in ("sales_transactions", "quarantine", "load_ledger", "load_parts"):
            transaction.execute(f"delete from sales_data.{table}")
    path = sales_path(f"file{case.suffix}")
    load(
        warehouse,
        landing,
        deliver(landing, path, case.content),
        limits=LIMITS,
        formats=dict.fromkeys(UNITS, UnitDeclaration(case.unit)),
    )
    status, code, reason, good, bad = became(warehouse, path)
    if isinstance(case.outcome, Loaded):
        assert (status, good, bad) == ("loaded", case.outcome.good, case.outcome.bad), reason
    else:
        assert (status, code, good, bad) == ("refused", str(case.outcome), (), {}), reason
        assert len(str(reason)) > 20
