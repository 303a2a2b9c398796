"""The asset `models/training_snapshot`: training examples exported once, named by the hash of their content, never changed."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from resources.ml import CHAMPION, MLPlatform, ModelVersion, Snapshot
from resources.warehouse import Warehouse

EXAMPLES_FILE = "examples.parquet"
EXAMPLE_PRODUCTS_FILE = "example_products.parquet"
PRODUCTS_FILE = "products.parquet"
MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class Champion:
    """The champion and what it learned from."""

    version: ModelVersion
    snapshot: Snapshot
    learned_until: dt.date
    """The last business date of its snapshot."""
    fresh_from: dt.date | None
    """The first date of its snapshot that was new to the champion before it; none if it was the first."""


def champion_with_snapshot(ml: MLPlatform) -> Champion | None:
    """The champion, or none if no model was promoted yet or its snapshot is gone: nothing can be told from it then."""
    version = ml.model(CHAMPION)
    if version is None:
        return None
    from globolatte_ml.snapshot import fresh_from

    try:
        snapshot = ml.snapshot(version.snapshot)
    except FileNotFoundError:
        return None
    manifest = json.loads((snapshot.folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    fresh = fresh_from(snapshot.folder)
    learned_until = dt.date.fromisoformat(manifest["last_business_date"])
    return Champion(version, snapshot, learned_until, dt.date.fromisoformat(str(fresh)) if fresh is not None else None)


def first_fresh_date(champion: Champion | None, last: dt.date) -> dt.date | None:
    """The first date of a snapshot until `last` that is new to the champion; none without a champion.

    With nothing new it is the champion's own, so that the same orders give the same snapshot before and after a promotion.
    """
    if champion is None:
        return None
    return champion.learned_until + dt.timedelta(days=1) if last > champion.learned_until else champion.fresh_from


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
    """Export the examples and what of them is new to the champion, name it all by content, keep it."""
    from globolatte_ml.snapshot import SPLIT_FILE

    staging = ml.snapshot_staging(context.run.run_id)
    warehouse.unload("features.feat_training_examples", staging / EXAMPLES_FILE, ["ordered_at", "order_key"])
    warehouse.unload(
        "features.feat_training_example_products", staging / EXAMPLE_PRODUCTS_FILE, ["order_key", "product_id"]
    )
    CATALOGUE_EXPORT.export(warehouse, staging / PRODUCTS_FILE)
    orders = warehouse.read("features.feat_training_examples", ["business_date"])
    if not orders.num_rows:
        raise dg.Failure(
            description="features.feat_training_examples has no orders; put sales files into the landing zone and run "
            "`globolatte run` before training",
            allow_retries=False,
        )
    from pyarrow import compute

    span: dict[str, Any] = compute.min_max(orders["business_date"]).as_py()
    fresh_from = first_fresh_date(champion_with_snapshot(ml), span["max"])
    if fresh_from is not None:
        (staging / SPLIT_FILE).write_text(json.dumps({"fresh_from": fresh_from.isoformat()}), encoding="utf-8")
    name = content_hash(staging)
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
            "new_to_the_champion": f"{fresh_from} to {span['max']}" if fresh_from else "everything: there is none",
            "snapshot": name,
            "folder": dg.MetadataValue.path(str(snapshot.folder)),
        },
        data_version=dg.DataVersion(name),
    )
