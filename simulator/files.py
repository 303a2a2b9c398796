"""Write a simulated dataset: the landing zone as business units would fill it, and the truth beside it.

<out>/landing/sales/<folder>/<yyyy>/<mm>/<dd>/sales.csv   one per business unit and day
<out>/landing/reference/{business_units,products,customers}.csv
<out>/truth/{README.txt,parameters.json,customers.parquet,order_probabilities.parquet}   never inside landing
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from simulator.chain import Simulation
from simulator.identifiers import order_ids, product_ids
from simulator.people import customer_directory
from simulator.sales_csv import HEADER, sales_files, sales_paths
from simulator.streams import RandomStream, random_stream
from simulator.truth import PARAMETERS_FILE

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
    reference_files: int
    orders: int
    order_lines: int
    customers: int
    products: int


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
    write_order_probabilities(simulation, truth / "order_probabilities.parquet")
    reference_files = _write_reference(simulation, landing / "reference")
    written, empty = write_sales(simulation, landing, progress)
    return WrittenDataset(
        landing=landing,
        truth=truth,
        sales_files=written,
        empty_sales_files=empty,
        reference_files=reference_files,
        orders=len(simulation.orders),
        order_lines=len(simulation.lines),
        customers=simulation.arguments.customers,
        products=len(simulation.parameters.products),
    )


def _refuse_another_dataset(simulation: Simulation, landing: Path, truth: Path) -> None:
    written = _written(truth / PARAMETERS_FILE)
    if written.get("continuations"):
        raise FileExistsError(
            f"{landing}: was continued after its simulation; choose another folder or remove it first"
        )
    if written.get("arguments") == simulation.arguments.as_json():
        return
    for folder in (landing, truth):
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder}: holds files of another dataset; choose another folder or remove it first")


def _written(marker: Path) -> dict[str, Any]:
    """The document of the simulation that was written here; empty if there is none, or not even its marker is whole."""
    if not marker.is_file():
        return {}
    try:
        document: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return {}
    return document


def write_whole(file: Path, content: bytes) -> None:
    """Write a file under a hidden name, then rename it: whoever watches the folder sees it whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    part.replace(file)


def write_sales(simulation: Simulation, landing: Path, progress: Progress | None) -> tuple[int, int]:
    """Write all sales files; returns how many there are and how many are a header alone."""
    total, done, empty = len(sales_paths(simulation)), 0, 0
    for path, content in sales_files(simulation):
        file = landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
        done += 1
        empty += content == HEADER
        if progress is not None:
            progress(done, total)
    return done, empty


def _write_reference(simulation: Simulation, folder: Path) -> int:
    """Write business_units.csv, products.csv and customers.csv; returns the number of files."""
    parameters, seed = simulation.parameters, simulation.arguments.seed
    units = pd.DataFrame([vars(unit) for unit in parameters.business_units]).drop(columns="holiday_country")
    tables = {
        "business_units": units,
        "products": products_table(simulation),
        "customers": customer_directory(simulation.truth.home, parameters.business_units, seed),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table)
    return len(tables)


def write_table(file: Path, table: pd.DataFrame) -> None:
    """Write a reference file."""
    write_whole(file, table.to_csv(index=False, lineterminator="\n").encode("utf-8"))


def products_table(simulation: Simulation) -> pd.DataFrame:
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


def write_order_probabilities(simulation: Simulation, file: Path) -> None:
    """One row per order and product: what `README` says of order_probabilities.parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

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
