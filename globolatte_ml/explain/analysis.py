"""All analyses of one model on one snapshot, as a record."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.vocabulary import UNKNOWN_WEATHER
from globolatte_ml.explain.causal import WeatherEffect, weather_effects
from globolatte_ml.explain.counterfactuals import Turned, share_turned, turning_changes
from globolatte_ml.explain.data_quality import Finding, data_findings
from globolatte_ml.explain.errors import HeatMap, Leaf, error_tree, heat_map
from globolatte_ml.explain.explanations import PLAYERS, Explanations, Predictor, Situations, explain
from globolatte_ml.explain.fairness import Group, by_group
from globolatte_ml.model.metrics import losses
from globolatte_ml.training.evaluation import HISTORY_LENGTHS, POPULARITY, baseline_probabilities

EXPLAINED, BACKGROUND = 64, 8
"""Holdout orders that are explained, and the training orders they are explained against: 131,000 predictions."""
PORTRAYED = 4
TURNED_SAMPLE = 300
FINDINGS = pa.schema(
    [
        *((name, pa.string()) for name in ("section", "subject", "measure")),
        *((name, pa.float64()) for name in ("estimate", "low", "high")),
        ("orders", pa.int64()),
        ("model_version", pa.string()),
        ("snapshot", pa.string()),
        ("recorded_at", pa.timestamp("us")),
    ]
)
Row = tuple[str, str, str, float, float | None, float | None, int | None]


@dataclass(frozen=True)
class Portrait:
    """One prediction in detail. words: the request as text; values: what each player added to the first choice, in the order of PLAYERS."""

    order_id: str
    words: str
    first: str
    probability: float
    base: float
    bought: str
    values: tuple[float, ...]
    turned: tuple[Turned, ...]


@dataclass(frozen=True)
class Analysis:
    """What was found; parts that need a holdout are empty without one."""

    products: tuple[str, ...]
    explanations: Explanations | None
    portraits: tuple[Portrait, ...]
    turned: Mapping[str, float]
    groups: tuple[Group, ...]
    leaves: tuple[Leaf, ...]
    heat: HeatMap | None
    effects: tuple[WeatherEffect, ...]
    data: tuple[Finding, ...]


def analyse(model: Predictor, snapshot: SnapshotOrders, names: Mapping[str, str], seed: int = 0) -> Analysis:
    """Analyses a model on its snapshot: the holdout for every evaluation, all orders for the effect of weather."""
    holdout, products = snapshot.holdout, snapshot.products
    everything = Situations(snapshot.states, snapshot.contexts)
    effects = weather_effects(model, everything, snapshot.chosen, snapshot.customer_ids, products)
    data = tuple(data_findings(snapshot))
    if not holdout.any():
        return Analysis(products, None, (), {}, (), (), None, tuple(effects), data)
    evaluated, chosen, customers = everything.take(holdout), snapshot.chosen[holdout], snapshot.customer_ids[holdout]
    probabilities = model.predict_proba(evaluated.states, evaluated.contexts, products)
    rng = np.random.default_rng(seed)
    shown = np.sort(rng.choice(len(evaluated), min(EXPLAINED, len(evaluated)), replace=False))
    past = np.flatnonzero(~holdout)
    background = everything.take(rng.choice(past, min(BACKGROUND, len(past)), replace=False))
    explanations = explain(model, evaluated.take(shown), background, products)
    loss, first = losses(probabilities, chosen), probabilities.argmax(axis=1)
    hits = (first == chosen).astype(np.float64)
    gain = losses(baseline_probabilities(snapshot, holdout)[POPULARITY], chosen) - loss
    per_order = {
        "log_loss": loss,
        "gain_over_popularity": gain,
        "hit_rate": hits,
        "calibration_gap": probabilities.max(axis=1) - hits,
    }
    some = evaluated.take(np.sort(rng.choice(len(evaluated), min(TURNED_SAMPLE, len(evaluated)), replace=False)))
    orders = np.flatnonzero(holdout)[shown]
    portraits = [
        _portrait(model, snapshot, explanations, at, int(orders[at]), names)
        for at in _portrayed(explanations, chosen[shown])
    ]
    return Analysis(
        products=products,
        explanations=explanations,
        portraits=tuple(portraits),
        turned=share_turned(model, some, products, *_words(everything)),
        groups=tuple(by_group(per_order, _groups(evaluated), customers, seed)),
        leaves=tuple(error_tree(evaluated, loss, hits, customers, seed)),
        heat=heat_map(evaluated, loss),
        effects=tuple(effects),
        data=data,
    )


def findings_table(analysis: Analysis, model_version: str, snapshot: str, now: dt.datetime) -> pa.Table:
    """Everything with a number, one row each: section, subject, measure, estimate and its interval. `now` is UTC without offset."""
    rows: list[Row] = []
    if analysis.explanations is not None:
        moved, sample = analysis.explanations.moved(), len(analysis.explanations.values)
        for player, value in zip(PLAYERS, moved, strict=True):
            rows.append(("importance", player, "probability_moved", float(value), None, None, sample))
    for kind, share in analysis.turned.items():
        rows.append(("counterfactual", kind, "share_of_first_choices_turned", share, None, None, None))
    for group in analysis.groups:
        for name, one in group.measures.items():
            subject = f"{group.kind}: {group.name}"
            rows.append(("fairness", subject, name, one.estimate, one.low, one.high, group.orders))
    rows += [("errors", leaf.rule, "log_loss", leaf.log_loss, None, None, leaf.orders) for leaf in analysis.leaves]
    for effect in analysis.effects:
        for product, *numbers in zip(analysis.products, effect.effect, effect.low, effect.high, strict=True):
            subject = f"{effect.treatment} instead of {effect.control}: {product}"
            estimate, low, high = (float(number) for number in numbers)
            rows.append(("effect", subject, "probability", estimate, low, high, effect.orders))
    about = (model_version, snapshot, now)
    return pa.Table.from_pylist([dict(zip(FINDINGS.names, (*row, *about), strict=True)) for row in rows], FINDINGS)


def _groups(evaluated: Situations) -> dict[tuple[str, str], np.ndarray]:
    units, history = evaluated.contexts.business_unit, evaluated.states.order_count
    found = {("unit", str(unit)): units == unit for unit in np.unique(units)}
    return found | {
        ("history", name): (history >= low) & (history <= high) for name, (low, high) in HISTORY_LENGTHS.items()
    }


def _words(orders: Situations) -> tuple[list[str], list[str]]:
    """Weathers that were known, and units that there were."""
    weathers = np.setdiff1d(orders.contexts.weather, [UNKNOWN_WEATHER])
    return weathers.tolist(), np.unique(orders.contexts.business_unit).tolist()


def _portrayed(explanations: Explanations, chosen: np.ndarray) -> list[int]:
    """A sure hit, a sure miss, the least sure, and the median: positions among the explained."""
    top = explanations.predicted.max(axis=1)
    hit = explanations.predicted.argmax(axis=1) == chosen
    candidates = [
        int(np.where(hit, top, -1.0).argmax()),
        int(np.where(hit, -1.0, top).argmax()),
        int(top.argmin()),
        int(np.argsort(top, kind="stable")[len(top) // 2]),
    ]
    return list(dict.fromkeys(candidates))[:PORTRAYED]


def _portrait(
    model: Predictor,
    snapshot: SnapshotOrders,
    explanations: Explanations,
    at: int,
    order: int,
    names: Mapping[str, str],
) -> Portrait:
    """Of the order at position `order` in the snapshot and `at` among the explained."""
    everything = Situations(snapshot.states, snapshot.contexts)
    one, top = everything.take(np.array([order])), int(explanations.predicted[at].argmax())
    contexts, products = one.contexts, snapshot.products
    holiday = ", a holiday" if contexts.is_holiday[0] else ""
    words = (
        f"{contexts.business_unit[0]}, {contexts.date[0]} in the {contexts.daypart[0]}, {contexts.weather[0]}{holiday}; "
        f"{int(one.states.order_count[0])} orders before"
    )
    return Portrait(
        order_id=str(snapshot.order_ids[order]),
        words=words,
        first=names.get(products[top], products[top]),
        probability=float(explanations.predicted[at, top]),
        base=float(explanations.base[top]),
        bought=names.get(str(snapshot.y[order]), str(snapshot.y[order])),
        values=tuple(explanations.values[at, :, top].tolist()),
        turned=tuple(turning_changes(model, one, products, *_words(everything), dict(names))),
    )
