"""`globolatte demo`: two simulated years through the whole graph, then a corrected and a broken file.

The chapters with the online endpoint are in `demo_online.py`.
"""

import time
from typing import Any

import click
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from globolatte_cli.demo_online import customers_change, go_offline, go_online
from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from globolatte_cli.output import numbers
from globolatte_cli.recommend import champion_scorer
from globolatte_cli.run_pass import conclude, execute_pass
from globolatte_cli.settings_page import shown
from globolatte_cli.simulate import writing
from globolatte_ml.scoring.recommendations import Request
from resources.atomic import write_text
from resources.environment import clock_of, landing_of, warehouse_of
from resources.landing.landing_zone import SALES_PREFIX
from resources.settings.choices import LandingKind
from resources.settings.settings import Settings
from simulator import Truth, simulate, write
from simulator.identifiers import customer_ids

WEATHERS = ("Sunny", "Snowy")
ORDERS_OF_A_REGULAR = 12


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
    conclude(console, execute_pass(settings), time.monotonic() - first)
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
        "`.venv/bin/globolatte recommend --customer C0001 --region Canada --weather Snowy` ranks products for any customer.\n"
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
    with writing(console) as progress:
        written = write(simulate(), settings.home, progress)
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
    return found


def _question(settings: Settings) -> dict[str, str]:
    """The request to the endpoint: the first regular's next order."""
    customer, unit = _regulars(Truth.load(settings.home / "truth"))[0]
    return {"customer_id": customer, "region": unit, "weather": WEATHERS[0]}


def _show_recommendations(settings: Settings, console: Console) -> None:
    _heading(console, "What would they like next? Predicted, and in truth")
    truth, scorer, today = Truth.load(settings.home / "truth"), champion_scorer(settings), clock_of(settings).today()
    for customer, unit in _regulars(truth):
        answers = scorer.recommend([Request(customer, unit, weather, today) for weather in WEATHERS])
        heads = [numbers(head) for weather in WEATHERS for head in (f"{weather}: predicted", "true")]
        table = Table("product", *heads, title=f"{customer} in {unit}", title_justify="left")
        columns: list[dict[str, float]] = []
        for weather, answer in zip(WEATHERS, answers, strict=True):
            columns.append({item.product_id: item.probability for item in answer.ranked})
            columns.append(truth.true_preferences(customer, unit, today, weather))
        for item in answers[0].ranked:
            table.add_row(item.product_name, *(f"{column[item.product_id]:.0%}" for column in columns))
        console.print(table)


def _busiest_file(settings: Settings, folder: str) -> dict[str, Any]:
    """The unit's first file as delivered once with the most rows loaded, as the ledger has it."""
    columns = ["path", "business_unit", "business_date", "rows_loaded"]
    ledger = warehouse_of(settings).read("sales_data.load_ledger", columns, {"status": "loaded"}).to_pylist()
    rows = [row for row in ledger if row["path"].startswith(f"{SALES_PREFIX}{folder}/")]
    return max(rows, key=lambda row: (row["rows_loaded"], row["path"]))


def _rows_below(settings: Settings, file: dict[str, Any]) -> tuple[int, str]:
    """The orders of the file's day in the mart, and their revenue."""
    where = {name: file[name] for name in ("business_unit", "business_date")}
    orders = warehouse_of(settings).read("marts.fct_orders", ["total_price"], where)["total_price"].to_pylist()
    return len(orders), f"{sum(orders):.2f}"


def _correct_a_file(settings: Settings, console: Console) -> None:
    _heading(console, "A corrected file replaces exactly its rows")
    file = _busiest_file(settings, "usa")
    before = _rows_below(settings, file)
    landed = pd.read_csv(settings.landing_folder / file["path"], dtype=str, keep_default_na=False)
    price, *others = landed["total_price"]
    _deliver(settings, file, landed.assign(total_price=[f"{float(price) + 10:.2f}", *others]))
    console.print(f"{file['path']}: the first line costs 10.00 more", highlight=False)
    _run_and_compare(settings, console, file, before)


def _break_a_file(settings: Settings, console: Console) -> None:
    _heading(console, "A broken file harms nothing")
    file = _busiest_file(settings, "canada")
    before = _rows_below(settings, file)
    landed = pd.read_csv(settings.landing_folder / file["path"], dtype=str, keep_default_na=False)
    _deliver(settings, file, landed.drop(columns="quantity"))
    console.print(f"{file['path']}: delivered again without the column quantity", highlight=False)
    _run_and_compare(settings, console, file, before)
    _deliver(settings, file, landed)
    console.print("The business unit corrects the file and delivers it once more:")
    _run_and_compare(settings, console, file, before)


def _deliver(settings: Settings, file: dict[str, Any], rows: pd.DataFrame) -> None:
    """Writes a file so that it appears all at once, like an upload."""
    write_text(settings.landing_folder / file["path"], rows.to_csv(index=False, lineterminator="\n"))


def _run_and_compare(settings: Settings, console: Console, file: dict[str, Any], before: tuple[int, str]) -> None:
    started = time.monotonic()
    conclude(console, execute_pass(settings), time.monotonic() - started)
    after = _rows_below(settings, file)
    columns = ["sequence", "status", "rows_in_file", "rows_loaded", "reason"]
    versions = warehouse_of(settings).read("sales_data.load_ledger", columns, {"path": file["path"]}, ["sequence"])
    counts = ("rows_in_file", "rows_loaded")
    heads = ("version", "state", "rows in file", "rows loaded", "reason")
    table = Table(*heads, title="The ledger says", title_justify="left")
    for number, row in enumerate(versions.to_pylist(), start=1):
        table.add_row(str(number), row["status"], *(shown(row[name]) for name in counts), row["reason"] or "")
    console.print(table)
    console.print(
        f"marts.fct_orders on {file['business_date']}, {file['business_unit']}: {before[0]} orders, {before[1]} before; "
        f"{after[0]} orders, {after[1]} now."
    )
