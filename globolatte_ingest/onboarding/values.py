"""What a column of unknown text holds, told from a sample of its values: dates and how they are written, amounts and their marks."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from globolatte_ingest.onboarding.words import CURRENCY_SIGNS

MOST_VALUES = 4000
"""Distinct values of a column that are looked at."""

_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
MOMENT = re.compile(
    r"(?:(?P<iso>\d{4}(?P<mark>[-/.])\d{1,2}(?P=mark)\d{1,2})"
    r"|(?P<first>\d{1,2})(?P<sep>[-/.])(?P<second>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})"
    r"|(?P<worded>\d{1,2}(?P<wordsep>[-/. ])[A-Za-z]{3,9}(?P=wordsep)(?:\d{4}|\d{2})|[A-Za-z]{3,9}[-/. ]\d{1,2}(?:, ?| )(?:\d{4}|\d{2})))?"
    rf"(?P<gap>, |,| |T)?(?:(?P<time>{_TIME})(?P<half> ?[AaPp][Mm])?)?(?P<zone> ?(?:[Zz]|UTC|[+-]\d{{2}}:?\d{{2}}))?"
)
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
ISO_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ](?:[01]\d|2[0-3]):\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?")
WRITTEN_MONTH = re.compile(
    r"\d{1,2}[-/. ][A-Za-zäéûñ]{3,10}\.?[-/. ]\d{2,4}.*|[A-Za-z]{3,10},? [A-Za-z]{3,10} \d{1,2},? \d{4}.*"
)

_SIGN = "|".join(re.escape(sign) for sign in CURRENCY_SIGNS)
AMOUNT = re.compile(
    rf"(?P<open>\()?[-+]?\s*(?P<before>{_SIGN})?\s*[-+]?(?P<number>\d(?:[\d.,'\u00a0\u202f ]*\d)?)\s*(?P<after>{_SIGN})?(?P<close>\))?-?"
)
LOST_ID = re.compile(r"[+-]?\d+[.,]\d+[eE][+-]?\d+")
FLOAT_ID = re.compile(r"\d+\.0")


@dataclass(frozen=True)
class Moments:
    """How a column's dates or times are written. `parts` is what it tells: `date`, `time` or both, as `moment`.

    `form` has `strptime` directives, none for ISO. `is_ambiguous`: no value tells whether the day or the month comes first.
    """

    parts: str
    form: str | None
    share: float
    is_ambiguous: bool = False
    has_zone: bool = False
    has_words: bool = False
    """Whether months are words of which no form can be told."""

    def turned(self) -> "Moments":
        """The same with day and month exchanged."""
        swap = {"%d": "%m", "%m": "%d"}
        form = re.sub("%[dm]", lambda found: swap[found[0]], self.form or "")
        return replace(self, form=form)


@dataclass(frozen=True)
class Numbers:
    """How a column's numbers are written: marks, signs of currency, and whether any is below zero or no whole number."""

    share: float
    decimal: str | None
    thousands: str | None
    signs: tuple[str, ...]
    has_negative: bool
    is_whole: bool
    has_brackets: bool


def moments(values: Collection[str]) -> Moments | None:
    """How these values write dates or times; none if most of them write neither."""
    given = [value for value in values if value]
    if not given:
        return None
    found = [
        match
        for value in given
        if (match := MOMENT.fullmatch(value)) and (match["iso"] or match["year"] or match["time"] or _word(match))
    ]
    if len(found) < 0.6 * len(given):
        has_words = sum(bool(WRITTEN_MONTH.fullmatch(value)) for value in given) > 0.6 * len(given)
        return Moments("date", None, 0.0, has_words=True) if has_words else None
    shapes = Counter(_shape(match) for match in found)
    shape, count = shapes.most_common(1)[0]
    matches = [match for match in found if _shape(match) == shape]
    share = count / len(given)
    date, time = _date_form(matches), _time_form(matches)
    parts = "moment" if date and time else "date" if date else "time"
    has_zone = bool(matches[0]["zone"])
    is_iso = parts != "time" and all(
        ISO_MOMENT.fullmatch(match[0].removesuffix(match["zone"] or "")) for match in matches
    )
    form = None if is_iso else f"{date or ''}{matches[0]['gap'] or ''}{time or ''}"
    return Moments(parts, form, share, _is_ambiguous(matches), has_zone)


def _word(match: re.Match[str]) -> str | None:
    """The English month that a date has as a word: its name, or the first three letters of it."""
    found = re.search("[A-Za-z]+", match["worded"] or "")
    word = found[0].lower() if found else ""
    return word if any(word in (month, month[:3]) for month in MONTHS) else None


def _shape(match: re.Match[str]) -> tuple[object, ...]:
    time = match["time"] or ""
    return (
        _worded_form(match["worded"]) if match["worded"] else None,
        match["mark"], match["sep"], len(match["year"] or ""), match["gap"], time.count(":"), "." in time, bool(match["half"]),
        (match["half"] or "").startswith(" "), bool(match["zone"]),
    )  # fmt: skip


