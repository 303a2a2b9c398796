"""The asset `endpoints/serving_state`: the customer and calendar data that scoring needs, published for deployments."""

import json

import dagster as dg
import pyarrow as pa

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
from globolatte_assets.tables import STATE_TABLES
from globolatte_ingest.ledger import last_event_of
from resources.clock import Clock
from resources.content_store import MANIFEST_FILE, content_hash
from resources.endpoint.serving_state import ServingStates
from resources.warehouse.warehouse import Warehouse

STATES_TABLE = "serving.states"


def _record(warehouse: Warehouse, version: str, clock: Clock, run_id: str, last_event: int) -> None:
    """Records how far the ledger went when a state was published first; one of the same content, published again, is the same state."""
    where = {"state_version": version}
    if warehouse.read(STATES_TABLE, ["state_version"], where).num_rows:
        return
    row = pa.table(
        {
            "state_version": [version],
            "published_at": pa.array([clock.timestamp()], pa.timestamp("us")),
            "run_id": [run_id],
            "last_event": pa.array([last_event], pa.int64()),
        }
    )
    warehouse.replace(STATES_TABLE, row, where)


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
        last_event = last_event_of(warehouse)
    version = content_hash(staging)
    manifest = {"state_version": version, "created_at": clock.now().isoformat(), "run_id": context.run.run_id}
    (staging / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2))
    _record(warehouse, version, clock, context.run.run_id, last_event)
    folder = states.publish(staging, version)
    return dg.MaterializeResult(
        metadata={"state_version": version, "folder": dg.MetadataValue.path(str(folder))},
        data_version=dg.DataVersion(version),
    )
