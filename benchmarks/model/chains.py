"""Chains to evaluate models on, as a training snapshot would hold them: without files, warehouse and dbt."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import one_hot
from simulator import HALF_STRENGTH, PUBLISHED_CHAIN, STRONGEST_EFFECT, Simulation, simulate
from simulator.identifiers import customer_ids, product_ids
from simulator.parameters import DAYPARTS, WEATHERS

HABIT_DATA = "habit data"
VARIANTS = {variant.name: variant for variant in (PUBLISHED_CHAIN, HALF_STRENGTH, STRONGEST_EFFECT)}
CHAINS = (*VARIANTS, HABIT_DATA)
EPOCH = np.datetime64("2020-01-01")
NOTHING = -1


@dataclass(frozen=True)
class Case:
    """One simulated chain; `simulation` is None where no oracle knows it."""

    chain: str
    orders: int
    customers: int
    seed: int
    snapshot: SnapshotOrders
    simulation: Simulation | None


def case(chain: str, orders: int, customers: int, seed: int) -> Case:
    """Simulate and lay out one chain of `CHAINS`."""
    simulation = simulate(orders, customers, seed, variant=VARIANTS.get(chain, PUBLISHED_CHAIN))
    if chain == HABIT_DATA:
        snapshot = as_snapshot(simulation, *creatures_of_habit(simulation, np.random.default_rng(seed)))
        return Case(chain, orders, customers, seed, snapshot, None)
    snapshot = as_snapshot(simulation, simulation.orders["main_product"].to_numpy(), simulation.lines)
    return Case(chain, orders, customers, seed, snapshot, simulation)


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


def as_snapshot(simulation: Simulation, mains: np.ndarray, lines: pd.DataFrame) -> SnapshotOrders:
    """The orders in time order with their customers' states; `mains`: (n,) codes of the main products."""
    orders, products = simulation.orders, tuple(product_ids(len(simulation.parameters.products)))
    units = np.array([unit.business_unit_id for unit in simulation.parameters.business_units])
    contexts = Contexts(
        business_unit=units[orders["business_unit"].to_numpy()],
        date=simulation.days[orders["day"].to_numpy()],
        weather=np.array(WEATHERS)[orders["weather"].to_numpy()],
        daypart=np.array(DAYPARTS)[orders["daypart"].to_numpy()],
        is_holiday=orders["is_holiday"].to_numpy(),
    )
    numbers = np.arange(1, len(orders) + 1).astype(str)
    customer = orders["customer"].to_numpy()
    return SnapshotOrders(
        products=products,
        states=_states(simulation, mains, lines, products),
        contexts=contexts,
        y=np.array(products)[mains],
        order_keys=numbers,
        order_ids=numbers,
        customer_ids=np.array(customer_ids(int(customer.max()) + 1))[customer],
        ordered_at=orders["ordered_at"].to_numpy().astype("datetime64[us]"),
    )


def _states(
    simulation: Simulation, mains: np.ndarray, lines: pd.DataFrame, products: tuple[str, ...]
) -> CustomerStates:
    orders, k = simulation.orders, len(products)
    dates = simulation.days[orders["day"].to_numpy()]
    past = _Past(orders["customer"].to_numpy(), dates)
    bought = one_hot(mains, k)
    addons = np.zeros((len(orders), k))
    added = lines[lines["line"] > 0]
    np.add.at(addons, (added["order"].to_numpy(), added["product"].to_numpy()), 1.0)
    last = past.value_of_order(dates, back=1)
    return CustomerStates(
        products=products,
        order_count=past.count,
        line_count=past.total(orders["items"].to_numpy()[:, None]).astype(np.int64)[:, 0],
        first_order_date=past.value_of_first(dates),
        last_order_date=last,
        daypart_orders=past.total(one_hot(orders["daypart"].to_numpy(), len(DAYPARTS))).astype(np.int64),
        recent_products=np.stack([past.value_of_order(mains, back, NOTHING) for back in (1, 2, 3)], axis=1),
        main_orders=past.total(bought),
        addon_lines=past.total(addons),
        decayed_main_30d=_decayed(past, bought, dates, last, 30.0),
        decayed_main_120d=_decayed(past, bought, dates, last, 120.0),
    )


def _decayed(past: "_Past", bought: np.ndarray, dates: np.ndarray, last: np.ndarray, half_life: float) -> np.ndarray:
    growth = np.exp2((dates - EPOCH).astype(np.float64) / half_life)
    seen = np.exp2(-(np.where(np.isnat(last), EPOCH, last) - EPOCH).astype(np.float64) / half_life)
    decayed: np.ndarray = past.total(bought * growth[:, None]) * seen[:, None]
    return decayed


class _Past:
    """For each of n orders in time order the same customer's orders of earlier dates."""

    def __init__(self, customer: np.ndarray, dates: np.ndarray) -> None:
        self._customer = customer
        self._first_of_date = pd.Series(range(len(dates))).groupby([customer, dates]).transform("min").to_numpy()
        self.count = self._by_customer(dates).cumcount().to_numpy()[self._first_of_date]

    def _by_customer(self, values: np.ndarray) -> Any:
        return pd.DataFrame(values).groupby(self._customer)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums of `values` (n, m) over the past; each customer's are added up alone, for decayed values grow fast."""
        sums = self._by_customer(values).cumsum().to_numpy()
        before: np.ndarray = self._by_customer(sums).shift(fill_value=0).to_numpy()
        return before[self._first_of_date]

    def value_of_order(self, values: np.ndarray, back: int, nothing: object = np.datetime64("NaT")) -> np.ndarray:
        """`values` (n,) of the last (back = 1), second last, … order of the past, `nothing` without one."""
        earlier: np.ndarray = self._by_customer(values).shift(back, fill_value=nothing)[0].to_numpy()
        return earlier[self._first_of_date].astype(values.dtype)

    def value_of_first(self, values: np.ndarray) -> np.ndarray:
        """`values` (n,) of the first order of the past, NaT without one."""
        found = self._by_customer(values).transform("first")[0].to_numpy()
        return np.where(self.count > 0, found, np.datetime64("NaT")).astype(values.dtype)
