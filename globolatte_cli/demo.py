"""`globolatte demo`: two simulated years through the whole graph, and what becomes of a corrected and of a broken file.

The chapters with the online endpoint are in `demo_online.py`.
"""

import csv
import datetime as dt
import io
import time
from dataclasses import dataclass

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from globolatte_cli.demo_online import customers_change, go_offline, go_online
from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from globolatte_cli.recommend import champion_scorer
from globolatte_cli.run_pass import execute_pass, print_summary
from globolatte_cli.simulate import write_dataset
from globolatte_ml.scoring.recommendations import Request
from resources.atomic import write_text
from resources.environment import clock_of, landing_of, warehouse_of
from resources.landing.landing_zone import SALES_PREFIX
from resources.settings.choices import LandingKind
from resources.settings.settings import Settings
from simulator import Truth
from simulator.identifiers import customer_ids

ORDERS, CUSTOMERS, PRODUCTS, SEED = 10_000, 1_000, 6, 7
WEATHERS = ("Sunny", "Snowy")
CUSTOMERS_SHOWN = 3
ORDERS_OF_A_REGULAR = 12


@dataclass(frozen=True)
class Redelivery:
    """A sales file that is delivered once more, with other content."""

    path: str
    unit: str
    date: str


@click.command()
def demo() -> None:
    """Simulate two years, run everything, and show what came of it."""
    settings, console, started = Settings(), Console(), time.monotonic()
    if settings.landing is not LandingKind.FOLDER:
        raise UserError("the demo writes files into a landing folder; set GLOBOLATTE_LANDING=folder")
    prepare_home(settings)
    _simulate(settings, console)
    _heading(console, "Running the graph over it")
    first = time.monotonic()
    print_summary(console, execute_pass(settings), time.monotonic() - first)
    _show_recommendations(settings, console)
    _correct_a_file(settings, console)
    _break_a_file(settings, console)
    question = _question(settings)
    try:
        _heading(console, "The champion goes online")
        go_online(settings, console, question)
        _heading(console, "The customers change, and the models follow")
        customers_change(settings, console, question)
    finally:
        go_offline(settings)
    _heading(console, "What to open")
    console.print(
        "`make dev` opens the Dagster UI: the lineage graph, each day's load, the evaluation's plots, every check.\n"
        "`.venv/bin/globolatte recommend --customer C0001 --region Canada --weather Snowy` asks for a customer of your choice.\n"
        "`.venv/bin/globolatte endpoints start` brings the endpoint back; it was stopped, so that nothing is left running."
    )
    console.print(f"State: {settings.home}   [dim]{time.monotonic() - started:.0f} s in all[/]", highlight=False)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.rule(f"[bold]{text}", align="left")


def _simulate(settings: Settings, console: Console) -> None:
    _heading(console, "Two years of a coffee chain")
    if (settings.home / "truth").is_dir():
        console.print(f"Already simulated: {settings.landing_folder}", highlight=False)
        return
    if any(landing_of(settings).files()):
        raise UserError(
            f"{settings.landing_folder} holds files that are not the demo's; run it elsewhere: GLOBOLATTE_HOME=.globolatte-demo make demo"
        )
    span = (dt.date(2022, 1, 1), dt.date(2023, 12, 31))
    written = write_dataset(console, settings.home, ORDERS, CUSTOMERS, PRODUCTS, SEED, *span)
    console.print(
        f"{written.orders:,} orders of {written.customers:,} customers in {written.sales_files:,} daily files of 3 business units, "
        f"in {written.landing}",
        highlight=False,
    )


def _regulars(truth: Truth) -> list[tuple[str, str]]:
    """A regular customer of each region, of different segments: (customer id, home unit's id)."""
    names = customer_ids(len(truth.segment))
    found: list[tuple[str, str]] = []
    segments: set[int] = set()
    for unit in range(len(truth.parameters.business_units)):
        here = np.flatnonzero((truth.home == unit) & (truth.order_count >= ORDERS_OF_A_REGULAR))
        others = [row for row in here.tolist() if int(truth.segment[row]) not in segments] or here.tolist()
        if others:
            segments.add(int(truth.segment[others[0]]))
            found.append((names[others[0]], truth.parameters.business_units[unit].business_unit_id))
    return found[:CUSTOMERS_SHOWN]


def _question(settings: Settings) -> dict[str, str]:
    """What the endpoint is asked: the first regular's next order."""
    customer, unit = _regulars(Truth.load(settings.home / "truth"))[0]
    return {"customer_id": customer, "region": unit, "weather": WEATHERS[0]}


