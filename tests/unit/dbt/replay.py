"""The customer states as the contract words them, replayed naively in plain Python.

Belongs here: the slowest, most literal reading of the definitions. Does not belong here: anything shared with the SQL,
for the two must agree because both are right.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.unit.dbt.random_chain import Chain, Row

State = dict[str, Any]
DAYPARTS = ("morning", "midday", "afternoon", "evening")


@dataclass(frozen=True)
class Order:
    """An order with a main product; the lines are (product, is main) in file order.

    later: what the order is from the day after a refund on, by the date of the refund; None if it is no order with a main product.
    """

    order_key: str
    order_id: str | None
    business_unit: str
    business_date: date
    customer_id: str | None
    ordered_at: datetime
    weather: str
    lines: tuple[tuple[str, bool], ...]
    later: tuple[tuple[date, "Order | None"], ...] = ()

    def known_before(self, day: date | None) -> "Order | None":
        """The order as it is known on a day, by the refunds of earlier dates; by all of them for None."""
        known: Order | None = self
        for refunded_on, left in self.later:
            if day is None or refunded_on < day:
                known = left
        return known

    @property
    def main_product_id(self) -> str:
        return self.lines[0][0]

    @property
    def daypart(self) -> str:
        hour = self.ordered_at.hour
        return DAYPARTS[(hour >= 11) + (hour >= 14) + (hour >= 18)]


def receipts(chain: Chain) -> dict[str, list[Row]]:
    """The rows by the key of the order that they belong to; a void belongs to the one that it takes back."""
    paths = {entry["load_id"]: entry["path"] for entry in chain.load_ledger}

    def receipt_id(row: Row) -> str | None:
        return row["refunded_order_id"] or row["order_id"] if row["kind"] == "void" else row["order_id"]

    sold_by: dict[tuple[Any, ...], set[str]] = {}
    for row in chain.sales_transactions:
        if row["kind"] == "sale":
            place = row["business_unit"], row["business_date"], row["store_id"], receipt_id(row)
            sold_by.setdefault(place, set()).add(row["load_id"])
    found: dict[str, list[Row]] = {}
    for row in chain.sales_transactions:
        unit, day, store, receipt = row["business_unit"], row["business_date"], row["store_id"], receipt_id(row)
        apart = "" if store is None else f"store {store}|"
        if receipt is None:
            key = f"{unit}|{apart}line|{day}|{row['transaction_id']}"
        elif store is None and len(sold_by.get((unit, day, store, receipt), ())) > 1:
            key = f"{unit}|file {paths[row['load_id']]}|{day}|{receipt}"
        else:
            key = f"{unit}|{apart}{day}|{receipt}"
        found.setdefault(key, []).append(row)
    return found


def sold_rows(rows: list[Row]) -> list[Row]:
    """Of a receipt's rows the sales that were not voided on their day, in file order. What is voided is taken off from the end."""
    voided: Counter[str] = Counter()
    for row in rows:
        names_a_receipt = row["order_id"] or row["refunded_order_id"]
        if row["kind"] == "void" and names_a_receipt and row["refunded_date"] in (None, row["business_date"]):
            voided[row["product_id"]] -= row["quantity"]
    in_file = sorted(rows, key=lambda row: (row["row_number"], row["transaction_id"]))
    left = []
    seen: Counter[str] = Counter()
    for row in reversed(in_file):
        if row["kind"] != "sale":
            continue
        seen[row["product_id"]] += row["quantity"]
        if seen[row["product_id"]] > voided[row["product_id"]]:
            left.append(row)
    return left[::-1]


@dataclass(frozen=True)
class Sold:
    """What was sold on a receipt: its lines, whose it is, and when."""

    order_key: str
    rows: list[Row]
    customer_id: str | None
    receipt: list[Row]
    currency: str | None
    total_price: Decimal | None

    def pieces(self, product_id: str) -> int:
        """What was sold of a product, less what was voided of a line."""
        of_the_order = [row for row in self.receipt if is_of_the_order(row, self.receipt)]
        return sum(row["quantity"] for row in of_the_order if row["product_id"] == product_id)

    @property
    def place(self) -> tuple[str, str | None]:
        return self.rows[0]["business_unit"], self.rows[0]["store_id"]

    @property
    def made(self) -> tuple[date, datetime, str]:
        return self.rows[0]["business_date"], self.rows[0]["transaction_date"], self.order_key


@dataclass(frozen=True)
class Refund:
    """A line that takes something back, and the order from which; None if nobody knows."""

    row: Row
    order_key: str | None
    customer_id: str | None
    currency: str | None


def sold_orders(chain: Chain) -> dict[str, Sold]:
    """By key, every order of which something was not voided on its day."""
    sold = {}
    for order_key, unsorted_rows in receipts(chain).items():
        rows = sold_rows(unsorted_rows)
        if rows:
            named = [r["customer_id"] for r in unsorted_rows if is_of_the_order(r, unsorted_rows) and r["customer_id"]]
            customer_id = rows[0]["customer_id"] or min(named, default=None)
            sold[order_key] = Sold(order_key, rows, customer_id, unsorted_rows, *amount(chain, unsorted_rows))
    return sold


