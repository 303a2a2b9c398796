"""The dbt models as assets: `staging`, `intermediate`, `marts` and `features`, with dbt tests as asset checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtProject,
    dbt_assets,
)

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.keys import OWNER_ANALYTICS, SALES_TRANSACTIONS, WAREHOUSE_POOL
from resources.dbt_cli import DbtOfThisEnvironment

RAW_SOURCE = "sales_data"
SOURCES_OF_THE_LOAD = frozenset({"sales_transactions", "load_ledger", "quarantine"})
"""Tables that one load writes together: the one asset `raw/sales_transactions` stands for all of them."""

DAILY_BUILD = ["build", "--exclude-resource-type", "unit_test"]
"""Models and data tests. Unit tests judge the SQL, not the data: `make test` runs them."""


class Translator(DagsterDbtTranslator):
    """Names dbt nodes as the graph names assets: the folder is the stage, dbt's name stays."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`[folder, model]` for a model; the raw asset for a source."""
        name = dbt_resource_props["name"]
        if dbt_resource_props["resource_type"] == "source":
            return SALES_TRANSACTIONS if name in SOURCES_OF_THE_LOAD else dg.AssetKey(["raw", name])
        return dg.AssetKey([dbt_resource_props["fqn"][1], name])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's folder."""
        return str(dbt_resource_props["fqn"][1])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The owners that the model names, else the analytics team."""
        named = dbt_resource_props.get("config", {}).get("meta", {}).get("dagster", {}).get("owners")
        return list(named or [OWNER_ANALYTICS])

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> dict[str, str]:
        """dbt tags; a model with a `pii` column or tag is tagged `pii`."""
        tags = {tag: "true" if tag == "pii" else "" for tag in dbt_resource_props.get("tags", [])}
        if any("pii" in column.get("tags", []) for column in dbt_resource_props.get("columns", {}).values()):
            tags["pii"] = "true"
        return tags


def manifest_file(project_folder: Path) -> Path:
    """dbt's manifest, written by `globolatte prepare` (`make setup` runs it)."""
    return project_folder / "target" / "manifest.json"


def dbt_models(project: DbtProject, condition: dg.AutomationCondition) -> dg.AssetsDefinition:
    """All dbt models as assets. Raises `FileNotFoundError` when the manifest has not been prepared."""
    if not project.manifest_path.exists():
        raise FileNotFoundError(f"{project.manifest_path} is missing: run `globolatte prepare` (`make setup` does)")

    @dbt_assets(
        manifest=project.manifest_path,
        project=project,
        dagster_dbt_translator=Translator(),
        name="dbt_models",
        retry_policy=RETRY_AFTER_A_FAULT,
        pool=WAREHOUSE_POOL,
    )
    def models(context: dg.AssetExecutionContext, dbt: DbtOfThisEnvironment) -> Iterator[Any]:
        with dbt.artifacts(context.run.run_id) as target_path:
            yield from dbt.cli(DAILY_BUILD, context=context, target_path=target_path).stream()

    return models.map_asset_specs(lambda spec: spec.replace_attributes(automation_condition=condition))
