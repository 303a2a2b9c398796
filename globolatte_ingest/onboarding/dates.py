"""When a source's sales were made: which columns say so, in which form, and when its day ends."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterable

import pyarrow as pa

from globolatte_ingest.declarations import OFFSET, Declaration
from globolatte_ingest.onboarding.sheet import Column
from globolatte_ingest.onboarding.study import Study, named, percent
from globolatte_ingest.onboarding.values import Moments, date_in, joined
from globolatte_ingest.reading.local_times import local_moments, zones_of_rows
from resources.landing.path_patterns import SETTING, USUAL_PATTERN

UTC_ZONE = "UTC"
"""The time zone of a unit that names none."""

ALL_UTC = r"(?:[Zz]|UTC|[+-]00:?00)$"

NIGHT_ENDS = dt.time(9)
"""A sale before may belong to the evening of the day before."""

QUIET_HOURS = dt.time(4)
"""Sales between midnight and this are worth a question."""


def find_dates(study: Study) -> None:
    """Date and time of a sale: in one column or in two, and how they are written."""

    def tells(*parts: str) -> Callable[[Column], bool]:
        return lambda column: column.moments is not None and column.moments.parts in parts and column.filled > 0.9

    whole = study.best("transaction_date", tells("moment"))
    date, time = study.best("date", tells("date")), study.best("time", tells("time"))
    if whole is not None:
        study.take("transaction_date", whole)
        written = whole.moments
    elif date is not None and time is not None:
        study.take("date", date)
        study.take("time", time)
        written = joined(date.moments or Moments("date", None, 0), time.moments or Moments("time", None, 0))
    elif date is not None:
        study.take("transaction_date", date)
        written = date.moments
        study.questions.append(
            f"Column {date.header!r} has no time of day: all sales count as made at midnight. Is there another?"
        )
    else:
        study.faults.append("no column has dates; export the sales with the date of each")
        return
    if written is not None:
        _settle_form(study, written)


def _settle_form(study: Study, written: Moments) -> None:
    """Writes the form of dates down, once it is certain which of day and month comes first."""
    headers = [repr(study.taken[part].header) for part in ("transaction_date", "date", "time") if part in study.taken]
    where = f"column{'s' * (len(headers) > 1)} {' and '.join(headers)}"
    if written.has_words:
        study.faults.append(
            f"{where} has months as words that are no English ones, alone or beside a weekday ({named(_dates_of(study)[:1])}), which "
            "cannot be declared; export dates as numbers"
        )
        return
    if written.has_zone:
        _take_offsets(study, where)
    if written.is_ambiguous:
        written = _resolved(study, written, where)
    if written.share < 0.999:
        odd = 1 - written.share
        study.questions.append(
            f"{percent(odd)} of the dates in {where} are written in another way: they go into quarantine"
        )
    if written.form is not None:
        study.table["date_format"] = written.form
        study.findings.append(f"{where}: dates like {named(_dates_of(study)[:1])} are {written.form}")


def _take_offsets(study: Study, where: str) -> None:
    """Declares that times have their offset from UTC; that all of them are in UTC is a question, since some programs write a Z behind
    local times.
    """
    texts = _dates_of(study)
    zone = study.known.zones.get(study.folder, UTC_ZONE)
    study.table["times_in"] = OFFSET
    study.findings.append(
        f"{where}: times like {named(texts[:1])} have their offset from UTC; they become local times of {zone}, the time_zone of "
        "the unit"
    )
    if all(re.search(ALL_UTC, text) for text in texts):
        local = next(iter(_parsed(study, texts[:1], study.table.get("date_format"))), None)
        study.questions.append(
            f"Are the times in {where} really in UTC? {named(texts[:1])} would be {local} in {zone}; if the program writes a Z behind "
            "local times, export them without it"
        )


def _dates_of(study: Study) -> list[str]:
    """Some of the file's dates as they are written, with the times that stand in another column."""
    if whole := study.taken.get("transaction_date"):
        return whole.few
    date, time = study.taken["date"], study.taken["time"]
    pairs = zip(date.values, time.values, strict=True)
    return list(dict.fromkeys(f"{day} {hour}" for day, hour in pairs if day and hour))


def _parsed(study: Study, texts: Iterable[str], form: str | None) -> list[dt.datetime]:
    """The local times that texts in this form write, those that can be read."""
    if study.table.get("times_in"):
        zone = study.known.zones.get(study.folder, UTC_ZONE)
        declared = Declaration(times_in=OFFSET, date_format=form, time_zone=zone)
        given = pa.array(list(texts), pa.string())
        texts, form = local_moments(given, zones_of_rows(None, len(given), declared), declared).to_pylist(), None
    found = []
    for text in texts:
        try:
            # Local times of the unit: they have no offset.
            found.append(dt.datetime.fromisoformat(text) if form is None else dt.datetime.strptime(text, form))  # noqa: DTZ007
        except ValueError:
            continue
    return [moment.replace(tzinfo=None) for moment in found]


def _resolved(study: Study, written: Moments, where: str) -> Moments:
    """Which of day and month comes first: by the path's date, else by the shorter span, else a question."""
    texts, named_date = _dates_of(study), date_in(study.path)
    forms = (written, written.turned())
    if named_date is not None:
        near = {named_date, named_date + dt.timedelta(days=1)}
        hits = [sum(moment.date() in near for moment in _parsed(study, texts, form.form)) for form in forms]
        if max(hits) > 0 and hits[0] != hits[1]:
            chosen = forms[int(hits[1] > hits[0])]
            study.findings.append(f"{where}: {chosen.form}, since {study.path} is of {named_date}")
            return chosen
    spans = [_span(_parsed(study, texts, form.form)) for form in forms]
    guess = forms[int(spans[1] < spans[0])] if spans[0] != spans[1] else forms[int(study.folder == "usa")]
    study.questions.append(
        f"Does the day or the month come first in {named(texts[:1])}? No value and no date in the path tells; {guess.form} is proposed"
    )
    return guess


def _span(days: list[dt.datetime]) -> int:
    return (max(days) - min(days)).days if days else 10**6


def find_day(study: Study) -> None:
    """Which dates the rows are of, and when the day ends: sales after midnight may belong to the evening before."""
    if not study.taken.keys() & {"transaction_date", "date"}:
        return
    moments = sorted(_parsed(study, _dates_of(study), study.table.get("date_format")))
    if not moments or ("time" not in study.taken and all(moment.time() == dt.time(0) for moment in moments)):
        return
    own = date_in(study.path)
    _find_end(study, moments, own)
    hours, minutes = map(int, study.table.get("day_ends", "00:00").split(":"))
    counted = Counter((moment - dt.timedelta(hours=hours, minutes=minutes)).date() for moment in moments)
    dates = sorted(counted)
    study.usual_date = counted.most_common(1)[0][0]
    if len(dates) > 1:
        study.questions.append(
            f"Can each day be exported by itself? The rows are of {_period(dates)}; under a path that tells a date, rows of others go into "
            f"quarantine. If not, put such files where the path tells none: export {SETTING}='{USUAL_PATTERN};{_pattern(study)}'"
        )
        study.has_several_dates = True
    if own is None:
        study.findings.append(f"neither folder nor name tells the file's date; its rows are of {_period(dates)}")
    elif dates != [own]:
        study.findings.append(f"the rows are of {_period(dates)}; the path is of {own}")


def _pattern(study: Study) -> str:
    """The pattern to propose for files of several dates: with the unit in the path, unless the rows name several."""
    column = study.taken.get("business_unit")
    units = {value for value in column.few if value in study.known.units.values()} if column is not None else set()
    return "exports/*" if len(units) > 1 else "exports/{unit}/*"


def _period(dates: list[dt.date]) -> str:
    return f"{dates[0]}" if len(dates) == 1 else f"{len(dates)} dates, {dates[0]} to {dates[-1]}"


def _find_end(study: Study, moments: list[dt.datetime], own: dt.date | None) -> None:
    """Proposes the day's end where the file of a day has sales of the night after it; asks where a file of several days has any."""
    dates = sorted({moment.date() for moment in moments})
    evening = own or (dates[0] if len(dates) == 2 else None)
    after = evening + dt.timedelta(days=1) if evening else None
    night = [moment.time() for moment in moments if moment.date() == after]
    day = [moment.time() for moment in moments if moment.date() == evening]
    if night and day and max(night) < min(*day, NIGHT_ENDS):
        ends = study.table["day_ends"] = f"{_between(max(night), min(day)):%H:%M}"
        study.findings.append(
            f"the day ends at {ends}: sales until {max(night):%H:%M} of {after} are in the file of {evening}"
        )
        return
    late = [moment.time() for moment in moments if moment.time() < QUIET_HOURS]
    if late:
        study.questions.append(
            f"When does the day end? {len(late)} of the sampled rows are of the hours after midnight, until {max(late):%H:%M}; they count "
            'as sales of the new day unless day_ends says otherwise, such as day_ends = "04:00"'
        )


def _between(latest: dt.time, earliest: dt.time) -> dt.time:
    """A full hour, or half an hour, in the middle of the night between two times."""
    low, high = (time.hour * 60 + time.minute for time in (latest, earliest))
    middle = min((low + high) // 2, 12 * 60)
    for step in (60, 30, 1):
        if low < (rounded := middle // step * step):
            return dt.time(rounded // 60, rounded % 60)
    return dt.time((low + 1) // 60, (low + 1) % 60)
