"""Typed reading of Parquet files and Arrow columns into numpy arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


class InvalidDataError(ValueError):
    """A file or folder that cannot be used; the message names it, the fault and the remedy."""


def read_table(path: Path, required: Sequence[str]) -> pa.Table:
    """The Parquet file at `path`; raises InvalidDataError if it or one of the `required` columns is missing."""
    if not path.is_file():
        raise InvalidDataError(f"{path}: the file is missing; export the folder again")
    try:
        table = pq.ParquetFile(path).read()
    except pa.ArrowInvalid as error:
        raise InvalidDataError(f"{path}: not a readable Parquet file ({error}); export the folder again") from error
    missing = [name for name in required if name not in table.column_names]
    if missing:
        raise InvalidDataError(
            f"{path}: column(s) {', '.join(missing)} missing; export the folder again with the current version"
        )
    return table


def integers(table: pa.Table, name: str) -> np.ndarray:
    """Column `name` as int64, shape (rows,); NULL counts as 0."""
    return np.asarray(pc.fill_null(_cast(table, name, pa.int64()), 0).to_numpy(), dtype=np.int64)


def floats(table: pa.Table, name: str) -> np.ndarray:
    """Column `name` as float64, shape (rows,); NULL counts as 0."""
    return np.asarray(pc.fill_null(_cast(table, name, pa.float64()), 0.0).to_numpy(), dtype=np.float64)


def is_null(table: pa.Table, name: str) -> np.ndarray:
    """Where column `name` is NULL, bool of shape (rows,)."""
    return np.asarray(pc.is_null(table.column(name)).to_numpy(), dtype=bool)


def booleans(table: pa.Table, name: str) -> np.ndarray:
    """Column `name` as bool, shape (rows,); NULL counts as False."""
    return np.asarray(pc.fill_null(_cast(table, name, pa.bool_()), False).to_numpy(), dtype=bool)


def strings(table: pa.Table, name: str) -> np.ndarray:
    """Column `name` as numpy str, shape (rows,); NULL becomes the empty string."""
    values = pc.fill_null(_cast(table, name, pa.string()), "").to_numpy()
    return np.asarray(values, dtype=np.str_)


def dates(table: pa.Table, name: str) -> np.ndarray:
    """Column `name` as datetime64[D], shape (rows,); NULL becomes NaT."""
    return np.asarray(_cast(table, name, pa.date32()).to_numpy(), dtype="datetime64[D]")


def timestamps(table: pa.Table, name: str) -> np.ndarray:
    """Column `name` as datetime64[us] without time zone, shape (rows,); NULL becomes NaT."""
    return np.asarray(_cast(table, name, pa.timestamp("us")).to_numpy(), dtype="datetime64[us]")


def positions(column: pa.ChunkedArray | pa.Array, values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Where each entry of `column` stands in `values`, int64 of shape (rows,); -1 for NULL and for what is not in `values`."""
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    found = pc.index_in(column.cast(pa.string()), value_set=values.cast(pa.string()))
    found = pc.if_else(pc.is_null(column), pa.scalar(-1, pa.int32()), pc.fill_null(found, -1))
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _cast(table: pa.Table, name: str, kind: Any) -> pa.ChunkedArray:
    return table.column(name).cast(kind, safe=False)
