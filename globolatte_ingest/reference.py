"""Reference data: landed files that replace their tables as a whole or are refused with a reason; and the public holidays."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pyarrow as pa
from pyarrow import compute

from globolatte_ingest.ledger import Ledger
from globolatte_ingest.paths import BUSINESS_UNITS_PATH, CUSTOMERS_PATH, PRODUCTS_PATH
from globolatte_ingest.reading.delimited import read_delimited, require_columns
from globolatte_ingest.reading.sales import FORMAT_COLUMNS, declared
from globolatte_ingest.reasons import ReasonCode, RefusedError
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse

TYPES = {"string": pa.string(), "decimal": pa.decimal128(18, 2), "int64": pa.int64(), "bool": pa.bool_()}


@dataclass(frozen=True)
class ReferenceFile:
    """What a reference file holds. `optional` columns have documented defaults.

    No value of a `filled` column is empty, and none of a `unique` column stands twice.
    """

    path: str
    table: str
    required: Mapping[str, str]
    optional: Mapping[str, tuple[str, object]] = field(default_factory=dict)
    filled: Sequence[str] = ()
    unique: Sequence[str] = ()


BUSINESS_UNITS_FILE = ReferenceFile(
    BUSINESS_UNITS_PATH,
    "sales_data.business_units",
    {"business_unit_id": "string", "country": "string", "unit_name": "string"},
    {"folder": ("string", None), "time_zone": ("string", "UTC"), **dict.fromkeys(FORMAT_COLUMNS, ("string", None))},
    filled=("business_unit_id", "country", "unit_name"),
    unique=("business_unit_id", "folder"),
)
PRODUCTS_FILE = ReferenceFile(
    PRODUCTS_PATH,
    "sales_data.products",
    {
        "product_id": "string",
        "product_name": "string",
        "category": "string",
        "price": "decimal",
        "stock_quantity": "int64",
    },
    filled=("product_id", "product_name", "price"),
    unique=("product_id",),
)
CUSTOMERS_FILE = ReferenceFile(
    CUSTOMERS_PATH,
    "sales_data.customers",
    {"customer_id": "string", "customer_name": "string", "email": "string", "location": "string"},
    {"marketing_opt_out": ("bool", False)},
    filled=("customer_id",),
    unique=("customer_id",),
)


def load_reference(
    kind: ReferenceFile, landing: LandingZone, warehouse: Warehouse, run_id: str, now: dt.datetime
) -> tuple[str, int]:
    """Replaces a reference table by its landed file, and writes the ledger; returns the content's hash and the number of rows.

    Raises `FileNotFoundError` if there is no such file, and `RefusedError` if it has a fault: it is refused and changes nothing.
    """
    file = next((file for file in landing.files(kind.path) if file.path == kind.path), None)
    if file is None:
        raise FileNotFoundError(
            f"{kind.path} is not in the landing zone ({landing.describe()}); put it there and materialize again"
        )
    with landing.open(file) as stream:
        content = stream.read()
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        rows = read_reference(kind, content)
    except RefusedError as refused:
        with warehouse.transaction() as transaction:
            Ledger(transaction).refuse_reference(file, sha256, run_id, now, refused)
        raise
    with warehouse.transaction() as transaction:
        Ledger(transaction).replace_reference(file, sha256, run_id, now, kind.table, rows)
    return sha256, rows.num_rows


def _bad(fault: str) -> RefusedError:
    return RefusedError(ReasonCode.BAD_REFERENCE_DATA, fault)


def read_reference(kind: ReferenceFile, content: bytes) -> pa.Table:
    """Reads a reference file into its table's columns. Raises `RefusedError` if any row is wrong: reference data is all or nothing.

    The default of a unit's `folder` is its country in lower case without blanks; of `time_zone`, UTC; of
    `marketing_opt_out`, false.
    """
    if not content.strip():
        raise RefusedError(ReasonCode.EMPTY_FILE, "the file is empty; upload it again")
    header, chunk = read_delimited(content)
    if chunk.unreadable:
        row = chunk.unreadable[0]
        raise _bad(f"data row {row.row_number} {row.detail}: {row.raw_text!r}; correct it and upload the file again")
    require_columns(header.names, tuple(kind.required), (*kind.required, *kind.optional))
    result = pa.table(_columns(kind, chunk.table.rename_columns(header.names)))
    _check(kind, result)
    return result


def _columns(kind: ReferenceFile, table: pa.Table) -> dict[str, pa.ChunkedArray]:
    columns = {name: _typed(table.column(name), name, type_name) for name, type_name in kind.required.items()}
    blank = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    for name, (type_name, default) in kind.optional.items():
        given = _typed(table.column(name) if name in table.column_names else blank, name, type_name)
        columns[name] = given if default is None else compute.fill_null(given, default)
    if "folder" in columns:
        usual = compute.replace_substring(compute.utf8_lower(columns["country"]), " ", "")
        columns["folder"] = compute.coalesce(columns["folder"], usual)
    return columns


def _typed(column: pa.ChunkedArray, name: str, type_name: str) -> pa.ChunkedArray:
    trimmed = compute.utf8_trim_whitespace(column)
    blank_as_null = compute.if_else(compute.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    try:
        return blank_as_null.cast(TYPES[type_name])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _bad(f"column {name!r} has a value that is no {type_name} ({error}); correct it") from error


def _check(kind: ReferenceFile, table: pa.Table) -> None:
    if not table.num_rows:
        raise _bad("has a header but no row; add at least one")
    for name in kind.filled:
        if table.column(name).null_count:
            raise _bad(f"column {name!r} is empty in a row; fill it in")
    for name in kind.unique:
        twice = [
            entry["values"] for entry in compute.value_counts(table.column(name)).to_pylist() if entry["counts"] > 1
        ]
        if twice:
            raise _bad(f"{name} {', '.join(map(repr, twice[:5]))} stands more than once; keep one row each")
    if "price" in table.column_names and compute.any(compute.less(table.column("price"), 0)).as_py():
        raise _bad("column 'price' is below zero in a row; correct it")
    if "time_zone" in table.column_names:
        _check_units(table)


def _check_units(table: pa.Table) -> None:
    for unit in table.to_pylist():
        try:
            ZoneInfo(unit["time_zone"])
        except (KeyError, ValueError, OSError) as unknown:
            raise _bad(f"time_zone {unit['time_zone']!r} is no IANA name; write it like America/New_York") from unknown
        try:
            declared(unit)
        except ValueError as fault:
            raise _bad(f"{unit['business_unit_id']}: {fault}") from fault


def public_holidays(countries: Sequence[str], years: range) -> pa.Table:
    """One row per country and public holiday: `country`, `date`, `name`. Countries have their English names, such as Mexico or USA.

    Raises `ValueError` for a country that the `holidays` library does not know.
    """
    import holidays
    from holidays.registry import EntityLoader

    rows: list[dict[str, object]] = []
    for country in countries:
        calendar = getattr(holidays, country.replace(" ", ""), None)
        if not isinstance(calendar, EntityLoader):
            raise ValueError(  # noqa: TRY004 - the country is wrong, not a type
                f"no holiday calendar is called {country!r}; write the country in reference/business_units.csv as the "
                "`holidays` library does, such as USA, Canada, Mexico"
            )
        days = sorted(calendar(years=list(years)).items())
        rows += [{"country": country, "date": date, "name": name} for date, name in days]
    return pa.Table.from_pylist(
        rows, pa.schema([("country", pa.string()), ("date", pa.date32()), ("name", pa.string())])
    )
