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
from pathlib import Path

import duckdb

from benchmarks.arrangement import NOW, UNITS, bare_read, new_warehouse, record_loaded
from benchmarks.rows import Row, seconds
from globolatte_ingest.load import LoadContext, LoadReport, load_batch
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reading.landed_bytes import FileLimits
from resources.environment import landing_of, warehouse_of
from resources.landing.landing_zone import LandedFile
from resources.settings.settings import PROJECT_ROOT, Settings

ROUNDS = 5
ROWS = 1_000_000
BAD_EVERY = 1_000
LOADED_ROWS = int(os.environ.get("GLOBOLATTE_BENCH_LOADED_ROWS", "50_000_000"))
LARGE_BYTES = int(os.environ.get("GLOBOLATTE_BENCH_LARGE_BYTES", str(2 * 10**9)))
MOST_MEMORY = 1024
"""MiB that loading the largest file may take in all."""

DAY = dt.date(2023, 6, 15)

LINES = """
select
    'T' || lpad(i::varchar, 9, '0') as transaction_id, 'O' || lpad((i // 2)::varchar, 8, '0') as order_id, '{unit}' as business_unit,
    'P00' || (1 + i * 7 % 6) as product_id, 'C' || lpad((hash(i) % 1000)::varchar, 4, '0') as customer_id,
    {quantity} as quantity, printf('%.2f', 2 + hash(i + 1) % 1800 / 100.0) as total_price,
    strftime(timestamp '{date} 06:00:00' + to_seconds((hash(i + 2) % 50000)::bigint), '%Y-%m-%dT%H:%M:%S') as transaction_date,
    ['card', 'cash', 'mobile'][(1 + hash(i + 3) % 3)::int] as payment_method,
    ['Sunny', 'Rainy', 'Snowy', 'Cloudy'][(1 + hash(i + 4) % 4)::int] as weather
from range({rows}) as numbers (i)
"""


def _write(file: Path, rows: int, folder: str = "usa", date: dt.date = DAY, *, is_dirty: bool = False) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    quantity = "(1 + hash(i + 5) % 3)::varchar"
    if is_dirty:
        quantity = f"case when i % {BAD_EVERY} = 7 then 'x' else {quantity} end"
    lines = LINES.format(unit=UNITS[folder], quantity=quantity, date=date, rows=rows)
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute(f"copy ({lines}) to '{file}' (header, delimiter ',')")


def _path(folder: str, date: dt.date, name: str = "sales.csv") -> str:
    return f"sales/{folder}/{date:%Y/%m/%d}/{name}"


def _load(settings: Settings, date: dt.date, folders: Iterable[str] = ("usa",)) -> LoadReport:
    """Loads a date's files of these folders, each as the ingest job of its unit does."""
    landing, warehouse = landing_of(settings), warehouse_of(settings)
    limits = FileLimits(2 * settings.max_file_bytes, settings.max_compression_ratio, settings.load_batch_bytes)
    context = LoadContext("bench", NOW, UNITS, limits, settings.max_bad_share)
    report = LoadReport()
    for folder in folders:
        files = [SalesFile(file, folder, date) for file in landing.files(_path(folder, date, ""))]
        report += load_batch(warehouse, landing, files, context)
    return report


def million_row(settings: Settings) -> Iterator[Row]:
    """A million rows, one of a thousand bad, against a bare typed `read_csv` of as many good ones; rounds taken in turn."""
    clean, landed = settings.home / "clean.csv", settings.landing_folder / _path("usa", DAY)
    _write(clean, ROWS)
    for is_dirty, name in ((False, "no bad row"), (True, "1 bad row in 1,000")):
        _write(landed, ROWS, is_dirty=is_dirty)
        ours, reference = [], []
        for _ in range(ROUNDS):
            reference.append(seconds(lambda: bare_read(clean, settings.home / "bare.duckdb")))
            new_warehouse(settings)
            ours.append(seconds(lambda: _load(settings, DAY)))
        yield Row(f"load of 1,000,000 rows ({name}) / typed read_csv", min(ours), min(reference), limit=2.5)
    shutil.rmtree(settings.landing_folder)


MEASURED = """
import resource, sys
from pathlib import Path
from benchmarks.large_files import DAY, _load
from resources.settings.settings import Settings
report = _load(Settings(home=Path(sys.argv[1])), DAY)
assert report.rows_loaded > 0, report
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2))
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
    yield from one_more_day(settings)
    yield from memory(settings)
