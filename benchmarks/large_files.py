"""Ingestion of large files, and of one more day into a large warehouse: against DuckDB's own typed `read_csv`, and against limits.

`GLOBOLATTE_BENCH_LOADED_ROWS` and `GLOBOLATTE_BENCH_LARGE_BYTES` make the two long measurements smaller or larger.
"""

import contextlib
import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.arrangement import (
    ALL_COLUMNS,
    GLOBOLATTE,
    NOW,
    SALES_COLUMNS,
    UNITS,
    bare_read,
    new_warehouse,
    record_loaded,
    run,
)
from benchmarks.rows import Row, seconds
from globolatte_ingest.load import LoadContext, LoadReport, batches, load_batch
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reading.landed_bytes import FileLimits
from resources.environment import landing_of, warehouse_of
from resources.landing.landing_zone import LandedFile
from resources.settings.settings import PROJECT_ROOT, Settings
from simulator import simulate, write

ROUNDS = 5
ROWS = 1_000_000
BAD_EVERY = 1_000
LOADED_ROWS = int(os.environ.get("GLOBOLATTE_BENCH_LOADED_ROWS", "50_000_000"))
LARGE_BYTES = int(os.environ.get("GLOBOLATTE_BENCH_LARGE_BYTES", str(2 * 10**9)))
MOST_MEMORY = 1024
"""MiB that loading the largest file may take in all."""
RETAIL_LINES, RETAIL_FILES, RETAIL_SECONDS = 500_000, 800, 60
ONBOARD_BYTES, ONBOARD_SECONDS = 100_000_000, 10

DAY = dt.date(2023, 6, 15)

LINES = """
select
    'T' || lpad(i::varchar, 9, '0') as transaction_id, 'O' || lpad((i // 2)::varchar, 8, '0') as order_id, '{unit}' as business_unit,
    'P00' || (1 + i * 7 % 6) as product_id, 'C' || lpad((hash(i // 2) % 1000)::varchar, 4, '0') as customer_id,
    {quantity} as quantity, printf('%.2f', 2 + hash(i + 1) % 1800 / 100.0) as total_price,
    strftime(timestamp '{date} 06:00:00' + to_seconds((hash(i + 2) % 50000)::bigint), '%Y-%m-%dT%H:%M:%S') as transaction_date,
    ['card', 'cash', 'mobile'][(1 + hash(i + 3) % 3)::int] as payment_method,
    ['Sunny', 'Rainy', 'Snowy', 'Cloudy'][(1 + hash(i + 4) % 4)::int] as weather
from range({rows}) as numbers (i)
"""

AS_TILLS_WRITE_THEM = """
select
    transaction_id, order_id, business_unit, product_id,
    case when hash(order_id) % 4 > 0 then 'C' || lpad((hash(order_id, 1) % 1000)::varchar, 4, '0') end as customer_id,
    case when is_refund then -1 else quantity::integer end as quantity,
    case when is_refund then '-' else '' end || total_price as total_price,
    transaction_date, payment_method, weather, 'S' || i % 5 as store_id,
    case when i % 10 = 0 then '0.50' end as discount, case when i % 10 = 0 then 'two for one' end as promotion, 'USD' as currency,
    case when is_refund then 'refund' else 'sale' end as kind,
    case when is_refund then order_id end as refunded_order_id, case when is_refund then '{date}' end as refunded_date
from (select *, row_number() over () as i, hash(transaction_id) % 50 = 0 as is_refund from ({lines}))
"""
"""The same lines with every optional column: a quarter of the orders name no customer, two of a hundred lines are refunds."""


