"""The evaluation of a model on a holdout it never saw, as a record that can be stored and compared; and the baselines it must beat."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.vocabulary import SEASONS, season_codes
from globolatte_ml.model.features import expected_shares
from globolatte_ml.model.metrics import (
    Interval,
    Metrics,
    ReliabilityBin,
    expected_calibration_error,
    hit_rate,
    log_loss,
    losses,
    metrics,
    paired_bootstrap,
    reliability,
)
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.priors import chain_popularity, learn_feature_space
from globolatte_ml.training.proofs import Proofs

UNIFORM = "uniform"
POPULARITY = "popularity"
REGIONAL_POPULARITY = "popularity by business unit and season"
FAVOURITE = "customer favourite"
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
        by_product: by what was bought; calibration says nothing here.
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
    return evaluate(PreferenceModel.load(model) if isinstance(model, Path) else model, snapshot, seed)[0]


def evaluate(model: PreferenceModel, snapshot: SnapshotOrders, seed: int = 0) -> tuple[Evaluation, np.ndarray]:
    """The evaluation on the snapshot's holdout, and the probabilities that it rests on, shape (holdout orders, K).

    `seed` is that of the bootstrap.
    """
    holdout = snapshot.holdout
    chosen, contexts = snapshot.chosen[holdout], snapshot.contexts.take(holdout)
    probabilities = model.predict_proba(snapshot.states.take(holdout), contexts, snapshot.products)
    dates = np.sort(contexts.date)
    baselines = baseline_probabilities(snapshot, holdout) if len(chosen) else {}
    history = snapshot.states.order_count[holdout]
    lengths = {label: (history >= low) & (history <= high) for label, (low, high) in HISTORY_LENGTHS.items()}
    units = {str(unit): contexts.business_unit == unit for unit in np.unique(contexts.business_unit)}
    seasons = {season: season_codes(contexts.date) == code for code, season in enumerate(SEASONS)}
    gain = gain_over(probabilities, baselines[POPULARITY], snapshot, holdout, seed) if len(chosen) else None
    evaluation = Evaluation(
        model_version=model.content_hash(),
        holdout_id=_holdout_id(snapshot.order_keys[holdout], snapshot.y[holdout], snapshot.products),
        training_orders=int((~holdout).sum()),
        holdout_orders=len(chosen),
        holdout_from=str(dates[0]) if len(dates) else None,
        holdout_to=str(dates[-1]) if len(dates) else None,
        n_products=len(snapshot.products),
        model=metrics(probabilities, chosen) if len(chosen) else None,
        baselines={name: metrics(answer, chosen) for name, answer in baselines.items()},
        gain_over_popularity=gain,
        by_business_unit=_by_group(probabilities, chosen, units),
        by_season=_by_group(probabilities, chosen, seasons),
        by_history=_by_group(probabilities, chosen, lengths),
        reliability=reliability(probabilities, chosen) if len(chosen) else (),
        by_product=_by_group(probabilities, chosen, {p: chosen == i for i, p in enumerate(snapshot.products)}),
    )
    return evaluation, probabilities


def gain_over(
    challenger: np.ndarray, champion: np.ndarray, snapshot: SnapshotOrders, holdout: np.ndarray, seed: int = 0
) -> Interval | None:
    """Log loss of `champion` minus that of `challenger`, probabilities (holdout orders, K) both; None without holdout orders."""
    chosen = snapshot.chosen[holdout]
    if not len(chosen):
        return None
    difference = losses(champion, chosen) - losses(challenger, chosen)
    return paired_bootstrap(difference, snapshot.customer_ids[holdout], seed=seed)


def holdout_table(snapshot: SnapshotOrders, probabilities: np.ndarray) -> pa.Table:
    """order_key, order_id, product_id, probability: one row per holdout order and product.

    `probabilities` are those of the snapshot's holdout orders, shape (holdout orders, K).
    """
    n_orders, n_products = probabilities.shape
    order = np.repeat(np.flatnonzero(snapshot.holdout), n_products)
    product = np.tile(np.arange(n_products), n_orders)
    return pa.table(
        {
            "order_key": pa.array(snapshot.order_keys[order].tolist(), pa.string()),
            "order_id": pa.array(snapshot.order_ids[order].tolist(), pa.string()),
            "product_id": pa.array(list(snapshot.products), pa.string()).take(pa.array(product)),
            "probability": pa.array(probabilities.ravel()),
        }
    )


def _by_group(probabilities: np.ndarray, chosen: np.ndarray, groups: dict[str, np.ndarray]) -> dict[str, GroupMetrics]:
    return {
        label: GroupMetrics(
            orders=int(rows.sum()),
            log_loss=log_loss(probabilities[rows], chosen[rows]),
            hit_rate_at_1=hit_rate(probabilities[rows], chosen[rows], 1),
            expected_calibration_error=expected_calibration_error(probabilities[rows], chosen[rows]),
        )
        for label, rows in groups.items()
        if rows.any()
    }


def _holdout_id(order_keys: np.ndarray, y: np.ndarray, products: Sequence[str]) -> str:
    content = "\n".join([*products, "", *order_keys.tolist(), "", *y.tolist()])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def baseline_probabilities(snapshot: SnapshotOrders, holdout: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities for the holdout orders by baseline, each of shape (holdout orders, K).

    Fitted on the orders outside `holdout` (bool, shape (n,)); like the model, they see each customer's state at the time.
    """
    training, n_products = ~holdout, len(snapshot.products)
    shape = (int(holdout.sum()), n_products)
    popularity = chain_popularity(snapshot.chosen[training], n_products)
    space = learn_feature_space(
        snapshot.states.take(training), snapshot.contexts.take(training), snapshot.chosen[training], snapshot.products
    )
    return {
        UNIFORM: np.full(shape, 1.0 / n_products),
        POPULARITY: np.broadcast_to(popularity, shape),
        REGIONAL_POPULARITY: expected_shares(snapshot.contexts.take(holdout), space),
        FAVOURITE: _favourite(snapshot, holdout, popularity),
    }


def _favourite(snapshot: SnapshotOrders, holdout: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """The product the customer had most often, mixed with popularity; the weight is the best one in training."""
    main_orders, chosen = snapshot.states.main_orders, snapshot.chosen
    favourite = np.zeros(main_orders.shape)
    favourite[np.arange(len(favourite)), main_orders.argmax(axis=1)] = 1.0
    favourite[main_orders.sum(axis=1) == 0] = popularity
    fits = [log_loss((1 - weight) * popularity + weight * favourite[~holdout], chosen[~holdout]) for weight in _WEIGHTS]
    weight = _WEIGHTS[int(np.argmin(fits))]
    mixed: np.ndarray = (1 - weight) * popularity + weight * favourite[holdout]
    return mixed
