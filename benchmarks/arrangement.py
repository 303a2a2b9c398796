"""What measurements are set up with: warehouses as loads leave them, the bare read of sales files, commands in a process of their own."""

import contextlib
import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import duckdb
import psutil

from globolatte_ingest.ledger import Ledger, LedgerStatus
from resources.environment import warehouse_of
from resources.landing.landing_zone import LandedFile
from resources.settings.settings import PROJECT_ROOT, Settings

GLOBOLATTE = str(Path(sys.executable).with_name("globolatte"))
UNITS = {"usa": "BU_US", "canada": "BU_CA", "mexico": "BU_MX"}
NOW = dt.datetime.fromisoformat("2024-01-01T00:00")
SALES_COLUMNS = (
    "{'transaction_id': 'VARCHAR', 'order_id': 'VARCHAR', 'business_unit': 'VARCHAR', 'product_id': 'VARCHAR', "
    "'customer_id': 'VARCHAR', 'quantity': 'BIGINT', 'total_price': 'DECIMAL(18,2)', 'transaction_date': 'TIMESTAMP', "
    "'payment_method': 'VARCHAR', 'weather': 'VARCHAR'}"
)

OPTIONAL_COLUMNS = (
    "{'store_id': 'VARCHAR', 'discount': 'DECIMAL(18,2)', 'promotion': 'VARCHAR', 'currency': 'VARCHAR', 'kind': 'VARCHAR', "
    "'refunded_order_id': 'VARCHAR', 'refunded_date': 'DATE'}"
)
ALL_COLUMNS = f"{SALES_COLUMNS[:-1]}, {OPTIONAL_COLUMNS[1:]}"


def bare_read(files: str | Path, scratch: Path, columns: str = SALES_COLUMNS) -> None:
    """One typed `read_csv` of all `files`, a path or a pattern, into a table of the new database file `scratch`."""
    scratch.unlink(missing_ok=True)
    options = f"header = true, auto_detect = false, columns = {columns}"
    with contextlib.closing(duckdb.connect(str(scratch))) as connection:
        connection.execute(f"create table sales as from read_csv('{files}', {options})")


def new_warehouse(settings: Settings) -> None:
    """A new warehouse that knows `UNITS` and six products."""
    settings.warehouse_file.unlink(missing_ok=True)
    with warehouse_of(settings).transaction() as transaction:
        for folder, unit in UNITS.items():
            transaction.execute(
                "insert into sales_data.business_units (business_unit_id, country, unit_name, folder, time_zone) "
                "values (?, ?, ?, ?, 'UTC')",
                (unit, folder, folder, folder),
            )
        transaction.execute(
            "insert into sales_data.products (product_id, product_name, price) select 'P00' || i, 'x', 1 from range(1, 7) as numbers (i)"
        )


def record_loaded(settings: Settings, files: Iterable[tuple[LandedFile, str, dt.date]], rows: int = 0) -> None:
    """Records files as loaded, each with its unit's folder, its date and so many rows."""
    landed, folders, dates = zip(*files, strict=True)
    contents = [str(number) for number in range(len(landed))]
    with warehouse_of(settings).transaction() as transaction:
        ledger = Ledger(transaction)
        entries = ledger.new_entries(landed, contents, LedgerStatus.LOADED, "bench", NOW)
        for entry, folder, date in zip(entries, folders, dates, strict=True):
            entry.business_unit, entry.business_date, entry.rows_in_file = UNITS[folder], date, rows
        ledger.write(entries)


def start(command: list[str], home: Path) -> "subprocess.Popen[bytes]":
    """Starts a command in the project's folder with a home of its own; what it prints is lost."""
    environment = {**os.environ, "GLOBOLATTE_HOME": str(home)}
    return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.DEVNULL)


def run(command: list[str], home: Path) -> None:
    """Runs a command to its end. Raises `CalledProcessError` if it fails."""
    with start(command, home) as process:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, command)


def family(pid: int) -> list[psutil.Process]:
    """A process and everything that it started."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]