def _write(
    file: Path,
    rows: int,
    folder: str = "usa",
    date: dt.date = DAY,
    *,
    is_dirty: bool = False,
    all_columns: bool = False,
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    quantity = "(1 + hash(i + 5) % 3)::varchar"
    if is_dirty:
        quantity = f"case when i % {BAD_EVERY} = 7 then 'x' else {quantity} end"
    lines = LINES.format(unit=UNITS[folder], quantity=quantity, date=date, rows=rows)
    if all_columns:
        lines = AS_TILLS_WRITE_THEM.format(lines=lines, date=date)
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute(f"copy ({lines}) to '{file}' (header, delimiter ',')")


def _path(folder: str, date: dt.date, name: str = "sales.csv") -> str:
    return f"sales/{folder}/{date:%Y/%m/%d}/{name}"


def _load(settings: Settings, date: dt.date, folders: Iterable[str] = ("usa",)) -> LoadReport:
    """Loads a date's files of these folders, each as the ingest job of its unit does."""
    landing, warehouse, report = landing_of(settings), warehouse_of(settings), LoadReport()
    for folder in folders:
        files = [SalesFile(file, folder, date) for file in landing.files(_path(folder, date, ""))]
        report += load_batch(warehouse, landing, files, _context(settings))
    return report


def _context(settings: Settings) -> LoadContext:
    limits = FileLimits(2 * settings.max_file_bytes, settings.max_compression_ratio, settings.load_batch_bytes)
    return LoadContext("bench", NOW, UNITS, limits, settings.max_bad_share)


def million_row(settings: Settings) -> Iterator[Row]:
    """A million rows against a bare typed `read_csv` of as many good ones of the same columns; rounds taken in turn."""
    clean, landed = settings.home / "clean.csv", settings.landing_folder / _path("usa", DAY)
    for name, is_dirty, all_columns, limit in (
        ("no bad row", False, False, 2.5),
        ("1 bad row in 1,000", True, False, 2.5),
        ("optional columns, refunds, anonymous customers", False, True, 2.3),
    ):
        _write(clean, ROWS, all_columns=all_columns)
        _write(landed, ROWS, is_dirty=is_dirty, all_columns=all_columns)
        columns = ALL_COLUMNS if all_columns else SALES_COLUMNS
        ours, reference = [], []
        for _ in range(ROUNDS):
            reference.append(seconds(lambda columns=columns: bare_read(clean, settings.home / "bare.duckdb", columns)))
            new_warehouse(settings)
            ours.append(seconds(lambda: _load(settings, DAY)))
        yield Row(f"load of {ROWS:,} rows ({name}) / typed read_csv", min(ours), min(reference), limit=limit)
    shutil.rmtree(settings.landing_folder)


def retail_files(settings: Settings) -> Iterator[Row]:
    """Half a million lines of 800 files with refunds and anonymous customers, loaded; their sums against pandas, to the cent.

    Raises ValueError where a unit's number of lines or its takings differ from those that pandas reads out of the files.
    """
    dates = [DAY + dt.timedelta(days=day) for day in range(RETAIL_FILES // 2)]
    for folder in ("usa", "mexico"):
        for date in dates:
            _write(
                settings.landing_folder / _path(folder, date),
                RETAIL_LINES // RETAIL_FILES,
                folder,
                date,
                all_columns=True,
            )
    new_warehouse(settings)
    landing, context = landing_of(settings), _context(settings)

    def load() -> None:
        for folder in ("usa", "mexico"):
            files = [SalesFile(file, folder, date) for date in dates for file in landing.files(_path(folder, date, ""))]
            for batch in batches(files, settings.load_batch_bytes):
                load_batch(warehouse_of(settings), landing, batch, context)

    took = seconds(load)
    landed = pd.concat(pd.read_csv(file, dtype=str) for file in sorted(settings.landing_folder.rglob("*.csv")))
    landed["total_price"] = landed["total_price"].map(Decimal)
    wanted = {unit: (len(lines), sum(lines["total_price"])) for unit, lines in landed.groupby("business_unit")}
    with warehouse_of(settings).transaction() as transaction:
        found = transaction.fetch(
            "select business_unit, count(*) as n, sum(total_price) as amount from sales_data.sales_transactions group by business_unit"
        ).to_pylist()
    if wanted != {row["business_unit"]: (row["n"], row["amount"]) for row in found}:
        raise ValueError(f"the files hold {wanted}, the warehouse {found}")
    yield Row(f"{RETAIL_LINES:,} lines of {RETAIL_FILES} files / allowed", took, RETAIL_SECONDS, limit=1.0)
    shutil.rmtree(settings.landing_folder)


def onboarding(settings: Settings) -> Iterator[Row]:
    """`globolatte onboard` of a sample file of 100 MB, from the start of the process on."""
    write(simulate(orders=10, customers=5), settings.home)
    sample = settings.home / "sample.csv"
    _write(sample, ONBOARD_BYTES // 100, all_columns=True)
    took = seconds(lambda: run([GLOBOLATTE, "onboard", str(sample), "--unit", "usa"], settings.home))
    yield Row(f"onboard of {sample.stat().st_size / 1e6:.0f} MB / allowed", took, ONBOARD_SECONDS, limit=1.0)
    shutil.rmtree(settings.landing_folder)


MEASURED = """
import sys
from pathlib import Path
from benchmarks.large_files import DAY, _load
from benchmarks.rows import peak_memory
from resources.settings.settings import Settings
report = _load(Settings(home=Path(sys.argv[1])), DAY)
assert report.rows_loaded > 0, report
print(peak_memory() / 1024**2)
"""


def memory(settings: Settings) -> Iterator[Row]:
    """The most memory that a process takes that loads the largest file."""
    file = settings.landing_folder / _path("usa", DAY)
    _write(file, LARGE_BYTES // 81)
    new_warehouse(settings)
    command = [sys.executable, "-c", MEASURED, str(settings.home)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    name = f"memory to load a file of {file.stat().st_size / 1e9:.1f} GB / allowed"
    yield Row(name, float(done.stdout.split()[-1]), MOST_MEMORY, unit="MiB", limit=1.0)
    shutil.rmtree(settings.landing_folder)


def _fill(settings: Settings, rows: int) -> None:
    """A warehouse with so many rows of earlier days, spread over two years of the three units, as loads leave them."""
    new_warehouse(settings)
    days = [dt.date(2021, 6, 1) + dt.timedelta(days=day) for day in range(730)]
    per_load = max(rows // (len(days) * len(UNITS)), 1)
    wanted = ((LandedFile(_path(folder, date), "1", 1), folder, date) for folder in UNITS for date in days)
    record_loaded(settings, wanted, per_load)
    with warehouse_of(settings).transaction() as transaction:
        transaction.execute("update sales_data.load_ledger set rows_loaded = rows_in_file, rows_quarantined = 0")
        transaction.execute(
            f"""insert into sales_data.sales_transactions
                (business_unit, business_date, transaction_id, order_id, product_id, customer_id, quantity, total_price, transaction_date,
                 payment_method, weather, load_id, row_number)
            select business_unit, business_date, 'T' || i, 'O' || i // 2, 'P001', 'C' || i % 1000, 1, 3.5,
                business_date + to_seconds(21600 + i % 50000), 'card', 'Sunny', load_id, i + 1
            from sales_data.load_ledger, range({per_load}) as numbers (i) order by sequence, i"""
        )


def one_more_day(settings: Settings) -> Iterator[Row]:
    """The three files of a new day into a warehouse with few rows and with many, in turn: both see the same machine."""
    few, many = 100_000, LOADED_ROWS
    dates = [DAY + dt.timedelta(days=day) for day in range(1, ROUNDS + 1)]
    homes = {rows: settings.model_copy(update={"home": settings.home / f"{rows}"}) for rows in (few, many)}
    for rows, home in homes.items():
        for folder in UNITS:
            for date in dates:
                _write(home.landing_folder / _path(folder, date), 300, folder, date)
        _fill(home, rows)
    took: dict[int, list[float]] = {few: [], many: []}
    for date in dates:
        for rows, home in homes.items():
            took[rows].append(seconds(lambda home=home, date=date: _load(home, date, UNITS)))
    name = f"the day's three files into {many:,} rows / into {few:,}"
    yield Row(name, min(took[many]), min(took[few]), limit=1.2)
    for home in homes.values():
        shutil.rmtree(home.home)


def rows(settings: Settings) -> Iterator[Row]:
    """All of it, under a home of its own."""
    yield from million_row(settings)
    yield from retail_files(settings)
    yield from onboarding(settings)
    yield from one_more_day(settings)
    yield from memory(settings)
