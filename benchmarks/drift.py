"""How often monitoring cries wolf, and how fast it finds what really changed: the experiment behind the thresholds.

Each seed is a chain of two years, which the champion's snapshot holds, and what comes after it: 24 stationary months, or
84 days of a scenario. Beside the scenarios, a column that nobody needs is changed in the ways in which tills change columns, and our
verdicts are compared with those of Evidently's defaults on the same windows.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from benchmarks.rows import Row
from globolatte_ml.monitoring.delivery import Delivery
from globolatte_ml.monitoring.drift import measure_drift
from globolatte_ml.monitoring.drift_columns import POLICIES
from globolatte_ml.monitoring.verdicts import DriftVerdict, Status
from globolatte_ml.monitoring.windows import CHAIN, Window, WindowRules, complete_windows
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
        days = STATIONARY_DAYS if scenario is Scenario.NONE else SCENARIO_DAYS
        chain = Continued.of(seed, scenario, days)
        verdicts = [
            measure_drift(window, orders, chain.snapshot, POLICIES).verdict for window, orders in chain.windows()
        ]
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
    yield from changed_column_rows(seeds)


# A column that nobody needs ---------------------------------------------------------------------------------------------

CHANGED = "payment_method"


def _emptied(values: pd.Series) -> pd.Series:
    return pd.Series(None, values.index, dtype=object)


def _masked(values: pd.Series) -> pd.Series:
    return values.map(lambda value: "*" * len(value))


def _recoded(values: pd.Series) -> pd.Series:
    return values.map(lambda value: "".join(word[0] for word in value.split()))


def _constant(values: pd.Series) -> pd.Series:
    return pd.Series("Credit Card", values.index, dtype=object)


def _card_numbers(values: pd.Series) -> pd.Series:
    numbers = np.random.default_rng(len(values)).integers(0, 10**6, len(values))
    return pd.Series([f"****** **** {number:06}" for number in numbers], values.index, dtype=object)


CHANGES: dict[str, Callable[[pd.Series], pd.Series]] = {
    "emptied": _emptied,
    "masked": _masked,
    "recoded": _recoded,
    "constant": _constant,
    "of high cardinality": _card_numbers,
}


def changed_column_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Windows of the chain in which a changed column that nobody needs breaks something or is drift, ours against Evidently's defaults;
    and the window that finds a product launch meanwhile."""
    calm = [Continued.of(seed, Scenario.NONE, SCENARIO_DAYS) for seed in seeds]
    launched = [Continued.of(seed, Scenario.PRODUCT_LAUNCH, SCENARIO_DAYS) for seed in seeds]
    for name, change in CHANGES.items():
        ours = reference = windows = 0
        for chain in calm:
            for window, orders in chain.windows(CHAIN):
                changed = orders.assign(**{CHANGED: change(orders[CHANGED])})
                windows += 1
                ours += measure_drift(window, changed, chain.snapshot, POLICIES).verdict.status is not Status.OK
                reference += defaults_complain(changed, chain.snapshot)
        said = f"{CHANGED} {name}: windows broken or drifted / named by Evidently's defaults, or without a report"
        yield Row(said, ours, reference, unit="windows", limit=0.0, note=f"{windows} windows of {len(seeds)} seeds")
        found = [_first_found(chain, change) for chain in launched]
        said = f"{CHANGED} {name}, and a product launch: the chain's window that finds it, worst of {len(seeds)} seeds / allowed"
        yield Row(said, max(found), FOUND_WITHIN, unit="window", limit=1.0)


def _first_found(chain: "Continued", change: Callable[[pd.Series], pd.Series]) -> int:
    for number, (window, orders) in enumerate(chain.windows(CHAIN), 1):
        changed = orders.assign(**{CHANGED: change(orders[CHANGED])})
        if measure_drift(window, changed, chain.snapshot, POLICIES).verdict.status is Status.DRIFTED:
            return number
    return SCENARIO_DAYS


