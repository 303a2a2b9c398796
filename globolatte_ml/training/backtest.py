"""The rolling-origin backtest: the model as it would have been trained at several past dates, evaluated on what came next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.orders import HOLDOUT_FRACTION, Orders
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.model.metrics import Interval, Metrics, paired_bootstrap
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.training.answers import answers_of
from globolatte_ml.training.evaluation import FAVOURITE, POPULARITY, Baselines

ORIGINS = 4
MINIMUM_FOLD_ORDERS = 30
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Fold:
    """One origin: trained on the orders before `origin`, evaluated on those from then until `last`, both included.

    `gain` is the favourite baseline's log loss minus the model's, with its 95 % bootstrap interval over customers.
    """

    origin: str
    last: str
    training_orders: int
    orders: int
    model: Metrics
    popularity: Metrics
    favourite: Metrics
    gain: Interval


def origins(dates: np.ndarray, count: int = ORIGINS) -> list[tuple[np.datetime64, np.datetime64]]:
    """First and last date of each fold, oldest first: neighbouring spans of an eighth of all days each, the last one ending with
    the last date. At least half of the days come before the first fold."""
    days = int((dates.max() - dates.min()) / _DAY) + 1
    length = days // HOLDOUT_FRACTION
    if length < 1:
        return []
    folds = [
        (dates.max() - (back + 1) * length * _DAY + _DAY, dates.max() - back * length * _DAY) for back in range(count)
    ]
    return [fold for fold in reversed(folds) if (fold[0] - dates.min()) / _DAY >= days // 2]


def rolling_origin(snapshot: SnapshotOrders, count: int = ORIGINS, seed: int = 0) -> Iterator[Fold]:
    """The folds with enough orders, oldest first. Each trains a model anew: it takes as long as `count` trainings."""
    for first, last in origins(snapshot.contexts.date, count):
        seen = snapshot.take(snapshot.contexts.date <= last)
        future = seen.contexts.date >= first
        if future.sum() >= MINIMUM_FOLD_ORDERS and not future.all():
            yield _fold(seen, future, seed)


def _fold(seen: SnapshotOrders, future: np.ndarray, seed: int) -> Fold:
    past = ~future
    model = PreferenceModel(random_state=seed).fit(
        seen.states.take(past), seen.contexts.take(past), seen.y[past], seen.products
    )
    orders = Orders(seen.states, seen.contexts, seen.chosen).take(future)
    answers = answers_of(model, orders, seen.products)
    baselines = Baselines.learned(seen, future).answers(orders)
    difference = baselines[FAVOURITE].loss - answers.loss
    dates = seen.contexts.date[future]
    return Fold(
        origin=str(dates.min()),
        last=str(dates.max()),
        training_orders=int(past.sum()),
        orders=len(orders),
        model=answers.metrics(),
        popularity=baselines[POPULARITY].metrics(),
        favourite=baselines[FAVOURITE].metrics(),
        gain=paired_bootstrap(difference, seen.customer_ids[future], seed=seed),
    )
