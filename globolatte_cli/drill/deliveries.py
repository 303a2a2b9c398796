"""Files as they should not be, or rarely are, each with the code that the ledger or the quarantine must have for it."""

import csv
import datetime as dt
import gzip
import io
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from globolatte_ingest.ledger import LedgerStatus
from globolatte_ingest.reasons import ReasonCode, RowReason
from resources.environment import warehouse_for_reading
from resources.settings.settings import Settings

COLUMNS = "transaction_id,order_id,business_unit,product_id,customer_id,quantity,total_price,transaction_date,payment_method,weather"
GOOD_LINES = 40
"""Around a bad one, so that the file is not held."""
CUSTOMERS, MINUTES = 7, 60
SAME_AGAIN = CUSTOMERS * MINUTES
"""After how many lines one differs from another in its ids alone."""
LEDGER = "sales_data.load_ledger"
HELD, REFUSED, LOADED, RETRACTED = LedgerStatus.HELD, LedgerStatus.REFUSED, LedgerStatus.LOADED, LedgerStatus.RETRACTED
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Chain:
    """What a good line of this home's chain looks like, and what it has delivered."""

    landing: Path
    unit: str
    folder: str
    date: dt.date
    product: str
    price: float
    delivered: str
    """The path of a loaded file with several rows."""

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
            "customer_id": f"DRILL{number % CUSTOMERS}",
            "quantity": "1",
            "total_price": f"{self.price:.2f}",
            "transaction_date": f"{self.date}T09:{number % MINUTES:02}:00",
            "payment_method": "card",
            "weather": "Sunny",
        }
        return ",".join((good | fields).values())

    def mostly_good(self, first: int, *bad: str) -> bytes:
        """Good lines, numbered from `first`, and behind them bad ones."""
        return table(*(self.line(first + number) for number in range(GOOD_LINES)), *bad)

    def reference(self, name: str) -> list[list[str]]:
        """The rows of a reference file as it was delivered, with its header."""
        return list(csv.reader(io.StringIO((self.landing / "reference" / name).read_text(encoding="utf-8-sig"))))


def table(*lines: str, columns: str = COLUMNS) -> bytes:
    """A file of lines."""
    return "\n".join([columns, *lines, ""]).encode()


