"""The asset `endpoints/serving_state`: the customer and calendar data that scoring needs, published for deployments."""

import json

import dagster as dg

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.keys import (
    BUSINESS_UNITS,
    CATALOGUE,
    CUSTOMER_PRODUCT_STATE,
    CUSTOMER_STATE,
    HOLIDAYS,
    MONTHLY_WEATHER,
    OWNER_DATA,
    SERVING_STATE,
    WAREHOUSE_POOL,
)
from globolatte_assets.models.champion import MANIFEST_FILE
from globolatte_assets.tables import STATE_TABLES
from resources.clock import Clock
from resources.content_store import content_hash
from resources.endpoint.serving_state import ServingStates
from resources.warehouse.warehouse import Warehouse


@dg.asset(
    key=SERVING_STATE,
    deps=[CUSTOMER_STATE, CUSTOMER_PRODUCT_STATE, CATALOGUE, MONTHLY_WEATHER, HOLIDAYS, BUSINESS_UNITS],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_DATA],
    kinds={"parquet"},
    retry_policy=RETRY_AFTER_A_FAULT,
    description="Customer states, catalogue, holidays and usual weather as a folder named by its content, behind a pointer "
    "that is replaced atomically. Scoring reads this and never opens the warehouse.",
)
def serving_state(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    states: ServingStates,
    clock: Clock,
) -> dg.MaterializeResult:
    """Export what scoring reads, and publish it under the hash of its content."""
    staging = states.staging(context.run.run_id)
    with warehouse.keep_open():
        for name, table in STATE_TABLES.items():
            (staging / name).write_bytes(table.content(warehouse))
    version = content_hash(staging)
    manifest = {"state_version": version, "created_at": clock.now().isoformat(), "run_id": context.run.run_id}
    (staging / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2))
    folder = states.publish(staging, version)
    return dg.MaterializeResult(
        metadata={"state_version": version, "folder": dg.MetadataValue.path(str(folder))},
        data_version=dg.DataVersion(version),
    )
