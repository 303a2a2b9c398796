"""Reads what is outstanding in the graph, for the headless pass and the daemon's run-health sensor. It decides nothing."""

from collections.abc import Collection, Iterable
from typing import Any

import dagster as dg

from globolatte_assets.behind import behind_its_inputs, newest
from globolatte_assets.features.dbt_project import is_built_by_another_version
from globolatte_assets.features.definitions import dbt_manifest
from globolatte_assets.keys import DATA_DRIFT, DBT_GROUPS, PERFORMANCE, PROMOTION, SERVING_STATE
from resources.endpoint.serving_state import ServingStates
from resources.ml.ml_platform import CHAMPION, MLPlatform
from resources.settings.choices import MissingDelivery
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Warehouse

AssetGraph = Any
"""What `dagster.Definitions.resolve_asset_graph` and `RepositoryDefinition.asset_graph` give; Dagster has no public name for it."""

MONITORING = frozenset({DATA_DRIFT, PERFORMANCE})
"""The checks of these assets depend on the data only: checking the same data again gives the same result."""


def latest_place(instance: dg.DagsterInstance, key: dg.AssetKey) -> int | None:
    """The place in the event log of an asset's latest materialization, or none; later events have higher places."""
    records = instance.fetch_materializations(key, limit=1).records
    return records[0].storage_id if records else None


def latest_places(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, int]:
    """The place in the event log of each asset's latest materialization; assets without one are left out."""
    places = {key: latest_place(instance, key) for key in keys}
    return {key: place for key, place in places.items() if place is not None}


def outstanding(
    graph: AssetGraph,
    instance: dg.DagsterInstance,
    *,
    wrong: Collection[dg.AssetKey] = (),
    missing: Collection[dg.AssetKey] = (),
    waits_for_checks: bool = False,
) -> dict[dg.AssetKey, int]:
    """The assets that follow new data and are behind it, each with the event-log place of its newest input, which identifies the finding.

    Assets in `wrong` have to be made again whatever their age; assets in `missing` count as never made.
    """
    nodes = {key: graph.get(key) for key in graph.materializable_asset_keys}
    inputs = {key: node.parent_keys for key, node in nodes.items() if node.automation_condition is not None}
    places = latest_places(instance, {*inputs, *(key for keys in inputs.values() for key in keys)} - set(missing))
    failed = {key for key in inputs.keys() - MONITORING if _has_failed(instance, nodes[key].check_keys)}
    held = {key for key in nodes if _is_held(instance, graph, nodes[key].check_keys)} if waits_for_checks else set()
    due = behind_its_inputs(inputs, places, {*wrong, *failed} & places.keys(), held)
    return {key: newest(inputs[key], places) for key in due}


def lost_work(
    graph: AssetGraph,
    instance: dg.DagsterInstance,
    settings: Settings,
    warehouse: Warehouse,
    ml: MLPlatform,
    states: ServingStates,
) -> dict[dg.AssetKey, int]:
    """What is outstanding in this deployment. Raises `WarehouseBusyError`."""
    of_dbt = {key for key in graph.materializable_asset_keys if graph.get(key).group_name in DBT_GROUPS}
    wrong = of_dbt if is_built_by_another_version(warehouse, dbt_manifest()) else set()
    return outstanding(
        graph,
        instance,
        wrong=wrong if states.is_published else {*wrong, SERVING_STATE},
        missing=[PROMOTION] if ml.model(CHAMPION) is None else (),  # a verdict that promoted nobody
        waits_for_checks=settings.missing_delivery is MissingDelivery.BLOCK,
    )


def _evaluations(
    instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]
) -> list[dg.AssetCheckEvaluation | None]:
    """The latest evaluation of each check; none if there is none or if a later one was not finished."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks)) if checks else {}
    evaluations = [latest[key].evaluation if key in latest else None for key in checks]
    return [one if isinstance(one, dg.AssetCheckEvaluation) else None for one in evaluations]


def _has_failed(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> bool:
    """Whether the latest evaluation of any of these checks failed as an error."""
    found = [one for one in _evaluations(instance, checks) if one is not None]
    return any(not one.passed and one.severity is dg.AssetCheckSeverity.ERROR for one in found)


def _is_held(instance: dg.DagsterInstance, graph: AssetGraph, checks: Collection[dg.AssetCheckKey]) -> bool:
    """Whether a blocking check of an asset has not passed."""
    blocking = [key for key in checks if graph.get(key).blocking]
    return any(one is None or not one.passed for one in _evaluations(instance, blocking))
