"""Pictures of an evaluation and of a backtest, drawn from them alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from globolatte_ml.data.vocabulary import SEASONS
from globolatte_ml.figures import ACCENT, COFFEE, CREAM, INK, MUTED, finish_axes, new_figure, nothing_to_show, png_bytes
from globolatte_ml.model.metrics import Metrics
from globolatte_ml.training.backtest import Fold
from globolatte_ml.training.evaluation import HISTORY_LENGTHS, Evaluation, GroupMetrics

MOST_PRODUCTS = 20


def baseline_chart(evaluation: Evaluation) -> bytes:
    """Log loss of the model beside every baseline, best at the top."""
    if evaluation.model is None:
        return _nothing_to_show("Log loss on the holdout")
    figure = new_figure(3.4, "Log loss on the holdout", f"{_holdout(evaluation)}; shorter is better")
    axes = figure.add_subplot()
    scores: dict[str, Metrics] = {**evaluation.baselines, "this model": evaluation.model}
    ordered = sorted(scores.items(), key=lambda item: -item[1].log_loss)
    names, values = [name for name, _ in ordered], [metrics.log_loss for _, metrics in ordered]
    bars = axes.barh(names, values, color=[ACCENT if name == "this model" else CREAM for name in names], height=0.62)
    axes.bar_label(bars, labels=[f"{value:.3f}" for value in values], padding=4, color=INK, fontsize=10)
    axes.set_xlim(0, max(values) * 1.13 or 1.0)
    axes.tick_params(axis="y", length=0)
    finish_axes(axes, "nats per order", grid="x")
    return png_bytes(figure)


def reliability_diagram(evaluation: Evaluation) -> bytes:
    """Predicted probabilities against observed frequencies; the diagonal is perfect."""
    if evaluation.model is None:
        return _nothing_to_show("Predicted and observed")
    subtitle = f"{_holdout(evaluation)}; larger dot = more predictions"
    figure = new_figure(5.0, "Predicted and observed", subtitle)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    predicted = [b.predicted for b in evaluation.reliability]
    observed = [b.observed for b in evaluation.reliability]
    sizes = [40 + 500 * b.weight for b in evaluation.reliability]
    axes.plot(predicted, observed, color=ACCENT, linewidth=1.6, zorder=2)
    axes.scatter(predicted, observed, s=sizes, color=ACCENT, edgecolor="white", linewidth=1, zorder=3)
    note = f"dashed: perfectly calibrated\nexpected calibration error {evaluation.model.expected_calibration_error:.4f}"
    axes.text(0.99, 0.03, note, transform=axes.transAxes, ha="right", va="bottom", color=MUTED, fontsize=9.5)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_ylabel("observed frequency", color=INK)
    finish_axes(axes, "predicted probability", grid="both")
    return png_bytes(figure)


def log_loss_by_group(evaluation: Evaluation) -> bytes:
    """Log loss by business unit, season and length of history, side by side on one scale."""
    if evaluation.model is None:
        return _nothing_to_show("Where the model does well")
    subtitle = f"log loss (lower is better), orders below; {_holdout(evaluation)}"
    figure = new_figure(3.6, "Where the model does well", subtitle)
    panels = {
        "business unit": evaluation.by_business_unit,
        "season": _in_order(evaluation.by_season, SEASONS),
        "orders in the customer's history": _in_order(evaluation.by_history, HISTORY_LENGTHS),
    }
    top = max(group.log_loss for groups in panels.values() for group in groups.values()) * 1.15 or 1.0
    places = figure.subplots(1, 3, width_ratios=[len(groups) for groups in panels.values()])
    for axes, (label, groups) in zip(places, panels.items(), strict=True):
        names = [f"{name.removesuffix(' orders')}\n{group.orders:,}" for name, group in groups.items()]
        values = [group.log_loss for group in groups.values()]
        bars = axes.bar(names, values, color=COFFEE, width=0.62)
        axes.bar_label(bars, labels=[f"{value:.2f}" for value in values], padding=3, color=INK, fontsize=9)
        axes.set(ylim=(0, top), xlim=(-0.6, len(groups) - 0.4), yticks=[])
        axes.tick_params(axis="x", length=0, labelsize=8.5)
        finish_axes(axes, label)
    return png_bytes(figure)


def hit_rate_by_product(evaluation: Evaluation) -> bytes:
    """Of the orders of each product, the share that had it ranked first."""
    if not evaluation.by_product:
        return _nothing_to_show("Which products are foreseen")
    subtitle = f"orders whose main product was ranked first, by what was bought; {_holdout(evaluation)}"
    products = sorted(evaluation.by_product.items(), key=lambda item: item[1].orders)[-MOST_PRODUCTS:]
    figure = new_figure(1.2 + 0.32 * len(products), "Which products are foreseen", subtitle)
    axes = figure.add_subplot()
    shares = [100 * group.hit_rate_at_1 for _, group in products]
    bars = axes.barh([f"{name} ({group.orders:,})" for name, group in products], shares, color=COFFEE, height=0.62)
    axes.bar_label(bars, labels=[f"{share:.0f} %" for share in shares], padding=4, color=INK, fontsize=9)
    axes.set_xlim(0, 112)
    axes.tick_params(axis="y", length=0)
    finish_axes(axes, "% of its orders")
    return png_bytes(figure)


def backtest_chart(folds: Sequence[Fold]) -> bytes:
    """Log loss at each origin: the model, the customer's favourite, popularity."""
    if not folds:
        return _nothing_to_show("Log loss at past dates")
    subtitle = "trained before each date, evaluated on the orders from then on; lower is better"
    figure = new_figure(3.6, "Log loss at past dates", subtitle)
    axes = figure.add_subplot()
    names = [f"{fold.origin}\n{fold.orders:,} orders" for fold in folds]
    for of, label, color in (
        ("popularity", "popularity", MUTED),
        ("favourite", "customer favourite", COFFEE),
        ("model", "model", ACCENT),
    ):
        losses = [getattr(fold, of).log_loss for fold in folds]
        axes.plot(names, losses, color=color, marker="o", linewidth=1.8, label=label)
    axes.set_ylim(0, max(fold.popularity.log_loss for fold in folds) * 1.15)
    axes.legend(frameon=False, loc="lower right", ncols=3, fontsize=9)
    finish_axes(axes, "", grid="y")
    return png_bytes(figure)


def _in_order(groups: dict[str, GroupMetrics], order: Iterable[str]) -> dict[str, GroupMetrics]:
    return {name: groups[name] for name in order if name in groups}


def _nothing_to_show(title: str) -> bytes:
    return nothing_to_show(title, "There are no holdout orders, so there is nothing to show yet.")


def _holdout(evaluation: Evaluation) -> str:
    return f"{evaluation.holdout_orders:,} orders, {evaluation.holdout_from} to {evaluation.holdout_to}"
