"""Whole warehouses beside each other: every row of every table, to the last digit."""

import math
from collections.abc import Collection
from itertools import repeat
from pathlib import Path

import duckdb

Tables = dict[str, list[tuple[object, ...]]]

COMPARED = ("sales_data", "staging", "intermediate", "marts", "features")
RUN_DEPENDENT = {"run_id", "etag", "recorded_at", "attempt", "started_at", "settled_at", "step_id", "asked_at"}
"""Columns that say who did it, when, and how a file was written: not what is known of the business."""
BOOKKEEPING = {
    "announcements",
    "dbt_builds",
    "kept_files",
    "ledger_events",
    "known_etags",
    "ledger_steps",
    "load_attempts",
    "schema_versions",
}
"""Tables that say by which runs and in which builds it came about."""

COLUMNS = """
select table_schema || '.' || table_name, list(column_name order by ordinal_position) from information_schema.columns
where list_contains(?, table_schema) group by all order by 1
"""


def tables(path: Path, schemas: Collection[str], without: Collection[str] = ()) -> Tables:
    """Every table of some schemas by name, its rows in an order of their own.

    The columns `without` are left out: of every table, or of one, as in `sales_data.load_ledger.reason`.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        kept = {
            name: ", ".join(f'"{column}"' for column in columns if not {column, f"{name}.{column}"} & set(without))
            for name, columns in connection.execute(COLUMNS, [list(schemas)]).fetchall()
        }
        return {
            name: connection.execute(f"select {columns} from {name} order by all").fetchall()
            for name, columns in kept.items()
        }


def same(one: object, other: object, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=tolerance)
    return one == other


def assert_same(found: Tables, wanted: Tables, tolerance: float = 0.0) -> None:
    """The same tables and rows, to the last digit unless there is a `tolerance` (relative) for doubles."""
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert len(found[name]) == len(wanted[name]), name
        for row, expected in zip(found[name], wanted[name], strict=True):
            assert all(map(same, row, expected, repeat(tolerance))), f"{name}: {row} instead of {expected}"


def comparable(warehouse: Path, without: Collection[str] = ()) -> Tables:
    """What is known of the business up to features, without what says by which runs it came about."""
    found = tables(warehouse, COMPARED, RUN_DEPENDENT.union(without))
    return {name: rows for name, rows in found.items() if name.partition(".")[2] not in BOOKKEEPING}
