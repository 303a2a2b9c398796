"""Missing deliveries, by unit and day: the policy, the decision, and the one query that it needs."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from resources.settings.choices import MissingDelivery
from resources.warehouse.warehouse import Transaction

MOST_DAYS_NAMED = 5


@dataclass(frozen=True)
class DeliveryPolicy:
    """When a unit's day is overdue, how far back that is watched, and how much it matters.

    A business date is due `hours` after it has ended where the unit is. Nothing before `first_business_date` is expected, and
    nothing more than `days` before the last date that is due: older dates were reported when they became overdue.
    """

    first_business_date: dt.date
    hours: float = 12.0
    days: int = 14
    severity: MissingDelivery = MissingDelivery.WARN

    def last_due(self, now: dt.datetime, time_zone: str) -> dt.date:
        """The last business date that must be there at `now` (with offset)."""
        local = now.astimezone(ZoneInfo(time_zone)) - dt.timedelta(hours=self.hours)
        return local.date() - dt.timedelta(days=1)

    def expected(self, now: dt.datetime, time_zone: str) -> list[dt.date]:
        """The business dates that are watched, the earliest first."""
        last = self.last_due(now, time_zone)
        dates = [last - dt.timedelta(days=number) for number in reversed(range(self.days))]
        return [date for date in dates if date >= self.first_business_date]


@dataclass(frozen=True)
class UnitDeliveries:
    """What the ledger has for one unit's recent dates. `refused`: dates with files of which none could be loaded; `held`: those of
    them with a file that waits for approval.
    """

    folder: str
    time_zone: str
    delivered: frozenset[dt.date] = frozenset()
    refused: frozenset[dt.date] = frozenset()
    held: frozenset[dt.date] = frozenset()


@dataclass(frozen=True)
class Missing:
    """A unit's overdue dates, the earliest first; `refused` are those for which a file arrived that could not be loaded, `held` those of
    them whose file waits for approval.
    """

    folder: str
    dates: tuple[dt.date, ...]
    refused: frozenset[dt.date] = frozenset()
    watched: int = 0
    held: frozenset[dt.date] = frozenset()

    def __str__(self) -> str:
        if not self.dates:
            return f"{self.folder} has delivered every day that is due"
        named = ", ".join(f"{date}{self._what_came(date)}" for date in self.dates[-MOST_DAYS_NAMED:])
        more = len(self.dates) - MOST_DAYS_NAMED
        if len(self.dates) == self.watched > 1:
            came = self._what_came(self.dates[-1])
            return f"{self.folder} has not delivered a single day from {self.dates[0]} to {self.dates[-1]}{came}, all that are watched"
        return f"{self.folder} has not delivered {named}" + (f" and {more} days before" if more > 0 else "")

    def _what_came(self, date: dt.date) -> str:
        if date not in self.refused:
            return ""
        return " (what came is held until someone approves it)" if date in self.held else " (what came was refused)"


def missing_dates(unit: UnitDeliveries, policy: DeliveryPolicy, now: dt.datetime) -> Missing:
    """The unit's overdue dates at `now` (with offset)."""
    expected = policy.expected(now, unit.time_zone)
    dates = tuple(date for date in expected if date not in unit.delivered)
    return Missing(unit.folder, dates, unit.refused & frozenset(dates), len(expected), unit.held & frozenset(dates))


RECENT = """
select
    units.folder, units.time_zone, parts.business_date as date,
    coalesce(max(case when parts.status = 'held' then 1 else 0 end), 0) as held,
    coalesce(max(case when parts.status = 'loaded' then 1 else 0 end), 0) as delivered
from sales_data.business_units as units
left join sales_data.load_parts as parts
    on parts.business_unit = units.business_unit_id and parts.business_date >= ?
group by units.folder, units.time_zone, parts.business_date
"""
"""By part: what a file of several units has of a unit is delivered by it, whichever folder the file lies in."""


QUIET_DAYS = 31
"""Days before the watched ones in which a file that covers several days may begin, as far as it is looked at."""

COVERED = """
select
    units.folder, parts.load_id, min(parts.business_date) as first_date, max(parts.business_date) as last_date, count(*) as days
from sales_data.load_parts as parts
inner join sales_data.business_units as units on parts.business_unit = units.business_unit_id
where parts.status = 'loaded' and parts.rows_in_part > 0 and parts.business_date >= ?
group by units.folder, parts.load_id
having count(*) > 1
"""
"""The files of several days: only a path that tells no date may have them."""


def covered_dates(first: dt.date, last: dt.date, days: int) -> frozenset[dt.date]:
    """The dates that a file covers with rows of a unit on so many days between the first and the last of them.

    If it has rows on most of these days, it tells that nothing was sold on the others; else it tells nothing of them.
    """
    dates = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    return frozenset(dates) if days > len(dates) / 2 else frozenset()


def recent_deliveries(transaction: Transaction, policy: DeliveryPolicy, now: dt.datetime) -> dict[str, UnitDeliveries]:
    """What the ledger has for every unit's watched dates, by landing folder. Reads only the watched dates, however long the history is."""
    since = min(policy.last_due(now, "UTC"), now.date()) - dt.timedelta(days=policy.days + 1)
    zones: dict[str, str] = {}
    dates: dict[tuple[str, bool], set[dt.date]] = defaultdict(set)
    held: dict[str, set[dt.date]] = defaultdict(set)
    for row in transaction.fetch(RECENT, (since,)).to_pylist():
        zones[row["folder"]] = row["time_zone"]
        if row["date"] is not None:
            dates[row["folder"], bool(row["delivered"])].add(row["date"])
            if row["held"]:
                held[row["folder"]].add(row["date"])
    for row in transaction.fetch(COVERED, (since - dt.timedelta(days=QUIET_DAYS),)).to_pylist():
        folder = row["folder"]
        covered = covered_dates(row["first_date"], row["last_date"], row["days"])
        dates[folder, True] |= {date for date in covered - dates[folder, False] if date >= since}
    return {
        folder: UnitDeliveries(
            folder, zone, frozenset(dates[folder, True]), frozenset(dates[folder, False]), frozenset(held[folder])
        )
        for folder, zone in zones.items()
    }


def missing_of_units(
    transaction: Transaction, folders: Sequence[str], policy: DeliveryPolicy, now: dt.datetime
) -> list[Missing]:
    """The overdue dates of each configured unit. For a unit that is not in the reference data, all watched dates, in UTC."""
    known = recent_deliveries(transaction, policy, now)
    return [missing_dates(known.get(folder, UnitDeliveries(folder, "UTC")), policy, now) for folder in folders]
