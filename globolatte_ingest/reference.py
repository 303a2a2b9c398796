"""Reference data: landed files that replace their tables as a whole or are refused with a reason."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from pyarrow import compute

from globolatte_ingest.countries import folder_of_country
from globolatte_ingest.declarations import (
    FORMAT_COLUMNS,
    DeclarationError,
    as_json,
    declared,
    tables_of,
    unit_declaration,
)
from globolatte_ingest.kept_files import KEPT_CONTENTS, KeptFiles, kept_content
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.paths import (
    BUSINESS_UNITS_PATH,
    CUSTOMERS_PATH,
    EXCHANGE_RATES_PATH,
    PRODUCTS_PATH,
    UNIT_DECLARATIONS_PATH,
    is_reference,
)
from globolatte_ingest.reading.delimited import Header, read_delimited, require_columns, row_lines
from globolatte_ingest.reading.landed_bytes import Content, FileLimits, as_utf8
from globolatte_ingest.reasons import ReasonCode, RefusedError
from globolatte_ml.data.blanks import filled_column
from resources.landing.landing_zone import REFERENCE_PREFIX, LandingZone
from resources.warehouse.warehouse import Transaction, Warehouse

TYPES = {
    "string": pa.string(),
    "decimal": pa.decimal128(18, 2),
    "rate": pa.decimal128(18, 8),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
}
MEANT = {
    "decimal": "no amount with at most two decimals; an amount is stored to the cent: write it like 3.50",
    "rate": "no number with at most eight decimals; write it like 0.0586",
    "date": "no date; write it like 2024-01-31",
    "int64": "no whole number; write it like 100",
    "bool": "neither true nor false; write one of them, or leave it empty",
}
"""What a value is not, and how it is written, by the name of the type."""


@dataclass(frozen=True)
class ReferenceFile:
    """What a reference file holds. `optional` columns have documented defaults.

    No value of a `filled` column is empty, and none of a `unique` column stands twice; the first of these, or of `filled`, identifies a
    row. No two rows have the same values in all columns of `unique_together`. A file that `may_be_absent` is not missed.
    """

    path: str
    table: str
    required: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, tuple[str, object]] = field(default_factory=dict)
    filled: Sequence[str] = ()
    unique: Sequence[str] = ()
    unique_together: Sequence[str] = ()
    may_be_absent: bool = False


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
    {"currency": ("string", None)},
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


EXCHANGE_RATES_FILE = ReferenceFile(
    EXCHANGE_RATES_PATH,
    "sales_data.exchange_rates",
    {"date": "date", "currency": "string", "rate": "rate"},
    filled=("date", "currency", "rate"),
    unique_together=("currency", "date"),
    may_be_absent=True,
)
UNIT_DECLARATIONS_FILE = ReferenceFile(UNIT_DECLARATIONS_PATH, "sales_data.unit_declarations", may_be_absent=True)


def load_reference(
    kind: ReferenceFile,
    landing: LandingZone,
    warehouse: Warehouse,
    run_id: str,
    now: dt.datetime,
    folders: Collection[str] = (),
    kept: KeptFiles | None = None,
) -> tuple[str, int]:
    """Replaces a reference table by its landed file, and writes the ledger; returns the content's hash and the number of rows.

    `folders` are the landing folders of the deployment; `kept` is where its bytes are kept, once they are loaded. Raises
    `FileNotFoundError` if there is no such file, and `RefusedError` if it has a fault: it is refused and changes nothing.
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
        rows = read_reference(kind, content, folders)
        with warehouse.transaction() as transaction:
            _check_with_others(transaction, kind, rows)
            transaction.stage("kept_contents", KEPT_CONTENTS.empty_table())
            Ledger(transaction).replace_reference(file, sha256, run_id, now, kind.table, rows)
            if kept is not None:
                kept.remember(transaction, {sha256: kept_content(content)}, now)
    except RefusedError as refused:
        with warehouse.transaction() as transaction:
            Ledger(transaction).refuse_reference(file, sha256, run_id, now, refused)
        raise
    return sha256, rows.num_rows


def refused_reference_files(transaction: Transaction) -> list[tuple[str, str]]:
    """Path and reason of each reference file whose newest version is refused: what was loaded before it is still in use."""
    found = transaction.fetch(
        "select path, max_by(status, sequence) as status, max_by(reason, sequence) as reason from sales_data.load_ledger "
        f"where position('{REFERENCE_PREFIX}' in path) = 1 group by path order by path"
    ).to_pylist()
    refused = [entry for entry in found if entry["status"] == "refused"]
    return [(entry["path"], entry["reason"]) for entry in refused if is_reference(entry["path"])]


def _bad(fault: str) -> RefusedError:
    return RefusedError(ReasonCode.BAD_REFERENCE_DATA, fault)


