"""The reference-data assets: business units, products, customers, each one file, replaced as a whole; and the public holidays."""

import datetime as dt

import dagster as dg

from globolatte_assets.keys import BUSINESS_UNITS, CUSTOMERS, HOLIDAYS, OWNER_DATA, PRODUCTS, WAREHOUSE_POOL
from globolatte_ingest.reasons import RefusedError
from globolatte_ingest.reference import (
    BUSINESS_UNITS_FILE,
    CUSTOMERS_FILE,
    PRODUCTS_FILE,
    ReferenceFile,
    load_reference,
    public_holidays,
)
from resources.clock import Clock
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse

REFERENCE_ASSETS = {
    BUSINESS_UNITS_FILE.path: BUSINESS_UNITS,
    PRODUCTS_FILE.path: PRODUCTS,
    CUSTOMERS_FILE.path: CUSTOMERS,
}
"""The asset of each reference file."""


def materialized(
    kind: ReferenceFile, landing: LandingZone, warehouse: Warehouse, run_id: str, now: dt.datetime
) -> dg.MaterializeResult:
    """Loads a reference file. Raises `dagster.Failure` if it is not there or refused."""
    try:
        sha256, rows = load_reference(kind, landing, warehouse, run_id, now)
    except FileNotFoundError as missing:
        raise dg.Failure(description=str(missing), allow_retries=False) from missing
    except RefusedError as refused:
        raise dg.Failure(
            description=f"{kind.path}: {refused}. The rows loaded before stay in place (see docs/landing.md)",
            allow_retries=False,
        ) from refused
    return dg.MaterializeResult(
        metadata={"dagster/row_count": rows, "file": dg.MetadataValue.path(kind.path), "sha256": sha256},
        data_version=dg.DataVersion(sha256[:16]),
    )


def reference_asset(
    key: dg.AssetKey, kind: ReferenceFile, description: str, *, pii: bool = False
) -> dg.AssetsDefinition:
    """Builds the asset of one reference file."""

    @dg.asset(
        key=key,
        pool=WAREHOUSE_POOL,
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
        return materialized(kind, landing, warehouse, context.run.run_id, clock.timestamp())

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


def holiday_calendar_asset(first_year: int) -> dg.AssetsDefinition:
    """Builds the asset of the public holidays of every country in which the chain sells, from `first_year` through next year."""

    @dg.asset(
        key=HOLIDAYS,
        deps=[BUSINESS_UNITS],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"python", "table"},
        description="Public holidays per country, from the first year of business through next year.",
    )
    def holiday_calendar(warehouse: dg.ResourceParam[Warehouse], clock: Clock) -> dg.MaterializeResult:
        units = warehouse.read("sales_data.business_units", ["country"])
        countries = sorted(set(units["country"].to_pylist()))
        years = range(first_year, clock.today().year + 2)
        rows = warehouse.replace("sales_data.holidays", public_holidays(countries, years))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows,
                "countries": ", ".join(countries),
                "years": f"{years[0]} to {years[-1]}",
            }
        )

    return holiday_calendar
