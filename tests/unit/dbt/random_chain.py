"""Random raw tables for the dbt tests: a small chain with every irregularity that the SQL must survive.

Belongs here: the rows, and writing them into a DuckDB file. Does not belong here: what dbt should make of them
(replay.py) and true customer preferences (the simulator).
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pandas as pd

from resources.warehouse.schema import MIGRATIONS, statements

Row = dict[str, Any]
WEATHER = ("Sunny", "Rainy", "Snowy", "Cloudy")
BUSINESS_UNITS = (("BU_CA", "Canada"), ("BU_MX", "Mexico"), ("BU_US", "USA"))


@dataclass
class Chain:
    """The rows of the raw tables, as dictionaries by column name."""

    business_units: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)
    holidays: list[Row] = field(default_factory=list)
    weather: list[Row] = field(default_factory=list)
    sales_transactions: list[Row] = field(default_factory=list)
    load_ledger: list[Row] = field(default_factory=list)
    quarantine: list[Row] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Create the raw tables in a new DuckDB file and fill them; the connection is closed afterwards."""
        with duckdb.connect(str(path)) as connection:
            for migration in MIGRATIONS:
                for statement in statements(migration):
                    connection.execute(statement)
            for table, rows in vars(self).items():
                if rows:
                    connection.register("rows", pd.DataFrame(rows).astype(object))
                    connection.execute(f"insert into sales_data.{table} by name select * from rows")
                    connection.unregister("rows")


def random_chain(seed: int, orders: int, customers: int, days: int, products: int = 6) -> Chain:
    """A chain of three units.

    Order ids start again in every file, so that units and dates share them. Among the customers are some without orders,
    some without a known country, and two busy walk-ins who are in no reference file; one product is in none either.
    Of the lines about one in twelve is quarantined, with and without a readable order id.
    """
    rng = Random(seed)
    chain = Chain(
        business_units=[business_unit(unit, country) for unit, country in BUSINESS_UNITS],
        products=[product(f"P{number:03}") for number in range(1, products)],
        customers=[customer(f"C{number:04}", rng) for number in range(1, customers + 1)],
        holidays=[
            {"country": "USA", "date": date(2022, 1, 17), "name": "Martin Luther King Jr. Day"},
            {"country": "USA", "date": date(2022, 1, 17), "name": "Another Day"},
            {"country": "Mexico", "date": date(2022, 2, 7), "name": "Constitution Day"},
        ],
    )
    buyers = [row["customer_id"] for row in chain.customers[customers // 10 :]] + ["W1", "W1", "W2"] * (customers // 20)
    product_ids = [f"P{number:03}" for number in range(1, products + 1)]
    files: dict[tuple[str, date], int] = {}
    for _ in range(orders):
        key = (rng.choice(BUSINESS_UNITS)[0], date(2022, 1, 1) + timedelta(days=rng.randrange(days)))
        files[key] = files.get(key, 0) + 1
    for (unit, day), count in sorted(files.items()):
        add_file(chain, unit, day, [(rng.choice(buyers), product_ids) for _ in range(count)], rng)
    return chain


def business_unit(unit: str, country: str) -> Row:
    return {
        "business_unit_id": unit,
        "country": country,
        "unit_name": f"GloboLatte {country}",
        "folder": country.lower(),
        "time_zone": "UTC",
    }


def product(product_id: str) -> Row:
    return {
        "product_id": product_id,
        "product_name": f"Coffee {product_id}",
        "category": "Coffee",
        "price": 4.5,
        "stock_quantity": 10,
    }


def customer(customer_id: str, rng: Random) -> Row:
    return {
        "customer_id": customer_id,
        "customer_name": f"Customer {customer_id}",
        "email": f"{customer_id.lower()}@example.com",
        "location": rng.choice(["Toronto, Canada", "Puebla, Mexico", "Austin, USA", "Somewhere", None]),
        "marketing_opt_out": rng.random() < 0.1,
    }


def add_file(
    chain: Chain, unit: str, day: date, orders: list[tuple[str, list[str]]], rng: Random, load_id: str | None = None
) -> None:
    """Append one loaded file: its lines or quarantine rows in file order, and its ledger entry.

    A file beside another one of the day, or in its place, needs a load id of its own; its order ids start again.
    """
    suffix = "" if load_id is None else f"-{load_id}"
    load_id = load_id or f"{unit}-{day}"
    row_number = loaded = 0
    # whole minutes, few of them: orders of one customer can tie
    for number, (customer_id, product_ids) in enumerate(orders, start=1):
        ordered_at = datetime.combine(day, time(rng.randrange(6, 22), rng.choice([0, 30, 59])))
        weather = rng.choice(WEATHER)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            row_number += 1
            line: Row = {
                "business_unit": unit,
                "business_date": day,
                "transaction_id": f"T{row_number}{suffix}",
                "order_id": f"O{number}",
                "product_id": rng.choice(product_ids[: rng.randrange(1, len(product_ids) + 1)]),
                "customer_id": customer_id if rng.random() < 0.97 else "W2",
                "quantity": rng.randrange(1, 4),
                "total_price": 4.5,
                "transaction_date": ordered_at,
                "payment_method": rng.choice(["Card", "Cash", None]),
                "weather": weather,
                "load_id": load_id,
                "row_number": row_number,
            }
            if rng.random() < 0.08:
                readable = rng.random() < 0.5
                chain.quarantine.append(quarantined(line, order_id=line["order_id"] if readable else None))
            else:
                chain.sales_transactions.append(line)
                loaded += 1
    chain.load_ledger.append(ledger_entry(load_id, unit, day, len(chain.load_ledger), row_number, loaded))


def quarantined(line: Row, order_id: str | None) -> Row:
    return {
        "load_id": line["load_id"],
        "row_number": line["row_number"],
        "reason": "quantity",
        "detail": "many",
        "business_unit": line["business_unit"],
        "business_date": line["business_date"],
        "transaction_id": line["transaction_id"],
        "order_id": order_id,
        "raw_text": "",
    }


def ledger_entry(load_id: str, unit: str, day: date, sequence: int, rows: int, loaded: int) -> Row:
    return {
        "load_id": load_id,
        "sequence": sequence,
        "path": f"sales/{unit}/{day:%Y/%m/%d}/sales.csv",
        "etag": load_id,
        "sha256": load_id,
        "size_bytes": 1,
        "business_unit": unit,
        "business_date": day,
        "status": "loaded",
        "reason": None,
        "rows_in_file": rows,
        "rows_loaded": loaded,
        "rows_quarantined": rows - loaded,
        "extra_columns": None,
        "attempt": 1,
        "run_id": "run",
        "recorded_at": datetime.combine(day, time(23)),
        "superseded_by": None,
    }
