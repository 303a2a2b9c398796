"""Files as they should not be, delivered together: one pass takes them up, and each must be named with what is wrong with it."""

import datetime as dt
import gzip
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from globolatte_cli.drill.stage import Shown, Stage
from resources.environment import warehouse_of

COLUMNS = "transaction_id,order_id,business_unit,product_id,customer_id,quantity,total_price,transaction_date,payment_method,weather"
LOST = {
    "ledger": "nothing: the file is not taken up",
    "quarantine": "nothing: the line is in quarantine",
    "run": "nothing: what was known before stays",
}
"""What becomes of a file or line, by where it is said."""
LEDGER, QUARANTINE = "sales_data.load_ledger", "sales_data.quarantine"


@dataclass(frozen=True)
class Chain:
    """What a good line of this home's chain looks like."""

    unit: str
    folder: str
    date: dt.date
    product: str
    price: float

    def path(self, name: str, date: dt.date | None = None, folder: str | None = None) -> str:
        """Where a unit's file of a day lands."""
        return f"sales/{folder or self.folder}/{date or self.date:%Y/%m/%d}/drill-{name}"

    def line(self, number: int, **fields: str) -> str:
        """A good order line; `fields` replace its values."""
        good = {
            "transaction_id": f"DRILL{number:05}",
            "order_id": f"DRILLO{number:05}",
            "business_unit": self.unit,
            "product_id": self.product,
            "customer_id": "DRILL",
            "quantity": "1",
            "total_price": f"{self.price:.2f}",
            "transaction_date": f"{self.date}T09:00:00",
            "payment_method": "card",
            "weather": "Sunny",
        }
        return ",".join((good | fields).values())


def csv(*lines: str, columns: str = COLUMNS) -> bytes:
    """A file of lines."""
    return "\n".join([columns, *lines, ""]).encode()


def mostly_good(chain: Chain, first: int, *bad: str) -> bytes:
    """So many good lines around bad ones that the file is not held."""
    return csv(*(chain.line(first + number) for number in range(40)), *bad)


@dataclass(frozen=True)
class Delivery:
    """A file at a path; the ledger, the quarantine or the pass must say `words` (a pattern) of it."""

    name: str
    what: str
    file: Callable[[Chain], tuple[str, bytes]]
    words: str
    kind: str = "delivery"


def _line(name: str, what: str, first: int, words: str, **fields: str) -> Delivery:
    """One bad line among good ones."""

    def file(chain: Chain) -> tuple[str, bytes]:
        return chain.path(f"{name}.csv"), mostly_good(chain, first, chain.line(first + 50, **fields))

    return Delivery(name, what, file, words)


def _conflict(chain: Chain) -> tuple[str, bytes]:
    other = chain.line(2001, quantity="2", total_price=f"{2 * chain.price:.2f}")
    return chain.path("same-id.csv"), mostly_good(chain, 2000, other)


def _two_customers(chain: Chain) -> tuple[str, bytes]:
    lines = [chain.line(2950 + number, order_id="DRILLTWO", customer_id=f"DRILL{number}") for number in range(2)]
    return chain.path("two-customers.csv"), mostly_good(chain, 2900, *lines)


def _outside(_: Chain) -> tuple[str, bytes]:
    return "drill-outside.csv", b"x"


def _price_list(_: Chain) -> tuple[str, bytes]:
    columns = "product_id,product_name,category,price,stock_quantity"
    return "reference/products.csv", csv("P1,Latte,Coffee,dear,1", columns=columns)


