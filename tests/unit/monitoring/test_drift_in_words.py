"""Drift in texts for people: tables short enough to be read at once, and why a check failed."""

import datetime as dt
from pathlib import Path
from typing import Any

from globolatte_assets.monitoring.data_drift import drifted_windows, why_drifted, windows_table
from globolatte_assets.monitoring.reports import StoredPages

SHOWN_AT_ONCE = 1000
"""The UI hides longer Markdown behind a click."""


def rows(scope: str, until: dt.date, **statistics: float) -> list[dict[str, Any]]:
    """A window's rows, one per column, each with a limit of 0.2."""
    drifted = any(value > 0.2 for value in statistics.values())
    window = {
        "window_id": f"{scope}_{until - dt.timedelta(20)}_{until}",
        "scope": scope,
        "window_from": until - dt.timedelta(20),
        "window_to": until,
        "orders": 1234,
        "window_status": "drifted" if drifted else "ok",
        "faults": None,
    }
    return [
        {
            **window,
            "column_name": name,
            "statistic": value,
            "threshold": 0.2,
            "status": "drifted" if value > 0.2 else "ok",
        }
        for name, value in statistics.items()
    ]


def reports(folder: Path) -> StoredPages:
    return StoredPages(folder / "drift", 30, "http://127.0.0.1:3030")


MAY, JUNE = dt.date(2024, 5, 31), dt.date(2024, 6, 30)
CALM, MOVED = {"weather": 0.05, "daypart": 0.1}, {"weather": 0.3, "daypart": 0.1, "main_product_id": 0.5}


def test_the_columns_that_moved_are_named_the_farthest_first() -> None:
    assert why_drifted(rows("chain", JUNE, **MOVED)) == (
        "chain drifted from 2024-06-10 to 2024-06-30: main_product_id 0.50 > 0.20, weather 0.30 > 0.20."
    )


def test_only_the_latest_window_of_a_scope_counts() -> None:
    history = [*rows("chain", MAY, **MOVED), *rows("chain", JUNE, **CALM), *rows("BU_US", JUNE, **MOVED)]
    assert [row["scope"] for row in drifted_windows(history)] == ["BU_US"]


def test_many_columns_are_counted_not_listed() -> None:
    many = {f"column_{number}": 0.3 + number / 10 for number in range(5)}
    assert why_drifted(rows("chain", JUNE, **many)).endswith("column_4 0.70 > 0.20, column_3 0.60 > 0.20, and 3 more.")


def test_the_latest_windows_of_a_chain_of_three_units_are_shown_at_once(tmp_path: Path) -> None:
    scopes = ("chain", "BU_CA", "BU_MX", "BU_US")
    history = [row for scope in scopes for until in (MAY, JUNE) for row in rows(scope, until, **MOVED)]
    kept = reports(tmp_path)
    for row in history:
        kept.store(row["window_id"], "<html>")
    table = windows_table(history, kept)
    assert len(table) < SHOWN_AT_ONCE
    assert table.count("[⚠️ drifted](http://127.0.0.1:3030/drift/") == len(scopes)


def test_a_page_that_is_gone_is_not_linked(tmp_path: Path) -> None:
    assert "](" not in windows_table(rows("chain", JUNE, **MOVED), reports(tmp_path))


def test_a_broken_window_says_what_is_broken(tmp_path: Path) -> None:
    [row] = rows("chain", JUNE, weather=0.1)
    broken = {**row, "window_status": "broken", "faults": "40 % of rows are quarantined"}
    assert "40 % of rows are quarantined" in windows_table([broken], reports(tmp_path))
