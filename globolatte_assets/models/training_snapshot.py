"""The asset `models/training_snapshot`: training examples exported once, named by the hash of their content, never changed."""

import hashlib
import json
from pathlib import Path

import dagster as dg

from globolatte_assets.keys import (
    CATALOGUE,
    OWNER_SCIENCE,
    TRAINING_EXAMPLE_PRODUCTS,
    TRAINING_EXAMPLES,
    TRAINING_SNAPSHOT,
    WAREHOUSE_POOL,
)
from globolatte_assets.tables import CATALOGUE_EXPORT
from resources.clock import Clock
from resources.ml import MLPlatform
from resources.warehouse import Warehouse

EXAMPLES_FILE = "examples.parquet"
EXAMPLE_PRODUCTS_FILE = "example_products.parquet"
PRODUCTS_FILE = "products.parquet"
MANIFEST_FILE = "manifest.json"


def content_hash(folder: Path) -> str:
    """The name of a folder's content: SHA-256 over the names and bytes of its files, 16 hexadecimal digits of it."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


@dg.asset(
    key=TRAINING_SNAPSHOT,
    deps=[TRAINING_EXAMPLES, TRAINING_EXAMPLE_PRODUCTS, CATALOGUE],
    pool=WAREHOUSE_POOL,
    group_name="models",
    owners=[OWNER_SCIENCE],
    kinds={"parquet"},
    description="Training examples as Parquet files, named by the hash of their content. Training reads these, never a live table.",
)
def training_snapshot(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    ml: dg.ResourceParam[MLPlatform],
    clock: Clock,
) -> dg.MaterializeResult:
    """Export the examples, name them by content, keep them."""
    staging = ml.snapshot_staging(context.run.run_id)
    warehouse.unload("features.feat_training_examples", staging / EXAMPLES_FILE, ["ordered_at", "order_key"])
    warehouse.unload(
        "features.feat_training_example_products", staging / EXAMPLE_PRODUCTS_FILE, ["order_key", "product_id"]
    )
    CATALOGUE_EXPORT.export(warehouse, staging / PRODUCTS_FILE)
    name = content_hash(staging)
    orders = warehouse.read("features.feat_training_examples", ["business_date"])
    if not orders.num_rows:
        raise dg.Failure(
            description="features.feat_training_examples has no orders; put sales files into the landing zone and run "
            "`globolatte run` before training",
            allow_retries=False,
        )
    from pyarrow import compute

    span = compute.min_max(orders["business_date"]).as_py()
    manifest = {
        "snapshot": name,
        "orders": orders.num_rows,
        "first_business_date": span["min"].isoformat(),
        "last_business_date": span["max"].isoformat(),
        "created_at": clock.now().isoformat(),
        "run_id": context.run.run_id,
    }
    (staging / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2))
    snapshot = ml.keep_snapshot(staging, name)
    return dg.MaterializeResult(
        metadata={
            "orders": orders.num_rows,
            "business_dates": f"{span['min']} to {span['max']}",
            "last_business_date": span["max"].isoformat(),
            "snapshot": name,
            "folder": dg.MetadataValue.path(str(snapshot.folder)),
        },
        data_version=dg.DataVersion(name),
    )