DELIVERIES: tuple[Delivery, ...] = (
    Delivery(
        "column-missing",
        "a required column is missing",
        lambda c: (c.path("column-missing.csv"), csv("1,2", columns="transaction_id,quantity")),
        r"refused.*(column|missing)",
    ),
    Delivery("empty-file", "a file without a byte", lambda c: (c.path("empty-file.csv"), b""), r"refused|held"),
    Delivery("no-csv", "bytes that are no text", lambda c: (c.path("no-csv.csv"), os.urandom(4096)), r"refused"),
    Delivery(
        "cut-gzip",
        "a compressed file that was cut off",
        lambda c: (c.path("cut-gzip.csv.gz"), gzip.compress(mostly_good(c, 1000))[:-20]),
        r"refused",
    ),
    Delivery("unknown-suffix", "a file of no known type", lambda c: (c.path("unknown-suffix.xls"), b"x"), r"refused"),
    Delivery(
        "unknown-unit",
        "a folder that is no unit's",
        lambda c: (c.path("unknown-unit.csv", folder="drill_nowhere"), mostly_good(c, 1100)),
        r"refused|drill_nowhere",
    ),
    Delivery(
        "before-the-first-day",
        "a day before the first business date",
        lambda c: (c.path("early.csv", dt.date(1999, 1, 4)), mostly_good(c, 1200)),
        r"refused",
    ),
    Delivery(
        "in-the-future",
        "a day that has not come",
        lambda c: (c.path("future.csv", dt.date(2199, 1, 4)), mostly_good(c, 1300)),
        r"refused",
    ),
    Delivery("outside", "a file outside sales/ and reference/", _outside, r"refused"),
    Delivery(
        "too-many-bad-rows",
        "most lines are bad",
        lambda c: (c.path("bad-rows.csv"), csv(*(c.line(1400 + n, quantity="x") for n in range(10)))),
        r"held",
    ),
    Delivery("same-id", "a line's id comes again with other values", _conflict, r"conflict"),
    Delivery("two-customers", "one order of two customers", _two_customers, r"customers"),
    _line("no-number", "a quantity that is no number", 1500, r"quantity|number", quantity="x"),
    _line("unknown-product", "a product that is not in the catalogue", 1600, r"product", product_id="DRILL-NONE"),
    _line("lost-order-id", "an order id that a spreadsheet rounded", 1700, r"order|id", order_id="2.40301E+11"),
    _line("other-date", "a line of another day", 1800, r"date", transaction_date="2001-01-01T09:00:00"),
    _line("no-price", "a total that is no amount", 1900, r"total|price|number|amount", total_price="free"),
    Delivery("bad-price-list", "a price in products.csv that is no number", _price_list, r"products.csv"),
)


def chain_of(stage: Stage) -> Chain:
    """A unit with sales, its latest loaded day, and a product."""
    warehouse = warehouse_of(stage.settings)
    units = warehouse.read("sales_data.business_units", ["business_unit_id", "folder"]).to_pylist()
    ledger = warehouse.read(LEDGER, ["path", "status", "business_date"]).to_pylist()
    dates = [
        (entry["business_date"], entry["path"])
        for entry in ledger
        if entry["status"] == "loaded" and entry["business_date"]
    ]
    date, unit = max(
        (date, unit["folder"], unit["business_unit_id"])
        for date, path in dates
        for unit in units
        if f"/{unit['folder']}/" in path
    )[::2]
    folder = next(one["folder"] for one in units if one["business_unit_id"] == unit)
    product = warehouse.read("sales_data.products", ["product_id", "price"]).to_pylist()[0]
    return Chain(unit, folder, date, product["product_id"], float(product["price"]))


def play_deliveries(stage: Stage, deliveries: Sequence[Delivery]) -> list[Shown]:
    """Delivers all, runs one pass, and looks for what is said of each."""
    if not deliveries:
        return []
    chain, paths = chain_of(stage), dict[str, str]()
    for delivery in deliveries:
        path, content = delivery.file(chain)
        paths[delivery.name] = path
        target = stage.settings.landing_folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    began = time.monotonic()
    passed = stage.globolatte("run")
    seconds = time.monotonic() - began
    told = _told_of(stage, passed.stdout + passed.stderr)
    shown = []
    for delivery in deliveries:
        said = told(paths[delivery.name])
        found = next((where for where, text in said.items() if re.search(delivery.words, text, re.DOTALL)), "")
        by = f"{found}: {said[found][:300]}" if found else ""
        lost = (
            "nothing is loaded of it"
            if found == "ledger"
            else "the line, kept in the quarantine"
            if found
            else "unknown"
        )
        shown.append(Shown(delivery.name, delivery.kind, delivery.what, by, seconds, lost))
    return shown


def _told_of(stage: Stage, output: str) -> Callable[[str], Mapping[str, str]]:
    """What is said of a path, by where it is said."""
    warehouse = warehouse_of(stage.settings)
    ledger = warehouse.read(LEDGER, ["path", "status", "reason", "load_id"]).to_pylist()
    rows = warehouse.read(QUARANTINE, ["load_id", "reason", "detail"]).to_pylist()

    def told(path: str) -> Mapping[str, str]:
        mine = [entry for entry in ledger if entry["path"] == path]
        loads = {entry["load_id"] for entry in mine}
        quarantined = [f"{row['reason']}: {row['detail']}" for row in rows if row["load_id"] in loads]
        lines = [line for line in output.splitlines() if path in line or path.rsplit("/", maxsplit=1)[-1] in line]
        return {
            "quarantine": "; ".join(quarantined),
            "ledger": "; ".join(f"{entry['status']}: {entry['reason']}" for entry in mine if entry["reason"]),
            "run": " ".join(lines),
        }

    return told
