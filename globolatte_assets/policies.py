"""Rules for all assets of all stages, applied once over the whole graph."""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from globolatte_assets.automation import follow_new_data, follows_new_data
from globolatte_assets.code_versions import SourceTree, code_version
from globolatte_assets.documentation import table_descriptions
from globolatte_assets.features.definitions import dbt_manifest
from resources.settings.choices import MissingDelivery
from resources.settings.settings import PROJECT_ROOT, Settings

AnyAsset = Any
"""What a stage declares: `AssetsDefinition` or `AssetSpec`; the type of `Definitions.assets` has two more, which Dagster deprecates."""


def with_policies(assets: Iterable[AnyAsset], settings: Settings) -> list[AnyAsset]:
    """The same assets, each with its stage's group, its automation condition, the table that it writes, and its code version."""
    condition = follow_new_data(waits_for_checks=settings.missing_delivery is MissingDelivery.BLOCK)
    sources = SourceTree(PROJECT_ROOT)
    described = table_descriptions(dbt_manifest(), str(settings.warehouse))

    def policies(spec: dg.AssetSpec) -> dg.AssetSpec:
        attributes = {**described(spec), "group_name": spec.key.path[0]}
        if follows_new_data(spec):
            attributes["automation_condition"] = condition
        if spec.code_version is None:
            attributes["code_version"] = code_version(spec, sources)
        return spec.replace_attributes(**attributes)

    with_references: Sequence[Any] = dg.with_source_code_references(list(assets))
    return list(dg.map_asset_specs(policies, with_references))