def amount(chain: Chain, receipt: list[Row]) -> tuple[str | None, Decimal | None]:
    """In which currency a receipt's lines name what it costs (None: the unit's), and how much; nothing if they are of several."""
    lines = [row for row in receipt if is_of_the_order(row, receipt)]
    declared = {row["business_unit_id"]: json.loads(row["declaration"])["currency"] for row in chain.unit_declarations}
    named = {row["currency"] for row in lines}
    if len({currency or declared.get(lines[0]["business_unit"]) for currency in named}) > 1:
        return None, None
    return max(named, key=bool), sum((Decimal(str(row["total_price"])) for row in lines), Decimal(0))


def refunds(chain: Chain) -> list[Refund]:
    """Every line that takes back something that was sold before."""
    sold = sold_orders(chain)
    lines = [
        (row, receipt_key)
        for receipt_key, rows in receipts(chain).items()
        for row in rows
        if row["kind"] != "sale" and not is_of_the_order(row, rows)
    ]
    told = [(row, told_order(row, receipt_key, sold)) for row, receipt_key in lines]
    found = []
    for row, named in told:
        looked_for = named is None and row["refunded_order_id"] is None
        order = order_of_the_customer(row, sold, told) if looked_for else named
        customer_id = order.customer_id if order else row["customer_id"]
        currency = row["currency"] or (order and order.currency)
        found.append(Refund(row, order and order.order_key, customer_id, currency))
    return found


def candidates(row: Row, sold: dict[str, Sold]) -> list[Sold]:
    """The orders of a refund's store with its product, up to its date."""
    return [
        order
        for order in sold.values()
        if order.place == (row["business_unit"], row["store_id"])
        and order.made[0] <= row["business_date"]
        and row["product_id"] in [line["product_id"] for line in order.rows]
    ]


def told_order(row: Row, receipt_key: str, sold: dict[str, Sold]) -> Sold | None:
    """The order that a refund names, or without a name that of its receipt."""
    found = candidates(row, sold)
    if row["refunded_order_id"] is not None:
        chosen = [
            order
            for order in found
            if order.rows[0]["order_id"] == row["refunded_order_id"] and row["refunded_date"] in (None, order.made[0])
        ]
    else:
        chosen = [order for order in found if order.order_key == receipt_key]
    return max(chosen, key=lambda order: order.made, default=None)


def order_of_the_customer(row: Row, sold: dict[str, Sold], told: list[tuple[Row, Sold | None]]) -> Sold | None:
    """Of a refund that tells no order: the customer's latest one of the store since which more was bought than taken back."""
    own = [
        order
        for order in candidates(row, sold)
        if row["customer_id"] and order.customer_id == row["customer_id"] and order.made[1] < row["transaction_date"]
    ]
    before = [(other, order) for other, order in told if sequence(other) < sequence(row)]
    without_an_order = [
        other
        for other, order in before
        if order is None
        and other["refunded_order_id"] is None
        and all(other[name] == row[name] for name in ("customer_id", "business_unit", "store_id", "product_id"))
    ]

    def pieces(order: Sold) -> int:
        bought: int = order.pieces(row["product_id"])
        taken = sum(o["quantity"] for o, of in before if of is order and o["product_id"] == row["product_id"])
        return max(bought + taken, 0)

    for order in sorted(own, key=lambda order: order.made, reverse=True):
        bought = sum(pieces(later) for later in own if later.made >= order.made)
        back = sum(-other["quantity"] for other in without_an_order if sequence(other)[:2] > order.made[:2])
        if bought > back:
            return order
    return None


def sequence(row: Row) -> tuple[date, datetime, str]:
    """Refunds in the sequence in which they happen."""
    place = "" if row["store_id"] is None else f"store {row['store_id']}|"
    key = f"{row['business_unit']}|{place}{row['business_date']}|{row['transaction_id']}"
    return row["business_date"], row["transaction_date"], key


def orders_with_a_main_product(chain: Chain) -> list[Order]:
    """Every order whose first line was not quarantined, in no particular order; anonymous ones, too."""
    quarantined: dict[str, dict[int, Row]] = {}
    for row in chain.quarantine:
        quarantined.setdefault(row["load_id"], {})[row["row_number"]] = row
    back: dict[str, list[Refund]] = {}
    for refund in refunds(chain):
        if refund.order_key is not None:
            back.setdefault(refund.order_key, []).append(refund)
    all_rows = receipts(chain)
    orders = []
    for order_key, sold in sold_orders(chain).items():
        first = sold.rows[0]
        if follows_a_gap(first, quarantined):
            continue
        order = Order(
            order_key=order_key,
            order_id=first["order_id"],
            business_unit=first["business_unit"],
            business_date=first["business_date"],
            customer_id=sold.customer_id,
            ordered_at=first["transaction_date"],
            weather=first["weather"] or "Unknown",
            lines=tuple((row["product_id"], row is first) for row in sold.rows),
        )
        later: list[tuple[date, Order | None]] = []
        for day in sorted({refund.row["business_date"] for refund in back.get(order_key, [])}):
            left = rows_left(
                sold.rows, all_rows[order_key], [r.row for r in back[order_key] if r.row["business_date"] <= day]
            )
            kept = None
            if left and not follows_a_gap(left[0], quarantined):
                kept = replace(order, lines=tuple((row["product_id"], row is left[0]) for row in left))
            later.append((day, kept))
        orders.append(replace(order, later=tuple(later)))
    return orders


