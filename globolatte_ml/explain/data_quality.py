"""Facts about the data that a model learned from."""

from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.vocabulary import UNKNOWN_WEATHER

RARE = 50
"""Situations below which little was learned of a product."""
LONG_SILENCE_DAYS = 7


@dataclass(frozen=True)
class Finding:
    """One fact. `concern`: why it matters, if it does."""

    subject: str
    value: str
    concern: str = ""


def data_findings(snapshot: SnapshotOrders) -> list[Finding]:
    """Facts about a snapshot of n >= 1 orders."""
    n, holdout = len(snapshot), snapshot.holdout
    dates = snapshot.contexts.date
    counts = np.bincount(snapshot.chosen[~holdout], minlength=len(snapshot.products))
    rare = [product for product, count in zip(snapshot.products, counts, strict=True) if count < RARE]
    without_history = float((snapshot.states.order_count == 0).mean())
    unknown_weather = float((snapshot.contexts.weather == UNKNOWN_WEATHER).mean())
    repeated = n - len(np.unique(snapshot.order_keys))
    empty_values = {
        name: int((getattr(snapshot.contexts, name) == "").sum()) for name in ("business_unit", "weather", "daypart")
    }
    empty = sum(empty_values.values())
    return [
        Finding(
            "orders",
            f"{n:,} from {dates.min()} to {dates.max()}, of {len(np.unique(snapshot.customer_ids)):,} customers",
        ),
        Finding("learned from, evaluated on", f"{int((~holdout).sum()):,}, {int(holdout.sum()):,}"),
        Finding(
            "orders without history",
            f"{without_history:.1%}",
            "for these the model knows place, time and weather only" if without_history > 0.02 else "",
        ),
        Finding(
            "orders of unknown weather",
            f"{unknown_weather:.1%}",
            "for these the season's mixture of weathers is assumed" if unknown_weather > 0.02 else "",
        ),
        Finding("orders that stand twice", f"{repeated:,}", "the same order would count twice" if repeated else ""),
        Finding(
            "empty fields",
            ", ".join(f"{name}: {count:,}" for name, count in empty_values.items() if count) or "none",
            "they are treated as words never seen" if empty else "",
        ),
        Finding(
            f"products with fewer than {RARE} orders to learn from",
            ", ".join(rare[:8]) or "none",
            "their probabilities rest on little" if rare else "",
        ),
        *_by_unit(snapshot),
    ]


def _by_unit(snapshot: SnapshotOrders) -> list[Finding]:
    found = []
    units = snapshot.contexts.business_unit
    for unit in np.unique(units).tolist():
        days = np.unique(snapshot.contexts.date[units == unit])
        gaps = np.diff(days).astype(np.int64)
        longest = int(gaps.max()) - 1 if len(gaps) else 0
        concern = f"{longest} days in a row without an order" if longest >= LONG_SILENCE_DAYS else ""
        found.append(Finding(f"unit {unit}", f"{int((units == unit).sum()):,} orders on {len(days):,} days", concern))
    return found
