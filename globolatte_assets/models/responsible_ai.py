"""The asset `models/responsible_ai`: the challenger's features, errors and fairness on one page, with its model card."""

from collections.abc import Mapping

import dagster as dg

from globolatte_assets.keys import EVALUATION, OWNER_SCIENCE, RESPONSIBLE_AI, WAREHOUSE_POOL
from globolatte_assets.models.champion import challenger_of
from globolatte_assets.models.evaluation import evaluation_of
from globolatte_assets.monitoring.reports import StoredPages
from globolatte_assets.pictures import png
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.explain import plots
from globolatte_ml.explain.analysis import Analysis, analyse, findings_table
from globolatte_ml.explain.card import Identity, facts_of, model_card, unequal_groups
from globolatte_ml.explain.page import page
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import resolve_model_folder
from resources.clock import Clock
from resources.ml.ml_platform import MLPlatform, ModelVersion
from resources.warehouse.tables import row_count
from resources.warehouse.warehouse import Warehouse

FINDINGS_TABLE = "ml.responsible_ai"


def page_name(version: ModelVersion) -> str:
    """The name of a model version's page: number and content hash, since another registry may have a version of the same number."""
    return f"preference-model-{version.version}-{version.content_hash[:8]}"


def _pictures(analysis: Analysis, names: Mapping[str, str]) -> dict[str, dg.MetadataValue]:
    found: dict[str, dg.MetadataValue] = {}
    if analysis.explanations is not None:
        found["importance"] = png(plots.importance_chart, analysis.explanations)
    if analysis.groups:
        found["fairness"] = png(plots.fairness_chart, analysis.groups)
    if analysis.heat is not None:
        found["errors"] = png(plots.error_map, analysis.heat)
    if analysis.effects:
        found["effect_of_weather"] = png(plots.effect_chart, analysis.effects, analysis.products, names)
    return found


def responsible_ai_asset(pages: StoredPages) -> dg.AssetsDefinition:
    """Builds the asset; `pages` stores one page per model version."""

    @dg.asset(
        key=RESPONSIBLE_AI,
        deps=[EVALUATION],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_SCIENCE],
        kinds={"python", "table"},
        description="The challenger explained: what its predictions depend on (Shapley values), its errors, counterfactuals, "
        "whether it serves regions and newcomers worse, what weather does, what is to be known of its data. One page per model "
        "version, with its model card.",
    )
    def responsible_ai(
        warehouse: dg.ResourceParam[Warehouse], ml: dg.ResourceParam[MLPlatform], clock: Clock
    ) -> dg.MaterializeResult:
        version = challenger_of(ml)
        model = PreferenceModel.load(resolve_model_folder(version.folder))
        catalogue = warehouse.read("marts.dim_product", ["product_id", "product_name"]).to_pylist()
        names = {row["product_id"]: row["product_name"] for row in catalogue}
        analysis = analyse(model, read_snapshot(ml.snapshot(version.snapshot).folder), names)
        evaluation = evaluation_of(warehouse, version, version.snapshot)
        facts = facts_of(model.get_params())
        kind = f"{type(model).__name__}{f' ({facts})' if facts else ''}"
        identity = Identity(version.version, version.content_hash, version.snapshot, version.job_id, kind)
        page_file = pages.store(page_name(version), page(identity, evaluation, analysis, names))
        findings = findings_table(analysis, version.version, version.snapshot, clock.timestamp())
        warehouse.replace(FINDINGS_TABLE, findings, {"model_version": version.version})
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": row_count(warehouse, FINDINGS_TABLE),
                "model_version": version.version,
                "page": dg.MetadataValue.url(pages.url(page_name(version))),
                "page_file": dg.MetadataValue.path(str(page_file)),
                "model_card": dg.MetadataValue.md(model_card(identity, evaluation, analysis)),
                "served_less_well": dg.MetadataValue.md(unequal_groups(analysis)),
                **_pictures(analysis, names),
            },
            data_version=dg.DataVersion(version.content_hash[:16]),
        )

    return responsible_ai
