"""The comparison: every chain, seed, cut and peer; what each reached, and who is better beyond chance.

A cut is a date: everyone learns from the orders before it and is evaluated on those that follow. How many comparisons there are, each
peer with ours by each measure at each cut of each chain, is taken into account (Holm).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import groupby, product

import numpy as np
from scipy.stats import norm

from benchmarks.model.apart import Done
from benchmarks.model.chains import HABIT_DATA, SIMULATED, Case, case, real_case
from benchmarks.model.habit_peers import LAST_AND_SHARES, OWN_SHARES
from benchmarks.model.peers import OURS, Answers, answers
from benchmarks.model.ranks import BasketQuality, basket_quality, ranks
from benchmarks.model.real_chains import REAL, UnavailableError
from globolatte_ml.model.metrics import Interval, expected_calibration_error, losses, paired_bootstrap
from globolatte_ml.training.backtest import origins
from globolatte_ml.training.evaluation import FAVOURITE, POPULARITY, REGIONAL_POPULARITY
from simulator import history_oracle

ORACLE = "history oracle"
PARTICLES = 20_000
LARGE_CUSTOMERS, LARGE_GOAL, SMALL_GOAL = 10_000, 98.0, 95.0
TRIVIAL = (POPULARITY, REGIONAL_POPULARITY, FAVOURITE, OWN_SHARES, LAST_AND_SHARES)
LOG_LOSS = "log loss"
PLACES = (1, 3, 10)
"""Of hit rates; one that covers all products of a chain is none."""
CHANCE = 0.05
WIDTH_IN_ERRORS = 2.0 * norm.ppf(0.975)


@dataclass(frozen=True)
class Hits:
    """Shares of orders whose product stands among the first places; None where all products do, or where there are no orders."""

    at_1: float | None
    at_3: float | None
    at_10: float | None

    @classmethod
    def of(cls, rank: np.ndarray, n_products: int) -> "Hits":
        """Of ranks from 0, shape (n,)."""
        return cls(*(float((rank < k).mean()) if k < n_products and len(rank) else None for k in PLACES))


@dataclass(frozen=True)
class Result:
    """What one answer reached at one cut of a chain.

    Attributes:
        closed: percentage of the gap from popularity to the oracle, None without one.
        loss: (orders,), None without probabilities. rank: of what was bought, from 0, (orders,).
        repeat: whether the customer had bought the product before, (orders,). customers: who, (orders,).
        calibration_error: None without probabilities. basket: None where the main product means something.
    """

    case: Case
    cut: str
    name: str
    closed: float | None
    loss: np.ndarray | None
    rank: np.ndarray
    repeat: np.ndarray
    customers: np.ndarray
    calibration_error: float | None
    basket: BasketQuality | None
    training: Done | None

    @property
    def block(self) -> tuple[str, int]:
        """Which evaluated orders these are, among those of the chain."""
        return self.cut, self.case.seed

    @property
    def n_products(self) -> int:
        """Of the chain's catalogue."""
        return len(self.case.snapshot.products)


@dataclass(frozen=True)
class Summary:
    """One answer over the seeds and cuts of a chain.

    Attributes:
        products: K. evaluated: orders. repeats: how many of these are of a product that the customer had bought before.
        log_loss, calibration_error: nats and a fraction; None for peers that only rank.
        worse_by: its log loss minus ours, nats, bootstrapped over customers; None without one of the two.
        seconds, gigabytes: of the longest and the largest training of ours; None for others.
    """

    chain: str
    orders: int
    customers: int
    products: int
    name: str
    seeds: int
    cuts: int
    evaluated: int
    repeats: int
    log_loss: float | None
    hits: Hits
    repeat: Hits
    explore: Hits
    calibration_error: float | None
    basket: BasketQuality | None
    closed: float | None
    lowest_closed: float | None
    worse_by: Interval | None
    seconds: float | None
    gigabytes: float | None


