"""`globolatte simulate`: the simulator with a progress bar."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import simulator
from globolatte_cli.errors import UserError

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write a new dataset into.")
@click.option("--orders", type=int, default=None, help="Number of orders; default: 10000, continued: at the same pace.")
@click.option("--customers", default=1_000, show_default=True, help="Number of customers.")
@click.option("--products", default=6, show_default=True, help="Number of products in the catalogue.")
@click.option("--seed", default=7, show_default=True, help="Seed of the random numbers.")
@click.option("--start", type=DAY, default="2022-01-01", show_default=True, help="First business date.")
@click.option("--end", type=DAY, default="2023-12-31", show_default=True, help="Last business date.")
@click.option(
    "--continue",
    "continued",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of a dataset (or GLOBOLATTE_HOME after `demo`) to add further days to, instead of --out.",
)
@click.option(
    "--scenario",
    type=click.Choice([str(scenario) for scenario in simulator.Scenario]),
    default="none",
    show_default=True,
    help="What happens in the further days.",
)
@click.option("--days", default=28, show_default=True, help="Number of further days.")
def simulate(
    out: Path | None,
    orders: int | None,
    customers: int,
    products: int,
    seed: int,
    start: dt.datetime,
    end: dt.datetime,
    continued: Path | None,
    scenario: str,
    days: int,
) -> None:
    """Write a coffee chain's sales files, and beside them the truth about its customers.

    OUT/landing/ gets sales and reference files, OUT/truth/ the true probabilities behind each order.
    """
    if (out is None) == (continued is None):
        raise click.UsageError("give either --out for a new dataset or --continue for further days of one")
    console = Console(stderr=True)
    if continued is not None:
        with writing(console) as progress:
            written = simulator.continue_into(continued, scenario, days, orders, seed, progress)
        done = simulator.Truth.load(written.truth).continuations[-1]
        console.print(
            f"{done.start} to {done.end}, scenario {done.scenario}: {written.orders:,} more orders in "
            f"{written.sales_files:,} files.\nLanding zone: {written.landing}\nTruth: {written.truth}"
        )
    elif out is not None:
        orders = 10_000 if orders is None else orders
        with writing(console) as progress:
            chain = simulator.simulate(orders, customers, seed, start.date(), end.date(), products)
            written = simulator.write(chain, out, progress)
        console.print(
            f"{written.orders:,} orders of {written.customers:,} customers in {written.sales_files:,} files "
            f"({written.empty_sales_files:,} of them days without sales).\nLanding zone: {written.landing}\nTruth: {written.truth}"
        )


@contextmanager
def writing(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Shows progress; yields the callback for the number of written and of all files. Errors that people can correct become `UserError`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Simulating", total=None)
        try:
            yield lambda done, total: progress.update(task, description="Writing", completed=done, total=total)
        except (ValueError, FileExistsError, FileNotFoundError) as error:
            raise UserError(str(error)) from error
