"""Drift: a window's orders against the champion's snapshot, column by column, by Evidently."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from globolatte_ml.monitoring.drift_columns import POLICIES, ColumnPolicy, Reference
from globolatte_ml.monitoring.orders import ReferenceOrders, reference_orders
from globolatte_ml.monitoring.verdicts import ColumnVerdict, DriftVerdict, Status
from globolatte_ml.monitoring.windows import Window

if TYPE_CHECKING:
    from evidently.core.report import Snapshot as EvidentlySnapshot

FEWEST_VALUES = 100
"""A column with fewer values than this, in window or reference, is not compared."""


@dataclass(frozen=True)
class MeasuredDrift:
    """A verdict, and the Evidently report behind it; none where nothing could be compared."""

    verdict: DriftVerdict
    report: "EvidentlySnapshot | None"

    def html(self) -> str | None:
        """The report as one self-contained page that opens without a network."""
        return None if self.report is None else str(self.report.get_html_str(as_iframe=False))


def measure_drift(
    window: Window,
    orders: pd.DataFrame,
    snapshot: pd.DataFrame,
    policies: Sequence[ColumnPolicy] = POLICIES,
    fresh_from: dt.date | None = None,
) -> MeasuredDrift:
    """Compare the window's orders with the snapshot's ones of the same time of year.

    A column that differs from them, but is like the orders that were new when the champion was trained, has not drifted: a
    champion that was trained after a change has learned it, although the years before look different.

    Broken data (too much in quarantine, a column that lost its values) make the window `BROKEN`, whatever else drifted.

    Args:
        orders: the window's orders, columns as from `orders.order_columns`.
        snapshot: all orders of the champion's snapshot, the same columns, in time order.
        fresh_from: from which date on the orders were new when the champion learned; none for a first champion.
    """
    reference = reference_orders(snapshot, window, fresh_from)
    faults = list(window.delivery.faults())
    rows_of = {Reference.RECENT: reference.recent, Reference.SEASON: reference.seasonal}
    base = {policy: rows_of[policy.reference] for policy in policies if policy.applies_to(window.scope)}
    guarded = {policy: _guard(policy, orders, rows) for policy, rows in base.items()}
    faults += [verdict.note for verdict in guarded.values() if verdict and verdict.status is Status.BROKEN]
    compared = [policy for policy, verdict in guarded.items() if verdict is None]
    report = _report(compared, orders, base, len(reference.seasonal)) if compared else None
    found = _column_verdicts(report, compared) if report is not None else {}
    found |= _as_learned(
        [policy for policy in compared if found[policy.column].status is Status.DRIFTED], orders, reference
    )
    columns = tuple(verdict or found[policy.column] for policy, verdict in guarded.items())
    drifted = any(column.status is Status.DRIFTED for column in columns)
    status = Status.BROKEN if faults else Status.DRIFTED if drifted else Status.OK
    verdict = DriftVerdict(
        window, status, columns, reference.description, len(reference.seasonal), tuple(dict.fromkeys(faults))
    )
    return MeasuredDrift(verdict, report)


def _as_learned(
    drifted: Sequence[ColumnPolicy], orders: pd.DataFrame, reference: ReferenceOrders
) -> dict[str, ColumnVerdict]:
    """Of the columns that differ from their season, those that are as in the orders that were new when the champion learned."""
    seasonal = [policy for policy in drifted if policy.reference is Reference.SEASON]
    compared = [policy for policy in seasonal if _guard(policy, orders, reference.fresh) is None]
    if not compared:
        return {}
    report = _report(compared, orders, dict.fromkeys(compared, reference.fresh), len(reference.fresh))
    note = "unlike the same time of year, but as in the orders that were new when the champion learned"
    again = _column_verdicts(report, compared)
    return {name: replace(verdict, note=note) for name, verdict in again.items() if verdict.status is Status.OK}


def _guard(policy: ColumnPolicy, orders: pd.DataFrame, base: pd.DataFrame) -> ColumnVerdict | None:
    """Why a column cannot be compared, or none if it can: missing, empty or half empty, too few values, constant in both."""

    def verdict(status: Status, note: str) -> ColumnVerdict:
        return ColumnVerdict(policy.column, policy.method, None, policy.threshold, status, note)

    if policy.column not in base:
        return verdict(Status.LEFT_OUT, "the snapshot lacks the column")
    if policy.column not in orders:
        return verdict(Status.BROKEN, f"column {policy.column} is missing")
    now, then = orders[policy.column], base[policy.column]
    if len(now) and len(then) and now.isna().mean() > then.isna().mean() + policy.most_missing:
        return verdict(
            Status.BROKEN,
            f"{now.isna().mean():.0%} of {policy.column} is empty ({then.isna().mean():.0%} in the snapshot)",
        )
    if min(now.notna().sum(), then.notna().sum()) < FEWEST_VALUES:
        return verdict(Status.LEFT_OUT, f"fewer than {FEWEST_VALUES} values")
    if pd.concat([now, then]).nunique() < 2:
        return verdict(Status.LEFT_OUT, "one value alone, in window and snapshot")
    return None


def _report(
    policies: Sequence[ColumnPolicy], orders: pd.DataFrame, base: Mapping[ColumnPolicy, pd.DataFrame], length: int
) -> "EvidentlySnapshot":
    """Evidently knows one reference: columns with one of their own are repeated to its length, which moves no distribution."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    names = [policy.column for policy in policies]
    then = {p.column: _values(np.resize(base[p][p.column].to_numpy(), length), p) for p in policies}
    now = {p.column: _values(orders[p.column].to_numpy(), p) for p in policies}
    definition = DataDefinition(
        categorical_columns=[p.column for p in policies if p.is_categorical],
        numerical_columns=[p.column for p in policies if not p.is_categorical],
    )
    preset = DataDriftPreset(
        columns=names,
        drift_share=1 / len(policies),  # the page's headline says what the verdict says: one column is enough
        per_column_method={p.column: p.method.value for p in policies},
        per_column_threshold={p.column: p.threshold for p in policies},
    )
    return Report([preset], include_tests=True).run(
        Dataset.from_pandas(pd.DataFrame(now), data_definition=definition),
        Dataset.from_pandas(pd.DataFrame(then), data_definition=definition),
    )


def _values(values: np.ndarray, policy: ColumnPolicy) -> pd.Series:
    return pd.Series(values, dtype="object" if policy.is_categorical else "float64")


def _column_verdicts(report: "EvidentlySnapshot", policies: Sequence[ColumnPolicy]) -> dict[str, ColumnVerdict]:
    """Evidently has no drifted flag: the statistic is the metric's value, the verdict is the status of its test."""
    document: dict[str, Any] = json.loads(report.json())
    statistic = {
        metric["config"]["column"]: float(metric["value"])
        for metric in document["metrics"]
        if metric["config"]["type"].endswith("ValueDrift")
    }
    failed = {
        test["metric_config"]["params"]["column"]
        for test in document["tests"]
        if test["metric_config"]["params"]["type"].endswith("ValueDrift") and test["status"] == "FAIL"
    }
    return {
        p.column: ColumnVerdict(
            p.column,
            p.method,
            statistic[p.column],
            p.threshold,
            Status.DRIFTED if p.column in failed else Status.OK,
        )
        for p in policies
    }
