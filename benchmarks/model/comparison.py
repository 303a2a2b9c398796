"""The comparison: every chain, seed and peer; what each reached, and whether ours is better beyond chance."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

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

    `loss` (holdout orders,) is stored for the bootstrap over seeds.
    """

    case: Case
    name: str
    metrics: Metrics
    closed: float | None
    loss: np.ndarray


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


def compare(
    chains: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    seeds: Sequence[int],
    say: Callable[[str], object],
) -> Iterator[tuple[list[Summary], dict[str, str]]]:
    """Chain by chain and size by size, as they are done; and the packages that are missing, by the peers that need them."""
    for (orders, customers), chain in product(sizes, chains):
        results: list[Result] = []
        missing: dict[str, str] = {}
        for seed in seeds:
            started = time.perf_counter()
            found, lacking = results_of(case(chain, orders, customers, seed))
            results += found
            missing |= lacking
            say(f"{chain}, {orders:,} orders, seed {seed}: {time.perf_counter() - started:.0f} s")
        yield list(summarised(results)), missing


def results_of(one: Case) -> tuple[list[Result], dict[str, str]]:
    """What everyone reached on one chain, and the packages that are missing."""
    holdout = one.snapshot.holdout
    probabilities, missing = answers(one.snapshot, holdout)
    if one.simulation is not None:
        probabilities[ORACLE] = history_oracle(one.simulation, PARTICLES)[holdout]
    chosen = one.snapshot.chosen[holdout]
    measured = {name: metrics(answer, chosen) for name, answer in probabilities.items()}
    worst, best = measured[POPULARITY].log_loss, measured[ORACLE].log_loss if ORACLE in measured else None
    results = []
    for name, answer in probabilities.items():
        closed = None if best is None else 100.0 * (worst - measured[name].log_loss) / (worst - best)
        results.append(Result(one, name, measured[name], closed, losses(answer, chosen)))
    return results, missing


def summarised(results: Sequence[Result]) -> Iterator[Summary]:
    """Means over seeds by answer, best first; all results are of one chain and size."""
    ours = {result.case.seed: result.loss for result in results if result.name == OURS}
    by_name: dict[str, list[Result]] = {}
    for result in results:
        by_name.setdefault(result.name, []).append(result)
    for name, of_name in sorted(by_name.items(), key=lambda item: np.mean([r.metrics.log_loss for r in item[1]])):
        difference = np.concatenate([result.loss - ours[result.case.seed] for result in of_name])
        cases = [result.case for result in of_name]
        people = [f"{one.seed} {who}" for one in cases for who in one.snapshot.customer_ids[one.snapshot.holdout]]
        closed = [result.closed for result in of_name if result.closed is not None]
        yield Summary(
            chain=cases[0].chain,
            orders=cases[0].orders,
            customers=cases[0].customers,
            name=name,
            seeds=len(of_name),
            metrics=Metrics(*np.mean([list(vars(result.metrics).values()) for result in of_name], axis=0).tolist()),
            closed=float(np.mean(closed)) if closed else None,
            lowest_closed=min(closed) if closed else None,
            worse_by=paired_bootstrap(difference, np.array(people)),
        )


def shortfalls(summaries: Sequence[Summary]) -> list[str]:
    """The goals that were missed, one sentence each: the fixed goals, and being better than every other model beyond chance."""
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
