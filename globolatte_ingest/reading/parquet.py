"""Reads a Parquet file into tables of text columns, batch by batch; typed values are written as text in the usual form."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
from pyarrow import compute, types
from pyarrow.parquet import ParquetFile

from globolatte_ingest.reading.landed_bytes import Content, FileLimits
from globolatte_ingest.reasons import ReasonCode, RefusedError

BATCH_ROWS = 200_000
BUFFER_BYTES = 1024 * 1024

ENCRYPTED_END = b"PARE"


def open_parquet(content: Content) -> ParquetFile:
    """The file with its schema; its rows are read later. Raises `RefusedError` if it is no Parquet."""
    if content.read(max(content.size - 4, 0), 4) == ENCRYPTED_END:
        raise RefusedError(ReasonCode.ENCRYPTED_FILE, "is encrypted Parquet; upload it unencrypted")
    try:
        return ParquetFile(content.stream(), buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from error


def check_columns(
    file: ParquetFile, size: int, columns: Mapping[str, str], limits: FileLimits, *, with_zone: bool = False
) -> None:
    """Raises `RefusedError` if these columns grow past the limits, or hold no plain values. `columns`: names in the file by ours;
    `with_zone`: timestamps may have a time zone.

    A row counts a byte a column at least: runs of equal values pack to nothing.
    """
    metadata = file.metadata
    groups = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    limits.check_unpacked(max(groups, metadata.num_rows * len(columns)), size)
    for column, name in columns.items():
        kind = file.schema_arrow.field(name).type
        value = _value_type(kind)
        if _is_zoned(value) and not with_zone:
            raise RefusedError(
                ReasonCode.NO_PLAIN_VALUES,
                f"has timestamps with a time zone ({column} is {kind}), and times are the unit's local ones; declare "
                'times_in = "offset" in reference/units.toml, by which they become local ones (docs/declarations.md), then '
                "`globolatte quarantine retry` this file, or write timestamps without time zone",
            )
        if not (_is_plain(value) or _is_zoned(value)):
            raise _no_plain_value(f"{column} is {kind}")


def is_text(file: ParquetFile, name: str) -> bool:
    """Whether a column of the file holds text."""
    return _is_text(_value_type(file.schema_arrow.field(name).type))


def has_zone(file: ParquetFile, name: str) -> bool:
    """Whether a column of the file holds timestamps with a time zone."""
    return _is_zoned(_value_type(file.schema_arrow.field(name).type))


def text_batches(file: ParquetFile, columns: Mapping[str, str]) -> Iterator[pa.Table]:
    """These columns as text, under our names, some hundred thousand rows at a time."""
    batches = file.iter_batches(BATCH_ROWS, columns=list(dict.fromkeys(columns.values())), use_threads=False)
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(error) from error
        if batch is None:
            return
        yield pa.table({column: _as_text(batch.column(name)) for column, name in columns.items()})


def _damaged(error: Exception) -> RefusedError:
    return RefusedError(
        ReasonCode.DAMAGED_PARQUET, f"cannot be read as Parquet ({error}); write it again and upload that"
    )


def _no_plain_value(what: object) -> RefusedError:
    return RefusedError(
        ReasonCode.NO_PLAIN_VALUES,
        f"has a column that is no plain value ({what}); write numbers, text and timestamps without time zone",
    )


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if types.is_dictionary(kind) else kind


def _is_zoned(value: pa.DataType) -> bool:
    return bool(types.is_timestamp(value)) and value.tz is not None


def _is_text(value: pa.DataType) -> bool:
    return types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)


def _is_plain(value: pa.DataType) -> bool:
    plain = (
        types.is_null,
        _is_text,
        types.is_integer,
        types.is_floating,
        types.is_decimal,
        types.is_boolean,
        types.is_date,
        types.is_time,
    )
    return any(is_kind(value) for is_kind in plain) or (types.is_timestamp(value) and not _is_zoned(value))


def _as_text(column: pa.Array) -> pa.Array:
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return compute.fill_null(column.cast(pa.string()), "")
    except pa.ArrowException as error:
        raise _no_plain_value(error) from error