def rows_left(sold: list[Row], receipt: list[Row], refunded: list[Row]) -> list[Row]:
    """The lines that are left of those sold, after voids of single pieces and refunds: taken back from the last line on."""
    back: Counter[str] = Counter()
    for row in refunded:
        back[row["product_id"]] -= row["quantity"]
    for product_id in {row["product_id"] for row in sold}:
        net = sum(r["quantity"] for r in receipt if r["product_id"] == product_id and is_of_the_order(r, receipt))
        back[product_id] += sum(row["quantity"] for row in sold if row["product_id"] == product_id) - net
    touched = {row["product_id"] for row in refunded if row["quantity"] < 0}
    left = []
    for row in reversed(sold):
        back[row["product_id"]] -= row["quantity"]
        if back[row["product_id"]] < 0 or row["product_id"] not in touched:
            left.append(row)
    return left[::-1]


def follows_a_gap(row: Row, quarantined: dict[str, dict[int, Row]]) -> bool:
    """Whether a line was quarantined before this one that may have been the order's first."""
    if row["order_id"] is None:
        return False
    before = {n: bad for n, bad in quarantined.get(row["load_id"], {}).items() if n < row["row_number"]}
    of_order = [
        bad for bad in before.values() if (bad["order_id"], bad["store_id"]) == (row["order_id"], row["store_id"])
    ]
    just_before = before.get(row["row_number"] - 1)
    return bool(of_order) or (just_before is not None and just_before["reason"] == "unparseable_row")


def is_of_the_order(row: Row, receipt: list[Row]) -> bool:
    """Whether a row is a sale of the receipt, or voids one on its day."""
    if row["kind"] == "sale":
        return True
    named = row["refunded_order_id"] or row["order_id"]
    in_time = row["kind"] == "void" and named and row["refunded_date"] in (None, row["business_date"])
    return bool(in_time) and any(one["kind"] == "sale" and one["product_id"] == row["product_id"] for one in receipt)


def history(orders: Iterable[Order], customer_id: str, before: date | None = None) -> list[Order]:
    """The customer's orders of business dates before `before` (all of them for None), less what was refunded by then, oldest first."""
    own = [o for o in orders if o.customer_id == customer_id and (before is None or o.business_date < before)]
    chosen = [left for left in (order.known_before(before) for order in own) if left is not None]
    return sorted(chosen, key=lambda order: (order.ordered_at, order.order_key))


def customer_state(orders: list[Order]) -> State:
    """The customer-level state columns of a history."""
    dayparts = Counter(order.daypart for order in orders)
    recent = [order.main_product_id for order in reversed(orders)][:3] + [None] * 3
    return {
        "order_count": len(orders),
        "line_count": sum(len(order.lines) for order in orders),
        "first_order_date": min((order.business_date for order in orders), default=None),
        "last_order_date": max((order.business_date for order in orders), default=None),
        **{f"{daypart}_orders": dayparts[daypart] for daypart in DAYPARTS},
        **{f"recent_product_{position}": recent[position - 1] for position in (1, 2, 3)},
    }


def product_states(orders: list[Order]) -> dict[str, State]:
    """The state columns by product, for every product in the history."""
    last = max((order.business_date for order in orders), default=date.min)
    states: dict[str, State] = {}
    for order in orders:
        for product_id, is_main in order.lines:
            state = states.setdefault(
                product_id, {"main_orders": 0, "addon_lines": 0, "decayed_main_30d": 0.0, "decayed_main_120d": 0.0}
            )
            if is_main:
                age = (last - order.business_date).days
                state["main_orders"] += 1
                state["decayed_main_30d"] += 2 ** (-age / 30)
                state["decayed_main_120d"] += 2 ** (-age / 120)
            else:
                state["addon_lines"] += 1
    return states


def home_business_unit(orders: list[Order], location: str | None, chain: Chain, all_orders: list[Order]) -> str:
    """The unit of most orders, else of the location's country, else the busiest of the chain."""

    def busiest(candidates: list[Order]) -> str:
        counts = Counter(order.business_unit for order in candidates)
        latest = {unit: max(order.ordered_at for order in candidates if order.business_unit == unit) for unit in counts}
        top = max((counts[unit], latest[unit]) for unit in counts)
        return min(unit for unit in counts if (counts[unit], latest[unit]) == top)

    if orders:
        return busiest(orders)
    for unit in sorted(chain.business_units, key=lambda row: row["business_unit_id"]):
        if location is not None and location.endswith(unit["country"]):
            return unit["business_unit_id"]
    return busiest(all_orders)
