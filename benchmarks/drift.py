"""How often monitoring cries wolf, and how fast it finds what really changed: the experiment behind the thresholds.

Each seed is a chain of two years, which the champion's snapshot holds, and what comes after it: 24 stationary months, or
84 days of a scenario. Rows are one per seed and scenario.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.rows import Row
from benchmarks.simulated_orders import delivered_orders, deliveries
from globolatte_ml.monitoring.drift import measure_drift
from globolatte_ml.monitoring.drift_columns import POLICIES, ColumnPolicy
from globolatte_ml.monitoring.verdicts import DriftVerdict, Status
from globolatte_ml.monitoring.windows import CHAIN, WindowRules, complete_windows
from simulator import Scenario, continue_chain, simulate

STATIONARY_DAYS = 730
SCENARIO_DAYS = 84
FOUND_WITHIN = 2
"""A change is to be found in so many windows of the chain."""


@dataclass(frozen=True)
class DriftRow:
    """What monitoring said of one chain. `first_found` is the chain's first window with the expected status, from 1."""

    seed: int
    scenario: str
    windows: int
    drifted: int
    broken: int
    first_found: int | None
    worst: str
    """The highest statistic of each column over its threshold, as `column ratio`."""


def verdicts_of(
    seed: int,
    scenario: Scenario,
    days: int,
    policies: Sequence[ColumnPolicy] = POLICIES,
    rules: WindowRules | None = None,
    orders: int = 10_000,
    customers: int = 1_000,
) -> Iterator[DriftVerdict]:
    """The verdicts of every window of a chain after its first two years."""
    first = simulate(orders, customers, seed)
    after, until = first.arguments.end, first.arguments.end + dt.timedelta(days=days)
    further = continue_chain(first.truth, scenario, after + dt.timedelta(days=1), until, seed=seed + 1000)
    everything = delivered_orders([first, further])
    loaded = everything[~everything["is_quarantined"]]
    snapshot = loaded[loaded["business_date"] <= pd.Timestamp(after)].sort_values("business_date", kind="stable")
    for window in complete_windows(deliveries(everything, after, until), after, rules):
        dates = loaded["business_date"].between(pd.Timestamp(window.first), pd.Timestamp(window.last))
        of_scope = window.scope == CHAIN or loaded["business_unit"] == window.scope
        yield measure_drift(window, loaded[dates & of_scope], snapshot, policies).verdict


def drift_row(seed: int, scenario: Scenario) -> DriftRow:
    """One chain under one scenario, or 24 stationary months."""
    days = STATIONARY_DAYS if scenario is Scenario.NONE else SCENARIO_DAYS
    verdicts = list(verdicts_of(seed, scenario, days))
    expected = Status.BROKEN if scenario is Scenario.BROKEN_UPSTREAM else Status.DRIFTED
    of_chain = [verdict.status for verdict in verdicts if verdict.window.scope == CHAIN]
    ratios: dict[str, float] = {}
    for verdict in verdicts:
        for column in verdict.columns:
            if column.statistic is not None:
                ratios[column.column] = max(ratios.get(column.column, 0.0), column.statistic / column.threshold)
    return DriftRow(
        seed=seed,
        scenario=str(scenario),
        windows=len(verdicts),
        drifted=sum(verdict.status is Status.DRIFTED for verdict in verdicts),
        broken=sum(verdict.status is Status.BROKEN for verdict in verdicts),
        first_found=of_chain.index(expected) + 1 if expected in of_chain else None,
        worst=", ".join(f"{name} {ratio:.2f}" for name, ratio in sorted(ratios.items(), key=lambda item: -item[1])),
    )


def rows(seeds: Sequence[int] = (7, 8, 9)) -> Iterator[Row]:
    """The whole experiment, about one minute a seed on one core: false alarms among all windows, and the window of each find."""
    for scenario in Scenario:
        found = [drift_row(seed, scenario) for seed in seeds]
        if scenario is Scenario.NONE:
            windows, alarms = sum(row.windows for row in found), sum(row.drifted + row.broken for row in found)
            name = f"false alarms in 24 stationary months, {len(seeds)} seeds / windows"
            yield Row(name, alarms, windows, unit="windows", limit=0.0, note="; ".join(row.worst for row in found))
        else:
            latest = max(row.first_found or SCENARIO_DAYS for row in found)
            name = f"{scenario}: the chain's window that finds it, worst of {len(seeds)} seeds / allowed"
            yield Row(name, latest, FOUND_WITHIN, unit="window", limit=1.0)
