"""The circumstances of a request: where, when, in which weather.

Belongs here: the arrays that describe requests, and nothing that knows about customers.
Does not belong here: validation of what a caller typed (see `scoring.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns

CONTEXT_COLUMNS = ("business_unit", "business_date", "weather", "daypart", "is_holiday")


@dataclass(frozen=True)
class Contexts:
    """n requests. Dates are business dates, dayparts local time of the business unit.

    Attributes:
        business_unit, weather, daypart: str, shape (n,).
        date: datetime64[D], shape (n,).
        is_holiday: bool, shape (n,).
    """

    business_unit: np.ndarray
    date: np.ndarray
    weather: np.ndarray
    daypart: np.ndarray
    is_holiday: np.ndarray

    def __len__(self) -> int:
        return len(self.date)

    @classmethod
    def from_table(cls, table: pa.Table) -> Contexts:
        """The context columns of training examples."""
        return cls(
            business_unit=columns.strings(table, "business_unit"),
            date=columns.dates(table, "business_date"),
            weather=columns.strings(table, "weather"),
            daypart=columns.strings(table, "daypart"),
            is_holiday=columns.booleans(table, "is_holiday"),
        )

    def take(self, rows: np.ndarray) -> Contexts:
        """The contexts at `rows` (positions or a boolean mask)."""
        return Contexts(
            self.business_unit[rows], self.date[rows], self.weather[rows], self.daypart[rows], self.is_holiday[rows]
        )
