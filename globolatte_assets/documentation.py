"""The tables of assets as the UI shows them: names, columns and warehouse, applied to all assets and only here.

Columns are not listed here: names and types come from the migrations of the tables that Python owns, or from dbt's YAML. The
meaning of a column always comes from dbt's YAML, through the manifest.
"""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from globolatte_assets import keys
from resources.warehouse.tables import owned_tables

TABLES: Mapping[dg.AssetKey, str] = {
    keys.BUSINESS_UNITS: "sales_data.business_units",
    keys.PRODUCTS: "sales_data.products",
    keys.CUSTOMERS: "sales_data.customers",
    keys.UNIT_DECLARATIONS: "sales_data.unit_declarations",
    keys.EXCHANGE_RATES: "sales_data.exchange_rates",
    keys.HOLIDAYS: "sales_data.holidays",
    keys.WEATHER: "sales_data.weather",
    keys.SALES_TRANSACTIONS: "sales_data.sales_transactions",
    keys.MISPLACED_FILES: "sales_data.load_ledger",
    keys.EVALUATION: "ml.evaluations",
    keys.RESPONSIBLE_AI: "ml.responsible_ai",
    keys.SEGMENTS: "ml.segments",
    keys.PRODUCT_AFFINITY: "ml.product_affinity",
    keys.RECOMMENDATIONS: "serving.recommendations",
    keys.REGIONAL_RECOMMENDATIONS: "serving.regional_recommendations",
    keys.CAMPAIGN_AUDIENCES: "serving.campaign_audiences",
    keys.CAMPAIGN_RESULTS: "serving.campaign_results",
    keys.PREDICTION_LOG: "monitoring.prediction_log",
    keys.DATA_DRIFT: "monitoring.drift",
    keys.PERFORMANCE: "monitoring.performance",
}
"""The table that each Python asset writes; dbt names its own."""

COLUMN_SCHEMA = "dagster/column_schema"
TABLE_NAME = "dagster/table_name"
TABLE_KIND = "table"
"""The kind that stands for either warehouse."""

Node = Mapping[str, Any]


def _column(name: str, declared: str, column: Node, nullable: bool) -> dg.TableColumn:
    return dg.TableColumn(
        name,
        declared,
        column.get("description") or None,
        dg.TableColumnConstraints(nullable=nullable),
        tags=dict.fromkeys(column.get("tags", []), ""),
    )


def schema_of_model(model: Node) -> dg.TableSchema:
    """The columns of a dbt model, as its YAML declares them. `model`: its entry in dbt's manifest."""
    columns = [
        _column(
            name,
            column.get("data_type") or "?",
            column,
            all(one["type"] != "not_null" for one in column.get("constraints", [])),
        )
        for name, column in model["columns"].items()
    ]
    return dg.TableSchema(columns)


def schemas_of_owned_tables(manifest: Node) -> Mapping[str, dg.TableSchema]:
    """The columns of each table (`schema.table`) that Python owns, described by the dbt sources of that name."""
    sources = {f"{source['schema']}.{source['name']}": source["columns"] for source in manifest["sources"].values()}
    return {
        table: dg.TableSchema(
            [
                _column(column.name, column.type, sources.get(table, {}).get(column.name, {}), column.nullable)
                for column in columns
            ]
        )
        for table, columns in owned_tables().items()
    }


def table_descriptions(manifest: Node, warehouse_kind: str) -> Callable[[dg.AssetSpec], dict[str, Any]]:
    """The table metadata of the assets in `TABLES`: the warehouse and the columns."""
    schemas = schemas_of_owned_tables(manifest)

    def described(spec: dg.AssetSpec) -> dict[str, Any]:
        table = TABLES.get(spec.key)
        if table is None:
            return {}
        return {
            "metadata": {**spec.metadata, TABLE_NAME: table, COLUMN_SCHEMA: schemas[table]},
            "kinds": {warehouse_kind if kind == TABLE_KIND else kind for kind in spec.kinds},
        }

    return described
