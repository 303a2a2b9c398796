"""Drift: a window's orders against the champion's snapshot, column by column, by Evidently."""

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from globolatte_ml.monitoring.accepted import AcceptedChange
from globolatte_ml.monitoring.drift_columns import POLICIES, ColumnPolicy, Reference
from globolatte_ml.monitoring.orders import ReferenceOrders, new_normal, reference_orders
from globolatte_ml.monitoring.verdicts import ColumnVerdict, DriftVerdict, Status
from globolatte_ml.monitoring.windows import Window

if TYPE_CHECKING:
    from evidently.core.report import Snapshot as EvidentlySnapshot

FEWEST_VALUES = 100
"""A column with fewer values than this, in window or reference, is not compared."""
MOST_DIFFERENT = 0.2
"""Names are compared if they come again: of a column with more different values than this share of its values, chance alone makes up a
Jensen-Shannon distance of a threshold and more (its square is about the number of names over eight times the number of values)."""
NOT_NEEDED = "neither the load nor the model needs it"


@dataclass(frozen=True)
class MeasuredDrift:
    """A verdict, and the Evidently report behind it; none where nothing could be compared."""

    verdict: DriftVerdict
    report: "EvidentlySnapshot | None"

    def html(self) -> str | None:
        """The report as one self-contained page that opens without a network."""
        return None if self.report is None else str(self.report.get_html_str(as_iframe=False))


@dataclass(frozen=True)
class Comparison:
    """One column's comparison: orders of the window with orders before it.

    `is_usual`: not changed by an acceptance, of which `note` tells otherwise. `is_needed`: the load or the model needs the column.
    """

    policy: ColumnPolicy
    now: pd.DataFrame
    then: pd.DataFrame
    is_needed: bool
    is_usual: bool = True
    note: str = ""

    @property
    def column(self) -> str:
        """The column's name."""
        return self.policy.column

    def verdict(self, status: Status, note: str = "", statistic: float | None = None) -> ColumnVerdict:
        """A verdict on the column: what would be drift or a fault is noted where nobody needs the column."""
        notes = [note, self.note]
        if not self.is_needed and status in (Status.DRIFTED, Status.BROKEN):
            status, notes = Status.NOTED, [note or "it changed", NOT_NEEDED, self.note]
        said = "; ".join(filter(None, notes))
        return ColumnVerdict(self.column, self.policy.method, statistic, self.policy.threshold, status, said)


def measure_drift(
    window: Window,
    orders: pd.DataFrame,
    snapshot: pd.DataFrame,
    policies: Sequence[ColumnPolicy] = POLICIES,
    fresh_from: dt.date | None = None,
    *,
    required: Collection[str] = (),
    accepted: Sequence[AcceptedChange] = (),
    since_snapshot: pd.DataFrame | None = None,
) -> MeasuredDrift:
    """Compare the window's orders with the snapshot's ones of the same time of year.

    A column that differs from them, but is like the orders that were new when the champion was trained, has not drifted: a
    champion that was trained after a change has learned it, although the years before look different.

    Broken data (too much in quarantine, a needed column that lost its values) make the window `BROKEN`, whatever else drifted. What
    neither the load nor the model needs is noted, and changes no window's status.

    Args:
        orders: the window's orders, columns as from `orders.order_columns`.
        snapshot: all orders of the champion's snapshot, the same columns, in time order.
        fresh_from: from which date on the orders were new when the champion learned; none for a first champion.
        required: columns that the load requires although the model does not read them.
        accepted: changes that a person accepted. since_snapshot: the orders between the snapshot and the window, which such a change is
            compared with.
    """
    reference = reference_orders(snapshot, window, fresh_from)
    faults = list(window.delivery.faults())
    before = snapshot if since_snapshot is None else pd.concat([snapshot, since_snapshot], ignore_index=True)
    comparisons = [
        _comparison(policy, window, orders, reference, before, required, accepted)
        for policy in policies
        if policy.applies_to(window.scope)
    ]
    guarded = {one.column: _guard(one) for one in comparisons}
    faults += [verdict.note for verdict in guarded.values() if verdict and verdict.status is Status.BROKEN]
    compared = [one for one in comparisons if guarded[one.column] is None]
    report = _report(compared) if compared else None
    found = _column_verdicts(report, compared) if report is not None else {}
    found |= _as_learned(compared, found, reference)
    columns = tuple(guarded[one.column] or found[one.column] for one in comparisons)
    drifted = any(column.status is Status.DRIFTED for column in columns)
    status = Status.BROKEN if faults else Status.DRIFTED if drifted else Status.OK
    verdict = DriftVerdict(
        window, status, columns, reference.description, len(reference.seasonal), tuple(dict.fromkeys(faults))
    )
    return MeasuredDrift(verdict, report)


def _comparison(
    policy: ColumnPolicy,
    window: Window,
    orders: pd.DataFrame,
    reference: ReferenceOrders,
    before: pd.DataFrame,
    required: Collection[str],
    accepted: Sequence[AcceptedChange],
) -> Comparison:
    is_needed, then = policy.is_needed(required), reference.rows(policy.reference)
    change = new_normal(policy, window, orders, before, accepted)
    if change is None:
        return Comparison(policy, orders, then, is_needed)
    if change.normal is None:
        then = then[then["business_unit"].isin(change.kept)]
    else:
        then = reference_orders(change.normal, window).rows(policy.reference)
    return Comparison(policy, change.now, then, is_needed, is_usual=False, note=change.note)


