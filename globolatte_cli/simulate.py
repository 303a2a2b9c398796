"""`globolatte simulate`: the simulator with a progress bar."""

import datetime as dt
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from globolatte_cli.errors import UserError
from simulator import WrittenDataset


def simulate_into(
    out: Path, orders: int, customers: int, products: int, seed: int, start: dt.date, end: dt.date
) -> WrittenDataset:
    """Simulates and writes, showing progress; prints where things are. Raises `UserError` for arguments that make no chain."""
    console = Console(stderr=True)
    written = write_dataset(console, out, orders, customers, products, seed, start, end)
    console.print(
        f"{written.orders:,} orders of {written.customers:,} customers in {written.sales_files:,} files "
        f"({written.empty_sales_files:,} of them days without sales).\nLanding zone: {written.landing}\nTruth: {written.truth}"
    )
    return written


def continue_into(folder: Path, scenario: str, days: int, orders: int | None, seed: int) -> WrittenDataset:
    """Writes further days after the dataset in `folder` (with `landing` and `truth`), under a scenario; prints what came.

    Raises `UserError` where there is nothing to continue.
    """
    from simulator import Truth
    from simulator import continue_into as write_further_days

    console = Console(stderr=True)
    with _progress(console) as progress:
        task = progress.add_task("Simulating", total=None)
        try:
            written = write_further_days(
                folder,
                scenario,
                days,
                orders,
                seed,
                lambda done, total: progress.update(task, description="Writing", completed=done, total=total),
            )
        except (ValueError, FileNotFoundError) as error:
            raise UserError(str(error)) from error
    done = Truth.load(written.truth).continuations[-1]
    console.print(
        f"{done.start} to {done.end}, scenario {done.scenario}: {written.orders:,} more orders in {written.sales_files:,} files."
        f"\nLanding zone: {written.landing}\nTruth: {written.truth}"
    )
    return written


def write_dataset(
    console: Console, out: Path, orders: int, customers: int, products: int, seed: int, start: dt.date, end: dt.date
) -> WrittenDataset:
    """Simulates and writes, showing progress on `console`."""
    from simulator import simulate, write

    with _progress(console) as progress:
        task = progress.add_task("Simulating", total=None)
        try:
            simulation = simulate(orders, customers, seed, start, end, products)
            return write(
                simulation,
                out,
                lambda done, total: progress.update(task, description="Writing", completed=done, total=total),
            )
        except (ValueError, FileExistsError) as error:
            raise UserError(str(error)) from error


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)
