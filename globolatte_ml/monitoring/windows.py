"""Windows: runs of business dates that hold enough orders to be evaluated, for the whole chain and for each business unit."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from globolatte_ml.monitoring.delivery import MOST_FAILED_DAYS, SILENT_DAYS, Delivery

CHAIN = "chain"
"""The scope of a window over all business units; any other scope is a business unit's id."""


@dataclass(frozen=True)
class WindowRules:
    """When a window is complete: it holds at least `orders` orders and `days` business dates.

    Days matter where sales are many: weather and offers are shared by a day's orders, so a few days say little however many
    orders they bring.
    """

    orders: int = 300
    days: int = 21


@dataclass(frozen=True)
class Window:
    """Whole business dates from `first` to `last`, both included, of a scope: `CHAIN` or a business unit's id."""

    scope: str
    first: dt.date
    last: dt.date
    delivery: Delivery

    @property
    def window_id(self) -> str:
        """`<scope>_<first>_<last>`: unique, sorts in time within its scope, fit for a file name."""
        return f"{self.scope}_{self.first}_{self.last}"

    @property
    def orders(self) -> int:
        """Orders loaded."""
        return self.delivery.orders


def complete_windows(
    days: Iterable[Delivery],
    after: dt.date,
    rules: WindowRules,
    evaluated_until: Mapping[str, dt.date] | None = None,
) -> list[Window]:
    """All complete windows after the date `after`, of the chain first, then of each unit; each scope's in time order.

    Windows of a scope follow one another without gap. Where so much was quarantined that the delivery is broken, rows that
    were delivered count instead of orders: a till that sends nothing but blanks must not escape for want of orders.

    Args:
        days: one delivery per business unit and date, in any sequence.
        after: the last business date that is not to be evaluated, such as the last one the champion learned from.
        evaluated_until: by scope, where the last window that was evaluated already ended.
    """
    evaluated = evaluated_until or {}
    found: list[Window] = []
    for scope, delivered in days_by_scope(days, after).items():
        begun = evaluated.get(scope, after)
        found += _windows(scope, {date: day for date, day in delivered.items() if date > begun}, rules)
    return found


def days_by_scope(days: Iterable[Delivery], after: dt.date) -> dict[str, dict[dt.date, Delivery]]:
    """The deliveries after a date by scope: of the chain first, if there are several units, then of each unit."""
    by_unit: dict[str, dict[dt.date, Delivery]] = {}
    for day in days:
        if day.date > after:
            by_unit.setdefault(day.unit, {})[day.date] = day
    units = {unit: by_unit[unit] for unit in sorted(by_unit)}
    return {CHAIN: _chain_days(list(units.values())), **units} if len(units) > 1 else units


def window_between(scope: str, first: dt.date, last: dt.date, days: Mapping[dt.date, Delivery]) -> Window:
    """The window of these dates, by what was delivered for them."""
    total = Delivery.nothing(scope, first)
    for date in (first + dt.timedelta(days=number) for number in range((last - first).days + 1)):
        total = total.plus(days.get(date) or Delivery.missing(scope, date))
    return Window(scope, first, last, total)


def _chain_days(units: list[dict[dt.date, Delivery]]) -> dict[dt.date, Delivery]:
    """The chain's dates, as far as every unit that still delivers has delivered."""
    if not units:
        return {}
    latest = [max(unit) for unit in units]
    delivering = [last for last in latest if (max(latest) - last).days <= SILENT_DAYS]
    complete_until = min(delivering)
    dates = sorted({date for unit in units for date in unit if date <= complete_until})
    spans = [(unit, min(unit), max(unit) + dt.timedelta(days=SILENT_DAYS)) for unit in units]
    chain = {date: Delivery.nothing(CHAIN, date) for date in dates}
    for date in dates:
        for unit, opened, closed in spans:
            if opened <= date <= closed:
                chain[date] = chain[date].plus(unit.get(date) or Delivery.missing(CHAIN, date))
    return chain


def _windows(scope: str, days: dict[dt.date, Delivery], rules: WindowRules) -> Iterator[Window]:
    if not days:
        return
    first = min(days)
    total, date = Delivery.nothing(scope, first), first
    while date <= max(days):
        total = total.plus(days.get(date) or Delivery.missing(scope, date))
        long = (date - first).days + 1 >= rules.days
        if long and (total.orders >= rules.orders or _broken_and_full(total, rules)):
            yield Window(scope, first, date, total)
            first = date + dt.timedelta(days=1)
            total = Delivery.nothing(scope, first)
        date += dt.timedelta(days=1)


def _broken_and_full(total: Delivery, rules: WindowRules) -> bool:
    return (total.rows >= rules.orders and bool(total.faults())) or total.share_of_days_failed > MOST_FAILED_DAYS
