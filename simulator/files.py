"""Write a simulated dataset: the landing zone as business units would fill it, and the truth beside it.

<out>/landing/sales/<folder>/<yyyy>/<mm>/<dd>/sales.csv   one per business unit and day
<out>/landing/reference/{business_units,products,customers}.csv
<out>/truth/{README.txt,parameters.json,customers.parquet,order_probabilities.parquet}   never inside landing
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_jsonable_python

from simulator.arguments import Scenario
from simulator.chain import Simulation
from simulator.identifiers import order_ids, product_ids
from simulator.people import customer_directory
from simulator.sales_csv import HEADER, sales_files, sales_paths
from simulator.scenarios import continue_chain
from simulator.streams import RandomStream, random_stream
from simulator.truth import PARAMETERS_FILE, Truth

Progress = Callable[[int, int], None]

README = """\
The truth behind the simulated dataset in ../landing. Nothing that learns from the dataset may read it.

parameters.json              the arguments of the simulation and all parameters of the chain; equal arguments give an
                             equal dataset. Utilities are in nats (log-odds).
customers.parquet            one row per customer: customer_id, segment, home_business_unit, joined (first possible
                             day), order_count, and per product taste_<product_id> (latent taste) and
                             habit_<product_id> (habit after the last order; 0 without orders).
order_probabilities.parquet  one row per order and product: order_id, product_id, probability = the true chance that the
                             product was the order's main product, given taste, circumstances and habit at that moment.
order_probabilities_<first day>.parquet  the same for the days by which the chain was continued later.

simulator.Truth.load(<this folder>).true_preferences(customer_id, business_unit, date, weather) answers what a customer
truly wants after the last simulated order.
"""


@dataclass(frozen=True)
class WrittenDataset:
    """Where a dataset was written, and how much of it there is."""

    landing: Path
    truth: Path
    sales_files: int
    empty_sales_files: int
    """Sales files with a header alone."""
    orders: int
    order_lines: int
    customers: int


def write(simulation: Simulation, out: Path, progress: Progress | None = None) -> WrittenDataset:
    """Write landing files and truth below `out`; `progress(done, total)` is called after every sales file.

    Equal arguments give equal bytes. Writing the same simulation again replaces its files; that is also how an
    interrupted write is completed. Raises `FileExistsError` when `out` holds another dataset, since two datasets in one
    landing zone are neither.
    """
    landing, truth = Path(out) / "landing", Path(out) / "truth"
    _refuse_another_dataset(simulation, landing, truth)
    truth.mkdir(parents=True, exist_ok=True)
    simulation.truth.save(truth)
    (truth / "README.txt").write_text(README, encoding="utf-8")
    _write_order_probabilities(simulation, truth / "order_probabilities.parquet")
    _write_reference(simulation, landing / "reference")
    return _write_sales(simulation, landing, truth, progress)


def continue_into(
    out: Path,
    scenario: Scenario | str = Scenario.NONE,
    days: int = 28,
    orders: int | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> WrittenDataset:
    """Continue the dataset in `out` (which holds `landing` and `truth`) by `days` days; see `continue_chain`.

    The catalogue comes first, and only if it grew, so that no sale is of an unknown product; the truth comes last, so that
    an interrupted write is completed by the same call.

    Raises `FileNotFoundError` if `out` holds no truth to continue, `ValueError` for less than one day.
    """
    landing, folder = Path(out) / "landing", Path(out) / "truth"
    known = Truth.load(folder)
    if days < 1:
        raise ValueError(f"days is {days}; give at least 1")
    first, last = known.last_day + timedelta(days=1), known.last_day + timedelta(days=days)
    simulation = continue_chain(known, scenario, first, last, orders, seed)
    if len(simulation.parameters.products) > len(known.parameters.products):
        _write_table(landing / "reference" / "products.csv", _products_table(simulation))
    written = _write_sales(simulation, landing, folder, progress)
    _write_order_probabilities(simulation, folder / f"order_probabilities_{first}.parquet")
    simulation.truth.save(folder)
    return written


def _refuse_another_dataset(simulation: Simulation, landing: Path, truth: Path) -> None:
    marker = truth / PARAMETERS_FILE
    written: dict[str, Any] = {}
    if marker.is_file():
        with suppress(json.JSONDecodeError):  # not even the marker is whole
            written = json.loads(marker.read_text(encoding="utf-8"))
    if written.get("continuations"):
        raise FileExistsError(
            f"{landing}: was continued after its simulation; choose another folder or remove it first"
        )
    if written.get("arguments") == to_jsonable_python(simulation.arguments):
        return
    for folder in (landing, truth):
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder}: holds files of another dataset; choose another folder or remove it first")


def _write_whole(file: Path, content: bytes) -> None:
    """Write a file under a hidden name, then rename it: a process that watches the folder sees it whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    part.replace(file)


def _write_sales(simulation: Simulation, landing: Path, truth: Path, progress: Progress | None) -> WrittenDataset:
    """Write all sales files."""
    total, done, empty = len(sales_paths(simulation)), 0, 0
    for path, content in sales_files(simulation):
        file = landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(file, content)
        done += 1
        empty += content == HEADER
        if progress is not None:
            progress(done, total)
    orders, lines = len(simulation.orders), len(simulation.lines)
    return WrittenDataset(landing, truth, done, empty, orders, lines, simulation.arguments.customers)


def _write_reference(simulation: Simulation, folder: Path) -> None:
    """Write business_units.csv, products.csv and customers.csv."""
    parameters, seed = simulation.parameters, simulation.arguments.seed
    units = pd.DataFrame([vars(unit) for unit in parameters.business_units]).drop(columns="holiday_country")
    tables = {
        "business_units": units,
        "products": _products_table(simulation),
        "customers": customer_directory(simulation.truth.home, parameters.business_units, seed),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        _write_table(folder / f"{name}.csv", table)


def _write_table(file: Path, table: pd.DataFrame) -> None:
    """Write a reference file."""
    _write_whole(file, table.to_csv(index=False, lineterminator="\n").encode("utf-8"))


def _products_table(simulation: Simulation) -> pd.DataFrame:
    """What products.csv shows: the catalogue after the simulated days."""
    products = simulation.parameters.products
    rng = random_stream(simulation.truth.arguments.seed, RandomStream.STOCK)
    return pd.DataFrame(
        {
            "product_id": product_ids(len(products)),
            "product_name": [product.name for product in products],
            "category": [product.category for product in products],
            "price": [f"{product.price_cents / 100:.2f}" for product in products],
            "stock_quantity": rng.integers(200, 2_000, len(products)),
        }
    )


def _write_order_probabilities(simulation: Simulation, file: Path) -> None:
    """One row per order and product: what `README` says of order_probabilities.parquet."""
    orders, products = simulation.probabilities.shape
    row = np.arange(orders * products)
    table = pa.table(
        {
            "order_id": order_ids(orders, simulation.earlier_orders).take(pa.array(row // products)),
            "product_id": pa.array(product_ids(products)).take(pa.array(row % products)),
            "probability": simulation.probabilities.ravel(),
        }
    )
    pq.write_table(table, file)
