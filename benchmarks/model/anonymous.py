"""Whether anonymous orders are worth learning from: the model with and without them as examples of customers without history.

Three kinds of anonymous sales, a quarter of a chain's orders each: regular customers who left their card at home; customers who
never name themselves; and such customers who, in half of their orders, buy what the chain sells most, so that their tastes are not
those of the customers who are evaluated. Evaluated are the named customers' orders of the holdout, by the length of their history.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.model.chains import as_purchases
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.model.metrics import Interval, losses, paired_bootstrap
from globolatte_ml.model.model import PreferenceModel
from simulator import PUBLISHED_CHAIN, Simulation, simulate

SHARE = 0.25
FORGOTTEN, NEVER_NAMED, OTHER_TASTES = "card forgotten", "never named", "never named, other tastes"
KINDS = (FORGOTTEN, NEVER_NAMED, OTHER_TASTES)
HISTORIES = {"0": (0, 0), "1-2": (1, 2), "3-9": (3, 9), "10 and more": (10, np.inf), "all": (0, np.inf)}
SEEDS = (11, 12, 13)
OWN_STREAM = 25
"""Keeps who is anonymous independent of what the simulation draws from the same seed."""
SIZES = ((10_000, 1_000), (10_000, 5_000))


@dataclass(frozen=True)
class Gain:
    """What the anonymous orders bring for the orders of named customers with a history of some length.

    Attributes:
        without, with_them: log loss in nats. gain: how much lower it is with them, bootstrapped over customers.
    """

    kind: str
    orders: int
    customers: int
    history: str
    evaluated: int
    without: float
    with_them: float
    gain: Interval


def anonymous_orders(simulation: Simulation, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Which of n orders name nobody, bool of shape (n,): about `SHARE` of them."""
    orders, customers = len(simulation.orders), len(simulation.truth.segment)
    if kind == FORGOTTEN:
        forgotten: np.ndarray = rng.random(orders) < SHARE
        return forgotten
    nameless = rng.random(customers) < SHARE
    never: np.ndarray = nameless[simulation.orders["customer"].to_numpy()]
    return never


def without_names(simulation: Simulation, kind: str, seed: int) -> tuple[SnapshotOrders, np.ndarray]:
    """The chain's snapshot in which each anonymous order is a customer of its own, and which orders they are."""
    rng = np.random.default_rng([seed, OWN_STREAM])
    anonymous = anonymous_orders(simulation, kind, rng)
    orders, mains = simulation.orders.copy(), simulation.orders["main_product"].to_numpy().copy()
    customers = len(simulation.truth.segment)
    orders.loc[anonymous, "customer"] = customers + np.arange(int(anonymous.sum()))
    if kind == OTHER_TASTES:
        mains[anonymous & (rng.random(len(mains)) < 0.5)] = np.bincount(mains).argmax()
    return as_purchases(replace(simulation, orders=orders), mains, simulation.lines).snapshot(), anonymous


def fitted(snapshot: SnapshotOrders, rows: np.ndarray, seed: int) -> PreferenceModel:
    """The model of the orders at `rows`."""
    return PreferenceModel(random_state=seed).fit(
        snapshot.states.take(rows), snapshot.contexts.take(rows), snapshot.y[rows], snapshot.products
    )


def differences(kind: str, orders: int, customers: int, seed: int) -> dict[str, np.ndarray]:
    """Of each evaluated order: its customer, the length of the history, and the loss without and with the anonymous orders."""
    simulation = simulate(orders, customers, seed, variant=PUBLISHED_CHAIN)
    snapshot, anonymous = without_names(simulation, kind, seed)
    past, evaluated = ~snapshot.holdout, snapshot.holdout & ~anonymous
    states, contexts = snapshot.states.take(evaluated), snapshot.contexts.take(evaluated)
    loss = {
        name: losses(fitted(snapshot, rows, seed).predict_proba(states, contexts), snapshot.chosen[evaluated])
        for name, rows in (("without", past & ~anonymous), ("with", past))
    }
    people = np.array([f"{seed} {who}" for who in snapshot.customer_ids[evaluated].tolist()])
    return {"customer": people, "history": states.order_count, **loss}


def measured(
    kinds: Sequence[str], sizes: Sequence[tuple[int, int]], seeds: Sequence[int], say: Callable[[str], object]
) -> Iterator[list[Gain]]:
    """Kind by kind and size by size, over all seeds."""
    for orders, customers in sizes:
        for kind in kinds:
            started = time.perf_counter()
            of_seeds = [differences(kind, orders, customers, seed) for seed in seeds]
            say(f"{kind}, {orders:,} orders of {customers:,} customers: {time.perf_counter() - started:.0f} s")
            joined = {name: np.concatenate([one[name] for one in of_seeds]) for name in of_seeds[0]}
            yield list(_by_history(kind, orders, customers, joined))


def _by_history(kind: str, orders: int, customers: int, found: dict[str, np.ndarray]) -> Iterator[Gain]:
    for name, (fewest, most) in HISTORIES.items():
        rows = (found["history"] >= fewest) & (found["history"] <= most)
        if not rows.any():
            continue
        without, with_them = found["without"][rows], found["with"][rows]
        gain = paired_bootstrap(without - with_them, found["customer"][rows])
        yield Gain(kind, orders, customers, name, int(rows.sum()), without.mean(), with_them.mean(), gain)
