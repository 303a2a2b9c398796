"""Snowflake refuses, or the line is cut in the middle of a load: a clear error, nothing half loaded, the ledger true.

The refusals are Snowflake's by its documentation; everything else executes on the emulator.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from globolatte_ingest.ledger import Ledger
from resources.landing.folder import FolderLandingZone
from resources.warehouse.snowflake import SnowflakeWarehouse
from resources.warehouse.warehouse import WarehouseBusyError, WarehouseUnusableError
from tests.builders import (
    csv,
    deliver,
    everything,
    landing_in,
    ledger,
    line,
    load,
    put_reference_data,
    sales,
    sales_path,
)
from tests.emulators.fakesnow_server import FakeSnowflake
from tests.emulators.snowflake_gate import LOGIN, Gate, gate_before
from tests.snowflake_builders import PASSWORD, emptied, emulated_warehouse, of_this_worker

A, B = sales_path("a.csv"), sales_path("b.csv")

WRONG_PASSWORD = ("390100", "Incorrect username or password was specified.")
NO_SUCH_ROLE = (
    "390189",
    "Role 'BARISTA' specified in the connect string does not exist or not authorized. Contact your local system administrator.",
)
NO_WAREHOUSE = (
    "000606",
    "No active warehouse selected in the current session. Select an active warehouse with the 'use warehouse' command.",
)
LOCKED = (
    "000625",
    "Statement '01' has locked table 'WRITER_TURN' in transaction 1 and this lock has not yet been released.",
)


@pytest.fixture
def gate(fakesnow: FakeSnowflake) -> Iterator[Gate]:
    with gate_before(fakesnow.port) as made:
        yield made


@pytest.fixture
def direct(fakesnow: FakeSnowflake) -> SnowflakeWarehouse:
    """The warehouse by a line of its own."""
    made = emptied(emulated_warehouse(fakesnow, database=of_this_worker("FAULTS")))
    put_reference_data(made)
    return made


@pytest.fixture
def gated(gate: Gate, fakesnow: FakeSnowflake, direct: SnowflakeWarehouse) -> SnowflakeWarehouse:
    """The same warehouse behind the gate."""
    made = emulated_warehouse(fakesnow, database=of_this_worker("FAULTS"), port=gate.own_port, network_seconds=2)
    assert made.has("sales_data.products")
    return made


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (WRONG_PASSWORD, "refused who we say we are .*Incorrect username or password.*GLOBOLATTE_SNOWFLAKE_USER"),
        (NO_SUCH_ROLE, "does not give us the role .*BARISTA.*infra/snowflake"),
    ],
    ids=["bad-credentials", "missing-role"],
)
def test_a_refused_login_says_what_to_do_and_no_secret_and_leaves_what_was_there(
    gate: Gate,
    gated: SnowflakeWarehouse,
    direct: SnowflakeWarehouse,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    refusal: tuple[str, str],
    message: str,
) -> None:
    landing = landing_in(tmp_path)
    file = deliver(landing, A, csv(line(1), line(2)))
    before = everything(direct)
    gate.at, gate.refusal = LOGIN, refusal
    with pytest.raises(WarehouseUnusableError, match=message) as refused:
        load(gated, landing, file)
    assert PASSWORD not in str(refused.value) + caplog.text + repr(gated)
    assert everything(direct) == before
    gate.open()
    load(gated, landing, file)
    assert ledger(direct, "path, status, rows_loaded, rows_quarantined, attempt") == [(A, "loaded", 2, 0, 1)]


def test_a_turn_that_another_writer_keeps_too_long_is_reported_as_that(
    gate: Gate, gated: SnowflakeWarehouse, direct: SnowflakeWarehouse
) -> None:
    gate.at, gate.refusal = "set turn = turn + 1", LOCKED
    with pytest.raises(WarehouseBusyError, match="kept its turn for too long"):
        gated.replace("sales_data.products", direct.read("sales_data.products").slice(0, 0))
    assert direct.read("sales_data.products").num_rows == 3


def test_a_transaction_that_read_before_another_wrote_writes_nothing(direct: SnowflakeWarehouse) -> None:
    products = direct.read("sales_data.products")

    def look_and_write() -> None:
        with direct.transaction() as transaction:
            assert transaction.fetch("select product_id from sales_data.products").num_rows == 3
            direct.replace("sales_data.products", products.slice(0, 1))
            transaction.execute("delete from sales_data.products")

    with pytest.raises(WarehouseBusyError, match="nothing was written; run again"):
        look_and_write()
    assert direct.read("sales_data.products").num_rows == 1


def test_a_warehouse_that_stops_in_the_middle_of_a_load_leaves_nothing_of_it(
    gate: Gate, gated: SnowflakeWarehouse, direct: SnowflakeWarehouse, tmp_path: Path
) -> None:
    landing = landing_in(tmp_path)
    file = deliver(landing, A, csv(line(1), line(2, quantity="x"), line(3)))
    gate.at, gate.refusal = "insert into sales_data.quarantine", NO_WAREHOUSE
    with pytest.raises(WarehouseUnusableError, match=r"no virtual warehouse at work.*resume it"):
        load(gated, landing, file)
    assert everything(direct)["load_ledger"] == everything(direct)["sales_transactions"] == []
    gate.open()
    load(gated, landing, file)
    assert ledger(direct, "path, status, rows_loaded, rows_quarantined, attempt") == [(A, "loaded", 2, 1, 2)]


POINTS = {
    "while rows come in": ("copy into incoming", False),
    "while rows are written": ("insert into sales_data.sales_transactions", True),
    "before it commits": ("commit", False),
}


@pytest.mark.parametrize(
    ("at", "after"),
    [
        pytest.param(*cut, id=name, marks=() if name == "while rows are written" else pytest.mark.depth)
        for name, cut in POINTS.items()
    ],
)
def test_a_line_that_is_cut_in_the_middle_of_a_load_leaves_what_was_there(
    gate: Gate, gated: SnowflakeWarehouse, direct: SnowflakeWarehouse, tmp_path: Path, at: str, after: bool
) -> None:
    landing = landing_in(tmp_path)
    load(direct, landing, deliver(landing, A, csv(line(1), line(2))))
    before = everything(direct)
    corrected, other = deliver(landing, A, csv(line(2), line(3))), deliver(landing, B, csv(line(1), line(2)))
    gate.at, gate.after = at, after
    with pytest.raises(WarehouseUnusableError, match=r"does not answer.*run again"):
        load(gated, landing, corrected, other)
    assert gate.times
    assert everything(direct) == before
    gate.open()
    load(gated, landing, corrected, other)
    assert_loaded(direct)


def test_a_commit_whose_answer_is_lost_is_found_in_the_ledger(
    gate: Gate, gated: SnowflakeWarehouse, direct: SnowflakeWarehouse, tmp_path: Path
) -> None:
    landing: FolderLandingZone = landing_in(tmp_path)
    load(direct, landing, deliver(landing, A, csv(line(1), line(2))))
    files = deliver(landing, A, csv(line(2), line(3))), deliver(landing, B, csv(line(1), line(2)))
    gate.at, gate.after = "commit", True
    with pytest.raises(WarehouseUnusableError, match="the ledger says what is loaded"):
        load(gated, landing, *files)
    gate.open()
    load(gated, landing, *files)
    load(gated, landing, *files)
    assert_loaded(direct)


def assert_loaded(warehouse: SnowflakeWarehouse) -> None:
    """Both files are loaded once, and the correction has replaced what it corrects."""
    assert sales(warehouse) == [(A, 1, "T00000002"), (A, 2, "T00000003"), (B, 1, "T00000001")]
    assert ledger(warehouse, "path, status, rows_loaded, rows_quarantined") == [
        (A, "superseded", 2, 0),
        (A, "loaded", 2, 0),
        (B, "loaded", 1, 1),
    ]
    with warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []
