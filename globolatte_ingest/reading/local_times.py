"""Moments that a file writes with their offset from UTC, or in UTC, as the local ISO times of the unit whose sales they are.

Whole columns at a time. What cannot be converted for certain stays no local time, so that it is a bad date and said.
"""

import datetime as dt
import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from pyarrow import compute

from globolatte_ingest.declarations import OFFSET, UTC, Declaration
from globolatte_ml.data.blanks import trimmed_column

WITH_OFFSET = (
    r"^(?P<moment>.*[0-9]:[0-9].*?) ?(?:[Zz]|UTC|(?P<sign>[+-])(?P<hours>0[0-9]|1[0-4])(?::?(?P<minutes>[0-5][0-9]))?)$"
)
"""A moment, its time of day in it, and its offset from UTC at the end."""

ISO_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,9})?)?$"
LOCAL_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,9})?)?)?$"
MARKS = {OFFSET: " (without offset)", UTC: " (not as declared)"}
"""Written behind what would else pass for a local time."""

STEP = 15 * 60
"""Seconds: clocks are put forward and back at full quarters of an hour."""


def zones_of_rows(units: pa.Array | None, rows: int, declared: Declaration) -> np.ndarray:
    """The name of each row's time zone: that of the unit which it names, else that of the file's unit."""
    own = declared.time_zone or "UTC"
    if units is None:
        return np.full(rows, own, dtype=object)
    encoded = trimmed_column(units).dictionary_encode()
    known = dict(declared.time_zones)
    names = np.array([known.get(unit, own) for unit in encoded.dictionary.to_pylist()] or [own], dtype=object)
    return names[compute.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)]


def local_moments(values: pa.Array, zones: np.ndarray, declared: Declaration) -> pa.Array:
    """The local ISO time of each moment. One that has no offset, where each should, is marked so; what is no moment stays."""
    texts = trimmed_column(values)
    converted = _converted(texts, zones, declared)
    passes = compute.match_substring_regex(texts, LOCAL_ISO)
    mark = MARKS[declared.times_in or OFFSET]
    marked = compute.if_else(passes, compute.binary_join_element_wise(texts, mark, ""), values)
    return compute.coalesce(converted, marked)


def local_dates(values: pa.Array, zones: np.ndarray, declared: Declaration) -> pa.Array:
    """The local ISO time, or the ISO date, of each; a date alone is the business date already. What is neither stays."""
    texts = trimmed_column(values)
    found = [_converted(texts, zones, declared)]
    if declared.date_format is not None:
        alone = re.sub("%[HIMSpf]", "", declared.date_format).strip("-/. :,T")
        found.append(_text(_parsed(texts, alone)))
    return compute.coalesce(*found, values)


def _converted(texts: pa.Array, zones: np.ndarray, declared: Declaration) -> pa.Array:
    """The local ISO times; NULL for what does not say when it was for certain."""
    parts = compute.extract_regex(texts, WITH_OFFSET)
    has_offset = compute.is_valid(parts)
    wanted = has_offset if declared.times_in != UTC else pa.repeat(pa.scalar(value=True), len(texts))
    moments = compute.if_else(has_offset, parts.field("moment"), texts)
    utc = _parsed(compute.if_else(wanted, moments, pa.scalar(None, pa.string())), declared.date_format)
    utc -= _seconds(parts).astype("timedelta64[s]")
    local = utc.copy()
    for zone, rows in _by_zone(zones):
        local[rows] = utc[rows] + _offsets(utc[rows], ZoneInfo(zone))
    return _text(local)


def _parsed(texts: pa.Array, date_format: str | None) -> np.ndarray:
    """Times without offset, in microseconds; NaT for what is none."""
    import pandas as pd  # heavy, and few units write offsets

    if date_format is None:
        texts = compute.if_else(compute.match_substring_regex(texts, ISO_MOMENT), texts, pa.scalar(None, pa.string()))
    found = pd.to_datetime(texts.to_pandas(), format=date_format or "ISO8601", errors="coerce")
    return found.to_numpy(dtype="datetime64[ns]").astype("datetime64[us]")


def _seconds(parts: pa.StructArray) -> np.ndarray:
    """The offsets from UTC in seconds; 0 where none is written."""
    hours, minutes = (
        compute.fill_null(compute.if_else(compute.equal(written, ""), "0", written).cast(pa.int64()), 0).to_numpy()
        for written in (parts.field("hours"), parts.field("minutes"))
    )
    is_west = compute.fill_null(compute.equal(parts.field("sign"), "-"), fill_value=False)
    return np.where(is_west.to_numpy(zero_copy_only=False), -1, 1) * (hours * 3600 + minutes * 60)


def _by_zone(zones: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for zone in dict.fromkeys(zones.tolist()):
        yield zone, zones == zone


def _offsets(utc: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """The zone's offset from UTC at each of these times; each quarter of an hour is looked up once."""
    steps, places = np.unique(utc.astype("datetime64[s]").astype(np.int64) // STEP, return_inverse=True)
    missing = np.datetime64("NaT", "s").astype(np.int64) // STEP
    seconds = [
        0 if step == missing else _seconds_of(dt.datetime.fromtimestamp(int(step) * STEP, zone)) for step in steps
    ]
    return np.array(seconds, np.int64).astype("timedelta64[s]")[places]


def _seconds_of(moment: dt.datetime) -> int:
    return int((moment.utcoffset() or dt.timedelta(0)).total_seconds())


def _text(moments: np.ndarray) -> pa.Array:
    """ISO times, as short as they can be written; NULL for NaT."""
    texts = pa.array(moments, pa.timestamp("us")).cast(pa.string())
    return compute.replace_substring_regex(texts, r"[.]0+$", "")