def _as_learned(
    compared: Sequence[Comparison], found: Mapping[str, ColumnVerdict], reference: ReferenceOrders
) -> dict[str, ColumnVerdict]:
    """Of the columns that differ from their season, those that are as in the orders that were new when the champion learned."""
    again = [
        replace(one, then=reference.fresh)
        for one in compared
        if one.is_usual
        and one.policy.reference is Reference.SEASON
        and found[one.column].status in (Status.DRIFTED, Status.NOTED)
    ]
    again = [one for one in again if _guard(one) is None]
    if not again:
        return {}
    note = "unlike the same time of year, but as in the orders that were new when the champion learned"
    verdicts = _column_verdicts(_report(again), again)
    return {name: replace(verdict, note=note) for name, verdict in verdicts.items() if verdict.status is Status.OK}


def _guard(one: Comparison) -> ColumnVerdict | None:
    """Why a column cannot be compared, or none if it can: missing, empty or half empty, too few values, constant in both, or mostly values
    that do not come again."""
    policy = one.policy
    if policy.column not in one.then:
        return one.verdict(Status.LEFT_OUT, "the snapshot lacks the column")
    if policy.column not in one.now:
        return one.verdict(Status.BROKEN, f"column {policy.column} is missing")
    now, then = one.now[policy.column], one.then[policy.column]
    if len(now) and len(then) and now.isna().mean() > then.isna().mean() + policy.most_missing:
        return one.verdict(
            Status.BROKEN,
            f"{now.isna().mean():.0%} of {policy.column} is empty ({then.isna().mean():.0%} in the snapshot)",
        )
    if min(now.notna().sum(), then.notna().sum()) < FEWEST_VALUES:
        return one.verdict(Status.LEFT_OUT, f"fewer than {FEWEST_VALUES} values")
    if pd.concat([now, then]).nunique() < 2:
        return one.verdict(Status.LEFT_OUT, "one value alone, in window and snapshot")
    if policy.is_categorical and (note := _mostly_single(one, now.dropna(), then.dropna())):
        return one.verdict(Status.LEFT_OUT, note)
    return None


def _mostly_single(one: Comparison, now: pd.Series, then: pd.Series) -> str | None:
    """That a column's values hardly come again, so that there is nothing to compare; none if they do.

    A needed column whose values do so in the window alone has changed, and that is to be found.
    """
    alike = then.iloc[:: max(1, len(then) // len(now))]
    different = {"window": (now.nunique(), len(now)), "snapshot": (alike.nunique(), len(alike))}
    single = [where for where, (names, values) in different.items() if names > MOST_DIFFERENT * values]
    if len(single) < (2 if one.is_needed else 1):
        return None
    names, values = different[single[0]]
    return f"mostly single values in the {single[0]}: {names:,} different ones in {values:,} orders; nothing to compare"


def _report(comparisons: Sequence[Comparison]) -> "EvidentlySnapshot":
    """Evidently knows one table a side: shorter columns are repeated to the longest's length, which moves no distribution."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift
    from evidently.presets import DataDriftPreset

    policies = [one.policy for one in comparisons]
    rows_now, rows_then = (max(len(side) for side in sides) for sides in _sides(comparisons))
    now = {one.column: _values(_spread(one.now[one.column], rows_now), one.policy) for one in comparisons}
    then = {
        one.column: _values(np.resize(one.then[one.column].to_numpy(), rows_then), one.policy) for one in comparisons
    }
    definition = DataDefinition(
        categorical_columns=[p.column for p in policies if p.is_categorical],
        numerical_columns=[p.column for p in policies if not p.is_categorical],
    )
    needed = [one.policy for one in comparisons if one.is_needed]
    others = [one.policy for one in comparisons if not one.is_needed]
    metrics: list[Any] = [ValueDrift(column=p.column, method=p.method.value, threshold=p.threshold) for p in others]
    if needed:
        preset = DataDriftPreset(
            columns=[p.column for p in needed],
            drift_share=1 / len(needed),  # the page's headline says what the verdict says: one needed column is enough
            per_column_method={p.column: p.method.value for p in needed},
            per_column_threshold={p.column: p.threshold for p in needed},
        )
        metrics.insert(0, preset)
    return Report(metrics, include_tests=True).run(
        Dataset.from_pandas(pd.DataFrame(now), data_definition=definition),
        Dataset.from_pandas(pd.DataFrame(then), data_definition=definition),
    )


def _sides(comparisons: Sequence[Comparison]) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    return [one.now for one in comparisons], [one.then for one in comparisons]


def _spread(values: pd.Series, length: int) -> np.ndarray:
    """The values, each repeated about equally often, so that there are `length`."""
    return np.asarray(values.to_numpy()[np.arange(length) * len(values) // length])


def _values(values: np.ndarray, policy: ColumnPolicy) -> pd.Series:
    return pd.Series(values, dtype="object" if policy.is_categorical else "float64")


def _column_verdicts(report: "EvidentlySnapshot", comparisons: Sequence[Comparison]) -> dict[str, ColumnVerdict]:
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
        one.column: one.verdict(Status.DRIFTED if one.column in failed else Status.OK, statistic=statistic[one.column])
        for one in comparisons
    }
