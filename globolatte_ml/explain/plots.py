"""Pictures of an analysis as PNG bytes."""

from collections.abc import Mapping, Sequence

import numpy as np

from globolatte_ml.explain.causal import WeatherEffect
from globolatte_ml.explain.errors import HeatMap
from globolatte_ml.explain.explanations import PLAYERS, Explanations
from globolatte_ml.explain.fairness import Group
from globolatte_ml.figures import (
    ACCENT,
    COFFEE,
    INK,
    MUTED,
    finish_axes,
    heat_map_axes,
    interval,
    new_figure,
    png_bytes,
)

WIDEST = 12


def importance_chart(explanations: Explanations) -> bytes:
    """How much probability each part of the input moves on average, largest first."""
    moved = explanations.moved()
    order = np.argsort(moved)
    figure = new_figure(
        3.2,
        "What the predictions depend on",
        f"probability moved on average (exact Shapley values of {len(explanations.values)} orders)",
    )
    axes = figure.add_subplot()
    bars = axes.barh([PLAYERS[at] for at in order], moved[order], color=ACCENT, height=0.62)
    axes.bar_label(bars, labels=[f"{value:.1%}" for value in moved[order]], padding=4, color=INK, fontsize=9.5)
    axes.set_xlim(0, max(float(moved.max()), 0.01) * 1.15)
    axes.tick_params(axis="y", length=0)
    finish_axes(axes, "probability", grid="x")
    return png_bytes(figure)


def portrait_chart(values: Sequence[float], base: float, probability: float) -> bytes:
    """How one prediction came about: from the average order to this one."""
    figure = new_figure(
        2.9, f"From {base:.0%} to {probability:.0%}", "what each part adds to the probability of the first choice"
    )
    axes = figure.add_subplot()
    order = np.argsort(np.abs(values))
    bars = axes.barh(
        [PLAYERS[at] for at in order],
        [values[at] for at in order],
        color=[ACCENT if values[at] >= 0 else COFFEE for at in order],
        height=0.62,
    )
    axes.bar_label(bars, labels=[f"{100 * values[at]:+.1f}" for at in order], padding=4, color=INK, fontsize=9)
    axes.margins(x=0.15)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.tick_params(axis="y", length=0)
    finish_axes(axes, "probability")
    return png_bytes(figure)


def error_map(heat: HeatMap) -> bytes:
    """Log loss by history length and unit."""
    figure = new_figure(
        1.4 + 0.5 * len(heat.rows),
        "Where it errs",
        "log loss (lower is better), orders below; blank where there are few",
    )
    axes = figure.add_subplot()
    seen = heat.log_loss[np.isfinite(heat.log_loss)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    axes.imshow(heat.log_loss, cmap="Oranges", vmin=low - 0.1, vmax=high + max(high - low, 0.1), aspect="auto")
    for at, value in np.ndenumerate(heat.log_loss):
        text = f"{value:.2f}\n{heat.orders[at]:,}" if np.isfinite(value) else f"–\n{heat.orders[at]:,}"
        axes.text(at[1], at[0], text, ha="center", va="center", fontsize=8.5, color=INK)
    heat_map_axes(axes, heat.rows, heat.columns)
    return png_bytes(figure)


def fairness_chart(groups: Sequence[Group]) -> bytes:
    """Hit rate, gain over popularity and calibration gap of each group with 95 % intervals."""
    shown = {
        "hit_rate": "hit@1",
        "gain_over_popularity": "gain over popularity",
        "calibration_gap": "predicted - observed",
    }
    figure = new_figure(
        1.4 + 0.32 * len(groups), "Whom it serves how well", "bars: 95 % over customers; dark: differs from all others"
    )
    places = figure.subplots(1, len(shown), sharey=True)
    ranks = range(len(groups) - 1, -1, -1)
    for axes, (measure, label) in zip(places, shown.items(), strict=True):
        for rank, group in zip(ranks, groups, strict=True):
            one = group.measures[measure]
            interval(axes, rank, (one.low, one.high), one.estimate, COFFEE if one.differs else ACCENT)
        if measure == "calibration_gap":
            axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(list(ranks), [f"{group.name} ({group.orders:,})" for group in groups], fontsize=8.5)
        axes.tick_params(axis="y", length=0)
        finish_axes(axes, label, grid="x")
        axes.xaxis.label.set_size(9)
    return png_bytes(figure)


def effect_chart(effects: Sequence[WeatherEffect], products: Sequence[str], names: Mapping[str, str]) -> bytes:
    """The effect of each weather on each product with 95 % intervals."""
    figure = new_figure(
        1.4 + 0.34 * min(len(products), WIDEST),
        "What weather does",
        f"change of choice against {effects[0].control}, in points of probability, 95 %",
    )
    places = np.atleast_1d(figure.subplots(1, len(effects), sharey=True, sharex=True))
    strongest = np.max([np.abs(effect.effect) for effect in effects], axis=0)
    rows = sorted(np.argsort(-strongest)[:WIDEST].tolist(), reverse=True)
    for axes, effect in zip(places, effects, strict=True):
        for rank, at in enumerate(rows):
            clear = effect.low[at] > 0 or effect.high[at] < 0
            ends = 100 * effect.low[at], 100 * effect.high[at]
            interval(axes, rank, ends, 100 * effect.effect[at], COFFEE if clear else MUTED)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(range(len(rows)), [names.get(products[at], products[at]) for at in rows], fontsize=9)
        axes.tick_params(axis="y", length=0)
        finish_axes(axes, effect.treatment, grid="x")
    return png_bytes(figure)
