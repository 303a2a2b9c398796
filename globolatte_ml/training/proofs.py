"""What a training job proves about its model besides its quality: no leakage, reproducible, fast, small."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS, encode, one_hot
from globolatte_ml.job_entry import write_json
from globolatte_ml.model.model import PreferenceModel

PROOFS_FILE = "proofs.json"
REFIT_ORDERS = 20_000
"""A model of more training orders is proven on its last ones: a second training would take too long."""
TIMED_PREDICTIONS = 200
REPLAYED_ORDERS = 300
SAME_COUNT = 1e-6


@dataclass(frozen=True)
class Proofs:
    """What was measured.

    Attributes:
        refitted_orders: training orders of the second fit.
        same_hash_again: whether that fit, with the outcomes of the holdout shuffled, gave the same content hash: training does not
            see the future, and gives the same model for the same past.
        replayed_orders: holdout orders whose state was computed anew from the snapshot's orders of earlier dates alone.
        states_differ: how many of them had been given another state.
        microseconds: median time of one prediction in this process. bytes: size of the model folder.
    """

    refitted_orders: int
    same_hash_again: bool
    replayed_orders: int
    states_differ: int
    microseconds: float
    bytes: int


def prove(
    model: PreferenceModel,
    snapshot: SnapshotOrders,
    folder: Path,
    fit: Callable[[SnapshotOrders], PreferenceModel],
    seed: int = 0,
) -> Proofs:
    """All proofs of a model that `fit` made of `snapshot`, and that was saved in `folder`."""
    refitted, same = same_hash_with_a_shuffled_future(model, snapshot, fit, seed)
    replayed, differ = states_that_know_the_future(snapshot)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Proofs(refitted, same, replayed, differ, microseconds_of_one(model, snapshot), size)


def same_hash_with_a_shuffled_future(
    model: PreferenceModel, snapshot: SnapshotOrders, fit: Callable[[SnapshotOrders], PreferenceModel], seed: int
) -> tuple[int, bool]:
    """Training orders fitted again, and whether `fit` makes the same of a snapshot whose holdout's outcomes are shuffled."""
    first, holdout = model.content_hash(), snapshot.holdout
    if int((~holdout).sum()) > REFIT_ORDERS:
        latest = np.flatnonzero(~holdout)[-REFIT_ORDERS]
        snapshot = snapshot.take(np.arange(latest, len(snapshot)))
        first, holdout = fit(snapshot).content_hash(), snapshot.holdout
    shuffled, future = snapshot.y.copy(), np.flatnonzero(holdout)
    shuffled[future] = shuffled[np.random.default_rng(seed).permutation(future)]
    return int((~holdout).sum()), first == fit(replace(snapshot, y=shuffled)).content_hash()


def states_that_know_the_future(snapshot: SnapshotOrders) -> tuple[int, int]:
    """Of some holdout orders (all, or evenly spread ones): how many were looked at, and how many have a state that the customer's
    orders of earlier dates do not give, less what was refunded on earlier dates."""
    future, past = np.flatnonzero(snapshot.holdout), snapshot.past
    looked_at = future[:: max(1, len(future) // REPLAYED_ORDERS)]
    customers, customer = np.unique(past.customer_ids, return_inverse=True)
    by_customer = np.argsort(customer, kind="stable")
    bounds = np.searchsorted(customer[by_customer], np.arange(len(customers) + 1))
    differ = 0
    for row in looked_at.tolist():
        own = by_customer[bounds[customer[row]] : bounds[customer[row] + 1]]
        date = snapshot.contexts.date[row]
        own = own[past.dates[own] < date]
        in_time = np.lexsort((past.order_keys[own], past.ordered_at[own], past.dates[own]))
        earlier = past.take(own[in_time])
        chosen = earlier.chosen_before(date)
        differ += not _is_the_state_after(snapshot, chosen[chosen >= 0], earlier.dayparts[chosen >= 0], row)
    return len(looked_at), differ


def _is_the_state_after(snapshot: SnapshotOrders, chosen: np.ndarray, dayparts: np.ndarray, row: int) -> bool:
    """Whether the state of order `row` is what earlier orders make it: their main products and dayparts, in time order."""
    state: CustomerStates = snapshot.states.take(np.array([row]))
    counts = np.bincount(chosen, minlength=len(snapshot.products))
    hours = one_hot(encode(dayparts, DAYPARTS), len(DAYPARTS)).sum(axis=0)
    recent = np.full(state.recent_products.shape[1], -1)
    latest = chosen[::-1][: len(recent)]
    recent[: len(latest)] = latest
    return bool(
        state.order_count[0] == len(chosen)
        and np.abs(state.main_orders[0] - counts).max() < SAME_COUNT
        and np.array_equal(state.daypart_orders[0], hours)
        and np.array_equal(state.recent_products[0], recent)
    )


def microseconds_of_one(model: PreferenceModel, snapshot: SnapshotOrders) -> float:
    """Median time of a single prediction, over the last orders of the snapshot."""
    times = []
    for row in range(max(0, len(snapshot) - TIMED_PREDICTIONS), len(snapshot)):
        one = np.array([row])
        states, contexts = snapshot.states.take(one), snapshot.contexts.take(one)
        started = time.perf_counter_ns()
        model.predict_proba(states, contexts)
        times.append(time.perf_counter_ns() - started)
    return float(np.median(times)) / 1000.0


def write_proofs(proofs: Proofs, folder: Path) -> None:
    """Stores the proofs beside the model."""
    write_json(folder / PROOFS_FILE, asdict(proofs))


def stored_proofs(folder: Path) -> Proofs | None:
    """The proofs stored in a model folder; None if there are none, as for models made by other means."""
    file = folder / PROOFS_FILE
    return Proofs(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None
