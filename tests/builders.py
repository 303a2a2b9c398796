"""Small worlds to test in: landing files, reference data, a warehouse, loads. Plain functions, real things."""

import datetime as dt
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pyarrow as pa

from globolatte_assets.keys import SALES_TRANSACTIONS
from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.load import LoadContext, LoadReport, load_batch
from globolatte_ingest.paths import PathRules, SalesFile
from globolatte_ingest.quarantine_sheets import quarantined_rows
from globolatte_ingest.reading.landed_bytes import FileLimits
from globolatte_ingest.requested_steps import requested_step
from resources.environment import clock_of, landing_of, warehouse_of
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile, LandingZone
from resources.ml.training_method import Distribution, DistributionKind
from resources.settings.settings import Settings
from resources.warehouse.dialect import Dialect
from resources.warehouse.duckdb_file import DuckDBWarehouse
from resources.warehouse.warehouse import Transaction, Warehouse

DAY = dt.date(2022, 1, 31)
NOW = dt.datetime.fromisoformat("2022-02-10T12:00")
"""UTC without offset, as the warehouse holds it."""
UNITS = {"canada": "BU_CA", "mexico": "BU_MX", "usa": "BU_US"}
RULES = PathRules(frozenset(UNITS), dt.date(2022, 1, 1), NOW.date())

BUSINESS_UNITS_CSV = b"""business_unit_id,country,unit_name,folder,time_zone
BU_US,USA,GloboLatte USA,usa,America/New_York
BU_CA,Canada,GloboLatte Canada,canada,America/Toronto
BU_MX,Mexico,GloboLatte Mexico,mexico,America/Mexico_City
"""
PRODUCTS_CSV = b"""product_id,product_name,category,price,stock_quantity
P001,Latte,Coffee,3.50,100
P002,Mocha,Coffee,4.25,100
P003,Muffin,Bakery,2.00,100
"""
CUSTOMERS_CSV = b"""customer_id,customer_name,email,location,marketing_opt_out
C0001,Ana,ana@example.com,"Boston, USA",false
C0002,Ben,ben@example.com,"Toronto, Canada",true
"""

COLUMNS = (
    "transaction_id",
    "order_id",
    "business_unit",
    "product_id",
    "customer_id",
    "quantity",
    "total_price",
    "transaction_date",
    "payment_method",
    "weather",
)
"""The columns of the files that are tested with, unless a test is about others."""

_deliveries = itertools.count(1_600_000_000)


# Files -----------------------------------------------------------------------------------------------------------------


def line(number: int = 1, **fields: str) -> dict[str, str]:
    """A good order line of `DAY` in the USA; `fields` replace its values."""
    good = {
        "transaction_id": f"T{number:08d}",
        "order_id": f"O{number:07d}",
        "business_unit": "BU_US",
        "product_id": "P001",
        "customer_id": "C0001",
        "quantity": "1",
        "total_price": "3.50",
        "transaction_date": f"{DAY}T08:15:00",
        "payment_method": "card",
        "weather": "Sunny",
    }
    return good | fields


def csv(*lines: dict[str, str], columns: Sequence[str] = ()) -> bytes:
    """Order lines as a CSV file, values as they are; no line makes a header-only file. The usual columns, and those that any line has."""
    columns = columns or [*COLUMNS, *dict.fromkeys(name for row in lines for name in row if name not in COLUMNS)]
    rows = [",".join(columns), *(",".join(row.get(column, "") for column in columns) for row in lines)]
    return "".join(f"{row}\n" for row in rows).encode()


def sales_path(name: str = "sales.csv", folder: str = "usa", date: dt.date = DAY) -> str:
    """Where a unit's file of a day lands."""
    return f"sales/{folder}/{date:%Y/%m/%d}/{name}"


