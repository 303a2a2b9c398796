"""The weather feed: files under `reference/weather/`, each of which replaces its own rows as a whole or is refused with line and value."""

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import compute

from globolatte_ingest.kept_files import KEPT_CONTENTS, KeptFiles, kept_content
from globolatte_ingest.ledger import Ledger, LedgerStatus
from globolatte_ingest.paths import WEATHER_PREFIX, is_weather, needs_a_place
from globolatte_ingest.reading.delimited import Header, read_delimited, require_columns
from globolatte_ingest.reasons import ReasonCode, RefusedError
from globolatte_ingest.reference import line_of
from globolatte_ml.data.blanks import filled_column
from resources.landing.landing_zone import LandedFile, LandingZone, SupersededError
from resources.warehouse.warehouse import Transaction, Warehouse

WEATHER_TYPES = ("Cloudy", "Rainy", "Snowy", "Sunny")

WMO_CODES: Mapping[str, Sequence[int]] = {
    "Sunny": (0, 1),
    "Cloudy": (2, 3, 45, 48),
    "Rainy": (51, 53, 55, 56, 57, 61, 63, 65, 66, 67, 80, 81, 82, 95, 96, 99),
    "Snowy": (71, 73, 75, 77, 85, 86),
}
"""The weather type of each WMO weather code (code table 4677) that Open-Meteo uses: clear and mainly clear sky; clouds and fog; drizzle,
rain, freezing rain, showers and thunderstorms; snowfall, snow grains and snow showers. docs/landing.md has the same table."""

MEANINGS: Mapping[str, str] = {
    **{weather.lower(): weather for weather in WEATHER_TYPES},
    **{str(code): weather for weather, codes in WMO_CODES.items() for code in codes},
}

WEATHER_TABLE = "sales_data.weather"
KNOWN = f"""
select coalesce(business_unit, 'any unit') as unit, count(*) as n, min(date) as first, max(date) as last
from {WEATHER_TABLE}
group by business_unit
order by unit
"""
LOADED = f"""
with latest as (
    select path, max_by(etag, sequence) as etag, max_by(sha256, sequence) as sha256, max_by(status, sequence) as status
    from sales_data.load_ledger
    where position('{WEATHER_PREFIX}' in path) = 1
    group by path
)

select path, etag from latest where status = '{LedgerStatus.LOADED}'
union
select latest.path, known.etag
from latest
inner join sales_data.known_etags as known on latest.path = known.path and latest.sha256 = known.sha256
where latest.status = '{LedgerStatus.LOADED}'
"""
"""The file versions whose content is loaded, under every etag that they are known by."""
SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "business_unit": pa.string(),
        "store_id": pa.string(),
        "date": pa.date32(),
        "hour": pa.int64(),
        "weather": pa.string(),
    }
)
SYNONYMS = {"business_unit_id": "business_unit", "weather_code": "weather"}
COLUMNS = tuple(name for name in SCHEMA.names if name != "path")
DELIMITERS = (",", ";", "\t")


class WeatherFiles(NamedTuple):
    """What a run did with the weather files: those it loaded, those whose version in the landing zone is refused, and those that could not
    be read; the latter two with the reason.
    """

    loaded: Sequence[str]
    refused: Sequence[tuple[str, str]]
    unread: Sequence[tuple[str, str]] = ()


def weather_version(references: Mapping[str, str]) -> str:
    """A name for the weather files that are loaded, of the content hashes of reference files by path."""
    files = sorted(f"{path} {sha256}" for path, sha256 in references.items() if is_weather(path))
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def known_weather(transaction: Transaction) -> list[dict[str, Any]]:
    """How many rows there are of each unit, `n`, and of which dates, `first` and `last`."""
    return transaction.fetch(KNOWN).to_pylist()


def load_weather(
    landing: LandingZone, warehouse: Warehouse, run_id: str, now: dt.datetime, kept: KeptFiles | None = None
) -> WeatherFiles:
    """Loads the weather files that are new, changed, or were refused: a unit may be known by now that was not when they came.

    Each is a transaction of its own, so that one that is refused or cannot be read stops no other. A file that is replaced while it is
    being read is left to the next look at the landing zone.
    """
    loaded: list[str] = []
    refused: list[tuple[str, str]] = []
    unread: list[tuple[str, str]] = []
    with warehouse.keep_open():
        with warehouse.transaction() as transaction:
            known = transaction.fetch(LOADED).to_pydict()
            units = transaction.fetch("select business_unit_id from sales_data.business_units")
        there = set(zip(known["path"], known["etag"], strict=True))
        for file in landing.files(WEATHER_PREFIX):
            if needs_a_place(file) or (file.path, file.etag) in there:
                continue
            try:
                with landing.open(file) as stream:
                    content = stream.read()
            except SupersededError:
                continue
            except OSError as error:
                unread.append((file.path, error.strerror or str(error)))
                continue
            fault = _load(warehouse, file, content, units["business_unit_id"].to_pylist(), run_id, now, kept)
            if fault is None:
                loaded.append(file.path)
            else:
                refused.append((file.path, fault))
    return WeatherFiles(loaded, refused, unread)