def _show_recommendations(settings: Settings, console: Console) -> None:
    _heading(console, "What would they like next? Predicted, and in truth")
    truth, scorer, today = Truth.load(settings.home / "truth"), champion_scorer(settings), clock_of(settings).today()
    for customer, unit in _regulars(truth):
        answers = scorer.recommend([Request(customer, unit, weather, today) for weather in WEATHERS])
        table = Table(title=f"{customer} in {unit}", title_justify="left")
        table.add_column("product")
        for weather in WEATHERS:
            table.add_column(f"{weather}: predicted", justify="right")
            table.add_column("true", justify="right")
        true = {weather: truth.true_preferences(customer, unit, today, weather) for weather in WEATHERS}
        predicted = [{item.product_id: item.probability for item in answer.ranked} for answer in answers]
        for item in answers[0].ranked:
            cells = [
                f"{value:.0%}"
                for weather, own in zip(WEATHERS, predicted, strict=True)
                for value in (own[item.product_id], true[weather][item.product_id])
            ]
            table.add_row(item.product_name, *cells)
        console.print(table)


def _busiest_file(settings: Settings, folder: str) -> Redelivery:
    """The unit's first file as delivered once with the most rows loaded."""
    ledger = warehouse_of(settings).read(
        "sales_data.load_ledger", ["path", "business_unit", "business_date", "rows_loaded"], {"status": "loaded"}
    )
    rows = [row for row in ledger.to_pylist() if row["path"].startswith(f"{SALES_PREFIX}{folder}/")]
    best = max(rows, key=lambda row: (row["rows_loaded"], row["path"]))
    return Redelivery(best["path"], best["business_unit"], best["business_date"])


def _rows_below(settings: Settings, file: Redelivery) -> tuple[int, str]:
    """The orders of the file's day in the mart, and their revenue."""
    where = {"business_unit": file.unit, "business_date": file.date}
    orders = warehouse_of(settings).read("marts.fct_orders", ["total_price"], where)["total_price"].to_pylist()
    return len(orders), f"{sum(orders):.2f}"


def _content(settings: Settings, path: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO((settings.landing_folder / path).read_text())))


def _deliver(settings: Settings, path: str, rows: list[list[str]]) -> None:
    """Writes a file as an upload appears: all at once."""
    target = settings.landing_folder / path
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(target, text.getvalue())


def _correct_a_file(settings: Settings, console: Console) -> None:
    _heading(console, "A corrected file replaces exactly its rows")
    file = _busiest_file(settings, "usa")
    before = _rows_below(settings, file)
    header, first, *others = _content(settings, file.path)
    price = header.index("total_price")
    first[price] = f"{float(first[price]) + 10:.2f}"
    _deliver(settings, file.path, [header, first, *others])
    console.print(f"{file.path}: the first line costs 10.00 more", highlight=False)
    _run_and_compare(settings, console, file, before)


def _break_a_file(settings: Settings, console: Console) -> None:
    _heading(console, "A broken file harms nothing")
    file = _busiest_file(settings, "canada")
    before = _rows_below(settings, file)
    header, *rows = _content(settings, file.path)
    column = header.index("quantity")
    _deliver(settings, file.path, [row[:column] + row[column + 1 :] for row in (header, *rows)])
    console.print(f"{file.path}: delivered again without the column quantity", highlight=False)
    _run_and_compare(settings, console, file, before)
    _deliver(settings, file.path, [header, *rows])
    console.print("The business unit mends the file and delivers it once more:")
    _run_and_compare(settings, console, file, before)


def _run_and_compare(settings: Settings, console: Console, file: Redelivery, before: tuple[int, str]) -> None:
    started = time.monotonic()
    print_summary(console, execute_pass(settings), time.monotonic() - started)
    after = _rows_below(settings, file)
    versions = warehouse_of(settings).read(
        "sales_data.load_ledger",
        ["sequence", "status", "rows_in_file", "rows_loaded", "reason"],
        {"path": file.path},
        ["sequence"],
    )
    table = Table(
        "version", "state", "rows in file", "rows loaded", "reason", title="The ledger says", title_justify="left"
    )
    for number, row in enumerate(versions.to_pylist(), start=1):
        table.add_row(
            str(number), row["status"], _shown(row["rows_in_file"]), _shown(row["rows_loaded"]), row["reason"] or ""
        )
    console.print(table)
    console.print(
        f"marts.fct_orders on {file.date}, {file.unit}: {before[0]} orders, {before[1]} before; {after[0]} orders, {after[1]} now."
    )


def _shown(value: object) -> str:
    return "" if value is None else str(value)
