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
    order_id: str
    business_unit: str
    business_date: date
    customer_id: str
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


def orders_with_a_main_product(chain: Chain) -> list[Order]:
    """Every order whose first line was not quarantined, in no particular order."""
    lines: dict[str, list[Row]] = {}
    for row in chain.sales_transactions:
        lines.setdefault(f"{row['business_unit']}|{row['business_date']}|{row['order_id']}", []).append(row)
    quarantined = {(row["load_id"], row["row_number"]): row["order_id"] for row in chain.quarantine}
    orders = []
    for order_key, unsorted_rows in lines.items():
        rows = sorted(unsorted_rows, key=lambda row: row["row_number"])
        first = rows[0]
        before = {
            row_number: order_id
            for (load_id, row_number), order_id in quarantined.items()
            if load_id == first["load_id"] and row_number < first["row_number"]
        }
        if first["order_id"] in before.values() or before.get(first["row_number"] - 1, "readable") is None:
            continue
        orders.append(
            Order(
                order_key=order_key,
                order_id=first["order_id"],
                business_unit=first["business_unit"],
                business_date=first["business_date"],
                customer_id=first["customer_id"],
                ordered_at=first["transaction_date"],
                weather=first["weather"],
                lines=tuple((row["product_id"], row is first) for row in rows),
            )
        )
    return orders


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