# What a file says -----------------------------------------------------------------------------------------------------


def read_reference(kind: ReferenceFile, content: bytes, folders: Collection[str] = ()) -> pa.Table:
    """Reads a reference file into its table's columns. Raises `RefusedError` if any row is wrong: reference data is all or nothing.

    The default of a unit's `folder` is that of `folders` which means its country, else the country in lower case without blanks; of
    `time_zone`, UTC; of `marketing_opt_out`, false.
    """
    if not content.strip():
        raise RefusedError(ReasonCode.EMPTY_FILE, "the file is empty; upload it again")
    if kind is UNIT_DECLARATIONS_FILE:
        return _read_declarations(content)
    header, chunk = read_delimited(content)
    if chunk.unreadable:
        row = chunk.unreadable[0]
        line = line_of(content, header, row.row_number, chunk.place.rows)
        raise _bad(f"line {line} {row.detail}: {row.raw_text!r}; correct it and upload the file again")
    require_columns(header.names, tuple(kind.required), (*kind.required, *kind.optional))
    texts = chunk.table.rename_columns(header.names)

    def place_of(row: int) -> str:
        """Where a row stands, and which it is; rows are counted from 0."""
        name, line = (*kind.unique, *kind.filled)[0], line_of(content, header, row + 1, chunk.place.rows)
        named = texts[name][row].as_py().strip()
        return f"line {line} ({name} {named!r})" if named else f"line {line}"

    result = pa.table(_columns(kind, texts, folders, place_of))
    _check(kind, result, place_of)
    return result


def line_of(content: bytes, header: Header, row_number: int, rows: int) -> int:
    """The line of a data row, counted from 1 as rows are."""
    text = as_utf8(Content(content), None, FileLimits(len(content))).read(0, 2 * len(content))
    found = row_lines(text, header.delimiter, rows + 1, np.array([row_number]))
    return int(found["line_number"][0].as_py()) if found.num_rows else row_number + 1


def _read_declarations(content: bytes) -> pa.Table:
    try:
        tables = tables_of(content)
        for unit, table in tables.items():
            unit_declaration(unit, table)
    except DeclarationError as fault:
        raise _bad(str(fault)) from fault
    return pa.table(
        {
            "business_unit_id": pa.array(tables, pa.string()),
            "declaration": pa.array(map(as_json, tables.values()), pa.string()),
        }
    )


def _columns(
    kind: ReferenceFile, table: pa.Table, folders: Collection[str], place_of: Callable[[int], str]
) -> dict[str, pa.ChunkedArray]:
    columns = {name: _typed(table.column(name), name, type_name, place_of) for name, type_name in kind.required.items()}
    blank = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    for name, (type_name, default) in kind.optional.items():
        given = _typed(table.column(name) if name in table.column_names else blank, name, type_name, place_of)
        columns[name] = given if default is None else compute.fill_null(given, default)
    if "currency" in columns:
        columns["currency"] = compute.utf8_upper(columns["currency"])
    if "folder" in columns:
        countries = (country and folder_of_country(country, folders) for country in columns["country"].to_pylist())
        columns["folder"] = compute.coalesce(columns["folder"], pa.array(countries, pa.string()))
    return columns


def _typed(column: pa.ChunkedArray, name: str, type_name: str, place_of: Callable[[int], str]) -> pa.ChunkedArray:
    blank_as_null = filled_column(column)
    try:
        return blank_as_null.cast(TYPES[type_name])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        row = next(row for row in range(len(column)) if not _can_be_cast(blank_as_null[row], type_name))
        value = blank_as_null[row].as_py()
        raise _bad(f"{place_of(row)}: {name} {value!r} is {MEANT[type_name]}") from error


def _can_be_cast(value: pa.Scalar, type_name: str) -> bool:
    try:
        value.cast(TYPES[type_name])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _check(kind: ReferenceFile, table: pa.Table, place_of: Callable[[int], str]) -> None:
    if not table.num_rows:
        raise _bad("has a header but no row; add at least one")
    for name in kind.filled:
        if table.column(name).null_count:
            row = compute.index(table.column(name).is_null(), value=True).as_py()
            raise _bad(f"{place_of(row)}: column {name!r} is empty; fill it in")
    for name in kind.unique:
        counts = compute.value_counts(table.column(name)).to_pylist()
        if twice := [entry["values"] for entry in counts if entry["counts"] > 1]:
            rows = np.flatnonzero(compute.equal(table.column(name), twice[0]).to_numpy())
            raise _bad(
                f"{place_of(int(rows[1]))}: {name} {', '.join(map(repr, twice[:5]))} stands more than once; keep one row each"
            )
    _check_together(kind, table, place_of)
    _check_money(table, place_of)
    if "price" in table.column_names:
        is_below = compute.less(table.column("price"), 0)
        if (row := compute.index(is_below, value=True).as_py()) >= 0:
            raise _bad(f"{place_of(row)}: column 'price' is below zero ({table['price'][row].as_py()}); correct it")
    if "time_zone" in table.column_names:
        _check_units(table, place_of)