def _date_form(matches: Sequence[re.Match[str]]) -> str:
    one = matches[0]
    if one["iso"]:
        return f"%Y{one['mark']}%m{one['mark']}%d"
    if one["worded"]:
        has_names = any(len(_word(match) or "") > len("Mar") for match in matches)
        return _worded_form(one["worded"]).replace("%b", "%B" if has_names else "%b")
    if not one["year"]:
        return ""
    year = "%Y" if len(one["year"]) == 4 else "%y"
    # Where nothing tells, the day first: the form of most of the world.
    first = "%m", "%d"
    if any(int(match["first"]) > 12 for match in matches) or not any(int(match["second"]) > 12 for match in matches):
        first = "%d", "%m"
    return one["sep"].join((*first, year))


def _worded_form(date: str) -> str:
    """The form of a date whose month is a word of three letters."""
    year = re.search(r"\d+$", date)
    four_digits = year is not None and len(year[0]) == 4
    front = re.sub("[A-Za-z]+", "%b", re.sub(r"\d+$", "", date))
    return re.sub(r"\d+", "%d", front) + ("%Y" if four_digits else "%y")


def _is_ambiguous(matches: Sequence[re.Match[str]]) -> bool:
    return bool(matches[0]["year"]) and not any(
        int(match[part]) > 12 for match in matches for part in ("first", "second")
    )


def _time_form(matches: Sequence[re.Match[str]]) -> str:
    one = matches[0]
    if not one["time"]:
        return ""
    clock = "%I" if one["half"] else "%H"
    seconds = ":%S" if one["time"].count(":") == 2 else ""
    fraction = ".%f" if "." in one["time"] else ""
    half = " %p" if (one["half"] or "").startswith(" ") else "%p" if one["half"] else ""
    return f"{clock}:%M{seconds}{fraction}{half}"


def joined(date: Moments, time: Moments) -> Moments:
    """What a date column and a time column tell together, a blank between them."""
    is_iso = date.form is None and time.form in ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")
    form = None if is_iso else f"{date.form or '%Y-%m-%d'} {time.form}"
    return Moments("moment", form, min(date.share, time.share), date.is_ambiguous, date.has_zone or time.has_zone)


def numbers(values: Collection[str]) -> Numbers | None:
    """How these values write numbers; none if most of them are none."""
    given = [value for value in values if value]
    found = [match for value in given if (match := AMOUNT.fullmatch(value))]
    if not given or len(found) < 0.6 * len(given):
        return None
    signs = {sign for match in found for sign in (match["before"], match["after"]) if sign}
    decimal, thousands = marks([match["number"] for match in found])
    wholes = [re.fullmatch(r"\d+(?:[.,]0+)?", match["number"]) is not None for match in found]
    return Numbers(
        len(found) / len(given),
        decimal,
        thousands,
        tuple(sorted(signs)),
        any("-" in match[0] or match["open"] for match in found),
        all(wholes),
        any(match["open"] for match in found),
    )


def marks(texts: Iterable[str]) -> tuple[str | None, str | None]:
    """Decimal and thousands mark of unsigned numbers; none for a mark that does not occur, or that nothing tells apart.

    A mark that stands twice, or before another, separates thousands; one with other than three digits after it, decimals.
    """
    decimals: Counter[str] = Counter()
    thousands: Counter[str] = Counter()
    unclear: Counter[str] = Counter()
    for text in texts:
        found = re.findall(r"[.,'\u00a0\u202f ]", text)
        if not found:
            continue
        last = found[-1]
        tail = len(text) - text.rfind(last) - 1
        if len(set(found)) == 2:
            decimals[last] += 1
            thousands[found[0]] += 1
        elif len(found) > 1 or last not in ".,":
            thousands[last] += 1
        elif tail != 3:
            decimals[last] += 1
        else:
            unclear[last] += 1
    decimal = decimals.most_common(1)[0][0] if decimals else None
    thousand = thousands.most_common(1)[0][0] if thousands else None
    for mark in unclear:
        if decimal and mark != decimal and thousand is None:
            thousand = mark
        elif decimal is None and thousand is None:
            decimal = mark
    return decimal, " " if thousand in ("\u00a0", "\u202f") else thousand


def date_in(path: str) -> dt.date | None:
    """The date that a path names: `2022/01/31`, `2022-01-31`, `20220131`, `31-01-2022`; the last one, none if there is none."""
    found: list[dt.date] = []
    for match in re.finditer(r"(?<!\d)(\d{4})[-_/.]?(\d{2})[-_/.]?(\d{2})(?!\d)", path):
        found += _dates(match[1], match[2], match[3])
    for match in re.finditer(r"(?<!\d)(\d{1,2})[-_.](\d{1,2})[-_.](\d{4})(?!\d)", path):
        found += _dates(match[3], match[2], match[1]) or _dates(match[3], match[1], match[2])
    return found[0] if found else None


def _dates(year: str, month: str, day: str) -> list[dt.date]:
    try:
        found = dt.date(int(year), int(month), int(day))
    except ValueError:
        return []
    return [found] if 1990 <= found.year <= 2100 else []
