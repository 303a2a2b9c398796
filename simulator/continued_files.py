"""Write further days of a chain into the landing zone that its first simulation was written to.

The catalogue comes first, so that no sale is of an unknown product; the truth comes last, so that an interrupted write is
completed by the same call.
"""

from pathlib import Path

from simulator.arguments import Scenario
from simulator.chain import Simulation
from simulator.files import (
    Progress,
    WrittenDataset,
    products_table,
    write_order_probabilities,
    write_sales,
    write_table,
)
from simulator.scenarios import continue_chain, next_days
from simulator.truth import Truth


def continue_into(
    out: Path,
    scenario: Scenario | str = Scenario.NONE,
    days: int = 28,
    orders: int | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> WrittenDataset:
    """Continue the dataset in `out` (which holds `landing` and `truth`) by `days` days; see `continue_chain`.

    Raises `FileNotFoundError` if `out` holds no truth to continue.
    """
    truth = Truth.load(Path(out) / "truth")
    start, end = next_days(truth, days)
    return write_continuation(continue_chain(truth, scenario, start, end, orders, seed), out, progress)


def write_continuation(simulation: Simulation, out: Path, progress: Progress | None = None) -> WrittenDataset:
    """Write the further days of `continue_chain` below `out`; products.csv only if the catalogue grew."""
    landing, truth = Path(out) / "landing", Path(out) / "truth"
    catalogue = landing / "reference" / "products.csv"
    grew = len(simulation.parameters.products) > len(Truth.load(truth).parameters.products)
    if grew:
        write_table(catalogue, products_table(simulation))
    written, empty = write_sales(simulation, landing, progress)
    write_order_probabilities(simulation, truth / f"order_probabilities_{simulation.arguments.start}.parquet")
    simulation.truth.save(truth)
    return WrittenDataset(
        landing=landing,
        truth=truth,
        sales_files=written,
        empty_sales_files=empty,
        reference_files=int(grew),
        orders=len(simulation.orders),
        order_lines=len(simulation.lines),
        customers=simulation.arguments.customers,
        products=len(simulation.parameters.products),
    )
