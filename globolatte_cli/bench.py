"""`globolatte bench`: the platform and the reference side by side, in one run; prints ratios.

`globolatte bench model` compares the preference model with other models and with the best possible prediction.
"""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks import dbt_builds, drift, ingest, large_files, passes, serving, ticks
from benchmarks.model import anonymous, speed
from benchmarks.model.chains import CHAINS
from benchmarks.model.comparison import Summary, compare, shortfalls
from benchmarks.rows import Row
from globolatte_cli.output import JSON, print_json
from globolatte_cli.prepare import ensure_manifest
from resources.settings.settings import Settings
from simulator import simulate, write

SEEDS = (11, 12, 13, 14, 15)
SIZES = ((10_000, 1_000),)


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


def bench_model(seeds: Sequence[int], sizes: Sequence[tuple[int, int]], chains: Sequence[str], *, as_json: bool) -> int:
    """Prints all results; returns 0 if the goals were met and every peer was beaten beyond chance, else 1."""
    console, progress = Console(), Console(stderr=True)
    done: list[Summary] = []
    missing: dict[str, str] = {}
    for summaries, lacking in compare(chains or CHAINS, sizes or SIZES, seeds or SEEDS, progress.print):
        done += summaries
        missing |= lacking
        if not as_json:
            console.print(_reached(summaries))
    short = shortfalls(done)
    if as_json:
        print_json({"results": [asdict(summary) for summary in done], "missing": missing, "shortfalls": short})
    else:
        for peer, package in missing.items():
            console.print(
                f"[yellow]{peer} is missing: {package} is not installed (pip install 'globolatte\\[bench]')[/]"
            )
        for sentence in short:
            console.print(f"[red]{sentence}[/]")
    return 1 if short else 0


def _reached(summaries: Sequence[Summary]) -> Table:
    one = summaries[0]
    title = f"{one.chain}: {one.orders:,} orders of {one.customers:,} customers, {one.seeds} seeds"
    table = Table("", "log loss", "hit@1", "hit@3", "ECE", "gap closed", "lowest seed", "worse by (95 %)", title=title)
    for one in summaries:
        quality, gap = one.metrics, one.worse_by
        table.add_row(
            one.name,
            f"{quality.log_loss:.4f}",
            f"{quality.hit_rate_at_1:.1%}",
            f"{quality.hit_rate_at_3:.1%}",
            f"{quality.expected_calibration_error:.4f}",
            "" if one.closed is None else f"{one.closed:.1f} %",
            "" if one.lowest_closed is None else f"{one.lowest_closed:.1f} %",
            f"{gap.estimate:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})",
        )
    return table


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
            f"{gain.estimate:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})",
        )
    return table


@click.command()
@click.argument("what", type=click.Choice([*BENCHMARKS, "model", "anonymous", "all"]), default="all")
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
    "--chain", "chains", type=click.Choice(CHAINS), multiple=True, help="Of `model`: which chains; default: all."
)
def bench(
    what: str, orders: int, seeds: tuple[int, ...], sizes: tuple[str, ...], chains: tuple[str, ...], *, as_json: bool
) -> None:
    """Measure us and the reference side by side, in one run, and print the ratios.

    `model` and `anonymous` (what orders without a customer would bring as examples) are no part of `all`: they fit on many chains and
    take minutes.
    """
    # SIGTERM ends it as a finished measurement does: with the servers that it started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if what == "model":
        sys.exit(bench_model(seeds, parsed_sizes(sizes), chains, as_json=as_json))
    if what == "anonymous":
        sys.exit(bench_anonymous(seeds, parsed_sizes(sizes), as_json=as_json))
    sys.exit(run_benchmarks(what, as_json=as_json, orders=orders))
