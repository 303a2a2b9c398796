"""Where to look for files whose event was lost: a bounded part of the landing zone at a time, all of it in turn. Pure decisions."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resources.landing.landing_zone import REFERENCE_PREFIX, SALES_PREFIX, Level

YEAR, MONTH = re.compile(r"\d{4}/", re.ASCII), re.compile(r"(0[1-9]|1[0-2])/", re.ASCII)


@dataclass(frozen=True)
class Look:
    """One tick's look: whole prefixes, single levels, and the older month whose turn it is (`2022-03`; none if there is none)."""

    prefixes: tuple[str, ...]
    levels: tuple[str, ...]
    month: str | None


def months_before(first: dt.date, day: dt.date) -> list[str]:
    """The months that have a date from `first` to before `day`, the latest first."""
    if day <= first:
        return []
    last = day - dt.timedelta(days=1)
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in reversed(numbers)]


def next_look(
    folders: Sequence[str], first_business_date: dt.date, today: dt.date, window_days: int, last_month: str | None
) -> Look:
    """The look after the one whose month was `last_month`.

    Always: the reference data, and each unit's last `window_days` business dates. In turn: one older month of every unit, from the
    latest to the earliest and over again. Beside them, the levels at which a misplaced file shows without going through everything.
    """
    start = max(first_business_date, today - dt.timedelta(days=window_days - 1))
    days = [start + dt.timedelta(days=number) for number in range((today - start).days + 1)]
    older = months_before(first_business_date, start)
    left = [month for month in older if last_month is None or month < last_month]
    month = next(iter(left or older), None)
    prefixes = [REFERENCE_PREFIX]
    apart = [day for day in days if f"{day:%Y-%m}" != month]  # the month's own listing has the others
    prefixes += [f"{SALES_PREFIX}{folder}/{day:%Y/%m/%d}/" for folder in folders for day in apart]
    levels = [SALES_PREFIX, *(f"{SALES_PREFIX}{folder}/" for folder in folders)]
    if month is not None:
        prefixes += [f"{SALES_PREFIX}{folder}/{month.replace('-', '/')}/" for folder in folders]
        levels += [f"{SALES_PREFIX}{folder}/{month[:4]}/" for folder in folders]
    return Look(tuple(prefixes), tuple(levels), month)


def stray_folders(prefix: str, level: Level, folders: Iterable[str]) -> list[str]:
    """The folders of a level in which no file can be in place: no unit's, no year, or no month."""
    depth = prefix.count("/")
    known = {f"{folder}/" for folder in folders}

    def is_in_place(name: str) -> bool:
        if depth == 1:
            return name in known
        return (YEAR if depth == 2 else MONTH).fullmatch(name) is not None

    return [folder for folder in level.folders if not is_in_place(folder.removeprefix(prefix))]
