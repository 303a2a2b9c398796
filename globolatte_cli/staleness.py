"""Which assets are behind their inputs, by the order of events in Dagster's log. What automation does in the daemon, for one pass."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from sensors.retraining import latest_materialization


def latest_places(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, int]:
    """The place in the event log of each asset's latest materialization; assets without one are left out."""
    places = {key: latest_materialization(instance, key) for key in keys}
    return {key: place for key, place in places.items() if place is not None}


def is_stale(asset: dg.AssetKey, inputs: Iterable[dg.AssetKey], places: Mapping[dg.AssetKey, int]) -> bool:
    """Whether an asset is missing, or older than one of its inputs."""
    own = places.get(asset)
    return own is None or any(places.get(key, -1) > own for key in inputs)


def any_stale(graph: Mapping[dg.AssetKey, Iterable[dg.AssetKey]], places: Mapping[dg.AssetKey, int]) -> bool:
    """Whether any asset of `graph` (an asset's inputs by its key) is stale."""
    return any(is_stale(asset, inputs, places) for asset, inputs in graph.items())


def any_failed(instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey]) -> bool:
    """Whether the latest evaluation of any of these checks failed as an error: what it is about has to be made again."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    evaluations = (
        record.event.dagster_event for record in latest.values() if record is not None and record.event is not None
    )
    return any(
        not event.asset_check_evaluation_data.passed
        and event.asset_check_evaluation_data.severity is dg.AssetCheckSeverity.ERROR
        for event in evaluations
        if event is not None and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
