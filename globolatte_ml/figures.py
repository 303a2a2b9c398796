"""Figures as PNG bytes, legible at about 700 pixels of width: size, colours and frame of every picture.

matplotlib is imported when a figure is drawn, through its object interface on the Agg canvas: no global state, no display.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # of the quarter of a second that matplotlib takes, most processes need nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, DOTS_PER_INCH = 7.0, 110
COFFEE, CREAM, INK, MUTED, ACCENT = "#6f4e37", "#d9c7b3", "#2b2118", "#8a7f76", "#2a7f77"
GRID = "#eeeeee"


def new_figure(height: float, title: str, subtitle: str) -> Figure:
    """An empty figure of our width with a title and, below it, what is shown; `height` in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, facecolor="white")
    figure.text(0.01, 1 - 0.12 / height, title, ha="left", va="top", fontsize=13, fontweight="bold", color=INK)
    figure.text(0.01, 1 - 0.40 / height, subtitle, ha="left", va="top", fontsize=9.5, color=MUTED)
    return figure


def finish_axes(axes: Axes, label: str) -> None:
    """Quiet spines and ticks, and the label of the x axis."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(CREAM)
    axes.tick_params(colors=INK)
    axes.set_axisbelow(True)
    axes.set_xlabel(label, color=INK)


def png_bytes(figure: Figure, empty: bool = False) -> bytes:
    """The finished figure as a PNG image; `empty`: it has no axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    if not empty:
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.62 / figure.get_figheight()))
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()
