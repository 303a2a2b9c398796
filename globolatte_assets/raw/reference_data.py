"""The reference-data assets: business units, products, customers; each one file, replaced as a whole."""

import datetime as dt
import hashlib

import dagster as dg

from globolatte_assets.keys import BUSINESS_UNITS, CUSTOMERS, OWNER_DATA, PRODUCTS, WAREHOUSE_POOL
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.reasons import RefusedError
from globolatte_ingest.reference import (
    BUSINESS_UNITS_FILE,
    CUSTOMERS_FILE,
    PRODUCTS_FILE,
    ReferenceFile,
    read_reference,
)
from resources.clock import Clock
from resources.landing.landing_zone import LandedFile, LandingZone
from resources.warehouse.warehouse import Warehouse

REFERENCE_ASSETS = {
    BUSINESS_UNITS_FILE.path: BUSINESS_UNITS,
    PRODUCTS_FILE.path: PRODUCTS,
    CUSTOMERS_FILE.path: CUSTOMERS,
}
"""The asset of each reference file."""


def landed(landing: LandingZone, path: str) -> LandedFile:
    """The file at exactly `path`. Raises `dagster.Failure` if there is none."""
    for file in landing.files(path):
        if file.path == path:
            return file
    raise dg.Failure(
        description=f"{path} is not in the landing zone ({landing.describe()}); put it there and materialize again",
        allow_retries=False,
    )


def load_reference(
    kind: ReferenceFile, landing: LandingZone, warehouse: Warehouse, run_id: str, now: dt.datetime
) -> dg.MaterializeResult:
    """Replaces a reference table by its landed file, on the record. A file with a fault is refused and changes nothing."""
    file = landed(landing, kind.path)
    with landing.open(file) as stream:
        content = stream.read()
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        data = read_reference(kind, content)
    except RefusedError as refused:
        with warehouse.transaction() as transaction:
            Ledger(transaction).record_reference(file, sha256, run_id, now, refused)
        raise dg.Failure(
            description=f"{kind.path}: {refused}. The rows loaded before stay in place (see docs/landing.md)",
            allow_retries=False,
        ) from refused
    with warehouse.transaction() as transaction:
        Ledger(transaction).record_reference(file, sha256, run_id, now, (kind.table, data))
    return dg.MaterializeResult(
        metadata={"dagster/row_count": data.num_rows, "file": dg.MetadataValue.path(file.path), "sha256": sha256},
        data_version=dg.DataVersion(sha256[:16]),
    )


def reference_asset(
    key: dg.AssetKey, kind: ReferenceFile, description: str, *, pii: bool = False
) -> dg.AssetsDefinition:
    """Builds the asset of one reference file."""

    @dg.asset(
        key=key,
        pool=WAREHOUSE_POOL,
        group_name="raw",
        owners=[OWNER_DATA],
        kinds={"csv", "table"},
        tags={"pii": "true"} if pii else {},
        description=description,
    )
    def reference(
        context: dg.AssetExecutionContext,
        landing: dg.ResourceParam[LandingZone],
        warehouse: dg.ResourceParam[Warehouse],
        clock: Clock,
    ) -> dg.MaterializeResult:
        return load_reference(kind, landing, warehouse, context.run.run_id, clock.timestamp())

    return reference


def reference_assets() -> list[dg.AssetsDefinition]:
    """Business units, products and customers."""
    return [
        reference_asset(
            BUSINESS_UNITS, BUSINESS_UNITS_FILE, "Countries the chain sells in, with landing folder and time zone."
        ),
        reference_asset(PRODUCTS, PRODUCTS_FILE, "The catalogue: products, categories, prices and stock."),
        reference_asset(CUSTOMERS, CUSTOMERS_FILE, "Registered customers, and who opted out of marketing.", pii=True),
    ]