@dataclass(frozen=True)
class Comparison:
    """A peer and ours by one measure at one cut of a chain. `worse_by`: how much worse the peer is, nats or share of orders.

    `p` is of the two-sided test that there is no difference, `adjusted` the same in view of all comparisons.
    """

    chain: str
    orders: int
    cut: str
    name: str
    measure: str
    worse_by: Interval
    p: float
    adjusted: float = 1.0

    @property
    def verdict(self) -> int:
        """1: ours is better beyond chance; -1: the peer is; 0: neither."""
        return int(np.sign(self.worse_by.estimate)) if self.adjusted <= CHANCE else 0


@dataclass(frozen=True)
class Found:
    """All results of one chain and size, and what is missing, with the reason."""

    results: list[Result]
    missing: dict[str, str]


def compare(
    chains: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    seeds: Sequence[int],
    cuts: int | None,
    say: Callable[[str], object],
) -> Iterator[Found]:
    """Chain by chain and size by size, as they are done.

    `cuts`: of each chain; by default three of a real one, which has no seeds, and one of a simulated one.
    """
    for (orders, customers), chain in product(sizes, (one for one in chains if one in SIMULATED)):
        cases = (case(chain, orders, customers, seed) for seed in seeds)
        yield _found(cases, cuts or 1, say)
    for chain in (one for one in chains if one in REAL):
        try:
            one = real_case(chain)
        except UnavailableError as error:
            yield Found([], {chain: str(error)})
        else:
            yield _found([one], cuts or 3, say)


def _found(cases: Iterable[Case], cuts: int, say: Callable[[str], object]) -> Found:
    results: list[Result] = []
    missing: dict[str, str] = {}
    for one in cases:
        for of_cut, lacking in results_of(one, cuts):
            results += of_cut
            missing |= {f"{one.chain}: {name}": why for name, why in lacking.items()}
            took = next((r.training for r in of_cut if r.training), None)
            training = f"; training {took.seconds:.0f} s of processor, {took.gigabytes:.2f} GB" if took else ""
            say(f"{one.chain}, {one.orders:,} orders, seed {one.seed}, from {of_cut[0].cut}{training}")
    return Found(results, missing)


def results_of(one: Case, cuts: int = 1) -> Iterator[tuple[list[Result], dict[str, str]]]:
    """What everyone reached on one chain, cut by cut, and what is missing."""
    dates = one.snapshot.contexts.date
    oracle = None if one.simulation is None else history_oracle(one.simulation, PARTICLES)
    for first, last in origins(dates, cuts):
        seen, holdout = dates <= last, (dates >= first) & (dates <= last)
        snapshot = one.snapshot.take(seen)
        said = answers(snapshot, holdout[seen], one.baskets[seen])
        if oracle is not None:
            said.probabilities[ORACLE] = oracle[holdout]
        yield list(_measured(one, str(first), holdout, said)), said.missing


def _measured(one: Case, cut: str, holdout: np.ndarray, said: Answers) -> Iterator[Result]:
    chosen, states = one.snapshot.chosen[holdout], one.snapshot.states.take(holdout)
    row = np.arange(len(chosen))
    repeat = states.main_orders[row, chosen] + states.addon_lines[row, chosen] > 0
    loss = {name: losses(answer, chosen) for name, answer in said.probabilities.items()}
    worst, best = loss[POPULARITY].mean(), loss[ORACLE].mean() if ORACLE in loss else None
    for name, answer in (said.probabilities | said.scores).items():
        known = name in loss
        yield Result(
            case=one,
            cut=cut,
            name=name,
            closed=100.0 * (worst - loss[name].mean()) / (worst - best) if known and best is not None else None,
            loss=loss.get(name),
            rank=ranks(answer, chosen),
            repeat=repeat,
            customers=np.array([f"{one.seed} {who}" for who in one.snapshot.customer_ids[holdout].tolist()]),
            calibration_error=expected_calibration_error(answer, chosen) if known else None,
            basket=basket_quality(answer, one.baskets[holdout], known) if one.basket_counts else None,
            training=said.training if name == OURS else None,
        )


