"""The simulator of a coffee chain: it is seeded, and its customers' true preferences are known.

This module exports the public names; everything else in the package is private. The simulator does not read landing files and uses
nothing of the platform (warehouse, assets, models).

    >>> simulation = simulate(orders=10_000, customers=1_000, seed=7)
    >>> written = write(simulation, Path("data"))                 # data/landing, data/truth
    >>> Truth.load(written.truth).true_preferences("C0001", "BU_CA", date(2024, 1, 15), "Snowy")
    {'P001': 0.02, ...}
    >>> further = continue_into(Path("data"), Scenario.PRODUCT_LAUNCH, days=28)   # four more weeks of files
"""

from simulator.arguments import Scenario, SimulationArguments
from simulator.chain import Simulation, simulate
from simulator.files import WrittenDataset, continue_into, write
from simulator.oracle import history_oracle
from simulator.scenarios import continue_chain
from simulator.truth import Truth
from simulator.variants import HALF_STRENGTH, PUBLISHED_CHAIN, STRONGEST_EFFECT

__all__ = [
    "HALF_STRENGTH",
    "PUBLISHED_CHAIN",
    "STRONGEST_EFFECT",
    "Scenario",
    "Simulation",
    "SimulationArguments",
    "Truth",
    "WrittenDataset",
    "continue_chain",
    "continue_into",
    "history_oracle",
    "simulate",
    "write",
]