def deliver(landing: FolderLandingZone, path: str, content: bytes) -> LandedFile:
    """Puts a file into the landing zone as an upload does: complete, in place of an earlier one, and younger than it."""
    target = Path(landing.folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    upload = target.parent / ".upload"
    upload.write_bytes(content)
    second = next(_deliveries)
    os.utime(upload, (second, second))
    upload.replace(target)
    return landed(landing, path)


def landed(landing: FolderLandingZone, path: str) -> LandedFile:
    """The file at `path`, as the landing zone lists it."""
    return next(file for file in landing.files(path) if file.path == path)


def deliver_reference_data(landing: FolderLandingZone) -> list[LandedFile]:
    """Three units, three products, two customers."""
    return [
        deliver(landing, "reference/business_units.csv", BUSINESS_UNITS_CSV),
        deliver(landing, "reference/products.csv", PRODUCTS_CSV),
        deliver(landing, "reference/customers.csv", CUSTOMERS_CSV),
    ]


# The warehouse and loads into it ---------------------------------------------------------------------------------------


def warehouse_in(folder: Path, wait_seconds: float = 10) -> DuckDBWarehouse:
    """An empty warehouse."""
    return DuckDBWarehouse(file=str(folder / "warehouse.duckdb"), wait_seconds=wait_seconds)


def landing_in(folder: Path) -> FolderLandingZone:
    """An empty landing zone."""
    (folder / "landing").mkdir(parents=True, exist_ok=True)
    return FolderLandingZone(folder=str(folder / "landing"))


def put_reference_data(warehouse: Warehouse) -> None:
    """Three units and three products, as the loads that are tested here need them."""
    units = [
        {"business_unit_id": unit, "country": folder, "unit_name": folder, "folder": folder, "time_zone": "UTC"}
        for folder, unit in UNITS.items()
    ]
    products = pa.table(
        {
            "product_id": ["P001", "P002", "P003"],
            "product_name": ["Latte", "Mocha", "Muffin"],
            "price": pa.array([3.5, 4.25, 2.0]).cast(pa.decimal128(18, 2)),
        }
    )
    warehouse.replace("sales_data.business_units", pa.Table.from_pylist(units))
    warehouse.replace("sales_data.products", products)


def load_context(
    run_id: str = "run", now: dt.datetime = NOW, max_file_bytes: int = 10_000_000, **more: object
) -> LoadContext:
    """Who loads, and when; however many rows are bad, unless `max_bad_share` says otherwise."""
    return LoadContext(run_id, now, UNITS, **{"limits": FileLimits(max_file_bytes), **more})


def load(
    warehouse: Warehouse, landing: LandingZone, *files: LandedFile, run_id: str = "run", **more: object
) -> LoadReport:
    """Loads these files as one batch; `more` goes into the load's context."""
    placed = [RULES.place(file) for file in files]
    assert all(isinstance(item, SalesFile) for item in placed), placed
    return load_batch(warehouse, landing, placed, load_context(run_id, **more))


def deliver_and_load(
    warehouse: Warehouse, landing: FolderLandingZone, path: str, *lines: dict[str, str], run_id: str = "run"
) -> LoadReport:
    """One file, delivered and loaded."""
    return load(warehouse, landing, deliver(landing, path, csv(*lines)), run_id=run_id)


def ask_for(
    warehouse: Warehouse, step: Step, path: str, corrected: pa.Table | None = None, now: dt.datetime = NOW
) -> None:
    """Records that a person wants a step done; the next ingestion of the file's day does it."""
    with warehouse.transaction() as transaction:
        lying = quarantined_rows(transaction, path)["row_number"].to_pylist()
        numbers = [int(str(number)) for number in corrected["row_number"].to_pylist()] if corrected is not None else []
        step_to_request = requested_step(step, Ledger(transaction).history(path), "ana", "because", numbers, lying)
        Ledger(transaction).request(step_to_request, now, corrected)


# What is in the tables -------------------------------------------------------------------------------------------------


def fetch(warehouse: Warehouse, sql: str) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with warehouse.transaction() as transaction:
        return _rows(transaction, sql)


def _rows(transaction: Transaction, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in transaction.fetch(sql).to_pylist()]


def sales(warehouse: Warehouse, what: str = "path, row_number, transaction_id") -> list[tuple[object, ...]]:
    """The loaded rows, each with the path it came from, in path and row order."""
    return fetch(
        warehouse,
        f"select {what} from sales_data.sales_transactions inner join "
        "(select load_id, path from sales_data.load_ledger) using (load_id) order by path, row_number",
    )


def quarantine(warehouse: Warehouse, what: str = "path, row_number, reason") -> list[tuple[object, ...]]:
    """The quarantined rows of what is loaded now, in path and row order."""
    return fetch(
        warehouse,
        f"select {what} from sales_data.quarantine inner join "
        "(select load_id, path from sales_data.load_ledger where status = 'loaded') using (load_id) order by path, row_number",
    )


def ledger(warehouse: Warehouse, what: str = "path, status") -> list[tuple[object, ...]]:
    """The ledger, oldest entry first."""
    return fetch(warehouse, f"select {what} from sales_data.load_ledger order by sequence")


def everything(warehouse: Warehouse) -> dict[str, list[tuple[object, ...]]]:
    """All rows that loads write, attempts left out: two equal ones are the same state."""
    tables = ("sales_transactions", "quarantine", "load_ledger", "announcements")
    with warehouse.transaction() as transaction:
        return {table: sorted(_rows(transaction, f"select * from sales_data.{table}"), key=repr) for table in tables}


# Interference ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InterferedTransaction:
    """A real transaction; `before` sees each statement before it runs, and may raise or run others."""

    inner: Transaction
    before: Callable[[Transaction, str], None]

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self.before(self.inner, sql)
        self.inner.execute(sql, parameters)

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        self.before(self.inner, sql)
        return self.inner.fetch(sql, parameters)

    @property
    def dialect(self) -> Dialect:
        return self.inner.dialect

    def stage(self, name: str, data: pa.Table) -> None:
        self.before(self.inner, f"stage {name}")
        self.inner.stage(name, data)

    def scratch(self, name: str, columns: str) -> None:
        self.before(self.inner, f"scratch {name}")
        self.inner.scratch(name, columns)

    def fill(self, name: str, query: str) -> None:
        self.before(self.inner, f"fill {name} as {query}")
        self.inner.fill(name, query)


@dataclass(frozen=True)
class InterferedWarehouse:
    """A real warehouse that something happens to in the middle of its transactions."""

    inner: Warehouse
    before: Callable[[Transaction, str], None]

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.inner.transaction() as transaction:
            yield InterferedTransaction(transaction, self.before)


# A whole deployment ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deployment:
    """Settings with a home of their own, the definitions, and the real resources."""

    settings: Settings
    definitions: dg.Definitions
    landing: FolderLandingZone
    warehouse: DuckDBWarehouse
    instance: dg.DagsterInstance

    def run(self, job: str, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
        """Runs a job of the graph in this process; a failure is the caller's to look at."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, tags=tags, raise_on_error=False
        )

    def at(self, now: dt.datetime) -> "Deployment":
        """The same deployment at another time."""
        return deployment(self.settings.home, self.instance, now=now)

    def sensor_context(self, cursor: str | None = None) -> dg.SensorEvaluationContext:
        """What a sensor of this deployment is evaluated with."""
        return dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            definitions=self.definitions,
            resources={"landing": self.landing, "warehouse": self.warehouse, "clock": clock_of(self.settings)},
        )


def deployment(home: Path, instance: dg.DagsterInstance, **settings: object) -> Deployment:
    """A deployment under `home`, its clock at `NOW` unless given."""
    from definitions import build_definitions

    chosen = Settings(**{"home": home, "now": NOW.replace(tzinfo=dt.UTC), **settings})
    return Deployment(chosen, build_definitions(chosen), landing_of(chosen), warehouse_of(chosen), instance)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """What the first failed step says."""
    return next(
        str(event.step_failure_data.user_failure_data.description)
        if event.step_failure_data.user_failure_data
        else event.step_failure_data.error_display_string
        for event in result.all_events
        if event.is_step_failure
    )


def materialized(result: dg.ExecuteInProcessResult) -> list[str | None]:
    """The partitions of raw sales that a run materialized, in the order of its events."""
    materialized = (event for event in result.all_events if event.event_type_value == "ASSET_MATERIALIZATION")
    return [
        event.step_materialization_data.materialization.partition
        for event in materialized
        if event.asset_key == SALES_TRANSACTIONS
    ]


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """A run's check results, by name."""
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def materialized_keys(result: dg.ExecuteInProcessResult) -> set[str]:
    """The assets that a run materialized."""
    events = (event for event in result.all_events if event.event_type_value == "ASSET_MATERIALIZATION")
    return {event.step_materialization_data.materialization.asset_key.to_user_string() for event in events}


def uniform(low: float, high: float, step: float | None = None) -> Distribution:
    """A dimension of a search space: evenly between two values."""
    return Distribution(DistributionKind.UNIFORM, low=low, high=high, step=step)


def normal(mean: float, deviation: float, step: float | None = None) -> Distribution:
    """A dimension of a search space: around a mean."""
    return Distribution(DistributionKind.NORMAL, mean=mean, deviation=deviation, step=step)
