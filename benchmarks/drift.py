"""How often monitoring cries wolf, and how fast it finds what really changed: the experiment behind the thresholds.

Each seed is a chain of two years, which the champion's snapshot holds, and what comes after it: 24 stationary months, or
84 days of a scenario. Rows are one per seed and scenario.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.rows import Row
from globolatte_ml.monitoring.delivery import Delivery
from globolatte_ml.monitoring.drift import measure_drift
from globolatte_ml.monitoring.drift_columns import POLICIES
from globolatte_ml.monitoring.verdicts import DriftVerdict, Status
from globolatte_ml.monitoring.windows import CHAIN, WindowRules, complete_windows
from simulator import Scenario, Simulation, continue_chain, simulate
from simulator.chain import Blanks
from simulator.identifiers import product_ids
from simulator.parameters import DAYPARTS, WEATHERS
from simulator.people import PAYMENT_METHODS, draw_payment_methods

STATIONARY_DAYS = 730
SCENARIO_DAYS = 84
FOUND_WITHIN = 2
"""A change is to be found in so many windows of the chain."""


@dataclass(frozen=True)
class Watched:
    """The results of monitoring for one chain after its first two years: 24 stationary months, or one scenario."""

    verdicts: list[DriftVerdict]
    expected: Status

    @classmethod
    def of(cls, seed: int, scenario: Scenario) -> "Watched":
        first = simulate(seed=seed)
        after = first.arguments.end
        until = after + dt.timedelta(days=STATIONARY_DAYS if scenario is Scenario.NONE else SCENARIO_DAYS)
        further = continue_chain(first.truth, scenario, after + dt.timedelta(days=1), until, seed=seed + 1000)
        everything = delivered_orders([first, further])
        loaded = everything[~everything["is_quarantined"]]
        snapshot = loaded[loaded["business_date"] <= pd.Timestamp(after)].sort_values("business_date", kind="stable")
        verdicts = []
        for window in complete_windows(deliveries(everything, after, until), after, WindowRules()):
            dates = loaded["business_date"].between(pd.Timestamp(window.first), pd.Timestamp(window.last))
            of_scope = window.scope == CHAIN or loaded["business_unit"] == window.scope
            verdicts.append(measure_drift(window, loaded[dates & of_scope], snapshot, POLICIES).verdict)
        return cls(verdicts, Status.BROKEN if scenario is Scenario.BROKEN_UPSTREAM else Status.DRIFTED)

    @property
    def alarms(self) -> int:
        """Windows, of any scope, that are not as they should be."""
        return sum(verdict.status in (Status.DRIFTED, Status.BROKEN) for verdict in self.verdicts)

    @property
    def first_found(self) -> int | None:
        """The chain's first window with the expected status, from 1."""
        of_chain = [verdict.status for verdict in self.verdicts if verdict.window.scope == CHAIN]
        return of_chain.index(self.expected) + 1 if self.expected in of_chain else None

    @property
    def worst(self) -> str:
        """The highest statistic of each column over its threshold, as `column ratio`."""
        ratios: dict[str, float] = {}
        for column in (column for verdict in self.verdicts for column in verdict.columns):
            if column.statistic is not None:
                ratios[column.column] = max(ratios.get(column.column, 0.0), column.statistic / column.threshold)
        return ", ".join(f"{name} {ratio:.2f}" for name, ratio in sorted(ratios.items(), key=lambda item: -item[1]))


def rows(seeds: Sequence[int] = (7, 8, 9)) -> Iterator[Row]:
    """The whole experiment, about one minute a seed on one core: false alarms among all windows, and the window of each find."""
    for scenario in Scenario:
        found = [Watched.of(seed, scenario) for seed in seeds]
        if scenario is Scenario.NONE:
            windows, alarms = sum(len(chain.verdicts) for chain in found), sum(chain.alarms for chain in found)
            name = f"false alarms in 24 stationary months, {len(seeds)} seeds / windows"
            yield Row(name, alarms, windows, unit="windows", limit=0.0, note="; ".join(chain.worst for chain in found))
        else:
            latest = max(chain.first_found or SCENARIO_DAYS for chain in found)
            name = f"{scenario}: the chain's window that finds it, worst of {len(seeds)} seeds / allowed"
            yield Row(name, latest, FOUND_WITHIN, unit="window", limit=1.0)


# Simulated chains as monitoring sees them, without files and warehouse -------------------------------------------------


def delivered_orders(simulations: list[Simulation]) -> pd.DataFrame:
    """The orders of a chain and its continuations, in time order, with the columns of `monitoring.orders`, blanks included.

    Orders whose weather is blank are marked `is_quarantined`: the load keeps them out.
    """
    frame = pd.concat([_orders(simulation) for simulation in simulations], ignore_index=True)
    usable = frame[~frame["is_quarantined"]]
    days = usable.groupby(["customer", "business_date"], sort=True).size().reset_index()
    days["last"] = days.groupby("customer")["business_date"].shift()
    frame = frame.merge(days[["customer", "business_date", "last"]], on=["customer", "business_date"], how="left")
    frame["days_since_last_order"] = (frame["business_date"] - frame["last"]).dt.days.astype("float64")
    frame["is_new_customer"] = np.where(frame["last"].isna(), "new", "known")
    return frame


def _orders(simulation: Simulation) -> pd.DataFrame:
    orders, parameters = simulation.orders, simulation.parameters
    unit = orders["business_unit"].to_numpy()
    payment = draw_payment_methods(unit, parameters.business_units, simulation.arguments.seed)
    blanks = np.zeros(len(orders), np.int64) if simulation.blanks is None else simulation.blanks
    ids = np.array([one.business_unit_id for one in parameters.business_units], dtype=object)
    return pd.DataFrame(
        {
            "customer": orders["customer"].to_numpy(),
            "business_unit": ids[unit],
            "business_date": orders["ordered_at"].to_numpy().astype("datetime64[D]").astype("datetime64[ns]"),
            "main_product_id": np.array(product_ids(len(parameters.products)), dtype=object)[orders["main_product"]],
            "weather": np.array(WEATHERS, dtype=object)[orders["weather"]],
            "daypart": np.array(DAYPARTS, dtype=object)[orders["daypart"]],
            "payment_method": np.where(
                blanks >= Blanks.PAYMENT, None, np.array(PAYMENT_METHODS, dtype=object)[payment]
            ),
            "basket_size": orders["items"].astype(str).astype(object).to_numpy(),
            "items": orders["items"].to_numpy(),
            "is_quarantined": blanks >= Blanks.PAYMENT_AND_WEATHER,
        }
    )


def deliveries(orders: pd.DataFrame, after: dt.date, until: dt.date) -> list[Delivery]:
    """One delivery per unit and date after `after` until `until`, days without sales included."""
    bad, items = orders["is_quarantined"], orders["items"]
    counts = orders[["business_unit", "business_date"]].assign(
        orders=~bad, loaded=items * ~bad, quarantined=items * bad
    )
    dates = pd.date_range(after + dt.timedelta(days=1), until, name="business_date")
    every = pd.MultiIndex.from_product([sorted(orders["business_unit"].unique()), dates])
    of_days = counts.groupby(["business_unit", "business_date"]).sum().reindex(every, fill_value=0)
    return [
        Delivery(unit, date.date(), *row) for (unit, date), row in zip(every, of_days.to_numpy().tolist(), strict=True)
    ]
