"""The laws of ingestion in plain Python, row by row: what the tables hold after files came and people took steps.

The naive model that the real loads are compared with. Knows no warehouse.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple


class Row(NamedTuple):
    """A line: it is bad when its weather is `Hail`. Order and customer are empty where they are not told."""

    transaction: str
    payment: str = "card"
    weather: str = "Sunny"
    order: str = ""
    customer: str = "C1"
    unit: str = "BU_US"

    @property
    def id(self) -> tuple[str, str]:
        """What the line is known by, within its date."""
        return self.unit, self.transaction


def is_same(row: Row, other: Row) -> bool:
    """Whether two rows of one id are the same line, delivered twice; a customer counts where both are told."""
    customers = {row.customer, other.customer} - {""}
    return row._replace(customer="") == other._replace(customer="") and len(customers) < 2


@dataclass(frozen=True)
class Version:
    """One upload: its rows, or none for a file that is refused. `number` distinguishes uploads of the same rows, which are no news."""

    number: int
    rows: tuple[Row, ...] | None


@dataclass
class Day:
    """One unit's one day: what lies in the landing zone, what the ledger knows, what is loaded and held."""

    max_bad_share: float
    max_take_away: float = 1.0
    unit: str = "BU_US"
    """The unit of the folder."""
    landed: dict[str, Version] = field(default_factory=dict)
    known: dict[str, Version] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """The state of each path's latest known version."""
    loaded: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    loaded_version: dict[str, Version] = field(default_factory=dict)
    held: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    held_version: dict[str, Version] = field(default_factory=dict)
    held_for: dict[str, dict[int, str]] = field(default_factory=dict)
    """What was wrong with the rows of each held file when it was held."""
    seniority: list[str] = field(default_factory=list)
    approved: set[tuple[str, tuple[Row, ...]]] = field(default_factory=set)
    corrections: dict[tuple[str, tuple[Row, ...]], dict[int, Row]] = field(default_factory=dict)

    def pending(self) -> list[str]:
        """Paths whose landed content is not the one that is known. The same content that landed again is the known version."""
        for path, version in self.landed.items():
            known = self.known.get(path)
            if known is not None and known.rows == version.rows:
                self.landed[path] = known
        return sorted(path for path, version in self.landed.items() if self.known.get(path) != version)

    def take(self, path: str) -> None:
        """Loads, holds or refuses what has landed at a path."""
        version = self.landed[path]
        self.known[path] = version
        if version.rows is None:
            self.states[path] = "refused"
            return
        own = self.corrections.get((path, version.rows), {})
        rows = tuple(own.get(number, row) for number, row in enumerate(version.rows, start=1))
        self.held.pop(path, None)
        self.held_version.pop(path, None)
        faults, good = judged(rows)
        conflicts = self._conflicts(path, good)
        if (path, version.rows) not in self.approved:
            wrong = None
            if self._is_too_much(len(faults), rows):
                wrong = faults
            elif self._is_too_much(len(faults) + len(conflicts), rows):
                wrong = faults | dict.fromkeys(conflicts, "conflict_across_files")
            elif self._is_of_another_unit(good) or self._takes_away_too_much(path, good):
                wrong = faults
            if wrong is not None:
                self.states[path], self.held[path], self.held_version[path] = "held", rows, version
                self.held_for[path] = wrong
                return
        self.states[path], self.loaded[path], self.loaded_version[path] = "loaded", rows, version
        if path not in self.seniority:
            self.seniority.append(path)

    def retract(self, path: str) -> None:
        """Takes a path out."""
        for version in (self.loaded_version.pop(path, None), self.held_version.pop(path, None)):
            if version is not None and version == self.known.get(path):
                self.states[path] = "retracted"
        self.loaded.pop(path, None)
        self.held.pop(path, None)
        if path in self.seniority:
            self.seniority.remove(path)

    def reloadable(self, states: tuple[str, ...] = ("loaded", "held", "refused")) -> list[str]:
        """Paths whose latest known version is in one of these states, and lies there still."""
        self.pending()
        return sorted(
            path for path, state in self.states.items() if state in states and self.landed.get(path) == self.known[path]
        )

    def _is_too_much(self, bad: int, rows: tuple[Row, ...]) -> bool:
        return bool(rows) and bad / len(rows) > self.max_bad_share

    def _is_of_another_unit(self, good: dict[int, Row]) -> bool:
        units = {row.unit for row in good.values()}
        return len(units) == 1 and units != {self.unit}

    def _takes_away_too_much(self, path: str, good: dict[int, Row]) -> bool:
        """Of the whole file, or of what it has of one of its units."""
        before = judged(self.loaded.get(path, ()))[1]
        units = [None, *sorted({row.unit for row in before.values()})]
        counts = [[sum(unit in (None, row.unit) for row in rows.values()) for rows in (before, good)] for unit in units]
        return any(had and 1 - has / had > self.max_take_away for had, has in counts)

    def _conflicts(self, path: str, good: dict[int, Row]) -> list[int]:
        """The rows whose id a file delivered before has, with other values."""
        owned: dict[tuple[str, str], Row] = {}
        for senior in self.seniority:
            if senior == path:
                break
            for row in judged(self.loaded[senior])[1].values():
                owned.setdefault(row.id, row)
        return [number for number, row in good.items() if not is_same(owned.get(row.id, row), row)]

    def expected(self) -> tuple[list[tuple[object, ...]], list[tuple[str, int, str]]]:
        """The rows loaded (path, number, transaction, payment, customer, unit), and those in quarantine (path, number, reason)."""
        loaded, quarantined = [], []
        owners: dict[tuple[str, str], tuple[str, Row]] = {}
        for path in self.seniority:
            faults, good = judged(self.loaded[path])
            quarantined += [(path, number, reason) for number, reason in faults.items()]
            for number, row in good.items():
                owner, owned = owners.setdefault(row.id, (path, row))
                if owner == path:
                    loaded.append((path, number, row.transaction, row.payment, row.customer or None, row.unit))
                else:
                    repeats = "duplicate_across_files" if is_same(owned, row) else "conflict_across_files"
                    quarantined.append((path, number, repeats))
        for path in self.held:
            quarantined += [(path, number, reason) for number, reason in self.held_for[path].items()]
        return sorted(loaded, key=lambda row: row[:2]), sorted(quarantined)


def judged(rows: tuple[Row, ...]) -> tuple[dict[int, str], dict[int, Row]]:
    """What is wrong with rows by themselves, and the good ones as they are loaded, with the customer that their order names."""
    faults = {number: "unknown_weather" for number, row in enumerate(rows, start=1) if row.weather == "Hail"}
    valid = {number: row for number, row in enumerate(rows, start=1) if number not in faults}
    lines_of_orders: dict[tuple[str, str, str], Row] = {}
    for row in valid.values():
        lines_of_orders.setdefault((row.unit, row.order, row.transaction), row)
    customers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in lines_of_orders.values():
        if row.customer:
            customers[row.unit, row.order].add(row.customer)
    good: dict[int, Row] = {}
    seen: dict[tuple[str, str], Row] = {}
    for number, row in valid.items():
        named = customers[row.unit, row.order] if row.order else set()
        if len(named) > 1:
            faults[number] = "order_of_several_customers"
            continue
        line = row if row.customer or not named else row._replace(customer=min(named))
        if row.id in seen:
            faults[number] = "duplicate_in_file" if is_same(seen[row.id], line) else "conflict_in_file"
        else:
            seen[row.id] = good[number] = line
    return faults, good


def corrected(row: Row) -> Row:
    """A row with its weather put right."""
    return row._replace(weather="Sunny")
