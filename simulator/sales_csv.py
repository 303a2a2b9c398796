"""The daily sales files: their paths and their bytes.

All lines are formatted at once, in blocks of whole files: Arrow joins the columns of a block; a file's content is a slice
of its lines.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.chain import Blanks, Simulation
from simulator.identifiers import customer_ids, order_ids, product_ids, transaction_ids
from simulator.parameters import WEATHERS, IntArray
from simulator.people import PAYMENT_METHODS, draw_payment_methods

HEADER = (
    b"transaction_id,order_id,business_unit,product_id,customer_id,quantity,total_price,transaction_date,"
    b"payment_method,weather\n"
)
LINES_PER_BLOCK = 500_000
"""Bounds the memory of a block; a file is never split, so a block may hold one larger file."""
MOST_LINES_PER_ORDER = 3
"""A main product and two add-ons: what keeps the transaction ids of a continued chain apart from the earlier ones."""


def sales_files(simulation: Simulation) -> Iterator[tuple[str, bytes]]:
    """Path below the landing zone and content of every sales file, by business unit and date.

    One file per business unit and day of the span; a day without sales is a header alone. A file's lines are in time
    order, an order's lines adjacent and its main product first.
    """
    paths = sales_paths(simulation)
    order_of_line = simulation.lines["order"].to_numpy()
    orders = simulation.orders
    file_of_order = orders["business_unit"].to_numpy() * len(simulation.days) + orders["day"].to_numpy()
    file_of_line = file_of_order[order_of_line]
    by_file = np.argsort(file_of_line, kind="stable")
    ends = np.searchsorted(file_of_line[by_file], np.arange(len(paths) + 1))
    columns = _Columns(simulation)
    for first, last in _blocks(ends):
        text = columns.formatted(by_file[ends[first] : ends[last]])
        for file in range(first, last):
            body = "".join(text[ends[file] - ends[first] : ends[file + 1] - ends[first]])
            yield paths[file], HEADER + body.encode()


def sales_paths(simulation: Simulation) -> list[str]:
    """sales/<folder>/<yyyy>/<mm>/<dd>/sales.csv of every business unit and day, units outermost."""
    dates = [str(day).replace("-", "/") for day in simulation.days]
    return [f"sales/{unit.folder}/{date}/sales.csv" for unit in simulation.parameters.business_units for date in dates]


def _blocks(ends: IntArray) -> Iterator[tuple[int, int]]:
    """Ranges of files [first, last) of at most LINES_PER_BLOCK lines each, or of one file; ends: (files + 1,)."""
    first, files = 0, len(ends) - 1
    while first < files:
        last = int(np.searchsorted(ends, ends[first] + LINES_PER_BLOCK, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


class _Columns:
    """The columns of all sales lines, as dictionaries and codes until a block needs their text."""

    def __init__(self, simulation: Simulation) -> None:
        orders, parameters = simulation.orders, simulation.parameters
        units = parameters.business_units
        self._lines = simulation.lines
        payment = draw_payment_methods(orders["business_unit"].to_numpy(), units, simulation.arguments.seed)
        weather = orders["weather"].to_numpy()
        if simulation.blanks is not None:
            payment = np.where(simulation.blanks >= Blanks.PAYMENT, len(PAYMENT_METHODS), payment)
            weather = np.where(simulation.blanks >= Blanks.PAYMENT_AND_WEATHER, len(WEATHERS), weather)
        ordered_at = orders["ordered_at"].to_numpy()
        quantities = range(1, int(self._lines["quantity"].max()) + 1)
        cents = [product.price_cents * quantity for product in parameters.products for quantity in quantities]
        self._quantities = len(quantities)
        self._prices = pa.array([f"{amount // 100}.{amount % 100:02d}" for amount in cents])
        self._products = pa.array(product_ids(len(parameters.products)))
        order_columns = {
            "order_id": order_ids(len(orders), simulation.earlier_orders),
            "business_unit": _decoded([unit.business_unit_id for unit in units], orders["business_unit"]),
            "customer_id": _decoded(customer_ids(simulation.arguments.customers), orders["customer"]),
            "transaction_date": pc.replace_substring(pa.array(ordered_at).cast(pa.string()), " ", "T"),
            "payment_method": _decoded([*PAYMENT_METHODS, ""], payment),
            "weather": _decoded([*(f"{name}\n" for name in WEATHERS), "\n"], weather),
        }
        self._orders = pa.table(order_columns)
        earlier = MOST_LINES_PER_ORDER * simulation.earlier_orders
        self._transactions = transaction_ids(len(self._lines), earlier)

    def formatted(self, rows: IntArray) -> list[str]:
        """CSV text, each with its line end, of the given rows of the simulation's lines."""
        lines = self._lines.iloc[rows]
        product, quantity = lines["product"].to_numpy(), lines["quantity"].to_numpy()
        orders = self._orders.take(pa.array(lines["order"].to_numpy()))
        text: list[str] = pc.binary_join_element_wise(
            self._transactions.take(pa.array(rows)),
            orders["order_id"],
            orders["business_unit"],
            self._products.take(pa.array(product)),
            orders["customer_id"],
            pa.array(quantity).cast(pa.string()),
            self._prices.take(pa.array(product * self._quantities + quantity - 1)),
            orders["transaction_date"],
            orders["payment_method"],
            orders["weather"],
            ",",
        ).to_pylist()
        return text


def _decoded(names: Any, codes: Any) -> Any:
    return pa.array(names).take(pa.array(np.asarray(codes)))
