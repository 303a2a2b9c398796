"""A chain whose files come, are corrected and are retracted, in random order; its raw tables are what the load would have left.

Belongs here: what changes in the raw tables. Does not belong here: what dbt makes of it.
"""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random

import duckdb
import pandas as pd

from tests.unit.dbt.random_chain import (
    CURRENCIES,
    WEATHER,
    Row,
    add_chain_file,
    add_file,
    customer,
    product,
    random_chain,
    sells_in,
)

DAYS_OF_FILES = 60
FIRST_DAY = date(2022, 1, 1)


class ChangingChain:
    """A random chain, and what can happen to it. Every change goes on the ledger, as it does in the load."""

    def __init__(self, seed: int) -> None:
        self.chain = random_chain(seed, orders=500, customers=40, days=DAYS_OF_FILES)
        self.rng = Random(seed)
        self.version = 0
        self.last_day = FIRST_DAY + timedelta(days=DAYS_OF_FILES)
        # two days that other files change, one unit at a time
        for day in (FIRST_DAY, FIRST_DAY + timedelta(days=1)):
            add_chain_file(self.chain, day, "C0020", self.rng, load_id=f"chain-{day}")
        for row in self.chain.sales_transactions[::3]:  # enough for the weather feed to tell
            row["weather"] = None

    def write(self, path: Path) -> None:
        """Puts the present rows in place of all raw rows."""
        if not path.exists():
            self.chain.write(path)
            return
        with duckdb.connect(str(path)) as connection:
            for table, rows in vars(self.chain).items():
                connection.execute(f"delete from sales_data.{table}")
                if rows:
                    connection.register("rows", pd.DataFrame(rows).astype(object))
                    connection.execute(f"insert into sales_data.{table} by name select * from rows")
                    connection.unregister("rows")

    def change(self) -> str:
        """One random change; gives its name."""
        changes: list[Callable[[], None]] = [
            self.new_day, self.new_day, self.correct, self.correct, self.retract, self.settle_ownership, self.second_file,
            self.empty_file, self.change_reference, self.long_pause, self.tell_weather, self.correct_refund, self.retract_refund,
            self.declare_a_currency,
        ]  # fmt: skip
        chosen = self.rng.choice(changes)
        chosen()
        return chosen.__name__

    def new_day(self) -> None:
        """A file of the next day, of one unit."""
        self.last_day += timedelta(days=1)
        self._add(self.rng.choice(["BU_CA", "BU_MX", "BU_US"]), self.last_day, self.rng.randrange(1, 12))

    def long_pause(self) -> None:
        """A file of a day two years later: decay goes on in another period (macros/decay.sql)."""
        self.last_day += timedelta(days=730)
        self.new_day()

    def second_file(self) -> None:
        """One more file of a day that has one, and of one that a file of several units has, too."""
        entry = self._valid()
        self._add(entry["business_unit"], entry["business_date"], 3)
        self._add(self.rng.choice(["BU_CA", "BU_MX", "BU_US"]), FIRST_DAY + timedelta(days=self.rng.randrange(2)), 3)

    def empty_file(self) -> None:
        """A day without sales."""
        self.last_day += timedelta(days=1)
        self._add("BU_US", self.last_day, 0)

    def correct(self, entry: Row | None = None) -> None:
        """New content in place of a file's."""
        entry = entry or self._valid()
        self._take_out(entry, "superseded")
        self._add(entry["business_unit"], entry["business_date"], self.rng.randrange(0, 9))

    def correct_refund(self) -> None:
        """New content in place of a file that took something back."""
        self.correct(self._valid(with_refund=True))

    def retract_refund(self) -> None:
        """A file that took something back is taken out."""
        self._take_out(self._valid(with_refund=True), "retracted")

    def retract(self) -> None:
        """A file's rows are taken out; nothing comes in their place."""
        self._take_out(self._valid(), "retracted")

    def settle_ownership(self) -> None:
        """A row of a file that stays comes out of the tables: another file owns its id now."""
        divided = {part["load_id"] for part in self.chain.load_parts}
        rows = self.chain.sales_transactions
        row = self.rng.choice([row for row in rows if row["load_id"] not in divided])
        rows.remove(row)
        [entry] = [one for one in self.chain.load_ledger if one["load_id"] == row["load_id"]]
        entry["rows_in_file"] -= 1
        entry["rows_loaded"] -= 1

    def change_reference(self) -> None:
        """The reference data change: customers, the catalogue, a holiday."""
        self.version += 1
        self.chain.customers[0] = customer("C0001", self.rng)
        self.chain.customers.append(customer(f"N{self.version}", self.rng))
        self.chain.products[0] = product("P001") | {"product_name": f"Coffee {self.version}"}
        day = FIRST_DAY + timedelta(days=self.rng.randrange(DAYS_OF_FILES))
        self.chain.holidays.append({"country": "Canada", "date": day, "name": f"Day {self.version}"})

    def declare_a_currency(self) -> None:
        """A unit declares another currency, or none any more."""
        declared = {row["business_unit_id"]: row for row in self.chain.unit_declarations}
        unit = self.rng.choice(list(CURRENCIES))
        others = [sells_in(unit, currency) for currency in CURRENCIES.values()]
        declared[unit] = self.rng.choice([row for row in (None, *others) if row != declared.get(unit)])
        self.chain.unit_declarations = [row for row in declared.values() if row is not None]

    def tell_weather(self) -> None:
        """The weather feed tells, or corrects, the weather of some days and hours; what it told long before may go."""
        self.version += 1
        for _ in range(5):
            entry = self._valid()
            store = self.rng.choice([None, "north", "south"])
            self.chain.weather.append({
                "path": f"{self.version}.csv",
                "business_unit": None if store and self.rng.random() < 0.5 else entry["business_unit"],
                "store_id": store,
                "date": entry["business_date"],
                "hour": self.rng.choice([None, 9]),
                "weather": self.rng.choice(WEATHER),
            })  # fmt: skip
        self.chain.weather = self.chain.weather[-20:]

    def _valid(self, with_refund: bool = False) -> Row:
        loaded = [one for one in self.chain.load_ledger if one["status"] == "loaded" and one["business_unit"]]
        refunding = {row["load_id"] for row in self.chain.sales_transactions if row["kind"] == "refund"}
        some = [one for one in loaded if one["load_id"] in refunding] if with_refund else []
        return self.rng.choice(some or loaded)

    def _add(self, unit: str, day: date, orders: int) -> None:
        self.version += 1
        buyers = [row["customer_id"] for row in self.chain.customers[:20]] + ["W1", f"W{self.version}"]
        sold = [(self.rng.choice(buyers), ["P001", "P002", "P003", "P009"]) for _ in range(orders)]
        add_file(self.chain, unit, day, sold, self.rng, load_id=f"{unit}-{day}-{self.version}")

    def _take_out(self, entry: Row, status: str) -> None:
        entry |= {"status": status, "rows_loaded": 0}
        self.chain.sales_transactions = [
            row for row in self.chain.sales_transactions if row["load_id"] != entry["load_id"]
        ]
