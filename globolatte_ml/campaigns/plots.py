"""Campaigns as PNG bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from globolatte_ml.campaigns.audience import Candidates, Plan, products_to_push
from globolatte_ml.campaigns.effect import OfferEffect
from globolatte_ml.figures import (
    ACCENT,
    COFFEE,
    CREAM,
    INK,
    MUTED,
    finish_axes,
    interval,
    new_figure,
    nothing_to_show,
    png_bytes,
)


def budget_curve(candidates: Candidates, plan: Plan, effect: OfferEffect) -> bytes:
    """Expected extra purchases against the number of offers, best customers first, with what the offer's uncertainty leaves open."""
    if not len(candidates.ids):
        return nothing_to_show("What a budget brings", "Nobody may be addressed.")
    push = products_to_push(candidates, plan, effect)
    product = np.array([push[unit] for unit in candidates.units.tolist()])
    everyone = np.arange(len(product))
    order = np.argsort(-candidates.extra_purchases(effect.odds_ratio)[everyone, product], kind="stable")
    low, middle, high = (
        np.cumsum(candidates.extra_purchases(ratio)[everyone, product][order])
        for ratio in (effect.interval[0], effect.odds_ratio, effect.interval[1])
    )
    figure = new_figure(
        3.2, "What a budget brings", "expected extra purchases; shaded: 90 % by what is known of offers"
    )
    axes = figure.add_subplot()
    offers = everyone + 1
    axes.fill_between(offers, low, high, color=CREAM, alpha=0.6, linewidth=0)
    axes.plot(offers, middle, color=ACCENT)
    axes.axvline(min(plan.contacts, len(offers)), color=MUTED, linestyle=(0, (4, 3)), linewidth=1)
    axes.text(min(plan.contacts, len(offers)), axes.get_ylim()[1], " this budget", va="top", color=MUTED, fontsize=9)
    finish_axes(axes, "offers", grid="both")
    return png_bytes(figure)


def uplift_chart(results: Sequence[Mapping[str, Any]]) -> bytes:
    """Measured extra purchases of campaigns with their intervals, beside what was expected; one row of the results each."""
    measured = [row for row in results if row["extra_purchases"] is not None]
    if not measured:
        return nothing_to_show("What campaigns brought", "Nothing can be measured yet.")
    figure = new_figure(
        1.4 + 0.4 * len(measured),
        "What campaigns brought",
        "extra purchases against the control group, 95 %; circle: expected",
    )
    axes = figure.add_subplot()
    for at, row in enumerate(measured):
        interval(axes, at, (row["extra_low"], row["extra_high"]), row["extra_purchases"], COFFEE, marker="s")
        axes.plot(row["expected_extra"], at, marker="o", color=ACCENT, fillstyle="none")
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(range(len(measured)), [row["campaign_id"] for row in measured], color=INK)
    finish_axes(axes, "purchases", grid="x")
    return png_bytes(figure)
