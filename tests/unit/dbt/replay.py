"""The customer states as the contract words them, replayed naively in plain Python.

Belongs here: the slowest, most literal reading of the definitions. Does not belong here: anything shared with the SQL,
for the two must agree because both are right.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tests.unit.dbt.random_chain import Chain, Row

State = dict[str, Any]
DAYPARTS = ("morning", "midday", "afternoon", "evening")


@dataclass(frozen=True)
class Order:
    """An order with a main product; the lines are (product, is main) in file order."""

    order_key: str
    order_id: str | None
    business_unit: str
    business_date: date
    customer_id: str | None
    ordered_at: datetime
    weather: str
    lines: tuple[tuple[str, bool], ...]

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


def orders_with_a_main_product(chain: Chain) -> list[Order]:
    """Every order whose first line was not quarantined, in no particular order; anonymous ones, too."""
    quarantined: dict[str, dict[int, Row]] = {}
    for row in chain.quarantine:
        quarantined.setdefault(row["load_id"], {})[row["row_number"]] = row
    orders = []
    for order_key, unsorted_rows in receipts(chain).items():
        rows = sold_rows(unsorted_rows)
        if not rows:
            continue
        first = rows[0]
        before = {n: row for n, row in quarantined.get(first["load_id"], {}).items() if n < first["row_number"]}
        if first["order_id"] is not None:
            of_order = [
                r for r in before.values() if (r["order_id"], r["store_id"]) == (first["order_id"], first["store_id"])
            ]
            just_before = before.get(first["row_number"] - 1)
            if of_order or (just_before and just_before["reason"] == "unparseable_row"):
                continue
        bought = [row for row in unsorted_rows if is_of_the_order(row, unsorted_rows)]
        named = sorted(row["customer_id"] for row in bought if row["customer_id"] is not None)
        orders.append(
            Order(
                order_key=order_key,
                order_id=first["order_id"],
                business_unit=first["business_unit"],
                business_date=first["business_date"],
                customer_id=first["customer_id"] or next(iter(named), None),
                ordered_at=first["transaction_date"],
                weather=first["weather"] or "Unknown",
                lines=tuple((row["product_id"], row is first) for row in rows),
            )
        )
    return orders


def is_of_the_order(row: Row, receipt: list[Row]) -> bool:
    """Whether a row is a sale of the receipt, or voids one on its day."""
    if row["kind"] == "sale":
        return True
    named = row["refunded_order_id"] or row["order_id"]
    in_time = row["kind"] == "void" and named and row["refunded_date"] in (None, row["business_date"])
    return bool(in_time) and any(one["kind"] == "sale" and one["product_id"] == row["product_id"] for one in receipt)


def history(orders: Iterable[Order], customer_id: str, before: date | None = None) -> list[Order]:
    """The customer's orders of business dates before `before` (all of them for None), oldest first."""
    chosen = [o for o in orders if o.customer_id == customer_id and (before is None or o.business_date < before)]
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
