"""How well orders were predicted, order by order, and the predictions as they are stored: what is left of tables of orders x products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from globolatte_ml.data.orders import Orders
from globolatte_ml.data.ranking import EVERY_PRODUCT_UP_TO, best, pieces, places, stored_of
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.model.metrics import CALIBRATION_BINS, Metrics, ReliabilityBin, losses
from globolatte_ml.model.model import PreferenceModel


@dataclass(frozen=True)
class Answers:
    """How n orders were predicted. Takes memory in proportion to n, whatever the catalogue.

    Attributes:
        loss: -log of the probability of what was chosen, nats, shape (n,).
        place: its rank from 1, shape (n,).
        pairs, predicted, observed: of each order's products the number, the sum of their probabilities and how many were chosen, by bin
            of probability, shape (n, bins); see `metrics.reliability`.
    """

    loss: np.ndarray
    place: np.ndarray
    pairs: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray

    def __len__(self) -> int:
        return len(self.loss)

    @classmethod
    def of(cls, probabilities: np.ndarray, chosen: np.ndarray, bins: int = CALIBRATION_BINS) -> Answers:
        """Of n orders whose product was `chosen` (n,), predicted with `probabilities` (n, K)."""
        n, row = len(chosen), np.arange(len(chosen))
        bin_of = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
        cell = (row[:, None] * bins + bin_of).ravel()
        observed = np.zeros((n, bins))
        observed[row, bin_of[row, chosen]] = 1.0
        return cls(
            loss=losses(probabilities, chosen),
            place=places(probabilities, chosen),
            pairs=np.bincount(cell, minlength=n * bins).reshape(n, bins),
            predicted=np.bincount(cell, probabilities.ravel(), minlength=n * bins).reshape(n, bins),
            observed=observed,
        )

    @classmethod
    def together(cls, parts: Sequence[Answers]) -> Answers:
        """The orders of all parts; at least one."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})

    def take(self, rows: np.ndarray) -> Answers:
        """The orders at `rows`, positions or a boolean mask."""
        return Answers(**{name: of[rows] for name, of in vars(self).items()})

    def hit_rate(self, k: int) -> float:
        """Share of orders whose product was among the k most probable."""
        return float((self.place <= k).mean())

    def reliability(self) -> tuple[ReliabilityBin, ...]:
        """As `metrics.reliability`."""
        size, predicted, observed = (of.sum(axis=0) for of in (self.pairs, self.predicted, self.observed))
        return tuple(
            ReliabilityBin(float(predicted[i] / size[i]), float(observed[i] / size[i]), float(size[i] / size.sum()))
            for i in np.flatnonzero(size)
        )

    def calibration_error(self) -> float:
        """As `metrics.expected_calibration_error`."""
        return float(sum(one.weight * abs(one.predicted - one.observed) for one in self.reliability()))

    def metrics(self) -> Metrics:
        """All metrics; n >= 1."""
        return Metrics(float(self.loss.mean()), self.hit_rate(1), self.hit_rate(3), self.calibration_error())


def answers_of(model: PreferenceModel, orders: Orders, products: Sequence[str]) -> Answers:
    """How a model predicts n orders over a catalogue, n >= 1; in pieces, without a table of all orders x products."""
    parts = [orders.take(rows) for rows in pieces(len(orders), len(products))]
    return Answers.together(
        [Answers.of(model.predict_proba(part.states, part.contexts, products), part.chosen) for part in parts]
    )


@dataclass(frozen=True)
class Predictions:
    """Predictions for a holdout as they are stored.

    Attributes:
        listed: order_key, order_id, product_id, probability: one row per order and product. Of a catalogue of more than
            `EVERY_PRODUCT_UP_TO` products the best ones and, where it is not among them, the one that was bought; with their `rank`.
        rest: order_key, order_id, products, probability: how many products of an order are not listed, and what they sum to; no rows
            where all are listed.
    """

    listed: pa.Table
    rest: pa.Table

    @classmethod
    def of(cls, snapshot: SnapshotOrders, orders: np.ndarray, probabilities: np.ndarray) -> Predictions:
        """Of the orders of a snapshot at `orders` (n,), predicted with `probabilities` (n, K)."""
        n, n_products = probabilities.shape
        stored = stored_of(n_products)
        if n_products <= EVERY_PRODUCT_UP_TO:
            product = np.tile(np.arange(n_products), n)
            listed = _rows(snapshot, np.repeat(orders, n_products), product, probabilities.ravel())
            return cls(listed, _rest(snapshot, orders[:0], np.empty(0, np.int64), np.empty(0)))
        chosen, row = snapshot.chosen[orders], np.arange(n)
        found, place = best(probabilities, stored), places(probabilities, chosen)
        more = np.flatnonzero(place > stored)
        order = np.concatenate((np.repeat(row, stored), more))
        product = np.concatenate((found.ravel(), chosen[more]))
        rank = np.concatenate((np.tile(np.arange(1, stored + 1), n), place[more]))
        in_order = np.lexsort((rank, order))
        order, product, rank = order[in_order], product[in_order], rank[in_order]
        share = probabilities[order, product]
        listed = _rows(snapshot, orders[order], product, share).append_column("rank", pa.array(rank))
        left = probabilities.sum(axis=1) - np.bincount(order, share, minlength=n)
        return cls(listed, _rest(snapshot, orders, n_products - np.bincount(order, minlength=n), left.clip(min=0.0)))

    @classmethod
    def together(cls, parts: Sequence[Predictions]) -> Predictions:
        """Those of all parts; at least one."""
        return cls(pa.concat_tables(part.listed for part in parts), pa.concat_tables(part.rest for part in parts))


def _rows(snapshot: SnapshotOrders, order: np.ndarray, product: np.ndarray, probability: np.ndarray) -> pa.Table:
    return pa.table(
        {
            **_keys(snapshot, order),
            "product_id": pa.array(list(snapshot.products), pa.string()).take(pa.array(product)),
            "probability": pa.array(probability),
        }
    )


def _rest(snapshot: SnapshotOrders, order: np.ndarray, products: np.ndarray, probability: np.ndarray) -> pa.Table:
    return pa.table({**_keys(snapshot, order), "products": pa.array(products), "probability": pa.array(probability)})


def _keys(snapshot: SnapshotOrders, order: np.ndarray) -> dict[str, pa.Array]:
    own, at = np.unique(order, return_inverse=True)
    return {
        "order_key": pa.array(snapshot.order_keys[own].tolist(), pa.string()).take(pa.array(at)),
        "order_id": pa.array(snapshot.order_ids[own].tolist(), pa.string()).take(pa.array(at)),
    }
