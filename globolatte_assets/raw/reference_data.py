"""The reference-data assets: units, products, customers, declarations and rates, each one file, replaced as a whole; and the holidays."""

import datetime as dt
from collections.abc import Collection, Sequence

import dagster as dg

from globolatte_assets.keys import (
    BUSINESS_UNITS,
    CUSTOMERS,
    EXCHANGE_RATES,
    HOLIDAYS,
    OWNER_DATA,
    PRODUCTS,
    UNIT_DECLARATIONS,
    WAREHOUSE_POOL,
)
from globolatte_ingest.countries import public_holidays
from globolatte_ingest.kept_files import KeptFiles
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.reasons import RefusedError
from globolatte_ingest.reference import (
    BUSINESS_UNITS_FILE,
    CUSTOMERS_FILE,
    EXCHANGE_RATES_FILE,
    PRODUCTS_FILE,
    UNIT_DECLARATIONS_FILE,
    ReferenceFile,
    load_reference,
)
from resources.clock import Clock
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse

REFERENCE_ASSETS = {
    BUSINESS_UNITS_FILE.path: BUSINESS_UNITS,
    PRODUCTS_FILE.path: PRODUCTS,
    CUSTOMERS_FILE.path: CUSTOMERS,
    UNIT_DECLARATIONS_FILE.path: UNIT_DECLARATIONS,
    EXCHANGE_RATES_FILE.path: EXCHANGE_RATES,
}
"""The asset of each reference file."""
NEEDED_ASSETS = (BUSINESS_UNITS, PRODUCTS, CUSTOMERS)
"""Those whose file has to be there."""

EVERY_COUNTRY_HAS_HOLIDAYS = "every_country_has_holidays"
FILE_IS_ACCEPTED = "file_is_accepted"


def materialized(
    kind: ReferenceFile,
    landing: LandingZone,
    warehouse: Warehouse,
    run_id: str,
    now: dt.datetime,
    folders: Collection[str] = (),
    kept: KeptFiles | None = None,
) -> dg.MaterializeResult:
    """Loads a reference file. Raises `dagster.Failure` if it is refused, or not there and needed."""
    try:
        sha256, rows = load_reference(kind, landing, warehouse, run_id, now, folders, kept)
    except FileNotFoundError as missing:
        if kind.may_be_absent:
            return _absent(kind, warehouse)
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


def _absent(kind: ReferenceFile, warehouse: Warehouse) -> dg.MaterializeResult:
    """What is to be said of a file that is not there, and need not be: what it said when it was there stays."""
    rows = warehouse.read(kind.table).num_rows
    return dg.MaterializeResult(
        metadata={"dagster/row_count": rows, "file": f"{kind.path} is not there; it is optional"},
        data_version=dg.DataVersion("absent"),
    )


def checked(
    kind: ReferenceFile,
    landing: LandingZone,
    warehouse: Warehouse,
    run_id: str,
    now: dt.datetime,
    folders: Collection[str] = (),
    kept: KeptFiles | None = None,
) -> dg.MaterializeResult:
    """As `materialized`, with a check that fails if the file is refused while an earlier version is loaded: that stays in use."""
    refusal = ""
    try:
        result = materialized(kind, landing, warehouse, run_id, now, folders, kept)
    except dg.Failure as failure:
        with warehouse.transaction() as transaction:
            loaded = Ledger(transaction).loaded_references().get(kind.path)
        if loaded is None or not isinstance(failure.__cause__, RefusedError):
            raise
        refusal = str(failure.description)
        rows = warehouse.read(kind.table).num_rows
        result = dg.MaterializeResult(
            metadata={"dagster/row_count": rows, "file": dg.MetadataValue.path(kind.path), "sha256": loaded},
            data_version=dg.DataVersion(loaded[:16]),
        )
    return dg.MaterializeResult(
        metadata=result.metadata,
        data_version=result.data_version,
        check_results=[
            dg.AssetCheckResult(
                check_name=FILE_IS_ACCEPTED,
                passed=not refusal,
                severity=dg.AssetCheckSeverity.ERROR,
                description=refusal or "loaded",
            )
        ],
    )


