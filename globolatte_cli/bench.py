"""`globolatte bench`: us and the reference side by side, in one run; prints ratios."""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from globolatte_cli.prepare import ensure_manifest
from resources.settings.settings import Settings

if TYPE_CHECKING:
    from benchmarks.rows import Row

Benchmark = Callable[[Settings], Iterator["Row"]]


def _ingest(settings: Settings) -> "Iterator[Row]":
    from benchmarks import ingest, large_files

    _simulate(settings)
    yield from ingest.rows(settings)
    yield from large_files.rows(settings.model_copy(update={"home": settings.home / "large"}))


def _definitions(settings: Settings) -> "Iterator[Row]":
    from benchmarks.passes import definitions_rows

    return definitions_rows(settings)


def _ticks(settings: Settings) -> "Iterator[Row]":
    from benchmarks.ticks import rows

    return rows(settings)


def _run(settings: Settings) -> "Iterator[Row]":
    from benchmarks.passes import pass_rows

    _simulate(settings)
    return pass_rows(settings)


def _demo(settings: Settings) -> "Iterator[Row]":
    from benchmarks.passes import demo_rows

    return demo_rows(settings)


def _serving(settings: Settings) -> "Iterator[Row]":
    from benchmarks.serving import rows

    return rows(settings)


def _drift(settings: Settings) -> "Iterator[Row]":  # noqa: ARG001 - needs no home
    from benchmarks.drift import rows

    return rows()


def _prediction(settings: Settings) -> "Iterator[Row]":
    from benchmarks.model.speed import prediction_rows

    return prediction_rows(settings.home)


def _training(settings: Settings) -> "Iterator[Row]":  # noqa: ARG001 - needs no home
    from benchmarks.model.speed import training_rows

    return training_rows()


def _dbt(settings: Settings, orders: int) -> "Iterator[Row]":
    from benchmarks.dbt_builds import rows

    return rows(settings, orders)


MANY_ORDERS = 10_000_000

BENCHMARKS: dict[str, Benchmark] = {
    "definitions": _definitions,
    "ingest": _ingest,
    "ticks": _ticks,
    "run": _run,
    "serving": _serving,
    "drift": _drift,
    "prediction": _prediction,
    "training": _training,
    "demo": _demo,
}


def _simulate(settings: Settings) -> None:
    """The reference dataset."""
    from simulator import simulate, write

    write(simulate(), settings.home)


def run_benchmarks(what: str, *, as_json: bool, orders: int = MANY_ORDERS) -> int:
    """Runs one benchmark or all, each in a home of its own; returns 0 if every ratio is within its limit, else 1.

    `orders`: how many the benchmark `dbt` builds.
    """
    ensure_manifest()
    console, rows = Console(), []
    benchmarks: dict[str, Benchmark] = {**BENCHMARKS, "dbt": partial(_dbt, orders=orders)}
    for name in benchmarks if what == "all" else (what,):
        with tempfile.TemporaryDirectory() as home, console.status(f"Measuring: {name}"):
            rows += list(benchmarks[name](Settings(home=Path(home))))
    if as_json:
        console.print_json(json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows]))
    else:
        console.print(_table(rows))
    return 0 if all(row.within_limit for row in rows) else 1


def _table(rows: "list[Row]") -> Table:
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
