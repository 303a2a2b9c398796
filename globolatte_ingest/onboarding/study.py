"""One file under study: its sheet, what the home knows, and what was decided so far with the evidence. The decisions are made elsewhere."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from globolatte_ingest.onboarding.sheet import Column, Sheet
from globolatte_ingest.onboarding.values import AMOUNT, marks
from globolatte_ingest.onboarding.words import likeness
from globolatte_ml.data.blanks import trimmed_column

MOST_NAMED = 6
"""Values that are named in a sentence."""


@dataclass(frozen=True)
class Known:
    """What the home knows of the chain: units by landing folder, the catalogue's names by product id, and time zones by landing folder."""

    units: Mapping[str, str]
    products: Mapping[str, str]
    zones: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Study:
    """One file under study: what was decided so far. `path` is where it lies, as far as that says anything."""

    path: str
    folder: str
    sheet: Sheet
    known: Known
    taken: dict[str, Column] = field(default_factory=dict)
    table: dict[str, Any] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    left_out: set[int] = field(default_factory=set)
    usual_date: dt.date | None = None
    has_several_dates: bool = False

    def free(self) -> list[Column]:
        """The columns with a name that nothing was decided about yet."""
        used = {column.place for column in self.taken.values()} | self.left_out
        return [column for column in self.sheet.columns if column.header and column.place not in used]

    def best(
        self, meaning: str, fits: Callable[[Column], bool], among: Iterable[Column] | None = None
    ) -> Column | None:
        """The column whose name is the likeliest to mean this, of those whose values fit; the first of equals."""
        columns = [
            (likeness(column.header, meaning), column)
            for column in (self.free() if among is None else among)
            if fits(column)
        ]
        return (
            max(columns, key=lambda found: found[0])[1] if columns and max(columns, key=lambda c: c[0])[0] > 0 else None
        )

    def take(self, meaning: str, column: Column | None) -> Column | None:
        """Decides that a column means this."""
        if column is not None:
            self.taken[meaning] = column
        return column

    def whole(self, column: Column) -> pa.ChunkedArray:
        """All values of a column, without blanks around them."""
        return trimmed_column(self.sheet.table.column(column.place))

    @cached_property
    def number_marks(self) -> tuple[str, str]:
        """Decimal mark and thousands mark of the amounts, told from all columns of money together."""
        texts = [
            match["number"]
            for meaning in ("total_price", "unit_price", "discount")
            if (column := self.taken.get(meaning))
            for value in column.few
            if (match := AMOUNT.fullmatch(value))
        ]
        decimal, thousands = marks(texts)
        return decimal or ".", thousands or ""

    def amounts(self, column: Column) -> np.ndarray:
        """The sampled values as numbers, by the column's own marks; NaN where there is none."""
        own = column.numbers
        decimal = (own.decimal if own else None) or "."
        found = np.full(len(column.values), np.nan)
        for place, value in enumerate(column.values):
            if match := AMOUNT.fullmatch(value):
                digits = "".join(letter for letter in match["number"] if letter.isdigit() or letter == decimal)
                number = float(digits.replace(decimal, "."))
                found[place] = -number if "-" in value or match["open"] else number
        return found


def named(values: Iterable[object]) -> str:
    """Some values in a sentence, at most a few of them."""
    found = [repr(str(value)) for value in values]
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more


def percent(share: float) -> str:
    """A share for people: never 0 % of something, nor 100 % of nearly all."""
    if 0 < share < 0.01:
        return "less than 1 %"
    return "nearly all" if 0.995 <= share < 1 else f"{share:.0%}".replace("%", " %")
