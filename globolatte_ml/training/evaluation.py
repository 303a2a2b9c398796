"""The evaluation of a model on a holdout it never saw, as a record that can be stored and compared; and the baselines it must beat."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from globolatte_ml.data.orders import Contexts, Orders
from globolatte_ml.data.ranking import BEST_STORED, EVERY_PRODUCT_UP_TO, pieces
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import SEASONS, Vocabulary, encode, season_codes
from globolatte_ml.model.metrics import Interval, Metrics, ReliabilityBin, paired_bootstrap
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.priors import chain_popularity, learn_popularity
from globolatte_ml.training.answers import Answers, Predictions
from globolatte_ml.training.proofs import Proofs

UNIFORM = "uniform"
POPULARITY = "popularity"
REGIONAL_POPULARITY = "popularity by business unit and season"
FAVOURITE = "customer favourite"
OTHER_PRODUCTS = "all other products"
_WEIGHTS = np.arange(0.0, 1.0, 0.05)
HISTORY_LENGTHS = {"no orders": (0, 0), "1-4 orders": (1, 4), "5-19 orders": (5, 19), "20+ orders": (20, 2**62)}


@dataclass(frozen=True)
class GroupMetrics:
    """Quality within one group of holdout orders."""

    orders: int
    log_loss: float
    hit_rate_at_1: float
    expected_calibration_error: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """How one model does on one holdout.

    Attributes:
        model_version: content hash of the model.
        holdout_id: hash over the holdout's orders and the catalogue; only equal ids may be compared.
        training_orders, holdout_orders: sizes of the split.
        holdout_from, holdout_to: first and last business date, ISO; None without a holdout.
        n_products: size of the catalogue.
        model: None without holdout orders, as is `gain_over_popularity`.
        baselines: by name, see `baselines.py`; empty without holdout orders.
        gain_over_popularity: log loss of popularity minus the model's, nats per order, bootstrap over customers.
        by_business_unit, by_season, by_history: groups that have holdout orders.
        by_product: by what was bought, in a large catalogue the products most often bought and all others in one; calibration says
            nothing here.
        reliability: predicted against observed.
        gain_over_champion: log loss of the champion minus the model's; None without a champion evaluated on the same holdout.
        proofs: what the training job proved about the model itself; None if it stored none.
    """

    model_version: str
    holdout_id: str
    training_orders: int
    holdout_orders: int
    holdout_from: str | None
    holdout_to: str | None
    n_products: int
    model: Metrics | None
    baselines: dict[str, Metrics]
    gain_over_popularity: Interval | None
    by_business_unit: dict[str, GroupMetrics]
    by_season: dict[str, GroupMetrics]
    by_history: dict[str, GroupMetrics]
    reliability: tuple[ReliabilityBin, ...]
    by_product: dict[str, GroupMetrics] = field(default_factory=dict)
    gain_over_champion: Interval | None = None
    proofs: Proofs | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-safe values only."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Evaluation:
        """The inverse of `as_dict`, also after a trip through JSON."""
        return TypeAdapter(cls).validate_python(record)


def evaluate_model(model: PreferenceModel | Path, snapshot: SnapshotOrders, seed: int = 0) -> Evaluation:
    """Evaluate a model (or the one saved in a folder) on the snapshot's holdout.

    A champion trained on an earlier snapshot is evaluated on the challenger's holdout this way: same orders, same states,
    same catalogue.
    """
    return evaluate(PreferenceModel.load(model) if isinstance(model, Path) else model, snapshot, seed).evaluation


@dataclass(frozen=True)
class Evaluated:
    """A model's evaluation, how each holdout order was predicted, and the predictions as they are stored."""

    evaluation: Evaluation
    answers: Answers
    predictions: Predictions


def evaluate(model: PreferenceModel, snapshot: SnapshotOrders, seed: int = 0) -> Evaluated:
    """The evaluation on the snapshot's holdout, in pieces: no table of all orders x products is made.

    `seed` is that of the bootstrap.
    """
    holdout, n_products = snapshot.holdout, len(snapshot.products)
    orders, chosen = np.flatnonzero(holdout), snapshot.chosen[holdout]
    states, contexts = snapshot.states.take(holdout), snapshot.contexts.take(holdout)
    predictions = [Predictions.of(snapshot, orders[:0], np.empty((0, n_products)))]
    own = [Answers.of(np.empty((0, n_products)), chosen[:0])]
    for rows in pieces(len(chosen), n_products):
        probabilities = model.predict_proba(states.take(rows), contexts.take(rows), snapshot.products)
        own.append(Answers.of(probabilities, chosen[rows]))
        predictions.append(Predictions.of(snapshot, orders[rows], probabilities))
    answers = Answers.together(own)
    orders_of_holdout = Orders(states, contexts, chosen)
    by_baseline = Baselines.learned(snapshot, holdout).answers(orders_of_holdout) if len(chosen) else {}
    dates, history = np.sort(contexts.date), states.order_count
    lengths = {label: (history >= low) & (history <= high) for label, (low, high) in HISTORY_LENGTHS.items()}
    units = {str(unit): contexts.business_unit == unit for unit in np.unique(contexts.business_unit)}
    seasons = {season: season_codes(contexts.date) == code for code, season in enumerate(SEASONS)}
    evaluation = Evaluation(
        model_version=model.content_hash(),
        holdout_id=_holdout_id(snapshot.order_keys[holdout], snapshot.y[holdout], snapshot.products),
        training_orders=int((~holdout).sum()),
        holdout_orders=len(chosen),
        holdout_from=str(dates[0]) if len(dates) else None,
        holdout_to=str(dates[-1]) if len(dates) else None,
        n_products=n_products,
        model=answers.metrics() if len(chosen) else None,
        baselines={name: answer.metrics() for name, answer in by_baseline.items()},
        gain_over_popularity=gain_over(answers, by_baseline[POPULARITY], snapshot, seed) if len(chosen) else None,
        by_business_unit=_by_group(answers, units),
        by_season=_by_group(answers, seasons),
        by_history=_by_group(answers, lengths),
        reliability=answers.reliability() if len(chosen) else (),
        by_product=_by_group(answers, _bought(chosen, snapshot.products)),
    )
    return Evaluated(evaluation, answers, Predictions.together(predictions))


