"""Figures as PNG bytes, legible at about 700 pixels of width: size, colours and frame of every picture.

matplotlib is imported when a figure is drawn, through its object interface on the Agg canvas: no global state, no display.
"""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # of the quarter of a second that matplotlib takes, most processes need nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG = logging.getLogger(__name__)

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


def nothing_to_show(title: str, why: str) -> bytes:
    """A picture without axes that says why there is nothing in it."""
    return png_bytes(new_figure(1.0, title, why), empty=True)


def heat_map_axes(axes: Axes, rows: Sequence[str], columns: Sequence[str], rotation: int = 0) -> None:
    """The names of a heat map's rows and columns, without ticks and frame."""
    axes.set_xticks(range(len(columns)), columns, rotation=rotation, ha="right" if rotation else "center", fontsize=9)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)


def interval(axes: Axes, rank: int, ends: tuple[float, float], estimate: float, colour: str, marker: str = "o") -> None:
    """An estimate with its interval, level with `rank`."""
    axes.plot(ends, [rank, rank], color=colour, linewidth=2)
    axes.plot(estimate, rank, marker=marker, color=colour)


def finish_axes(axes: Axes, label: str, grid: Literal["both", "x", "y"] | None = None) -> None:
    """Quiet spines and ticks, the label of the x axis, and lines across one axis or both."""
    if grid:
        axes.grid(axis=grid, color=GRID, linewidth=0.8)
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


def picture(alt: str, draw: Callable[..., bytes], *arguments: object) -> str:
    """What `draw` draws of the arguments, as Markdown with the image inside, so that it needs no server to be seen.

    The one place in which pictures are drawn: one that cannot be drawn is a note that says why, and stops nothing.
    """
    try:
        image = draw(*arguments)
    except Exception as fault:
        LOG.warning("the picture %s could not be drawn", alt or draw.__name__, exc_info=True)
        reason = " ".join(str(fault).split())
        return f"({alt or draw.__name__}: this picture could not be drawn: {type(fault).__name__}: {reason})"
    return f"![{alt}](data:image/png;base64,{base64.b64encode(image).decode()})"