def _check_together(kind: ReferenceFile, table: pa.Table, place_of: Callable[[int], str]) -> None:
    rows = (
        [tuple(row.values()) for row in table.select(kind.unique_together).to_pylist()] if kind.unique_together else []
    )
    for row, (values, count) in enumerate(zip(rows, _so_far(rows), strict=True)):
        if count > 1:
            raise _bad(f"{place_of(row)}: {', '.join(map(str, values))} stands more than once; keep one row each")


def _check_money(table: pa.Table, place_of: Callable[[int], str]) -> None:
    if "currency" in table.column_names:
        is_code = compute.match_substring_regex(table["currency"], "^[A-Z]{3}$")
        if (row := compute.index(is_code, value=False).as_py()) >= 0:
            currency = table["currency"][row].as_py()
            raise _bad(f"{place_of(row)}: currency {currency!r} is no code of three letters; write it like USD")
    if "rate" in table.column_names:
        is_above = compute.greater(table["rate"], 0)
        if (row := compute.index(is_above, value=False).as_py()) >= 0:
            raise _bad(f"{place_of(row)}: rate {table['rate'][row].as_py():f} is not above zero; correct it")


def _so_far(rows: Sequence[tuple[object, ...]]) -> list[int]:
    """For each row, how many of the rows down to it are the same."""
    seen = Counter[tuple[object, ...]]()
    counts = []
    for row in rows:
        seen[row] += 1
        counts.append(seen[row])
    return counts


def _check_units(table: pa.Table, place_of: Callable[[int], str]) -> None:
    for row, unit in enumerate(table.to_pylist()):
        try:
            ZoneInfo(unit["time_zone"])
        except (KeyError, ValueError, OSError) as unknown:
            raise _bad(
                f"{place_of(row)}: time_zone {unit['time_zone']!r} is no IANA name; write it like America/New_York"
            ) from unknown
        try:
            declared(unit)
        except DeclarationError as fault:
            raise _bad(f"{unit['business_unit_id']}: {fault}") from fault


# What it says, against what else is loaded ------------------------------------------------------------------------------


def _check_with_others(transaction: Transaction, kind: ReferenceFile, rows: pa.Table) -> None:
    """Raises `RefusedError` for units that have loaded sales and no row any more, and for declarations that do not fit the units."""
    if kind is BUSINESS_UNITS_FILE:
        _check_history(transaction, rows["business_unit_id"].to_pylist())
        tables = transaction.fetch("select business_unit_id from sales_data.unit_declarations")
        _check_declared_once(rows.to_pylist(), tables["business_unit_id"].to_pylist())
    if kind is UNIT_DECLARATIONS_FILE:
        units = transaction.fetch("select * from sales_data.business_units").to_pylist()
        known = {unit["business_unit_id"] for unit in units}
        for unit in rows["business_unit_id"].to_pylist():
            if unit not in known:
                raise _bad(
                    f"{unit}: no business unit is called so (known: {', '.join(sorted(known)) or 'none'}); correct the id, or add "
                    f"its row to {BUSINESS_UNITS_PATH}"
                )
        _check_declared_once(units, rows["business_unit_id"].to_pylist())


def _check_history(transaction: Transaction, units: Sequence[str]) -> None:
    """What was sold stays in the figures, and needs its unit's country and time zone."""
    present = ", ".join("?" for _ in units)
    gone = transaction.fetch(
        "select business_unit, count(distinct business_date) as days from sales_data.load_parts "
        f"where status = 'loaded' and rows_loaded > 0 and business_unit not in ({present}) group by business_unit order by business_unit",
        units,
    ).to_pylist()
    if gone:
        lost = " and ".join(f"{unit['business_unit']} has {unit['days']} loaded days" for unit in gone)
        raise _bad(
            f"{lost}, but no row here; keep its row: a unit that closes stays in the file, and an id that sales were loaded under "
            'stays the same (docs/landing.md, "When a unit closes")'
        )


def _check_declared_once(units: Sequence[Mapping[str, str | None]], tables: Collection[str]) -> None:
    for unit in units:
        columns = [column for column in FORMAT_COLUMNS if unit[column]]
        if columns and unit["business_unit_id"] in tables:
            raise _bad(
                f"{unit['business_unit_id']} declares {columns[0]} in {BUSINESS_UNITS_PATH} and has a table in "
                f"{UNIT_DECLARATIONS_PATH}; move everything into the table, and empty the unit's columns {', '.join(columns)}"
            )