def written(rows: list[list[str]]) -> bytes:
    """A file of rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


@dataclass(frozen=True)
class Delivery:
    """Files at their paths, the last of which is at fault; the ledger must give it `status`, and `code` for it or for a row of it.

    Without `code` nothing is at fault in the end: all of its rows are loaded. `check`: the check of the pass that must name it instead,
    with `words`. `turn`: in which of the passes it is delivered.
    """

    name: str
    kind: str
    what: str
    files: Callable[[Chain], Files]
    status: str
    code: str = ""
    words: str = ""
    check: str = ""
    turn: int = 1
    builds_on: str = ""
    """The delivery of an earlier pass without which it means nothing."""
    again: bool = False
    """It is there since the pass before, and must be named again although nothing of it is news."""
    age_seconds: float = 0.0
    """How long ago it was written."""
    command: tuple[str, ...] = ()
    """What is done after delivering it; `PATH` stands for its path."""


PATH = "PATH"
FORM, IDS, DAYS, PLACES = (
    "a file of another form",
    "ids that are not what they were",
    "a day that is not the folder's",
    "a file out of place",
)
UNITS, PRICES, AGAIN, VALUES = (
    "units that come and go",
    "a price list with a fault",
    "sales that come again",
    "values of another form",
)


def _file(
    name: str, kind: str, what: str, content: Callable[[Chain], bytes], status: str, code: str, suffix: str = ".csv"
) -> Delivery:
    """One file of that name."""
    return Delivery(name, kind, what, lambda chain: {chain.path(f"{name}{suffix}"): content(chain)}, status, code)


def _line(name: str, kind: str, what: str, first: int, code: str, **fields: str) -> Delivery:
    """One bad line among good ones."""

    def content(chain: Chain) -> bytes:
        return chain.mostly_good(first, chain.line(first + 50, **fields))

    return _file(name, kind, what, content, LOADED, code)


def _two_with_the_same(name: str, first: int) -> Callable[[Chain], Files]:
    """Two files; a line of the second has the id of one of the first, and other values."""

    def files(chain: Chain) -> Files:
        other = chain.line(first, quantity="2", total_price=f"{2 * chain.price:.2f}")
        return {
            chain.path(f"{name}-a.csv"): chain.mostly_good(first),
            chain.path(f"{name}-b.csv"): chain.mostly_good(first + 50, other),
        }

    return files


def _sales_again(chain: Chain) -> Files:
    """The same lines under other ids."""
    lines = [[chain.line(first + number) for number in range(23)] for first in (3000, 3000 + SAME_AGAIN)]
    return {chain.path(f"sales-again-{name}.csv"): table(*part) for name, part in zip("ab", lines, strict=True)}


def _two_customers(chain: Chain) -> bytes:
    lines = [chain.line(2950 + number, order_id="DRILLTWO", customer_id=f"DRILL{number}") for number in range(2)]
    return chain.mostly_good(2900, *lines)


def _emptied(chain: Chain) -> Files:
    return {chain.delivered: (chain.landing / chain.delivered).read_bytes().splitlines(keepends=True)[0]}


def _unit_left_out(chain: Chain) -> Files:
    return {
        "reference/business_units.csv": written(
            [row for row in chain.reference("business_units.csv") if chain.unit not in row]
        )
    }


def _unknown_country(chain: Chain) -> Files:
    rows = chain.reference("business_units.csv")
    column = rows[0].index("country")
    return {
        "reference/business_units.csv": written(
            [
                rows[0],
                *([*row[:column], "Atlantis", *row[column + 1 :]] if chain.unit in row else row for row in rows[1:]),
            ]
        )
    }


def _priced(price: str) -> Callable[[Chain], Files]:
    """The price list with another price of the first product."""

    def files(chain: Chain) -> Files:
        rows = chain.reference("products.csv")
        rows[1][rows[0].index("price")] = price
        return {"reference/products.csv": written(rows)}

    return files


def _random_bytes(_: Chain) -> bytes:
    return b"\xff\xfe\x00" + os.urandom(4096)


def _all_bad(chain: Chain, first: int) -> bytes:
    return table(*(chain.line(first + number, quantity="x") for number in range(10)))


def _without_customers(chain: Chain) -> bytes:
    return chain.mostly_good(3200, *(chain.line(3250 + number, customer_id="") for number in range(10)))


DELIVERIES: tuple[Delivery, ...] = (
    _file("nothing-wrong", "nothing is wrong", "a good file", lambda c: c.mostly_good(900), LOADED, ""),
    _file(
        "column-missing",
        FORM,
        "required columns are missing",
        lambda _: table("1,2", columns="transaction_id,quantity"),
        REFUSED,
        ReasonCode.MISSING_COLUMN,
    ),
    _file("empty-file", FORM, "a file without a byte", lambda _: b"", REFUSED, ReasonCode.EMPTY_FILE),
    _file("no-text", FORM, "bytes that are no text", _random_bytes, REFUSED, ReasonCode.NOT_TEXT),
    _file(
        "other-encoding",
        FORM,
        "letters of an encoding that is not declared",
        lambda c: c.mostly_good(1000, c.line(1050, payment_method="Cr\u00e9dit")).decode().encode("latin-1"),
        REFUSED,
        ReasonCode.NOT_TEXT,
    ),
    _file(
        "title-above-the-header",
        FORM,
        "a title above the header",
        lambda c: b"Sales of the day\n" + c.mostly_good(1060),
        REFUSED,
        ReasonCode.MISSING_COLUMN,
    ),
    _file(
        "cut-gzip",
        FORM,
        "a compressed file that was cut off",
        lambda c: gzip.compress(c.mostly_good(1100))[:-20],
        REFUSED,
        ReasonCode.DAMAGED_GZIP,
        suffix=".csv.gz",
    ),
    _file(
        "unknown-suffix", FORM, "a file of no known type", lambda _: b"x", REFUSED, ReasonCode.MISPLACED, suffix=".xls"
    ),
    Delivery(
        "unknown-unit",
        UNITS,
        "a folder that is no unit's",
        lambda c: {c.path("unknown-unit.csv", folder="drill_nowhere"): c.mostly_good(1200)},
        REFUSED,
        ReasonCode.MISPLACED,
    ),
    Delivery(
        "before-the-first-day",
        PLACES,
        "a day before the first business date",
        lambda c: {c.path("early.csv", dt.date(1999, 1, 4)): c.mostly_good(1300)},
        REFUSED,
        ReasonCode.MISPLACED,
    ),
    Delivery(
        "in-the-future",
        PLACES,
        "a day that has not come",
        lambda c: {c.path("future.csv", dt.date(2199, 1, 4)): c.mostly_good(1400)},
        REFUSED,
        ReasonCode.MISPLACED,
    ),
    Delivery(
        "outside",
        PLACES,
        "a file outside sales/ and reference/",
        lambda _: {"drill-outside.csv": b"x"},
        REFUSED,
        ReasonCode.MISPLACED,
    ),
    Delivery(
        "half-an-upload",
        PLACES,
        "an upload that was not finished for hours",
        lambda c: {c.path("half.csv.filepart"): b"x"},
        REFUSED,
        ReasonCode.MISPLACED,
        age_seconds=4 * 3600.0,
    ),
    _file(
        "too-many-bad-rows",
        "a format that changed",
        "all lines are bad",
        lambda c: _all_bad(c, 1500),
        HELD,
        ReasonCode.TOO_MANY_BAD_ROWS,
    ),
    Delivery(
        "emptied-file",
        "a correction that takes away",
        "a day's file is overwritten by its header alone",
        _emptied,
        HELD,
        ReasonCode.TAKES_AWAY_TOO_MUCH,
    ),
    _line("no-number", VALUES, "a quantity that is no number", 1600, RowReason.BAD_NUMBER, quantity="x"),
    _line("no-price", VALUES, "a total that is no amount", 1700, RowReason.BAD_NUMBER, total_price="free"),
    _line(
        "currency-sign", VALUES, "a currency sign that is not declared", 1800, RowReason.BAD_NUMBER, total_price="$4.50"
    ),
    _line("whole-number-with-a-point", VALUES, "a quantity of 1.0", 1900, "", quantity="1.0"),
    _line(
        "other-date",
        DAYS,
        "a line of another day",
        2000,
        RowReason.DATE_NOT_OF_FOLDER,
        transaction_date="2001-01-01T09:00:00",
    ),
    _line(
        "unknown-product",
        "a product that is not in the catalogue",
        "a product that is not in the catalogue",
        2100,
        RowReason.UNKNOWN_PRODUCT,
        product_id="DRILL-NONE",
    ),
    _line(
        "line-of-no-unit",
        UNITS,
        "a line of a unit that is none",
        2200,
        RowReason.UNKNOWN_BUSINESS_UNIT,
        business_unit="DRILL-NONE",
    ),
    _line(
        "positive-refund",
        "a refund",
        "a refund whose amount is positive",
        2300,
        RowReason.REFUND_NOT_NEGATIVE,
        quantity="-1",
    ),
    _line(
        "lost-order-id", IDS, "an order id that a spreadsheet rounded", 2400, RowReason.LOST_ID, order_id="2.40301E+11"
    ),
    Delivery(
        "customer-id-as-a-number",
        IDS,
        "a customer id that a spreadsheet made a number",
        lambda c: {c.path("customer-id.csv"): c.mostly_good(2500, c.line(2550, customer_id="1001.0"))},
        LOADED,
        words="customer_id that ends in '.0'",
    ),
    _file(
        "same-id",
        IDS,
        "a line's id comes again in the file with other values",
        lambda c: c.mostly_good(2600, c.line(2601, quantity="2", total_price=f"{2 * c.price:.2f}")),
        LOADED,
        RowReason.CONFLICT_IN_FILE,
    ),
    Delivery(
        "same-id-elsewhere",
        IDS,
        "a line's id comes again in another file with other values",
        _two_with_the_same("same-id-elsewhere", 2700),
        LOADED,
        RowReason.CONFLICT_ACROSS_FILES,
    ),
    _file(
        "two-customers",
        "one order of two customers",
        "one order of two customers",
        _two_customers,
        LOADED,
        RowReason.ORDER_OF_SEVERAL_CUSTOMERS,
    ),
    Delivery(
        "sales-again",
        AGAIN,
        "the same sales under other ids",
        _sales_again,
        LOADED,
        check="no_day_delivered_twice",
        words="sales-again-a.csv",
    ),
    Delivery(
        "held-before",
        "a format that changed",
        "another file of a format that changed",
        lambda c: {c.path("held-before.csv"): _all_bad(c, 3300)},
        HELD,
        ReasonCode.TOO_MANY_BAD_ROWS,
    ),
    _file(
        "no-customer",
        "customers who are not known",
        "a fifth of the sales names no customer",
        _without_customers,
        LOADED,
        "",
    ),
    Delivery(
        "price-of-no-number",
        PRICES,
        "a price in products.csv that is no number",
        _priced("dear"),
        REFUSED,
        ReasonCode.BAD_REFERENCE_DATA,
    ),
    Delivery(
        "unit-left-out",
        UNITS,
        "a unit with sales leaves business_units.csv",
        _unit_left_out,
        REFUSED,
        ReasonCode.BAD_REFERENCE_DATA,
    ),
    Delivery(
        "price-of-half-a-cent",
        PRICES,
        "a price in products.csv of three decimals",
        _priced("0.055"),
        REFUSED,
        ReasonCode.BAD_REFERENCE_DATA,
        turn=2,
        words="0.055",
    ),
    Delivery(
        "unknown-country",
        "a country without a calendar",
        "a unit's country that no calendar has",
        _unknown_country,
        LOADED,
        check="every_country_has_holidays",
        words="Atlantis",
        turn=2,
    ),
    Delivery(
        "still-held",
        "what waits is said each time",
        "a pass with other work, while a file of the one before is held",
        lambda c: {c.path("held-before.csv"): _all_bad(c, 3300)},
        HELD,
        turn=2,
        builds_on="held-before",
        again=True,
    ),
    Delivery(
        "retracted-and-restored",
        "sales that come again",
        "a retracted file is copied back",
        lambda c: {c.path("nothing-wrong.csv"): c.mostly_good(900)},
        RETRACTED,
        turn=2,
        builds_on="nothing-wrong",
        command=("retract", PATH, "--yes"),
    ),
)
"""In the order in which they are delivered."""


def chain_of(settings: Settings) -> Chain:
    """A unit with sales, its latest loaded day, and a product."""
    warehouse = warehouse_for_reading(settings)
    units = {row["folder"]: row["business_unit_id"] for row in warehouse.read("sales_data.business_units").to_pylist()}
    loaded = [
        (entry["business_date"], entry["path"])
        for entry in warehouse.read(LEDGER, where={"status": LOADED}).to_pylist()
        if entry["business_date"] and (entry["rows_loaded"] or 0) > 1 and _folder(entry["path"]) in units
    ]
    if not loaded:
        raise ValueError("the home has no loaded file with sales")
    date, path = max(loaded)
    folder = _folder(path)
    product = warehouse.read("sales_data.products", ["product_id", "price"]).to_pylist()[0]
    return Chain(
        settings.landing_folder, units[folder], folder, date, product["product_id"], float(product["price"]), path
    )


def _folder(path: str) -> str:
    return path.split("/")[1] if path.count("/") > 1 else ""


def deliver(chain: Chain, delivery: Delivery) -> tuple[str, bytes]:
    """Puts its files into the landing zone; path and content of the one at fault."""
    path, content = "", b""
    for path, content in delivery.files(chain).items():
        target = chain.landing / path
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.new")
        new.write_bytes(content)
        new.replace(target)
        if delivery.age_seconds:
            long_ago = time.time() - delivery.age_seconds
            os.utime(target, (long_ago, long_ago))
    return path, content


def lines_of(path: str, content: bytes) -> int | None:
    """How many lines of sales a file has; none if it is no table of sales that can be counted."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode())))
    except (UnicodeDecodeError, csv.Error):
        return None
    return len(rows) - 1 if path.startswith("sales/") and rows and rows[0] == COLUMNS.split(",") else None
