"""What was delivered on some days, and whether too much of it was unusable to conclude anything from the rest."""

import datetime as dt
import hashlib
from dataclasses import dataclass, replace

MOST_QUARANTINED, MOST_FAILED_DAYS = 0.05, 0.4
"""Shares above which a delivery is broken."""
SILENT_DAYS = 28
"""A unit that sent no file for longer is taken as closed."""


@dataclass(frozen=True)
class Delivery:
    """Counts over the days of a unit (or the chain) up to `date`: orders and rows loaded, rows quarantined.

    Attributes:
        orders: orders that can be evaluated. rows_loaded, rows_quarantined: lines of files.
        days_expected: how many files were to be expected, one a unit and day; days_missing of them did not come,
            days_refused came and could not be read.
        content: a name of what was delivered, and of what the marts have of it: another file version of any of the days makes
            another one, and so does the build that takes it up. Empty if not known.
    """

    unit: str
    date: dt.date
    orders: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    days_expected: int = 1
    days_missing: int = 0
    days_refused: int = 0
    content: str = ""

    @classmethod
    def nothing(cls, unit: str, date: dt.date) -> "Delivery":
        """The sum of no days."""
        return cls(unit, date, days_expected=0)

    @classmethod
    def missing(cls, unit: str, date: dt.date) -> "Delivery":
        """A day without a file."""
        return cls(unit, date, days_missing=1)

    @property
    def rows(self) -> int:
        """All rows of readable files."""
        return self.rows_loaded + self.rows_quarantined

    @property
    def quarantined_share(self) -> float:
        """Rows quarantined of all rows."""
        return self.rows_quarantined / self.rows if self.rows else 0.0

    @property
    def share_of_days_failed(self) -> float:
        """Files missing or refused of all files expected."""
        return (self.days_missing + self.days_refused) / self.days_expected if self.days_expected else 0.0

    def plus(self, other: "Delivery") -> "Delivery":
        """Both together; unit and date are those of `self` and the later one."""
        counts = {name: own + vars(other)[name] for name, own in vars(self).items() if isinstance(own, int)}
        both = f"{self.content},{other.content}" if self.content or other.content else ""
        content = both and hashlib.sha256(both.encode()).hexdigest()
        return replace(self, date=max(self.date, other.date), content=content, **counts)

    def faults(self) -> tuple[str, ...]:
        """Why the delivery is broken, one sentence each; empty if it is sound."""
        found = []
        if self.quarantined_share > MOST_QUARANTINED:
            found.append(
                f"{self.quarantined_share:.0%} of {self.rows:,} delivered rows were quarantined "
                f"(limit {MOST_QUARANTINED:.0%}); see sales_data.quarantine"
            )
        if self.share_of_days_failed > MOST_FAILED_DAYS:
            found.append(
                f"{self.days_missing} of {self.days_expected} daily files are missing and {self.days_refused} were refused "
                f"(limit {MOST_FAILED_DAYS:.0%}); see sales_data.load_ledger"
            )
        return tuple(found)
