"""Which assets are behind their inputs, derived from the order of events alone.

Automation's cursor records what changed since the last evaluation. It does not record work left undone before that: by a killed or
failed run, because an asset was added to the graph, or in a home that was never evaluated. `globolatte run` and the run-health
sensor both use this module, so that they request the same work. Pure.
"""

from collections.abc import Collection, Mapping

import dagster as dg

Key = dg.AssetKey


def is_stale(asset: Key, inputs: Collection[Key], places: Mapping[Key, int]) -> bool:
    """Whether an asset is missing, or older than one of its inputs. `places`: of the latest materializations in the event log."""
    own = places.get(asset)
    return own is None or newest(inputs, places) > own


def newest(inputs: Collection[Key], places: Mapping[Key, int]) -> int:
    """The place of the latest materialization among these assets; -1 if there is none."""
    return max((places.get(key, -1) for key in inputs), default=-1)


def behind_its_inputs(
    graph: Mapping[Key, Collection[Key]],
    places: Mapping[Key, int],
    wrong: Collection[Key] = (),
    held: Collection[Key] = (),
) -> set[Key]:
    """The assets of `graph` (each asset's inputs by its key) that have to be made again, and can be.

    `places` gives each materialized asset's place in the event log. Assets in `wrong` have to be made again whatever their age: a check
    failed, or their result is gone. If an asset is made again, those that depend on it are too. An asset is not made if an input is
    missing and will not be made, or is in `held`: a check that must pass first has not passed.
    """
    due = {asset for asset, inputs in graph.items() if asset in wrong or is_stale(asset, inputs, places)}
    while following := {asset for asset in graph.keys() - due if not due.isdisjoint(graph[asset])}:
        due |= following
    while stuck := {asset for asset in due if any(_is_lacking(key, due, places, held) for key in graph[asset])}:
        due -= stuck
    return due


def _is_lacking(key: Key, due: Collection[Key], places: Mapping[Key, int], held: Collection[Key]) -> bool:
    return key in held or (key not in places and key not in due)
