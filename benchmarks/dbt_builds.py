"""dbt over many orders: building all anew, and one more day at ten million orders against the same day at a hundred thousand.

A quarter of the orders is anonymous, and of one in fifty another one is taken back.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.rows import Row, seconds
from globolatte_assets.features.dbt_project import DAILY_BUILD
from resources.environment import DBT_EXECUTABLE, DBT_PROJECT_FOLDER
from resources.settings.settings import Settings
from resources.warehouse.schema import MIGRATIONS, statements

DAYS = 730
ORDERS_OF_A_DAY = 300
ORDERS_PER_CUSTOMER = 100
NEW_DAYS = 3
FEW_ORDERS = 100_000
LIMIT = 1.3

# Everything about an order follows from its number by hashing: the same on every machine. A day's orders follow each other.
CUSTOMER = """
case when hash({number}, 6) % 4 > 0
    then 'C' || cast(floor({customers} * power((hash({number}, 1) % 1000000) / 1000000, 1.5)) as bigint) end
"""
"""A quarter of the orders is anonymous."""

ORDERS = f"""
create or replace temp table orders as
select
    number, (['BU_CA', 'BU_MX', 'BU_US'])[1 + number % 3] as business_unit, cast({{date}} as date) as business_date,
    {CUSTOMER.replace("{number}", "number")} as customer_id,
    1 + cast(greatest(0, (hash(number, 2) % 6)::bigint - 2) / 2 as bigint) as lines, 6 + (hash(number, 3) % 14)::bigint as hour,
    (['Cloudy', 'Rainy', 'Snowy', 'Sunny'])[1 + (hash(business_unit, business_date) % 4)::integer] as weather,
    -- of one order in fifty another one is taken back, of the same unit and up to ten days before
    case when hash(number, 7) % 50 = 0 then number - 3 * ((1 + hash(number, 8) % 10)::bigint * {{orders_of_a_day}} // 3) end as earlier
from range({{first}}, {{last}}) as numbers (number)
"""

SALES = f"""
create or replace temp table lines as
select
    business_unit, business_date, 'T' || (number * 4 + line) as transaction_id, 'O' || number as order_id,
    'P00' || (1 + hash(number, line, 4) % 6) as product_id, customer_id, 1 + (hash(number, line, 5) % 3)::bigint as quantity,
    4.5 as total_price, business_date + to_hours(hour) as transaction_date, 'Card' as payment_method, weather,
    business_unit || business_date as load_id, number * 4 + line as row_number, 'sale' as kind, null as refunded_order_id
from orders, range(4) as numbers (line)
where line < lines
union all
select
    business_unit, business_date, 'T' || (number * 4 + 3), null, 'P00' || (1 + hash(earlier, 0, 4) % 6),
    {CUSTOMER.replace("{number}", "earlier")}, -1 - (hash(earlier, 0, 5) % 3)::bigint, -4.5, business_date + to_hours(21), 'Card', weather,
    business_unit || business_date, number * 4 + 3, 'refund', case when number % 2 = 0 then 'O' || earlier end
from orders
where earlier >= 0;
insert into sales_data.sales_transactions by name select * from lines
"""
"""Of the refunds half name their order."""

LEDGER = """
insert into sales_data.load_ledger
    (load_id, sequence, path, etag, sha256, size_bytes, business_unit, business_date, status, rows_in_file, rows_loaded,
     rows_quarantined, attempt, run_id, recorded_at)
select
    load_id, row_number() over (), load_id, '', '', 1, business_unit, business_date,
    'loaded', count(*), count(*), 0, 1, 'bench', business_date
from lines
group by load_id, business_unit, business_date
"""

REFERENCE = """
insert into sales_data.business_units (business_unit_id, country, unit_name, folder, time_zone)
values ('BU_CA', 'Canada', 'C', 'canada', 'UTC'), ('BU_MX', 'Mexico', 'M', 'mexico', 'UTC'), ('BU_US', 'USA', 'U', 'usa', 'UTC');
insert into sales_data.products (product_id, product_name, category, price, stock_quantity)
select 'P00' || number, 'Coffee ' || number, 'Coffee', 2 + number, 10 from range(1, 7) as numbers (number);
insert into sales_data.customers (customer_id, customer_name, email, location, marketing_opt_out)
select 'C' || number, 'Name', 'c@example.com', 'Austin, USA', false from range({customers}) as numbers (number)
"""


@dataclass(frozen=True)
class Chain:
    """A warehouse of so many orders in the file `warehouse`; dbt's artifacts lie beside it."""

    warehouse: Path
    orders: int

    def fill(self) -> None:
        """Writes the raw tables of two years."""
        with duckdb.connect(str(self.warehouse)) as connection:
            for migration in MIGRATIONS:
                for statement in statements(migration):
                    connection.execute(statement)
            connection.execute(REFERENCE.format(customers=self._customers))
            self._sell(connection, f"date '2022-01-01' + (number * {DAYS} // {self.orders})::integer", 0, self.orders)

    def one_more_day(self, day: int) -> None:
        """Writes one more day of the same number of orders, whatever the size of the chain."""
        first = self.orders + day * ORDERS_OF_A_DAY
        with duckdb.connect(str(self.warehouse)) as connection:
            self._sell(connection, f"date '2022-01-01' + {DAYS + day}", first, first + ORDERS_OF_A_DAY)

    def build(self) -> "Build":
        """The dbt command of a run of the platform: models and data tests."""
        target = self.warehouse.with_suffix(".target")
        places = ["--project-dir", DBT_PROJECT_FOLDER, "--profiles-dir", DBT_PROJECT_FOLDER]
        environment = os.environ | {
            "GLOBOLATTE_WAREHOUSE": "duckdb",
            "GLOBOLATTE_DUCKDB_PATH": str(self.warehouse),
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(target),
        }
        command = [DBT_EXECUTABLE, "--quiet", *DAILY_BUILD, *places]
        whole = seconds(lambda: subprocess.run(command, check=True, env=environment))
        results = json.loads((target / "run_results.json").read_text())["results"]
        return Build(whole, {one["unique_id"]: one["execution_time"] for one in results})

    @property
    def _customers(self) -> int:
        return self.orders // ORDERS_PER_CUSTOMER

    def _sell(self, connection: duckdb.DuckDBPyConnection, date: str, first: int, last: int) -> None:
        names = {"date": date, "customers": self._customers, "first": first, "last": last}
        a_day = self.orders // DAYS if first == 0 else ORDERS_OF_A_DAY
        connection.execute(ORDERS.format(**names, orders_of_a_day=a_day))
        connection.execute(SALES.format(customers=self._customers))
        connection.execute(LEDGER)


@dataclass(frozen=True)
class Build:
    """How long a build took, in seconds: the whole command, and each model, test and hook by its unique id."""

    whole: float
    nodes: dict[str, float]


def day_rows(pairs: Sequence[tuple[Build, Build]], name: str) -> Iterator[Row]:
    """New days in a large chain and in a small one, turn and turn about: the least that each took.

    The whole build, then all that it is made of: what is listed is what is covered.
    """

    def best(of: Callable[[Build], float]) -> tuple[float, float]:
        return min(of(large) for large, _ in pairs), min(of(small) for _, small in pairs)

    nodes = pairs[0][0].nodes
    models = sorted(one for one in nodes if one.startswith("model."))
    tests = [one for one in nodes if one.startswith("test.")]
    yield Row(f"dbt build, {name}", *best(lambda build: build.whole), limit=LIMIT)
    covered = f"all {len(models)} models, {len(tests)} tests and the hooks, one after the other"
    yield Row(f"{covered}, {name}", *best(lambda build: sum(build.nodes.values())), limit=LIMIT)
    yield Row(f"- {len(tests)} tests", *best(lambda build: sum(build.nodes[test] for test in tests)))
    for model in models:
        yield Row(f"- {model.split('.')[-1]}", *best(lambda build, model=model: build.nodes[model]))


def rows(settings: Settings, orders: int) -> Iterator[Row]:
    """Both chains built anew; then the best of a few new days in each, turn and turn about."""
    settings.home.mkdir(parents=True, exist_ok=True)
    many, few = (Chain(settings.home / f"{count}.duckdb", count) for count in (orders, FEW_ORDERS))
    many.fill()
    few.fill()
    yield Row(f"dbt build, {orders:,} orders anew / {FEW_ORDERS:,}", many.build().whole, few.build().whole)
    pairs = []
    for day in range(NEW_DAYS):
        many.one_more_day(day)
        few.one_more_day(day)
        pairs.append((many.build(), few.build()))
    yield from day_rows(pairs, f"one more day of {ORDERS_OF_A_DAY} orders, at {orders:,} / at {FEW_ORDERS:,}")