def summarised(results: Sequence[Result]) -> list[Summary]:
    """By answer, over all orders that were evaluated, best first and those without a log loss last; all are of one chain and size."""
    ours = {result.block: result for result in results if result.name == OURS}
    by_name: dict[str, list[Result]] = {}
    for result in results:
        by_name.setdefault(result.name, []).append(result)
    found = [_summary(of_name, ours) for of_name in by_name.values()]
    return sorted(found, key=lambda one: (one.log_loss is None, one.log_loss or -(one.hits.at_1 or 0.0)))


def _summary(of_name: Sequence[Result], ours: dict[tuple[str, int], Result]) -> Summary:
    one = of_name[0]
    rank, repeat = (np.concatenate([getattr(r, name) for r in of_name]) for name in ("rank", "repeat"))
    loss = [r.loss for r in of_name if r.loss is not None]
    errors = [r.calibration_error for r in of_name if r.calibration_error is not None]
    closed = [r.closed for r in of_name if r.closed is not None]
    baskets = [r.basket for r in of_name if r.basket is not None]
    trainings = [r.training for r in of_name if r.training is not None]
    return Summary(
        chain=one.case.chain,
        orders=one.case.orders,
        customers=one.case.customers,
        products=one.n_products,
        name=one.name,
        seeds=len({r.case.seed for r in of_name}),
        cuts=len({r.cut for r in of_name}),
        evaluated=len(rank),
        repeats=int(repeat.sum()),
        log_loss=float(np.mean([part.mean() for part in loss])) if loss else None,
        hits=Hits.of(rank, one.n_products),
        repeat=Hits.of(rank[repeat], one.n_products),
        explore=Hits.of(rank[~repeat], one.n_products),
        calibration_error=float(np.mean(errors)) if errors else None,
        basket=_mean_basket(baskets) if baskets else None,
        closed=float(np.mean(closed)) if closed else None,
        lowest_closed=min(closed) if closed else None,
        worse_by=_worse_by(LOG_LOSS, of_name, ours),
        seconds=max((done.seconds for done in trainings), default=None),
        gigabytes=max((done.gigabytes for done in trainings), default=None),
    )


def _mean_basket(baskets: Sequence[BasketQuality]) -> BasketQuality:
    values = {of.name: [getattr(one, of.name) for one in baskets] for of in fields(BasketQuality)}
    return BasketQuality(**{name: None if None in found else float(np.mean(found)) for name, found in values.items()})


def _worse_by(measure: str, peer: Sequence[Result], ours: dict[tuple[str, int], Result]) -> Interval | None:
    """By how much the peer's results are worse than ours on the same orders; None where either has none of that measure."""
    pairs = [(theirs, ours[theirs.block]) for theirs in peer if theirs.block in ours]
    parts = [_difference(measure, theirs, own) for theirs, own in pairs]
    if not parts or any(part is None for part in parts):
        return None
    customers = np.concatenate([theirs.customers for theirs, _ in pairs])
    return paired_bootstrap(np.concatenate([part for part in parts if part is not None]), customers)


def _difference(measure: str, peer: Result, ours: Result) -> np.ndarray | None:
    if measure == LOG_LOSS:
        return None if peer.loss is None or ours.loss is None else peer.loss - ours.loss
    k = int(measure.removeprefix("hit@"))
    return None if k >= peer.n_products else (ours.rank < k) * 1.0 - (peer.rank < k)


