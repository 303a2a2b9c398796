"""Chains to evaluate models on, as a training snapshot would hold them: without files, warehouse and dbt."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from benchmarks.model.purchases import Purchases
from benchmarks.model.real_chains import REAL
from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.snapshot import SnapshotOrders
from simulator import HALF_STRENGTH, PUBLISHED_CHAIN, STRONGEST_EFFECT, Simulation, simulate
from simulator.identifiers import customer_ids, product_ids
from simulator.parameters import DAYPARTS, WEATHERS

HABIT_DATA = "habit data"
VARIANTS = {variant.name: variant for variant in (PUBLISHED_CHAIN, HALF_STRENGTH, STRONGEST_EFFECT)}
SIMULATED = (*VARIANTS, HABIT_DATA)
CHAINS = (*SIMULATED, *REAL)


@dataclass(frozen=True)
class Case:
    """One chain. `simulation` is None where no oracle knows it.

    `baskets`: which products each order contains, 0 or 1, (orders, K). `basket_counts`: the first line of an order says no more than
    the others, so that whole baskets are to be predicted.
    """

    chain: str
    orders: int
    customers: int
    seed: int
    snapshot: SnapshotOrders
    baskets: csr_matrix
    simulation: Simulation | None = None
    basket_counts: bool = False

    @property
    def real(self) -> bool:
        """Whether people bought it."""
        return self.chain in REAL


def case(chain: str, orders: int, customers: int, seed: int) -> Case:
    """Simulate and lay out one chain of `SIMULATED`."""
    simulation = simulate(orders, customers, seed, variant=VARIANTS.get(chain, PUBLISHED_CHAIN))
    mains, lines = simulation.orders["main_product"].to_numpy(), simulation.lines
    if chain == HABIT_DATA:
        mains, lines = creatures_of_habit(simulation, np.random.default_rng(seed))
    purchases = as_purchases(simulation, mains, lines)
    known = None if chain == HABIT_DATA else simulation
    return Case(chain, orders, customers, seed, purchases.snapshot(), purchases.baskets, known)


def real_case(chain: str) -> Case:
    """Fetch and lay out one chain of `REAL`; raises `UnavailableError`."""
    purchases = REAL[chain]()
    customers = len(np.unique(purchases.customers))
    counts = len(purchases.addon_order) > 0
    return Case(chain, len(purchases), customers, 0, purchases.snapshot(), purchases.baskets, basket_counts=counts)


def creatures_of_habit(simulation: Simulation, rng: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
    """Main products and lines of customers whom circumstances hardly move: no logit, hence no oracle.

    Most orders repeat the customer's standing order, some the last one, the rest is drawn from what the chain sells. A standing
    order is given up now and then for another.
    """
    orders, popularity = simulation.orders, rng.dirichlet(np.full(len(simulation.parameters.products), 2.0))
    customers = len(simulation.truth.segment)
    loyalty, repeat = rng.beta(4.0, 1.5, customers), rng.beta(1.0, 6.0, customers)
    standing = rng.choice(len(popularity), customers, p=popularity)
    last, mains = standing.copy(), np.empty(len(orders), np.int64)
    customer = orders["customer"].to_numpy()
    chance, other = rng.random((len(orders), 3)), rng.choice(len(popularity), (len(orders), 2), p=popularity)
    for row, who in enumerate(customer):
        if chance[row, 0] < 0.01:
            standing[who] = other[row, 0]
        loyal = chance[row, 1] < loyalty[who]
        elsewhere = last[who] if chance[row, 2] < repeat[who] else other[row, 1]
        last[who] = mains[row] = standing[who] if loyal else elsewhere
    lines = simulation.lines.copy()
    main_line = lines["line"].to_numpy() == 0
    lines.loc[main_line, "product"] = mains[lines.loc[main_line, "order"].to_numpy()]
    return mains, lines


def as_purchases(simulation: Simulation, mains: np.ndarray, lines: pd.DataFrame) -> Purchases:
    """The orders of a simulated chain, in time order; `mains`: (n,) codes of the main products."""
    orders, products = simulation.orders, tuple(product_ids(len(simulation.parameters.products)))
    units = np.array([unit.business_unit_id for unit in simulation.parameters.business_units])
    contexts = Contexts(
        business_unit=units[orders["business_unit"].to_numpy()],
        date=simulation.days[orders["day"].to_numpy()],
        weather=np.array(WEATHERS)[orders["weather"].to_numpy()],
        daypart=np.array(DAYPARTS)[orders["daypart"].to_numpy()],
        is_holiday=orders["is_holiday"].to_numpy(),
    )
    customer = orders["customer"].to_numpy()
    added = lines[lines["line"] > 0]
    return Purchases(
        products=products,
        customers=np.array(customer_ids(int(customer.max()) + 1))[customer],
        mains=mains,
        contexts=contexts,
        ordered_at=orders["ordered_at"].to_numpy(),
        pieces=orders["items"].to_numpy(),
        addon_order=added["order"].to_numpy(),
        addon_product=added["product"].to_numpy(),
    )
