"""What a DuckDB file has that other warehouses have not: one process at a time, a schema version, a process that dies."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from resources.warehouse.duckdb_file import DuckDBWarehouse
from resources.warehouse.schema import MIGRATIONS
from resources.warehouse.warehouse import WarehouseBusyError, WarehouseUnusableError
from tests.builders import fetch, put_reference_data, warehouse_in

HOLDER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_holds(file: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has the file open until its input is closed."""
    command = [sys.executable, "-c", HOLDER, file]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


def test_a_file_that_another_process_holds_is_refused_after_the_wait_with_its_process_id(
    closed_warehouse: DuckDBWarehouse,
) -> None:
    quick = DuckDBWarehouse(file=closed_warehouse.file, wait_seconds=0.1)
    with another_process_holds(closed_warehouse.file) as holder:
        with pytest.raises(WarehouseBusyError) as busy:
            quick.read("sales_data.products")
        with pytest.raises(WarehouseBusyError), quick.transaction():
            pass
    assert f"process {holder.pid} has had the warehouse file open for 0.1 seconds" in str(busy.value)
    assert closed_warehouse.file in str(busy.value)
    assert "GLOBOLATTE_WAREHOUSE_WAIT_SECONDS" in str(busy.value)


def test_waiting_succeeds_when_the_other_process_lets_go(closed_warehouse: DuckDBWarehouse) -> None:
    with another_process_holds(closed_warehouse.file) as holder, ThreadPoolExecutor() as pool:
        reading = pool.submit(closed_warehouse.read, "sales_data.products")
        assert not reading.done()
        assert holder.stdin is not None
        holder.stdin.close()
        assert reading.result(timeout=30).num_rows == 3


def test_no_connection_stays_open_between_two_uses(closed_warehouse: DuckDBWarehouse) -> None:
    closed_warehouse.read("sales_data.products")
    with closed_warehouse.keep_open():
        closed_warehouse.has("sales_data.products")
    with pytest.raises(ZeroDivisionError), closed_warehouse.transaction():
        raise ZeroDivisionError
    with another_process_holds(closed_warehouse.file):
        pass  # that it could open the file is the point


def test_a_process_that_ends_in_a_transaction_leaves_nothing_of_it(closed_warehouse: DuckDBWarehouse) -> None:
    dies = (
        "import os, sys; from resources.warehouse.duckdb_file import DuckDBWarehouse\n"
        "with DuckDBWarehouse(file=sys.argv[1]).transaction() as transaction:\n"
        "    transaction.execute('delete from sales_data.products')\n"
        "    os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", dies, closed_warehouse.file], check=False).returncode == 9
    assert closed_warehouse.read("sales_data.products").num_rows == 3


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    put_reference_data(warehouse)
    versions = fetch(warehouse, "select version from sales_data.schema_versions")
    assert versions == [(number,) for number in range(1, len(MIGRATIONS) + 1)]
    again = warehouse_in(tmp_path)
    assert again.read("sales_data.products").num_rows == 3
    assert fetch(again, "select version from sales_data.schema_versions") == versions


def test_a_migration_that_was_cut_off_is_taken_up_again(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema sales_data")
        connection.execute("create table sales_data.schema_versions (version integer not null)")
    assert warehouse_in(tmp_path).has("sales_data.load_ledger")


def test_a_file_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    newer = len(MIGRATIONS) + 1
    with warehouse.transaction() as transaction:
        transaction.execute("insert into sales_data.schema_versions values (?)", (newer,))
    with pytest.raises(RuntimeError, match=f"newer release .schema version {newer}, this one knows {newer - 1}"):
        warehouse.read("sales_data.products")


def test_a_file_that_is_no_database_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "warehouse.duckdb").write_bytes(b"this is no database" * 1000)
    with pytest.raises(WarehouseUnusableError, match=r"warehouse\.duckdb"):
        warehouse_in(tmp_path, wait_seconds=3600).read("sales_data.products")


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    assert warehouse_in(tmp_path / "not" / "yet").has("sales_data.products")


def test_it_says_which_file_it_is(warehouse: DuckDBWarehouse) -> None:
    assert warehouse.describe() == f"DuckDB file {warehouse.file}"
