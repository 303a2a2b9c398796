"""The comparison: every chain, seed and peer; what each reached, and whether ours is better beyond chance."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.model.chains import HABIT_DATA, Case, case
from benchmarks.model.peers import OURS, answers
from globolatte_ml.model.metrics import Interval, Metrics, losses, metrics, paired_bootstrap
from globolatte_ml.training.evaluation import FAVOURITE, POPULARITY
from simulator import history_oracle

ORACLE = "history oracle"
PARTICLES = 20_000
LARGE_CUSTOMERS, LARGE_GOAL, SMALL_GOAL = 10_000, 98.0, 95.0


@dataclass(frozen=True)
class Result:
    """What one answer reached on one chain. `closed` is the percentage of the gap from popularity to the oracle, None without one.

    `loss` (holdout orders,) and `customers`, their ids, are kept for the bootstrap over seeds.
    """

    chain: str
    orders: int
    customers: int
    seed: int
    name: str
    metrics: Metrics
    closed: float | None
    loss: np.ndarray
    customer_ids: np.ndarray


@dataclass(frozen=True)
class Summary:
    """One answer over the seeds of a chain. `worse_by` is its log loss minus ours, nats, bootstrapped over customers."""

    chain: str
    orders: int
    customers: int
    name: str
    seeds: int
    metrics: Metrics
    closed: float | None
    lowest_closed: float | None
    worse_by: Interval


@dataclass(frozen=True)
class Compared:
    """One chain of one size: summaries, and the packages that are missing by the peers that need them."""

    summaries: list[Summary]
    missing: dict[str, str]


def compare(
    chains: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    seeds: Sequence[int],
    say: Callable[[str], object],
) -> Iterator[Compared]:
    """Chain by chain and size by size, as they are done."""
    for orders, customers in sizes:
        for chain in chains:
            results: list[Result] = []
            missing: dict[str, str] = {}
            for seed in seeds:
                started = time.perf_counter()
                found, lacking = results_of(case(chain, orders, customers, seed))
                results += found
                missing |= lacking
                say(f"{chain}, {orders:,} orders, seed {seed}: {time.perf_counter() - started:.0f} s")
            yield Compared(list(summarised(results)), missing)


def results_of(one: Case) -> tuple[list[Result], dict[str, str]]:
    """What everyone reached on one chain."""
    holdout = one.snapshot.holdout
    found = answers(one.snapshot, holdout)
    probabilities = dict(found.probabilities)
    if one.simulation is not None:
        probabilities[ORACLE] = history_oracle(one.simulation, PARTICLES)[holdout]
    chosen, customers = one.snapshot.chosen[holdout], one.snapshot.customer_ids[holdout]
    measured = {name: metrics(answer, chosen) for name, answer in probabilities.items()}
    worst, best = measured[POPULARITY].log_loss, measured[ORACLE].log_loss if ORACLE in measured else None
    results = [
        Result(
            chain=one.chain,
            orders=one.orders,
            customers=one.customers,
            seed=one.seed,
            name=name,
            metrics=measured[name],
            closed=None if best is None else 100.0 * (worst - measured[name].log_loss) / (worst - best),
            loss=losses(answer, chosen),
            customer_ids=customers,
        )
        for name, answer in probabilities.items()
    ]
    return results, found.missing


def summarised(results: Sequence[Result]) -> Iterator[Summary]:
    """Means over seeds by answer, best first; all results are of one chain and size."""
    ours = {result.seed: result for result in results if result.name == OURS}
    by_name: dict[str, list[Result]] = {}
    for result in results:
        by_name.setdefault(result.name, []).append(result)
    for name, of_name in sorted(by_name.items(), key=lambda item: np.mean([r.metrics.log_loss for r in item[1]])):
        difference = np.concatenate([result.loss - ours[result.seed].loss for result in of_name])
        people = np.concatenate([[f"{result.seed} {who}" for who in result.customer_ids] for result in of_name])
        closed = [result.closed for result in of_name if result.closed is not None]
        first = of_name[0]
        yield Summary(
            chain=first.chain,
            orders=first.orders,
            customers=first.customers,
            name=name,
            seeds=len(of_name),
            metrics=Metrics(*np.mean([list(vars(result.metrics).values()) for result in of_name], axis=0).tolist()),
            closed=float(np.mean(closed)) if closed else None,
            lowest_closed=min(closed) if closed else None,
            worse_by=paired_bootstrap(difference, people),
        )


def shortfalls(summaries: Sequence[Summary]) -> list[str]:
    """What we promise and did not keep, one sentence each: the goals, and being better than every peer beyond chance."""
    found = []
    for one in summaries:
        where = f"{one.chain}, {one.orders:,} orders of {one.customers:,} customers"
        goal = LARGE_GOAL if one.customers >= LARGE_CUSTOMERS else SMALL_GOAL
        if one.name == OURS and one.chain == "published" and one.closed is not None and one.closed < goal:
            found.append(f"{where}: {one.closed:.1f} % of the gap closed, the goal is {goal:.0f} %")
        if one.name in (OURS, ORACLE) or (one.chain == HABIT_DATA and one.name != FAVOURITE):
            continue
        if one.worse_by.low <= 0:
            found.append(f"{where}: not better than {one.name} beyond chance ({one.worse_by.low:+.4f} nats)")
    return found