def comparisons(results: Sequence[Result]) -> list[Comparison]:
    """Every peer with ours by every measure at every cut, seeds together; of one chain and size. Not yet adjusted."""
    ours = {result.block: result for result in results if result.name == OURS}
    others = sorted((r for r in results if r.name not in (OURS, ORACLE)), key=lambda r: (r.cut, r.name))
    found = []
    for (cut, name), of_peer in groupby(others, key=lambda r: (r.cut, r.name)):
        peer = list(of_peer)
        for measure in (LOG_LOSS, *(f"hit@{k}" for k in PLACES)):
            gap, one = _worse_by(measure, peer, ours), peer[0].case
            if gap is not None:
                found.append(Comparison(one.chain, one.orders, cut, name, measure, gap, p_value(gap)))
    return found


def p_value(gap: Interval) -> float:
    """Of the two-sided test that there is no difference, by the normal distribution of the bootstrap's standard error.

    The share of bootstrap means beyond zero would never fall below 1 / rounds, which hundreds of comparisons ask for.
    """
    error = (gap.high - gap.low) / WIDTH_IN_ERRORS
    if error == 0.0:
        return 1.0 if gap.estimate == 0.0 else 0.0
    return float(2.0 * norm.sf(abs(gap.estimate) / error))


def holm(p: Sequence[float]) -> np.ndarray:
    """Adjusted p values of m tests, shape (m,): the chance of any false finding stays below the level that they are compared with.

    Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def over_all_real(results: Sequence[Result]) -> Interval | None:
    """By how much the best trivial peer of each real chain is worse than ours in log loss, over all real chains together."""
    real = [result for result in results if result.case.real]
    parts, customers = [], []
    for chain in dict.fromkeys(result.case.chain for result in real):
        of_chain = [result for result in real if result.case.chain == chain]
        ours = {result.block: result for result in of_chain if result.name == OURS}
        trivial = {name: [r for r in of_chain if r.name == name and r.block in ours] for name in TRIVIAL}
        if not ours:
            continue
        best = min(
            trivial.values(), key=lambda those: np.concatenate([r.loss for r in those if r.loss is not None]).mean()
        )
        for result in best:
            difference = _difference(LOG_LOSS, result, ours[result.block])
            if difference is not None:
                parts.append(difference)
                customers += [f"{chain} {who}" for who in result.customers.tolist()]
    return paired_bootstrap(np.concatenate(parts), np.array(customers)) if parts else None


def shortfalls(
    summaries: Sequence[Summary], compared: Sequence[Comparison] = (), over_real: Interval | None = None
) -> list[str]:
    """The goals that were missed, one sentence each.

    The fixed goals; on simulated chains, being better than every other model beyond chance in log loss; on all, that no peer is
    better beyond chance by any measure; on all real chains together, being better than the best trivial peer beyond chance.
    """
    found = []
    for one in summaries:
        where = f"{one.chain}, {one.orders:,} orders of {one.customers:,} customers"
        goal = LARGE_GOAL if one.customers >= LARGE_CUSTOMERS else SMALL_GOAL
        if one.name == OURS and one.chain == "published" and one.closed is not None and one.closed < goal:
            found.append(f"{where}: {one.closed:.1f} % of the gap closed, the goal is {goal:.0f} %")
        if one.name in (OURS, ORACLE) or one.chain in REAL or (one.chain == HABIT_DATA and one.name != FAVOURITE):
            continue
        if one.worse_by is not None and one.worse_by.low <= 0:
            found.append(f"{where}: not better than {one.name} beyond chance ({one.worse_by.low:+.4f} nats)")
    for comparison in compared:
        if comparison.verdict < 0:
            gap, where = comparison.worse_by, f"{comparison.chain}, from {comparison.cut}"
            found.append(
                f"{where}: {comparison.name} is better beyond chance in {comparison.measure} "
                f"({-gap.estimate:+.4f}, p = {comparison.adjusted:.3f} in view of all comparisons)"
            )
    if over_real is not None and over_real.low <= 0:
        found.append(
            f"all real chains: not better than the best trivial peers beyond chance in log loss ({over_real.estimate:+.4f}, "
            f"{over_real.low:+.4f} to {over_real.high:+.4f} nats)"
        )
    return found