def defaults_complain(orders: pd.DataFrame, snapshot: pd.DataFrame) -> bool:
    """Whether Evidently's drift preset as it comes names the changed column, or gives no report at all."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    names = [policy.column for policy in POLICIES]
    categorical = [policy.column for policy in POLICIES if policy.is_categorical]
    numerical = [name for name in names if name not in categorical]
    definition = DataDefinition(categorical_columns=categorical, numerical_columns=numerical)
    now, then = (Dataset.from_pandas(side[names], data_definition=definition) for side in (orders, snapshot))
    try:
        document = json.loads(Report([DataDriftPreset()], include_tests=True).run(now, then).json())
    except (ValueError, IndexError, KeyError, ZeroDivisionError, TypeError):  # it has none for a column without values
        return True
    verdicts = {
        test["metric_config"]["params"].get("column"): test["status"]
        for test in document["tests"]
        if test["metric_config"]["params"]["type"].endswith("ValueDrift")
    }
    return bool(verdicts.get(CHANGED) != "SUCCESS")


# Simulated chains as monitoring sees them, without files and warehouse -------------------------------------------------


@dataclass(frozen=True)
class Continued:
    """A chain that went on for some days after the two years that the champion's snapshot holds."""

    orders: pd.DataFrame
    after: dt.date
    until: dt.date

    @classmethod
    def of(cls, seed: int, scenario: Scenario, days: int) -> "Continued":
        first = simulate(seed=seed)
        after = first.arguments.end
        until = after + dt.timedelta(days=days)
        further = continue_chain(first.truth, scenario, after + dt.timedelta(days=1), until, seed=seed + 1000)
        return cls(delivered_orders([first, further]), after, until)

    @cached_property
    def snapshot(self) -> pd.DataFrame:
        """The orders that the champion learned from."""
        learned = self.orders[self.orders["business_date"] <= pd.Timestamp(self.after)]
        return learned.sort_values("business_date", kind="stable")

    def windows(self, scope: str | None = None) -> Iterator[tuple[Window, pd.DataFrame]]:
        """The complete windows of a scope, or of all, with their orders."""
        delivered = deliveries(self.orders, self.after, self.until)
        for window in complete_windows(delivered, self.after, WindowRules()):
            if scope in (None, window.scope):
                first, last = pd.Timestamp(window.first), pd.Timestamp(window.last)
                of_scope = window.scope == CHAIN or self.orders["business_unit"] == window.scope
                yield window, self.orders[self.orders["business_date"].between(first, last) & of_scope]


def delivered_orders(simulations: list[Simulation]) -> pd.DataFrame:
    """The orders of a chain and its continuations, in time order, with the columns of `monitoring.orders`, blanks included."""
    frame = pd.concat([_orders(simulation) for simulation in simulations], ignore_index=True)
    days = frame.groupby(["customer", "business_date"], sort=True).size().reset_index()
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
            "weather": np.where(
                blanks >= Blanks.PAYMENT_AND_WEATHER, None, np.array(WEATHERS, dtype=object)[orders["weather"]]
            ),
            "daypart": np.array(DAYPARTS, dtype=object)[orders["daypart"]],
            "payment_method": np.where(
                blanks >= Blanks.PAYMENT, None, np.array(PAYMENT_METHODS, dtype=object)[payment]
            ),
            "basket_size": orders["items"].astype(str).astype(object).to_numpy(),
            "items": orders["items"].to_numpy(),
        }
    )


def deliveries(orders: pd.DataFrame, after: dt.date, until: dt.date) -> list[Delivery]:
    """One delivery per unit and date after `after` until `until`, days without sales included."""
    counts = orders[["business_unit", "business_date"]].assign(orders=1, loaded=orders["items"])
    dates = pd.date_range(after + dt.timedelta(days=1), until, name="business_date")
    every = pd.MultiIndex.from_product([sorted(orders["business_unit"].unique()), dates])
    of_days = counts.groupby(["business_unit", "business_date"]).sum().reindex(every, fill_value=0)
    return [
        Delivery(unit, date.date(), *row) for (unit, date), row in zip(every, of_days.to_numpy().tolist(), strict=True)
    ]
