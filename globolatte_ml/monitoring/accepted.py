"""Changes that a person accepted: from a date on, a column is compared with what it has been since then, its new normal."""

import datetime as dt
from dataclasses import dataclass

from globolatte_ml.monitoring.windows import CHAIN


@dataclass(frozen=True)
class AcceptedChange:
    """A column of a unit, or of all units (none), is as it is `since` that date, and that is how it is meant to be."""

    column: str
    unit: str | None
    since: dt.date

    def concerns(self, scope: str, last: dt.date) -> bool:
        """Whether windows of a scope that end on `last` are to be compared in another way for it."""
        return self.since <= last and (self.unit is None or scope in (CHAIN, self.unit))
