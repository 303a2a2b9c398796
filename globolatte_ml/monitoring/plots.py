"""Plots of monitoring as PNG bytes: the result of each window over time."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from globolatte_ml.figures import ACCENT, COFFEE, CREAM, INK, MUTED, finish_axes, new_figure, png_bytes
from globolatte_ml.monitoring.verdicts import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]
ALARM = "#b3261e"
COLOURS = (ACCENT, COFFEE, "#c98b2b", "#5b7aa3", "#8d5a97", "#6b8e23", "#444444", "#d07f7f")
UNITS_SHOWN = 12


def drift_over_time(rows: Sequence[Row], scope: str) -> bytes:
    """Each column's distance as a part of its threshold, window by window; above the line it drifted.

    rows: those of `monitoring.drift`, with scope, column_name, window_to, statistic, threshold, status.
    """
    mine = [row for row in rows if row["scope"] == scope and row["statistic"] is not None]
    figure = new_figure(
        3.8, f"Drift over time: {scope}", "distance to the champion's snapshot as a part of the threshold"
    )
    axes = figure.add_subplot()
    highest = 1.0
    for place, column in enumerate(sorted({row["column_name"] for row in mine})):
        points = sorted((r["window_to"], r["statistic"] / r["threshold"]) for r in mine if r["column_name"] == column)
        highest = max(highest, *(ratio for _, ratio in points))
        _line(axes, points, COLOURS[place % len(COLOURS)], column)
    _mark_broken(axes, [row for row in rows if row["scope"] == scope])
    axes.axhline(1.0, color=ALARM, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_ylim(0, highest * 1.1)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5, labelcolor=INK)
    _finish_dates(axes)
    return png_bytes(figure)


def performance_over_time(rows: Sequence[Row]) -> bytes:
    """Log loss of every scope's windows, with the band's upper edge of the chain (or of the only scope).

    rows: those of `monitoring.performance`, with scope, window_to, log_loss, highest_log_loss, status.
    """
    scopes = sorted({row["scope"] for row in rows}, key=lambda scope: (scope != "chain", scope))[:UNITS_SHOWN]
    figure = new_figure(3.4, "Performance over time", "log loss of the champion on what was bought; lower is better")
    axes = figure.add_subplot()
    for place, scope in enumerate(scopes):
        mine = [row for row in rows if row["scope"] == scope and row["log_loss"] is not None]
        _line(axes, sorted((row["window_to"], row["log_loss"]) for row in mine), COLOURS[place % len(COLOURS)], scope)
        if place == 0:
            edge = sorted((row["window_to"], row["highest_log_loss"]) for row in mine)
            axes.plot(*_columns(edge), color=ALARM, linewidth=1, linestyle=(0, (4, 3)), label=f"limit ({scope})")
    _mark_broken(axes, rows)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5, labelcolor=INK)
    _finish_dates(axes)
    return png_bytes(figure)


def _line(axes: "Axes", points: Sequence[tuple[dt.date, float]], colour: str, label: str) -> None:
    axes.plot(*_columns(points), color=colour, linewidth=1.6, marker="o", markersize=3.5, label=label)


def _columns(points: Sequence[tuple[dt.date, float]]) -> tuple[Any, list[float]]:
    return [date for date, _ in points], [value for _, value in points]


def _mark_broken(axes: "Axes", rows: Sequence[Row]) -> None:
    for date in sorted({row["window_to"] for row in rows if row["status"] == Status.BROKEN}):
        axes.axvline(date, color=CREAM, linewidth=5, zorder=0)


def _finish_dates(axes: "Axes") -> None:
    axes.tick_params(axis="x", labelrotation=30, labelsize=8.5)
    axes.tick_params(axis="y", colors=MUTED)
    finish_axes(axes, "", grid="y")
