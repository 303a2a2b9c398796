"""The asset `models/training_snapshot`: training examples exported once, named by the hash of their content, never changed."""

import datetime as dt
import json

import dagster as dg

from globolatte_assets.keys import (
    CATALOGUE,
    OWNER_SCIENCE,
    TRAINING_EXAMPLE_PRODUCTS,
    TRAINING_EXAMPLE_REFUNDS,
    TRAINING_EXAMPLES,
    TRAINING_SNAPSHOT,
    WAREHOUSE_POOL,
)
from globolatte_assets.models.causes import as_text, findings_of, present_causes
from globolatte_assets.models.champion import Champion, champion_with_snapshot
from globolatte_assets.models.trainings import Training, record_training
from globolatte_assets.tables import CATALOGUE_EXPORT, example_span
from globolatte_ingest.ledger import last_event_of
from globolatte_ml.data.snapshot import REFUNDS_FILE, SPLIT_FILE
from resources.clock import Clock
from resources.content_store import MANIFEST_FILE
from resources.ml.ml_platform import MLPlatform
from resources.warehouse.snapshot_export import SnapshotExports
from resources.warehouse.warehouse import Warehouse

EXAMPLES_FILE = "examples.parquet"
EXAMPLE_PRODUCTS_FILE = "example_products.parquet"
PRODUCTS_FILE = "products.parquet"
REFUNDS_TABLE = "features.feat_training_example_refunds"


def first_fresh_date(champion: Champion | None, last: dt.date) -> dt.date | None:
    """The first date of a snapshot until `last` that is new to the champion; none without a champion.

    With nothing new it is the champion's own, so that the same orders give the same snapshot before and after a promotion.
    """
    if champion is None:
        return None
    return champion.learned_until + dt.timedelta(days=1) if last > champion.learned_until else champion.fresh_from


@dg.asset(
    key=TRAINING_SNAPSHOT,
    deps=[TRAINING_EXAMPLES, TRAINING_EXAMPLE_PRODUCTS, TRAINING_EXAMPLE_REFUNDS, CATALOGUE],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"parquet"},
    description="Training examples as Parquet files, named by the hash of their content. Training reads these, never a live table.",
)
def training_snapshot(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    ml: dg.ResourceParam[MLPlatform],
    snapshots: dg.ResourceParam[SnapshotExports],
    clock: Clock,
) -> dg.MaterializeResult:
    """Export the examples and which of them are new to the champion, name them by content hash, and store them."""
    span = example_span(warehouse)
    if span is None:
        raise dg.Failure(
            description="features.feat_training_examples has no orders; put sales files into the landing zone and run "
            "`globolatte run` before training",
            allow_retries=False,
        )
    last_event = last_event_of(warehouse)
    export = snapshots(context.run.run_id)
    export.unload("features.feat_training_examples", EXAMPLES_FILE, ["ordered_at", "order_key"])
    export.unload("features.feat_training_example_products", EXAMPLE_PRODUCTS_FILE, ["order_key", "product_id"])
    if warehouse.read(REFUNDS_TABLE, ["order_key"]).num_rows:
        export.unload(REFUNDS_TABLE, REFUNDS_FILE, ["order_key", "refunded_on"])
    export.write(PRODUCTS_FILE, CATALOGUE_EXPORT.content(warehouse))
    champion = champion_with_snapshot(ml)
    fresh_from = first_fresh_date(champion, span.last)
    if fresh_from is not None:
        export.write(SPLIT_FILE, json.dumps({"fresh_from": fresh_from.isoformat()}).encode())
    name = export.name()
    manifest = {
        "snapshot": name,
        "orders": span.orders,
        "first_business_date": span.first.isoformat(),
        "last_business_date": span.last.isoformat(),
        "created_at": clock.now().isoformat(),
        "run_id": context.run.run_id,
    }
    export.write(MANIFEST_FILE, json.dumps(manifest, indent=2).encode())
    place = export.keep(name)
    findings = findings_of(warehouse, champion) if champion is not None else []
    causes_found = as_text(findings)
    begun = Training(context.run.run_id, name, span.last, clock.timestamp(), causes=causes_found, last_event=last_event)
    record_training(warehouse, begun)
    causes = [str(cause) for of_scope in present_causes(findings).values() for cause in of_scope]
    return dg.MaterializeResult(
        metadata={
            "orders": span.orders,
            "business_dates": f"{span.first} to {span.last}",
            "last_business_date": span.last.isoformat(),
            "new_to_the_champion": f"{fresh_from} to {span.last}" if fresh_from else "everything: there is none",
            "causes": ", ".join(causes) or "monitoring found none",
            "snapshot": name,
            "folder": dg.MetadataValue.path(place),
        },
        data_version=dg.DataVersion(name),
    )
