"""Segments and the evidence for them, as PNG bytes."""

from collections.abc import Mapping, Sequence

import numpy as np

from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.figures import (
    ACCENT,
    COFFEE,
    CREAM,
    INK,
    MUTED,
    finish_axes,
    heat_map_axes,
    new_figure,
    nothing_to_show,
    png_bytes,
)
from globolatte_ml.segments.clustering import STABLE, Evidence
from globolatte_ml.segments.profiles import Profile

WIDEST = 12
"""Products that a heat map has room for."""


def evidence_chart(evidence: Sequence[Evidence], taken: int) -> bytes:
    """Stability and silhouette of each number of segments; the one that was taken is marked."""
    if not evidence:
        return nothing_to_show("One segment", "There are too few customers with orders to look for more.")
    figure = new_figure(
        3.2,
        "How many segments?",
        f"{taken} taken: the most that samples reproduce (ARI {STABLE} or more) and that separate well",
    )
    left, right = figure.subplots(1, 2)
    ks = [one.k for one in evidence]
    low = [max(one.stability - one.stability_low, 0.0) for one in evidence]  # equal ones may differ in the last digit
    left.errorbar(
        ks, [one.stability for one in evidence], yerr=[low, [0.0] * len(ks)], color=ACCENT, marker="o", capsize=3
    )
    left.axhline(STABLE, color=MUTED, linestyle=(0, (4, 3)), linewidth=1)
    left.set(ylim=(0, 1.02), title="stability (bar: worst tenth)")
    right.plot(ks, [one.silhouette for one in evidence], color=COFFEE, marker="o", label="silhouette")
    right.plot(ks, [one.gap for one in evidence], color=MUTED, marker="s", label="gap over one segment")
    right.legend(frameon=False, fontsize=9)
    right.set_title("separation")
    for axes in (left, right):
        axes.axvspan(taken - 0.3, taken + 0.3, color=CREAM, alpha=0.5, zorder=0)
        axes.title.set(fontsize=10, color=INK)
        finish_axes(axes, "segments", grid="y")
    return png_bytes(figure)


def profile_map(profiles: Sequence[Profile], product_names: Mapping[str, str]) -> bytes:
    """What stands out in each segment: products against what is usual where its customers live, and hours."""
    products = sorted(
        profiles[0].product_lifts, key=lambda one: -max(abs(profile.product_lifts[one]) for profile in profiles)
    )
    products = sorted(products[:WIDEST])
    figure = new_figure(
        1.5 + 0.55 * len(profiles),
        "What stands out",
        "products: times what is usual where they live; hours: share of orders",
    )
    taste, hours = figure.subplots(1, 2, width_ratios=[len(products), len(DAYPARTS)])
    lifts = np.array([[profile.product_lifts[product] for product in products] for profile in profiles])
    most = max(float(np.abs(lifts).max()), 0.1)
    taste.imshow(lifts, cmap="BrBG", vmin=-most, vmax=most, aspect="auto")
    shares = np.array([profile.daypart_shares for profile in profiles])
    hours.imshow(shares, cmap="Oranges", vmin=0, vmax=max(float(shares.max()), 0.5), aspect="auto")
    labels = [product_names.get(product, product) for product in products]
    for axes, values, words, text in ((taste, np.exp(lifts), labels, "{:.1f}x"), (hours, shares, DAYPARTS, "{:.0%}")):
        heat_map_axes(axes, [f"{profile.segment_id}" for profile in profiles], words, rotation=30)
        for (row, column), value in np.ndenumerate(values):
            dark = axes.images[0].norm(axes.images[0].get_array()[row, column])
            colour = "white" if dark > 0.85 or (axes is taste and dark < 0.1) else INK
            axes.text(column, row, text.format(value), ha="center", va="center", fontsize=8.5, color=colour)
    return png_bytes(figure)
