"""The laws of ingestion in plain Python, row by row: what the tables hold after files came and people took steps.

The naive model that the real loads are compared with. Knows no warehouse.
"""

from dataclasses import dataclass, field

Row = tuple[str, str, str]
"""Transaction id, payment method, weather: a row is bad when its weather is `Hail`."""


@dataclass(frozen=True)
class Version:
    """One upload: its rows, or none for a file that is refused. `number` distinguishes uploads of the same rows, which are no news."""

    number: int
    rows: tuple[Row, ...] | None


@dataclass
class Day:
    """One unit's one day: what lies in the landing zone, what the ledger knows, what is loaded and held."""

    max_bad_share: float
    landed: dict[str, Version] = field(default_factory=dict)
    known: dict[str, Version] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """The state of each path's latest known version."""
    loaded: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    loaded_version: dict[str, Version] = field(default_factory=dict)
    held: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    held_version: dict[str, Version] = field(default_factory=dict)
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
        bad = len(_faults(rows))
        if rows and bad / len(rows) > self.max_bad_share and (path, version.rows) not in self.approved:
            self.states[path], self.held[path], self.held_version[path] = "held", rows, version
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

    def expected(self) -> tuple[list[tuple[str, int, str, str]], list[tuple[str, int, str]]]:
        """The rows loaded (path, number, transaction, payment), and those in quarantine (path, number, reason)."""
        loaded, quarantined, owned = [], [], set()
        for path in self.seniority:
            faults = _faults(self.loaded[path])
            for number, (transaction, payment, _) in enumerate(self.loaded[path], start=1):
                if number in faults:
                    quarantined.append((path, number, faults[number]))
                elif transaction in owned:
                    quarantined.append((path, number, "duplicate_across_files"))
                else:
                    loaded.append((path, number, transaction, payment))
            owned |= {row[0] for number, row in enumerate(self.loaded[path], start=1) if number not in faults}
        for path, rows in self.held.items():
            quarantined += [(path, number, reason) for number, reason in _faults(rows).items()]
        return sorted(loaded), sorted(quarantined)


def _faults(rows: tuple[Row, ...]) -> dict[int, str]:
    """What is wrong with rows by themselves."""
    faults, seen = {}, set()
    for number, (transaction, _, weather) in enumerate(rows, start=1):
        if weather == "Hail":
            faults[number] = "unknown_weather"
        elif transaction in seen:
            faults[number] = "duplicate_in_file"
        else:
            seen.add(transaction)
    return faults


def corrected(row: Row) -> Row:
    """A row with its weather put right."""
    return (row[0], row[1], "Sunny")