def reference_asset(
    key: dg.AssetKey,
    kind: ReferenceFile,
    description: str,
    folders: Collection[str] = (),
    deps: Sequence[dg.AssetKey] = (),
    kept: KeptFiles | None = None,
    *,
    pii: bool = False,
    stops_what_follows: bool = True,
) -> dg.AssetsDefinition:
    """Builds the asset of one reference file. `folders` are the landing folders of the deployment.

    Where a refused file is not to stop what follows, a check fails instead of the run, once an earlier version is loaded.
    """
    check = dg.AssetCheckSpec(
        FILE_IS_ACCEPTED,
        asset=key,
        description=f"The version of `{kind.path}` that is in the landing zone is loaded, not refused.",
    )

    @dg.asset(
        key=key,
        deps=deps,
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"toml" if kind.path.endswith(".toml") else "csv", "table"},
        tags={"pii": "true"} if pii else {},
        check_specs=[] if stops_what_follows else [check],
        description=description,
    )
    def reference(
        context: dg.AssetExecutionContext,
        landing: dg.ResourceParam[LandingZone],
        warehouse: dg.ResourceParam[Warehouse],
        clock: Clock,
    ) -> dg.MaterializeResult:
        run_id, now = context.run.run_id, clock.timestamp()
        if stops_what_follows:
            return materialized(kind, landing, warehouse, run_id, now, folders, kept)
        return checked(kind, landing, warehouse, run_id, now, folders, kept)

    return reference


def reference_assets(folders: Collection[str], kept: KeptFiles | None = None) -> list[dg.AssetsDefinition]:
    """Units, products, customers, how units write their files, and exchange rates. `folders` are the landing folders of the deployment,
    `kept` is where the bytes of what is loaded are kept.
    """
    return [
        reference_asset(
            BUSINESS_UNITS,
            BUSINESS_UNITS_FILE,
            "Countries the chain sells in, with landing folder and time zone.",
            folders,
            kept=kept,
            stops_what_follows=False,
        ),
        reference_asset(PRODUCTS, PRODUCTS_FILE, "The catalogue: products, categories, prices and stock.", kept=kept),
        reference_asset(
            CUSTOMERS, CUSTOMERS_FILE, "Registered customers, and who opted out of marketing.", kept=kept, pii=True
        ),
        reference_asset(
            UNIT_DECLARATIONS,
            UNIT_DECLARATIONS_FILE,
            "How units write their sales files, as far as it is not the usual way. The file is optional.",
            deps=[BUSINESS_UNITS],
            kept=kept,
        ),
        reference_asset(
            EXCHANGE_RATES,
            EXCHANGE_RATES_FILE,
            "What currencies are worth in the one that the chain reports in. The file is optional.",
            kept=kept,
        ),
    ]


def holiday_calendar_asset(first_year: int) -> dg.AssetsDefinition:
    """Builds the asset of the public holidays of every country in which the chain sells, from `first_year` through next year."""

    @dg.asset(
        key=HOLIDAYS,
        deps=[BUSINESS_UNITS],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"python", "table"},
        check_specs=[
            dg.AssetCheckSpec(
                EVERY_COUNTRY_HAS_HOLIDAYS,
                asset=HOLIDAYS,
                description="The `holidays` library knows the country of every business unit.",
            )
        ],
        description="Public holidays per country, from the first year of business through next year. "
        "A country that the `holidays` library does not know has none.",
    )
    def holiday_calendar(warehouse: dg.ResourceParam[Warehouse], clock: Clock) -> dg.MaterializeResult:
        units = warehouse.read("sales_data.business_units", ["country"])
        countries = sorted(set(units["country"].to_pylist()))
        years = range(first_year, clock.today().year + 2)
        holidays, unknown = public_holidays(countries, years)
        rows = warehouse.replace("sales_data.holidays", holidays)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows,
                "countries": ", ".join(countries),
                "countries_without_holidays": ", ".join(unknown) or "none",
                "years": f"{years[0]} to {years[-1]}",
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=EVERY_COUNTRY_HAS_HOLIDAYS,
                    passed=not unknown,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=f"no holiday calendar is called {', '.join(map(repr, unknown))}: the units there go on without "
                    "holidays; write the country in reference/business_units.csv by its English name or ISO code"
                    if unknown
                    else f"holidays of {', '.join(countries)}",
                )
            ],
        )

    return holiday_calendar
