"""The laws of ingestion in plain Python, row by row: what the tables hold after files came and people took steps.

The naive model that the real loads are compared with. Knows no warehouse.
"""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

KNOWN = ("BU_CA", "BU_US")
UNKNOWN_UNIT = "unknown_business_unit"

DATE, OTHER_DATE, LOADED_ON = dt.date(2022, 1, 31), dt.date(2022, 1, 30), dt.date(2022, 2, 10)
"""The date of the folder, another one, and the day of the load."""

Key = tuple[str, dt.date]
"""The unit and the date of a part."""
KEYS: tuple[Key, ...] = tuple(product(KNOWN, (OTHER_DATE, DATE, LOADED_ON)))
HOME_UNIT = "BU_CA"
"""The unit of a file without a good row whose path tells neither unit nor date."""


class Row(NamedTuple):
    """A line: it is bad when its weather is `Hail`, or its unit none of `KNOWN`. Order and customer are empty where they are not told."""

    transaction: str
    payment: str = "card"
    weather: str = "Sunny"
    order: str = ""
    customer: str = "C1"
    unit: str = "BU_US"
    date: dt.date = DATE

    @property
    def id(self) -> tuple[str, dt.date, str]:
        """What the line is known by."""
        return self.unit, self.date, self.transaction


def is_same(row: Row, other: Row) -> bool:
    """Whether two rows of one id are the same line, delivered twice; a customer counts where both are told."""
    customers = {row.customer, other.customer} - {""}
    return row._replace(customer="") == other._replace(customer="") and len(customers) < 2


@dataclass(frozen=True)
class Version:
    """One upload: its rows, or none for a file that is refused. `number` distinguishes uploads of the same rows, which are no news."""

    number: int
    rows: tuple[Row, ...] | None


@dataclass(frozen=True)
class Part:
    """What a version has of one unit and date: what is wrong with rows, by number, and the good ones. Rows of an unknown unit are the
    folder's; without a folder, of the unit that the file stands under.
    """

    version: Version
    faults: dict[int, str]
    good: dict[int, Row]