def gain_over(challenger: Answers, champion: Answers, snapshot: SnapshotOrders, seed: int = 0) -> Interval | None:
    """Log loss of `champion` minus that of `challenger` on the snapshot's holdout; None without holdout orders."""
    if not len(challenger):
        return None
    return paired_bootstrap(champion.loss - challenger.loss, snapshot.customer_ids[snapshot.holdout], seed=seed)


def _by_group(answers: Answers, groups: dict[str, np.ndarray]) -> dict[str, GroupMetrics]:
    return {
        label: GroupMetrics(
            orders=int(rows.sum()),
            log_loss=float(answers.loss[rows].mean()),
            hit_rate_at_1=answers.take(rows).hit_rate(1),
            expected_calibration_error=answers.take(rows).calibration_error(),
        )
        for label, rows in groups.items()
        if rows.any()
    }


def _bought(chosen: np.ndarray, products: Sequence[str]) -> dict[str, np.ndarray]:
    """The orders of each product that was bought; of a large catalogue those most often bought, all others in one."""
    bought, orders = np.unique(chosen, return_counts=True)
    if len(products) <= EVERY_PRODUCT_UP_TO:
        return {products[i]: chosen == i for i in bought.tolist()}
    shown = np.sort(bought[np.argsort(-orders, kind="stable")[:BEST_STORED]])
    return {**{products[i]: chosen == i for i in shown.tolist()}, OTHER_PRODUCTS: ~np.isin(chosen, shown)}


def _holdout_id(order_keys: np.ndarray, y: np.ndarray, products: Sequence[str]) -> str:
    content = "\n".join([*products, "", *order_keys.tolist(), "", *y.tolist()])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def baseline_probabilities(snapshot: SnapshotOrders, holdout: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities for the holdout orders by baseline, each of shape (holdout orders, K), of `Baselines.learned`."""
    baselines = Baselines.learned(snapshot, holdout)
    return dict(baselines.of(snapshot.states.take(holdout), snapshot.contexts.take(holdout)))


@dataclass(frozen=True)
class Baselines:
    """What is predicted without a model. popularity (K,); by_cell (R + 1, 4, K), of `units` and seasons; `weight` of the favourite."""

    popularity: np.ndarray
    by_cell: np.ndarray
    units: tuple[str, ...]
    weight: float

    @classmethod
    def learned(cls, snapshot: SnapshotOrders, holdout: np.ndarray) -> Baselines:
        """Fitted on the orders outside `holdout` (bool, shape (n,)); like the model, they see each customer's state at the time."""
        training, n_products = ~holdout, len(snapshot.products)
        contexts, chosen = snapshot.contexts.take(training), snapshot.chosen[training]
        units = Vocabulary.learn(snapshot.products, contexts.business_unit, contexts.weather).business_units
        unit, season = encode(contexts.business_unit, units), season_codes(contexts.date)
        popularity = chain_popularity(chosen, n_products)
        favourite, share = favourites(snapshot.states.take(training)), popularity[chosen]
        hit = np.where(favourite < 0, share, favourite == chosen)
        fits = [-np.log((1 - weight) * share + weight * hit).mean() for weight in _WEIGHTS]
        by_cell = learn_popularity(chosen, unit, season, len(units), n_products)
        return cls(popularity, by_cell, units, float(_WEIGHTS[int(np.argmin(fits))]))

    def of(self, states: CustomerStates, contexts: Contexts) -> Iterator[tuple[str, np.ndarray]]:
        """Name and probabilities (n, K) of each."""
        shape = (len(contexts), len(self.popularity))
        yield UNIFORM, np.full(shape, 1.0 / shape[1])
        yield POPULARITY, np.broadcast_to(self.popularity, shape)
        yield REGIONAL_POPULARITY, self.by_cell[encode(contexts.business_unit, self.units), season_codes(contexts.date)]
        favourite = favourites(states)
        known = np.flatnonzero(favourite >= 0)
        mixed = np.tile((1 - self.weight) * self.popularity, (len(contexts), 1))
        mixed[known, favourite[known]] += self.weight
        mixed[favourite < 0] += self.weight * self.popularity
        yield FAVOURITE, mixed

    def answers(self, orders: Orders) -> dict[str, Answers]:
        """How each predicts n orders, n >= 1."""
        found: dict[str, list[Answers]] = {}
        for rows in pieces(len(orders), len(self.popularity)):
            part = orders.take(rows)
            for name, probabilities in self.of(part.states, part.contexts):
                found.setdefault(name, []).append(Answers.of(probabilities, part.chosen))
        return {name: Answers.together(parts) for name, parts in found.items()}


def favourites(states: CustomerStates) -> np.ndarray:
    """The product that each customer had most often as the main one, the first of equal ones; -1 without any. Shape (n,)."""
    bought = states.bought
    order = np.lexsort((bought.product, -bought.main_orders, bought.row))
    order = order[bought.main_orders[order] > 0]
    rows, first = np.unique(bought.row[order], return_index=True)
    favourite = np.full(len(states), -1, dtype=np.int64)
    favourite[rows] = bought.product[order][first]
    return favourite
