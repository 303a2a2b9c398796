"""Automation: the daemon's sensor that evaluates the conditions, and the same evaluation for a headless pass."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_shared.serdes import deserialize_value, serialize_value
from dagster_shared.serdes.errors import DeserializationError

from resources.atomic import write_text


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluates every asset's condition, at most every half minute. Without this sensor nothing follows new data."""
    return dg.AutomationConditionSensorDefinition(
        name="automation_sensor",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Materializes what follows new data: dbt models, customer states, recommendations.",
    )


@dataclass(frozen=True)
class Requested:
    """What the conditions request: assets to be made, checks to be evaluated."""

    assets: frozenset[dg.AssetKey]
    checks: frozenset[dg.AssetCheckKey]


class HeadlessAutomation:
    """The evaluation of all conditions without a daemon. The evaluations' cursor is stored in `cursor_file`.

    If the cursor is missing, or this version of Dagster cannot read it, a new one is started: then nothing that exists already counts
    as new, and `sensors.outstanding` finds what was left undone.
    """

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance, cursor_file: Path) -> None:
        self._definitions, self._instance, self._file = definitions, instance, cursor_file

    def evaluate(self) -> Requested:
        """What the conditions request now. Each request is returned once: the caller has to carry it out."""
        cursor = self._cursor()
        result = dg.evaluate_automation_conditions(self._definitions, self._instance, cursor=cursor)
        write_text(self._file, serialize_value(result.cursor))
        requested = [one.key for one in result.results if one.true_subset.size]
        return Requested(
            frozenset(key for key in requested if isinstance(key, dg.AssetKey)),
            frozenset(key for key in requested if isinstance(key, dg.AssetCheckKey)) if cursor else self._all_checks(),
        )

    def _all_checks(self) -> frozenset[dg.AssetCheckKey]:
        """All checks with a condition: requested without an earlier cursor, since they may never have run on the present data."""
        graph = self._definitions.resolve_asset_graph()
        return frozenset(key for key in graph.asset_check_keys if graph.get(key).automation_condition is not None)

    def _cursor(self) -> Any:
        try:
            return deserialize_value(self._file.read_text())
        except (FileNotFoundError, ValueError, DeserializationError):
            return None
