"""The dbt models as assets: `staging`, `intermediate`, `marts` and `features`, with dbt tests as asset checks."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.code_versions import sql_version
from globolatte_assets.documentation import COLUMN_SCHEMA, schema_of_model
from globolatte_assets.features.builds import (
    BUILDS,
    built_by,
    commands,
    fingerprint,
    models_read_by,
    remember_build,
    well_built,
)
from globolatte_assets.features.checks import meaning_of_test
from globolatte_assets.features.column_lineage import as_dagster
from globolatte_assets.keys import BUSINESS_UNITS, OWNER_ANALYTICS, SALES_TRANSACTIONS, WAREHOUSE_POOL
from globolatte_lineage.columns import LINEAGE_FILE
from resources.clock import Clock
from resources.dbt_cli import DbtOfThisEnvironment
from resources.warehouse.warehouse import Warehouse, WarehouseBusyError

SOURCES_OF_THE_LOAD = frozenset({"sales_transactions", "load_ledger", "load_parts", "quarantine"})
"""Tables that one load writes together: the one asset `raw/sales_transactions` stands for all of them."""

OPTIONAL_SOURCES = frozenset({"unit_declarations", "exchange_rates"})
"""Tables of reference files that may be absent. Nothing waits for their assets, which an old home has never made: the business units,
which they describe, stand for them."""

COLUMN_LINEAGE = "dagster/column_lineage"

DAILY_BUILD = ["build", "--exclude-resource-type", "unit_test"]
"""Models and data tests. Unit tests check the SQL, not the data: `make test` runs them."""


class Translator(DagsterDbtTranslator):
    """Gives dbt nodes asset keys of the graph: the folder is the stage, dbt's name is unchanged."""

    def __init__(self, macros: Mapping[str, Any]) -> None:
        """`macros`: those of dbt's manifest, by unique id."""
        super().__init__(
            DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True, enable_code_references=True)
        )
        self._macros = macros

    def get_code_version(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Changes with the model's SQL and the macros that it calls. A source has none."""
        is_model = dbt_resource_props["resource_type"] == "model"
        return sql_version(dbt_resource_props, self._macros) if is_model else None

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`[folder, model]` for a model; the raw asset for a source."""
        name = dbt_resource_props["name"]
        if dbt_resource_props["resource_type"] == "source":
            if name in OPTIONAL_SOURCES:
                return BUSINESS_UNITS
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

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Only the description: lists show its beginning, and the SQL is a metadata entry of its own."""
        return str(dbt_resource_props.get("description", "")).strip()

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """The metadata of dagster-dbt, the columns with their constraints, and the SQL."""
        common = super().get_metadata(dbt_resource_props)
        if dbt_resource_props["resource_type"] != "model":
            return common
        return {
            **common,
            COLUMN_SCHEMA: schema_of_model(dbt_resource_props),
            "sql_file": f"dbt_project/{dbt_resource_props['original_file_path']}",
            "sql": dg.MetadataValue.md(f"```sql\n{dbt_resource_props['raw_code'].strip()}\n```"),
        }

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """A dbt test as an asset check, with its meaning as description."""
        check = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return check and dg.AssetCheckSpec(
            check.name,
            asset=check.asset_key,
            description=meaning_of_test(manifest["nodes"][unique_id]),
            additional_deps=check.additional_deps,
            blocking=check.blocking,
            metadata=check.metadata,
        )


def manifest_of(project: DbtProject) -> Mapping[str, Any]:
    """dbt's manifest, written by `globolatte prepare`. Raises `FileNotFoundError` when it has not been prepared."""
    if not project.manifest_path.exists():
        raise FileNotFoundError(f"{project.manifest_path} is missing: run `globolatte prepare` (`make setup` does)")
    manifest: Mapping[str, Any] = json.loads(project.manifest_path.read_bytes())
    return manifest


def _column_lineage(project: DbtProject, manifest: Mapping[str, Any]) -> Mapping[str, dg.TableColumnLineage]:
    """The column lineage of every model, by its unique id; empty if it has not been prepared."""
    file = project.manifest_path.with_name(LINEAGE_FILE)
    if not file.exists():
        return {}
    translator = Translator(manifest["macros"])
    named = {**manifest["sources"], **manifest["nodes"]}
    keys = {
        name: translator.get_asset_key(node)
        for name, node in named.items()
        if node["resource_type"] in ("source", "model")
    }
    return as_dagster(json.loads(file.read_bytes()), keys)


def _remember(
    context: dg.AssetExecutionContext, warehouse: Warehouse, models: set[str], version: str, clock: Clock
) -> None:
    """Runs after a fault too, and must not raise another one: if dbt does not release the file, the next build starts from all data."""
    try:
        remember_build(warehouse, models, version, clock.timestamp())
    except WarehouseBusyError as busy:
        context.log.warning("what was built is not on record, and will be built anew: %s", busy)


def is_built_by_another_version(warehouse: Warehouse, manifest: Mapping[str, Any]) -> bool:
    """Whether dbt has built models, but not all of them with the project as it is now."""
    parents = models_read_by(manifest, "model")
    built = warehouse.read(BUILDS, ["model"]).num_rows
    return bool(built) and well_built(built_by(warehouse, fingerprint(manifest)), parents) != parents.keys()


def _models_and_checks(
    project: DbtProject, manifest: Mapping[str, Any]
) -> tuple[list[dg.AssetSpec], list[dg.AssetCheckSpec]]:
    """The assets and checks of all models and tests, as `dagster_dbt.dbt_assets` declares them.

    That decorator imports dbt's selection of nodes, which here selects all: a fifth of the time that loading the definitions takes
    beyond importing Dagster.
    """
    translator, nodes = Translator(manifest["macros"]), manifest["nodes"]
    models = {
        name: translator.get_asset_spec(manifest, name, project)
        for name, node in nodes.items()
        if node["resource_type"] == "model"
    }
    checks = (
        translator.get_asset_check_spec(models[model], manifest, name, project)
        for name, node in nodes.items()
        if node["resource_type"] == "test"
        for model in node["depends_on"]["nodes"]
        if model in models
    )
    return list(models.values()), list({check.key: check for check in checks if check}.values())


def dbt_models(project: DbtProject, manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """All dbt models as assets."""
    lineage = _column_lineage(project, manifest)
    specs, checks = _models_and_checks(project, manifest)
    version, parents, tests = fingerprint(manifest), models_read_by(manifest, "model"), models_read_by(manifest, "test")

    @dg.multi_asset(
        name="dbt_models",
        specs=specs,
        check_specs=checks,
        can_subset=True,
        retry_policy=RETRY_AFTER_A_FAULT,
        pool=WAREHOUSE_POOL,
    )
    def models(
        context: dg.AssetExecutionContext,
        dbt: DbtOfThisEnvironment,
        warehouse: dg.ResourceParam[Warehouse],
        clock: dg.ResourceParam[Clock],
    ) -> Iterator[Any]:
        selected = {key.path[-1] for key in context.selected_asset_keys}
        built, made = well_built(built_by(warehouse, version), parents), set[str]()
        if not selected <= built:  # from now on no table is one that another version made
            remember_build(warehouse, built, version, clock.timestamp())
        try:
            for command in commands(DAILY_BUILD, selected, built, parents, tests):
                with dbt.artifacts(context.run.run_id) as target_path:
                    for event in dbt.cli(command, context=context, target_path=target_path).stream():
                        if not isinstance(event, dg.Output):
                            yield event
                            continue
                        unique_id = str(event.metadata["unique_id"].value)
                        made.add(unique_id.rpartition(".")[2])
                        columns = {COLUMN_LINEAGE: lineage[unique_id]} if unique_id in lineage else {}
                        yield event.with_metadata({**event.metadata, **columns})
        finally:  # a failing test must not make every later build rebuild what was built before it
            known = well_built(built | made, parents)
            if known != built:
                _remember(context, warehouse, known, version, clock)

    return models
