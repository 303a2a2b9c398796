"""Every malformed file ends as it should: refused with its code, or loaded with each bad row in quarantine under its reason."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from globolatte_ingest.declarations import Declaration, UnitDeclaration
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.reading.landed_bytes import FileLimits
from globolatte_ingest.reasons import HOLDS, ReasonCode
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import UNITS, deliver, fetch, landing_in, load, put_reference_data, sales_path, warehouse_in
from tests.unit.ingest.malformed import Case, Loaded, cases

CASES = cases()
LIMITS = FileLimits(10_000_000)

Ending = tuple[object, ...]
"""A file's status, reason code and reason; its loaded rows' numbers; its quarantined rows' numbers and reasons."""


def kind_of(case: Case) -> tuple[object, ...]:
    """What is special of a case but for the value in its cell."""
    outcome = case.outcome
    ending = tuple(sorted(outcome.bad.values())) if isinstance(outcome, Loaded) else (outcome, case.name)
    return case.name.partition("': ")[0], case.suffix, case.unit, ending


def each_of_a_kind() -> Iterator[Any]:
    """All cases. Each loaded file costs a load: of those that differ by a value alone, the first one; the others in depth."""
    known = set()
    for case in CASES:
        repeated = kind_of(case) in known
        known.add(kind_of(case))
        yield pytest.param(case, id=case.name, marks=pytest.mark.depth if repeated else ())


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


def load_alone(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, unit: Declaration, files: dict[str, bytes]
) -> None:
    """Loads these files into empty tables, as files of a unit that declares this."""
    with warehouse.transaction() as transaction:
        for table in ("sales_transactions", "quarantine", "load_ledger", "load_parts"):
            transaction.execute(f"delete from sales_data.{table}")
    delivered = [deliver(landing, path, content) for path, content in files.items()]
    formats = dict.fromkeys(UNITS, UnitDeclaration(unit))
    load(warehouse, landing, *delivered, limits=LIMITS, formats=formats)


@pytest.fixture(scope="module")
def refused(loads: "tuple[DuckDBWarehouse, FolderLandingZone]") -> dict[str, Ending]:
    """What became of the files to be refused, by the cases' names: those of one declaration are loaded together, as they leave no rows."""
    warehouse, landing = loads
    cases = [case for case in CASES if isinstance(case.outcome, ReasonCode)]
    found = {}
    for _, group in groupby(sorted(cases, key=lambda case: repr(case.unit)), key=lambda case: repr(case.unit)):
        paths = {sales_path(f"{number}{case.suffix}"): case for number, case in enumerate(group)}
        unit = next(iter(paths.values())).unit
        load_alone(warehouse, landing, unit, {path: case.content for path, case in paths.items()})
        found |= {case.name: became(warehouse, path) for path, case in paths.items()}
    return found


def became(warehouse: DuckDBWarehouse, path: str) -> Ending:
    """How a file's load has ended."""
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


@pytest.mark.parametrize("case", each_of_a_kind())
def test_a_malformed_file_ends_as_it_should(
    loads: "tuple[DuckDBWarehouse, FolderLandingZone]", refused: dict[str, Ending], case: Case
) -> None:
    warehouse, landing = loads
    if isinstance(case.outcome, Loaded):
        path = sales_path(f"file{case.suffix}")
        load_alone(warehouse, landing, case.unit, {path: case.content})
        status, _, reason, good, bad = became(warehouse, path)
        assert (status, good, bad) == ("loaded", case.outcome.good, case.outcome.bad), reason
    else:
        status, code, reason, good, bad = refused[case.name]
        assert (status, code, good, bad) == ("refused", str(case.outcome), (), {}), reason
        assert len(str(reason)) > 20
