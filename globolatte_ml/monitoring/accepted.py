"""Changes that a person accepted: from a date on, a column is compared with what it has been since then, its new normal."""

import datetime as dt
from dataclasses import dataclass

from globolatte_ml.monitoring.windows import CHAIN


@dataclass(frozen=True)
class AcceptedChange:
    """A column of a unit, or of all units (none), is as it is `since` that date, and that is how it is meant to be.

    `is_empty`: its values are missing since then, all or some, and that is meant too; else only other values are.
    """

    column: str
    unit: str | None
    since: dt.date
    is_empty: bool = False

    def concerns(self, scope: str, last: dt.date) -> bool:
        """Whether windows of a scope that end on `last` are to be compared in another way for it."""
        return self.since <= last and (self.unit is None or scope in (CHAIN, self.unit))