@dataclass
class Day:
    """One unit's one day: what lies in the landing zone, what the ledger knows, what is loaded and held, by path, unit and date.

    The paths in `undated` tell neither: each row is of the unit and date that it names.
    """

    max_bad_share: float
    max_take_away: float = 1.0
    unit: str = "BU_US"
    """The unit of the folder."""
    undated: frozenset[str] = frozenset()
    landed: dict[str, Version] = field(default_factory=dict)
    known: dict[str, Version] = field(default_factory=dict)
    rows: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    """The rows of each path's latest known version, corrected."""
    states: dict[str, str] = field(default_factory=dict)
    """The state of each path's latest known version."""
    loaded: dict[tuple[str, Key], Part] = field(default_factory=dict)
    held: dict[tuple[str, Key], Part] = field(default_factory=dict)
    seniority: dict[Key, list[str]] = field(default_factory=lambda: {key: [] for key in KEYS})
    """The paths that have delivered, by part: a version delivers every one, also one without rows, but those of which it is held."""
    approved: set[tuple[str, tuple[Row, ...]]] = field(default_factory=set)
    overwriting: set[str] = field(default_factory=set)
    """The paths that tell no date of which the latest version stands in the place of other dates: nobody can approve it."""
    corrections: dict[tuple[str, tuple[Row, ...]], dict[int, Row]] = field(default_factory=dict)

    def pending(self) -> list[str]:
        """Paths whose landed content is not the one that is known. The same content that landed again is the known version."""
        for path, version in self.landed.items():
            known = self.known.get(path)
            if known is not None and known.rows == version.rows:
                self.landed[path] = known
        return sorted(path for path, version in self.landed.items() if self.known.get(path) != version)

    def take(self, path: str) -> None:
        """Loads what has landed at a path, holds it, as a whole or some of its parts, or refuses it."""
        version = self.landed[path]
        self.known[path] = version
        if version.rows is None:
            self.states[path] = "refused"
            return
        own = self.corrections.get((path, version.rows), {})
        rows = tuple(own.get(number, row) for number, row in enumerate(version.rows, start=1))
        self.rows[path] = rows
        before = {key for place, key in self.loaded if place == path}
        own_key = self._own(path, rows)
        parts = {
            key: self._part(version, path, rows, key, own_key)
            for key in before | {self._key_of(path, row, own_key) for row in rows} | {own_key}
        }
        is_approved = (path, version.rows) in self.approved
        wrong = {} if is_approved else self._wrong(path, rows, parts, own_key[0])
        (
            self.overwriting.discard
            if is_approved or not self._brings_other_dates(path, parts)
            else self.overwriting.add
        )(path)
        self.states[path] = "held" if len(wrong) == len(parts) else "loaded"
        for place in [place for place in self.held if place[0] == path]:
            del self.held[place]
        for key in KEYS:
            part = parts.get(key)
            if part is not None and key in wrong:
                self.held[path, key] = Part(version, wrong[key], part.good)
                continue
            if part is not None:
                self.loaded.pop((path, key), None)
                if part.good or part.faults or key == own_key:  # else there is nothing of it any more
                    self.loaded[path, key] = part
            if path not in self.seniority[key] and self.states[path] == "loaded":
                self.seniority[key].append(path)

    def retract(self, path: str) -> None:
        """Takes a path out."""
        for parts in (self.loaded, self.held):
            for place in [place for place in parts if place[0] == path]:
                if parts.pop(place).version == self.known.get(path):
                    self.states[path] = "retracted"
        for paths in self.seniority.values():
            if path in paths:
                paths.remove(path)

    def reloadable(self, states: tuple[str, ...] = ("loaded", "held", "refused")) -> list[str]:
        """Paths whose latest known version is in one of these states, and lies there still."""
        self.pending()
        return sorted(
            path for path, state in self.states.items() if state in states and self.landed.get(path) == self.known[path]
        )

    def waiting(self) -> list[str]:
        """Paths whose latest known version is held, as a whole or in part, and lies there still."""
        held = {path for (path, _), part in self.held.items() if part.version == self.known[path]}
        return [path for path in self.reloadable(("loaded", "held")) if path in held]

    def _own(self, path: str, rows: tuple[Row, ...]) -> Key:
        """The part that the file's entry stands under."""
        if path not in self.undated:
            return self.unit, DATE
        valid = [(row.date, row.unit) for row in rows if row.unit in KNOWN and row.weather != "Hail"]
        date, unit = max(valid, default=(LOADED_ON, HOME_UNIT))
        return unit, date

    def _key_of(self, path: str, row: Row, own: Key) -> Key:
        return row.unit if row.unit in KNOWN else own[0], row.date if path in self.undated else own[1]

    def _part(self, version: Version, path: str, rows: tuple[Row, ...], key: Key, own: Key) -> Part:
        faults, good = judged(rows)
        of_key = [number for number, row in enumerate(rows, start=1) if self._key_of(path, row, own) == key]
        return Part(version, {n: faults[n] for n in of_key if n in faults}, {n: good[n] for n in of_key if n in good})

    def _wrong(
        self, path: str, rows: tuple[Row, ...], parts: dict[Key, Part], own_unit: str
    ) -> dict[Key, dict[int, str]]:
        """The faults of the parts that are held; of a file that is held as a whole, of all parts."""
        if self._brings_other_dates(path, parts):
            return {key: part.faults for key, part in parts.items()}
        named = {row.unit for row in rows if row.unit in KNOWN}
        conflicts = {key: self._conflicts(path, part) for key, part in parts.items()}
        if any(part.good for part in parts.values()) and len(named) == 1 and named != {own_unit}:
            faults = sum(len(part.faults) for part in parts.values())
            is_bad = self._is_too_much(faults, len(rows))
            are_too_many = self._is_too_much(faults + sum(map(len, conflicts.values())), len(rows))
            with_them = are_too_many and not is_bad
            return {u: part.faults | (conflicts[u] if with_them else {}) for u, part in parts.items()}
        wrong = {}
        for key, part in parts.items():
            unknown = [fault for fault in part.faults.values() if fault == UNKNOWN_UNIT] if len(named) > 1 else []
            bad, count = len(part.faults) - len(unknown), len(part.faults) + len(part.good) - len(unknown)
            if self._is_too_much(bad, count):
                wrong[key] = part.faults
            elif self._is_too_much(bad + len(conflicts[key]), count):
                wrong[key] = part.faults | conflicts[key]
            elif self._takes_away_too_much(path, key, part):
                wrong[key] = part.faults
        is_empty = {
            key for key, part in parts.items() if not part.faults and not part.good and not self._before(path, key)
        }
        if wrong and {*parts} - is_empty <= {*wrong}:
            wrong |= {key: {} for key in is_empty}
        return wrong

    def _is_too_much(self, bad: int, rows: int) -> bool:
        return bool(rows) and bad / rows > self.max_bad_share

    def _before(self, path: str, key: Key) -> int:
        return len(self._good(path, key))

    def _takes_away_too_much(self, path: str, key: Key, part: Part) -> bool:
        had = self._before(path, key)
        return bool(had) and 1 - len(part.good) / had > self.max_take_away

    def _brings_other_dates(self, path: str, parts: dict[Key, Part]) -> bool:
        """Whether the version has rows of other dates alone, but for so few that too much of each date before is taken away."""
        before = {key for key in parts if self._before(path, key)}
        others = {date for (_, date), part in parts.items() if part.good} - {date for _, date in before}
        is_taken = all(self._takes_away_too_much(path, key, parts[key]) for key in before)
        return path in self.undated and bool(before) and bool(others) and is_taken

    def _conflicts(self, path: str, part: Part) -> dict[int, str]:
        """The rows whose id a file delivered before has, with other values."""
        found = {}
        for number, row in part.good.items():
            for senior in self.seniority[row.unit, row.date]:
                if senior == path:
                    break
                owned = {one.id: one for one in self._good(senior, (row.unit, row.date)).values()}
                if row.id in owned:
                    if not is_same(owned[row.id], row):
                        found[number] = "conflict_across_files"
                    break
        return found

    def _good(self, path: str, key: Key) -> dict[int, Row]:
        return self.loaded[path, key].good if (path, key) in self.loaded else {}

    def expected(self) -> tuple[list[tuple[object, ...]], list[tuple[str, int, str]]]:
        """The rows loaded (path, number, transaction, payment, customer, unit, date), and those in quarantine (path, number, reason)."""
        loaded, quarantined = [], []
        owners: dict[tuple[str, dt.date, str], tuple[str, Row]] = {}
        for key, paths in self.seniority.items():
            for path in paths:
                for number, row in self._good(path, key).items():
                    owner, owned = owners.setdefault(row.id, (path, row))
                    if owner == path:
                        loaded.append((path, number, row.transaction, row.payment, row.customer or None, *key))
                    else:
                        repeats = "duplicate_across_files" if is_same(owned, row) else "conflict_across_files"
                        quarantined.append((path, number, repeats))
        for (path, _), part in (*self.loaded.items(), *self.held.items()):
            quarantined += [(path, number, reason) for number, reason in part.faults.items()]
        return sorted(loaded, key=lambda row: row[:2]), sorted(quarantined)

    def parts(self) -> list[tuple[str, str, dt.date, str]]:
        """The parts that are loaded or held: path, unit, date, status."""
        loaded, held = (
            [(path, *key, status) for path, key in parts]
            for parts, status in ((self.loaded, "loaded"), (self.held, "held"))
        )
        return sorted((*loaded, *held))


def judged(rows: tuple[Row, ...]) -> tuple[dict[int, str], dict[int, Row]]:
    """What is wrong with rows by themselves, and the good ones as they are loaded, with the customer that their order names."""
    faults = {number: "unknown_weather" for number, row in enumerate(rows, start=1) if row.weather == "Hail"}
    faults |= {number: UNKNOWN_UNIT for number, row in enumerate(rows, start=1) if row.unit not in KNOWN}
    valid = {number: row for number, row in enumerate(rows, start=1) if number not in faults}
    lines_of_orders: dict[tuple[str, dt.date, str, str], Row] = {}
    for row in valid.values():
        lines_of_orders.setdefault((row.unit, row.date, row.order, row.transaction), row)
    customers: dict[tuple[str, dt.date, str], set[str]] = defaultdict(set)
    for row in lines_of_orders.values():
        if row.customer:
            customers[row.unit, row.date, row.order].add(row.customer)
    good: dict[int, Row] = {}
    seen: dict[tuple[str, dt.date, str], Row] = {}
    for number, row in valid.items():
        named = customers[row.unit, row.date, row.order] if row.order else set()
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
