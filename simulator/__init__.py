"""GloboLatte's coffee-chain simulator: a seeded chain whose customers' true preferences are known.

Belongs here: the names that others may use. Everything else of this package is private to it.
Does not belong here: anything that reads landing files, and anything of the platform (warehouse, assets, models).

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
