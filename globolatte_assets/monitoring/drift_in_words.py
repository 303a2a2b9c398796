"""Drift for people: the windows as a table, and a failed check explained. Pure functions over rows of `monitoring.drift`."""

from collections.abc import Mapping, Sequence
from typing import Any

from globolatte_assets.monitoring.reports import KeptPages
from globolatte_assets.monitoring.windows import latest_windows, marked

Row = Mapping[str, Any]

DRIFTED = "drifted"
COLUMNS_NAMED = 2


# The UI shows Markdown at once that is shorter than 1,000 characters, and longer texts after a click: the latest windows of a
# chain of four units fit.


def moved_columns(rows: Sequence[Row], window_id: str) -> list[Row]:
    """The columns of a window that drifted, the farthest first."""
    mine = [row for row in rows if row["window_id"] == window_id and row["status"] == DRIFTED]
    return sorted(mine, key=lambda row: -row["statistic"] / row["threshold"])


def _moved(rows: Sequence[Row], window_id: str) -> str:
    moved = moved_columns(rows, window_id)
    named = [f"{row['column_name']} {row['statistic']:.2f} > {row['threshold']:.2f}" for row in moved]
    others = [f"and {len(named) - COLUMNS_NAMED} more"] if len(named) > COLUMNS_NAMED else []
    return ", ".join([*named[:COLUMNS_NAMED], *others])


def windows_table(rows: Sequence[Row], reports: KeptPages, how_many: int = 1) -> str:
    """The latest windows of each scope as Markdown; the verdict leads to the report if there still is one."""
    lines = ["| scope | until | orders | verdict | what moved, or is broken |", "|---|---|---:|---|---|"]
    for windows in latest_windows(rows, how_many).values():
        for window in windows:
            what = window["faults"] or _moved(rows, window["window_id"])
            verdict = marked(window["window_status"])
            if reports.path(window["window_id"]).exists():
                verdict = f"[{verdict}]({reports.url(window['window_id'])})"
            lines.append(f"| {window['scope']} | {window['window_to']} | {window['orders']:,} | {verdict} | {what} |")
    return "\n".join(lines)


def drifted_windows(rows: Sequence[Row]) -> list[Row]:
    """Of the scopes whose latest window drifted, that window; the chain first."""
    latest = (windows[-1] for windows in latest_windows(rows, 1).values())
    return [row for row in latest if row["window_status"] == DRIFTED]


def why_drifted(rows: Sequence[Row]) -> str:
    """For each scope whose latest window drifted, which columns moved how far over their limit: one sentence each."""
    sentences = (
        f"{row['scope']} drifted from {row['window_from']} to {row['window_to']}: {_moved(rows, row['window_id'])}."
        for row in drifted_windows(rows)
    )
    return " ".join(sentences)
