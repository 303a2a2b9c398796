"""Random raw tables for the dbt tests: a small chain with every irregularity that the SQL must survive.

Belongs here: the rows, and writing them into a DuckDB file. Does not belong here: what dbt should make of them
(replay.py) and true customer preferences (the simulator).
"""

import json
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pandas as pd

from resources.warehouse.schema import MIGRATIONS, statements

Row = dict[str, Any]
CURRENCIES = {"BU_CA": "CAD", "BU_MX": "MXN", "BU_US": "USD"}
"""What the units of a random chain declare."""
WEATHER = ("Sunny", "Rainy", "Snowy", "Cloudy")
BUSINESS_UNITS = (("BU_CA", "Canada"), ("BU_MX", "Mexico"), ("BU_US", "USA"))


@dataclass
class Chain:
    """The rows of the raw tables, as dictionaries by column name."""

    business_units: list[Row] = field(default_factory=list)
    unit_declarations: list[Row] = field(default_factory=list)
    exchange_rates: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)
    holidays: list[Row] = field(default_factory=list)
    weather: list[Row] = field(default_factory=list)
    sales_transactions: list[Row] = field(default_factory=list)
    load_ledger: list[Row] = field(default_factory=list)
    load_parts: list[Row] = field(default_factory=list)
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
    Of the lines about one in twelve is quarantined, with and without a readable order id. All currencies are worth the same.
    """
    rng = Random(seed)
    chain = Chain(
        business_units=[business_unit(unit, country) for unit, country in BUSINESS_UNITS],
        unit_declarations=[sells_in(unit, currency) for unit, currency in CURRENCIES.items()],
        exchange_rates=[{"date": date(2000, 1, 1), "currency": one, "rate": 1} for one in CURRENCIES.values()],
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


def sells_in(unit: str, currency: str) -> Row:
    """A unit's declaration of its currency."""
    return {"business_unit_id": unit, "declaration": json.dumps({"currency": currency})}


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

    A file beside another one of the day, or in its place, needs a load id of its own; its order ids start again. Some files tell
    stores, which share order ids. Some orders are anonymous, or have an id on no line, or no weather; some lines miss the customer
    whom the others name. Some are paid in another currency than the unit's; some lines do not name theirs. At the end come refunds of
    what was sold before, and voids.
    """
    suffix = "" if load_id is None else f"-{load_id}"
    load_id = load_id or f"{unit}-{day}"
    tells_stores = rng.random() < 0.3
    money = Random(load_id)
    lines: list[Row] = []
    # whole minutes, few of them: orders of one customer can tie
    for number, (customer_id, product_ids) in enumerate(orders, start=1):
        ordered_at = datetime.combine(day, time(rng.randrange(6, 22), rng.choice([0, 30, 59])))
        order: Row = {
            "order_id": None if rng.random() < 0.06 else f"O{(number + 1) // 2 if tells_stores else number}",
            "customer_id": None if rng.random() < 0.1 else customer_id,
            "transaction_date": ordered_at,
            "weather": None if rng.random() < 0.1 else rng.choice(WEATHER),
            "store_id": rng.choice(["north", "south"]) if tells_stores else None,
        }
        paid_in = money.choice([None, None, None, "USD", "MXN"])
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            line = sale(unit, day, rng.choice(product_ids[: rng.randrange(1, len(product_ids) + 1)]), rng) | order
            if order["customer_id"] is not None:
                line["customer_id"] = rng.choices([customer_id, "W2", None], [94, 3, 3])[0]
            line["currency"] = money.choices([paid_in, None, "USD"], [8, 1, 1])[0]
            lines.append(line)
    for line in taken_back(chain, unit, day, lines, rng):
        line["currency"] = money.choice([line["currency"], None, None, "USD", "MXN"])
        lines.insert(rng.choice([0, rng.randrange(len(lines) + 1), len(lines), len(lines)]), line)
    loaded = 0
    for row_number, line in enumerate(lines, start=1):
        line |= {"load_id": load_id, "row_number": row_number, "transaction_id": f"T{row_number}{suffix}"}
        if rng.random() < 0.08:
            chain.quarantine.append(quarantined(line, readable=rng.random() < 0.5))
        else:
            chain.sales_transactions.append(line)
            loaded += 1
    chain.load_ledger.append(ledger_entry(load_id, unit, day, len(chain.load_ledger), len(lines), loaded))


def add_chain_file(chain: Chain, day: date, customer_id: str, rng: Random, load_id: str) -> None:
    """Append one loaded file of all units: before each unit's orders stands a line that nobody could read, under the unit before."""
    rows = 0
    for number, (unit, _) in enumerate(BUSINESS_UNITS):
        for position in range(2):
            rows += 1
            line = sale(unit, day, "P001", rng) | {
                "load_id": load_id,
                "row_number": rows,
                "transaction_id": f"T{rows}-{load_id}",
                "order_id": f"{load_id}-{number}",
                "customer_id": customer_id,
                "transaction_date": datetime.combine(day, time(9)),
                "weather": None,
                "store_id": None,
            }
            if position:
                chain.quarantine.append(quarantined(line, readable=False))
            else:
                chain.sales_transactions.append(line)
        entry = ledger_entry(load_id, unit, day, len(chain.load_ledger), rows=2, loaded=1)
        part = {
            name: entry[name]
            for name in ("load_id", "business_unit", "business_date", "status", "rows_loaded", "rows_quarantined")
        }
        chain.load_parts.append(part | {"rows_in_part": 2})
    entry = ledger_entry(load_id, "chain", day, len(chain.load_ledger), rows=rows, loaded=rows // 2)
    chain.load_ledger.append(entry | {"business_unit": None})


def sale(unit: str, day: date, product_id: str, rng: Random) -> Row:
    """A line with all columns of the raw table but those that say which line and whose order it is."""
    return {
        "business_unit": unit,
        "business_date": day,
        "product_id": product_id,
        "quantity": rng.randrange(1, 4),
        "total_price": rng.choice([4.5, 3.25]),
        "payment_method": rng.choice(["Card", "Cash", None]),
        "kind": "sale",
        "refunded_order_id": None,
        "refunded_date": None,
        "currency": None,
    }


def taken_back(chain: Chain, unit: str, day: date, lines: list[Row], rng: Random) -> list[Row]:
    """Refunds and voids for a file with these `lines`: of the day or of earlier ones, named or not, whole or in part.

    Some are of what was taken back before, or of what another unit sold.
    """
    so_far = [row for row in chain.sales_transactions if row["business_date"] <= day]
    earlier = [row for row in so_far if row["business_unit"] == unit]
    of_others = [row for row in so_far if row["business_unit"] != unit]
    back: list[Row] = []
    for number in range(rng.choice([0, 0, 0, 1, 2])):
        sold = [row for row in earlier if row["kind"] == "sale"]
        if not (sold or lines):
            break
        of = rng.choice(lines if lines and (not sold or rng.random() < 0.3) else sold)
        again = [row for row in [*earlier, *back] if row["kind"] == "refund"]
        if again and rng.random() < 0.3:
            of = rng.choice(again[-20:])
        elif of_others and rng.random() < 0.3:
            of = rng.choice(of_others)
        same_day = of["business_date"] == day and of["kind"] == "sale"
        line = of | {
            "business_unit": unit,
            "business_date": day,
            "kind": "void" if rng.random() < (0.6 if same_day else 0.1) else "refund",
            "quantity": -rng.choice([abs(of["quantity"]), abs(of["quantity"]), 1, 0]),
            "total_price": -rng.choice([abs(of["total_price"]), 1.0]),
            "transaction_date": datetime.combine(day, time(rng.choice([9, 22, 22]), number)),
        }
        if not same_day or rng.random() < 0.5:
            line["order_id"] = rng.choice([f"R{number}", None])
            named = of["order_id"] if of["kind"] == "sale" else of["refunded_order_id"]
            line["refunded_order_id"] = rng.choice([named, named, None, None, "never"])
            line["refunded_date"] = None
            if line["refunded_order_id"] and of["kind"] == "sale" and rng.random() < 0.7:
                line["refunded_date"] = of["business_date"]
        back.append(line)
    return back


def quarantined(line: Row, readable: bool) -> Row:
    """The line in quarantine. One that could not be read tells no order; one that could may have none."""
    return {
        "load_id": line["load_id"],
        "row_number": line["row_number"],
        "reason": "bad_number" if readable else "unparseable_row",
        "detail": "many",
        "business_unit": line["business_unit"],
        "business_date": line["business_date"],
        "transaction_id": line["transaction_id"],
        "order_id": line["order_id"] if readable else None,
        "store_id": line["store_id"],
        "raw_text": "",
    }


def ledger_entry(load_id: str, unit: str, day: date, sequence: int, rows: int, loaded: int) -> Row:
    return {
        "load_id": load_id,
        "sequence": sequence,
        "path": f"sales/{unit}/{day:%Y/%m/%d}/{load_id}.csv",
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
