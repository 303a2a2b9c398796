"""Drift for people: the windows as a table, and a failed check explained. Pure functions over rows of `monitoring.drift`."""

from collections.abc import Mapping, Sequence
from typing import Any

from globolatte_assets.monitoring.reports import DriftReports
from globolatte_assets.monitoring.windows import BROKEN, latest_windows

Row = Mapping[str, Any]

DRIFTED = "drifted"
COLUMNS_NAMED = 4
MARKS = {"ok": "✅ ok", DRIFTED: "⚠️ drifted", BROKEN: "❌ broken", "left_out": "– left out"}
"""A verdict as it stands in a table."""


def moved_columns(rows: Sequence[Row], window_id: str) -> list[Row]:
    """The columns of a window that drifted, the farthest first."""
    mine = [row for row in rows if row["window_id"] == window_id and row["status"] == DRIFTED]
    return sorted(mine, key=lambda row: -row["statistic"] / row["threshold"])


def _moved(rows: Sequence[Row], window_id: str) -> str:
    moved = moved_columns(rows, window_id)
    named = [f"{row['column_name']} {row['statistic']:.2f} (limit {row['threshold']:.2f})" for row in moved]
    others = [f"and {len(named) - COLUMNS_NAMED} more"] if len(named) > COLUMNS_NAMED else []
    return ", ".join([*named[:COLUMNS_NAMED], *others])


def windows_table(rows: Sequence[Row], reports: DriftReports, how_many: int = 3) -> str:
    """The latest windows of each scope as Markdown, each with its report if there still is one."""
    lines = [
        "| scope | dates | orders | verdict | what moved, or is broken | Evidently |",
        "|---|---|---:|---|---|---|",
    ]
    for windows in latest_windows(rows, how_many).values():
        for window in windows:
            what = window["faults"] or _moved(rows, window["window_id"])
            kept = reports.path(window["window_id"]).exists()
            report = f"[report]({reports.url(window['window_id'])})" if kept else ""
            dates = f"{window['window_from']} – {window['window_to']}"
            verdict = MARKS.get(window["window_status"], window["window_status"])
            lines.append(f"| {window['scope']} | {dates} | {window['orders']:,} | {verdict} | {what} | {report} |")
    return "\n".join(lines)


def why_drifted(rows: Sequence[Row]) -> list[str]:
    """For each scope whose latest window drifted, which columns moved how far: one sentence each."""
    latest = [windows[-1] for windows in latest_windows(rows, 1).values()]
    return [
        f"{row['scope']} drifted from {row['window_from']} to {row['window_to']}: {_moved(rows, row['window_id'])}."
        for row in latest
        if row["window_status"] == DRIFTED
    ]