def _load(
    warehouse: Warehouse,
    file: LandedFile,
    content: bytes,
    units: Collection[str],
    run_id: str,
    now: dt.datetime,
    kept: KeptFiles | None,
) -> str | None:
    """Loads one file; returns the reason if it is refused."""
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        rows = read_weather(file.path, content, units)
    except RefusedError as refused:
        with warehouse.transaction() as transaction:
            Ledger(transaction).refuse_reference(file, sha256, run_id, now, refused)
        return str(refused)
    with warehouse.transaction() as transaction:
        transaction.stage("kept_contents", KEPT_CONTENTS.empty_table())
        Ledger(transaction).replace_reference(
            file, sha256, run_id, now, WEATHER_TABLE, rows, replaces_only_its_own_rows=True
        )
        if kept is not None:
            kept.remember(transaction, {sha256: kept_content(content)}, now)
    return None


# What a file says -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    """The rows of a file as text, NULL where nothing stands, and where each of them stands."""

    content: bytes
    header: Header
    table: pa.Table

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        """A column of text; all NULL if the file does not have it."""
        if name not in self.table.column_names:
            return pa.chunked_array([pa.nulls(self.table.num_rows, pa.string())])
        return self.table.column(name)

    def line(self, row: int) -> int:
        """The line of a row, which is counted from 0."""
        return line_of(self.content, self.header, row + 1, self.table.num_rows)

    def require(self, is_right: pa.ChunkedArray, name: str, fault: str) -> None:
        """Raises `RefusedError` for the first row that is not right, with its line and its value in the column `name`."""
        row = compute.index(is_right.combine_chunks(), False).as_py()
        if row >= 0:
            raise _bad(f"line {self.line(row)}: {name} {self[name][row].as_py() or ''!r} {fault}")


def _bad(fault: str) -> RefusedError:
    return RefusedError(ReasonCode.BAD_REFERENCE_DATA, fault)


def read_weather(path: str, content: bytes, units: Collection[str]) -> pa.Table:
    """Reads a weather file into the columns of its table. `units` are the ids of the business units.

    A header without rows takes back what the file said before. Raises `RefusedError` if any row is wrong: a file is all or nothing.
    """
    if not content.strip():
        raise RefusedError(ReasonCode.EMPTY_FILE, "the file is empty; upload it again")
    header, chunk = read_delimited(content, DELIMITERS, (*COLUMNS, *SYNONYMS))
    names = [SYNONYMS.get(name, name) for name in header.names]
    require_columns(names, ("date", "weather"), COLUMNS)
    if not {"business_unit", "store_id"} & {*names}:
        raise RefusedError(
            ReasonCode.MISSING_COLUMN,
            "column 'business_unit' or 'store_id' is missing; add one and upload the file again",
        )
    if chunk.unreadable:
        row = chunk.unreadable[0]
        line = line_of(content, header, row.row_number, chunk.place.rows)
        raise _bad(f"line {line} {row.detail}: {row.raw_text!r}; correct it and upload the file again")
    texts = {name: filled_column(chunk.table.column(place)) for place, name in enumerate(names) if name in COLUMNS}
    rows = _Rows(content, header, pa.table(texts))
    unit, store, hour = rows["business_unit"], rows["store_id"], rows["hour"]
    rows.require(
        compute.or_(unit.is_valid(), store.is_valid()),
        "business_unit",
        "is empty, and so is store_id; fill one of them in",
    )
    rows.require(
        compute.or_(unit.is_null(), compute.is_in(unit, pa.array(units, pa.string()))),
        "business_unit",
        f"is no id of reference/business_units.csv (known: {', '.join(sorted(units)) or 'none'}); correct it, or add the unit there",
    )
    dates = compute.strptime(rows["date"], format="%Y-%m-%d", unit="s", error_is_null=True)
    written = compute.equal(compute.strftime(dates, format="%Y-%m-%d"), rows["date"])
    rows.require(compute.fill_null(written, False), "date", "is no date, written as 2024-01-31; correct it")
    is_hour = compute.match_substring_regex(hour, r"^([01]?\d|2[0-3])$")
    rows.require(
        compute.fill_null(is_hour, True), "hour", "is none of 0 to 23; correct it, or leave it empty for the whole day"
    )
    said = compute.replace_substring_regex(compute.utf8_lower(rows["weather"]), r"\.0+$", "")
    meant = compute.index_in(said, pa.array(MEANINGS, pa.string()))
    rows.require(
        meant.is_valid(),
        "weather",
        f"is none of {', '.join(WEATHER_TYPES)} and no WMO weather code that docs/landing.md lists; correct it, or take the row out",
    )
    table = pa.table(
        [
            pa.chunked_array([pa.repeat(path, len(unit))]),
            unit,
            store,
            dates.cast(pa.date32()),
            hour.cast(pa.int64()),
            pa.array(MEANINGS.values(), pa.string()).take(meant.combine_chunks()),
        ],
        SCHEMA,
    )
    _require_one_weather(rows, table)
    return table.sort_by("date")


def _require_one_weather(rows: _Rows, table: pa.Table) -> None:
    """Raises `RefusedError` if two rows say different weather of the same place and time. The same said twice is allowed."""
    place = ["business_unit", "store_id", "date", "hour"]
    numbered = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
    first = numbered.group_by([*place, "weather"]).aggregate([("row", "min")])
    said = first.group_by(place).aggregate([("row_min", "min"), ("row_min", "max"), ("weather", "count")])
    if twice := said.filter(compute.greater(said["weather_count"], 1)).sort_by("row_min_max").to_pylist():
        earlier, later = twice[0]["row_min_min"], twice[0]["row_min_max"]
        raise _bad(
            f"line {rows.line(later)}: weather {rows['weather'][later].as_py()!r} contradicts line {rows.line(earlier)}, which says "
            f"{rows['weather'][earlier].as_py()!r} of the same place and time; keep one of them"
        )
