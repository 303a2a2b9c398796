"""Performance: the champion's predictions for a window's orders, each as of its order, against what was bought."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns
from globolatte_ml.data.orders import Contexts, Orders
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.monitoring.verdicts import PerformanceVerdict, Status
from globolatte_ml.monitoring.windows import CHAIN, Window
from globolatte_ml.training.answers import answers_of

BOOTSTRAP_ROUNDS = 400
BAND_WIDTH = 3.0
"""Standard deviations of a window's mean on both sides of the holdout's: many windows are looked at, few may be outside by chance."""
TOLERATED_LOSS = 0.03
TOLERATED_HITS = 0.02
"""What a season may cost on top: a holdout is an eighth of the span and knows no more than that part of the year."""
FEWEST_HOLDOUT_ORDERS = 200


@dataclass(frozen=True)
class Outcomes:
    """n orders evaluated one by one: log loss (nats), whether the most probable product was bought, customer and unit."""

    loss: np.ndarray
    hit: np.ndarray
    customer: np.ndarray
    unit: np.ndarray

    def of(self, scope: str) -> "Outcomes":
        """Those of a unit, or all of them where it has too few to say anything."""
        mine = self.unit == scope
        if scope == CHAIN or mine.sum() < FEWEST_HOLDOUT_ORDERS:
            return self
        return Outcomes(self.loss[mine], self.hit[mine], self.customer[mine], self.unit[mine])


@dataclass(frozen=True)
class Band:
    """What the champion is expected to keep within, for windows of one size."""

    highest_log_loss: float
    lowest_hit_rate: float


def holdout_outcomes(model: PreferenceModel, snapshot: SnapshotOrders) -> Outcomes | None:
    """The champion on the holdout of its own snapshot, which it never saw; none if the snapshot has no holdout."""
    holdout = snapshot.holdout
    if not holdout.any():
        return None
    answers = answers_of(
        model, Orders(snapshot.states, snapshot.contexts, snapshot.chosen).take(holdout), snapshot.products
    )
    units = snapshot.contexts.business_unit[holdout]
    return Outcomes(answers.loss, answers.place == 1, snapshot.customer_ids[holdout], units)


def performance_band(holdout: Outcomes, scope: str, orders: int, seed: int = 0) -> Band:
    """The band for windows of `orders` orders of a scope.

    Windows of that size are drawn from the holdout, whole customers at a time (their orders are correlated); the band is
    `BAND_WIDTH` standard deviations of their means, and a tolerance for the season.
    """
    mine = holdout.of(scope)
    _, customer, counts = np.unique(mine.customer, return_inverse=True, return_counts=True)
    loss, hits = np.bincount(customer, weights=mine.loss), np.bincount(customer, weights=mine.hit)
    draws = max(1, round(orders / counts.mean()))
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(counts), (BOOTSTRAP_ROUNDS, draws))
    size = counts[drawn].sum(axis=1)
    loss_deviation = (loss[drawn].sum(axis=1) / size).std()
    hit_deviation = (hits[drawn].sum(axis=1) / size).std()
    return Band(
        highest_log_loss=float(mine.loss.mean() + BAND_WIDTH * loss_deviation + TOLERATED_LOSS),
        lowest_hit_rate=float(mine.hit.mean() - BAND_WIDTH * hit_deviation - TOLERATED_HITS),
    )


def measure_performance(
    window: Window,
    examples: pa.Table,
    example_products: pa.Table,
    model: PreferenceModel,
    holdout: Outcomes,
    *,
    is_broken: bool = False,
) -> PerformanceVerdict:
    """Predict every order of the window with its state as of that order, and compare with what was bought.

    A product that the model has never seen is part of the catalogue here: failing to foresee it is a failure.

    Args:
        examples, example_products: the window's training examples and their product states.
        holdout: see `holdout_outcomes`.
        is_broken: the window's data are broken; nothing is evaluated then.
    """
    band = performance_band(holdout, window.scope, max(window.orders, 1))
    loss = hits = None
    status = Status.BROKEN
    if not is_broken and examples.num_rows:
        bought = columns.strings(examples, "main_product_id")
        catalogue = tuple(sorted({*model.classes_.tolist(), *np.unique(bought).tolist()}))
        states = CustomerStates.from_tables(examples, example_products, "order_key", catalogue)
        chosen = np.searchsorted(np.array(catalogue), bought)
        answers = answers_of(model, Orders(states, Contexts.from_table(examples), chosen), catalogue)
        loss, hits = float(answers.loss.mean()), answers.hit_rate(1)
        below = loss > band.highest_log_loss or hits < band.lowest_hit_rate
        status = Status.BELOW_BAND if below else Status.OK
    return PerformanceVerdict(window, status, loss, hits, band.highest_log_loss, band.lowest_hit_rate)
