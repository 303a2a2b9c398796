"""The asset `raw/weather`: what the files of the weather feed say, for orders that do not tell their weather themselves."""

from collections.abc import Iterator

import dagster as dg

from globolatte_assets.keys import BUSINESS_UNITS, OWNER_DATA, WAREHOUSE_POOL, WEATHER
from globolatte_ingest.kept_files import KeptFiles
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.paths import WEATHER_PREFIX, is_weather
from globolatte_ingest.reference import refused_reference_files
from globolatte_ingest.weather import known_weather, load_weather, weather_version
from resources.clock import Clock
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse

NO_WEATHER_FILE_REFUSED = "no_weather_file_refused"


def weather_asset(kept: KeptFiles | None = None) -> dg.AssetsDefinition:
    """Builds the asset. Without weather files it is materialized with no row: what follows it is not to wait for it.

    If a file cannot be read, what the others say is loaded and reported, and the step fails: so the file is tried again, and not for ever.
    """

    @dg.asset(
        key=WEATHER,
        deps=[BUSINESS_UNITS],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"csv", "table"},
        check_specs=[
            dg.AssetCheckSpec(
                NO_WEATHER_FILE_REFUSED,
                asset=WEATHER,
                description=f"No file under `{WEATHER_PREFIX}` is refused in the version that is in the landing zone.",
            )
        ],
        description=f"The weather by unit or store, date and hour, from `{WEATHER_PREFIX}*.csv`; each file replaces its own rows. "
        "It is joined to orders that do not tell their weather themselves.",
    )
    def weather(
        context: dg.AssetExecutionContext,
        landing: dg.ResourceParam[LandingZone],
        warehouse: dg.ResourceParam[Warehouse],
        clock: Clock,
    ) -> Iterator[dg.MaterializeResult]:
        loaded, _, unread = load_weather(landing, warehouse, context.run.run_id, clock.timestamp(), kept)
        with warehouse.transaction() as transaction:
            references = Ledger(transaction).loaded_references()
            refused = [(path, reason) for path, reason in refused_reference_files(transaction) if is_weather(path)]
            spans = known_weather(transaction)
        rows = [f"| {span['unit']} | {span['n']:,} | {span['first']} | {span['last']} |" for span in spans]
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(span["n"] for span in spans),
                "files": sum(is_weather(path) for path in references),
                "loaded_now": ", ".join(loaded) or "none",
                "what_is_known": dg.MetadataValue.md(
                    "\n".join(["| unit | rows | from | to |", "|---|---:|---|---|", *rows])
                ),
            },
            data_version=dg.DataVersion(weather_version(references)[:16]),
            check_results=[
                dg.AssetCheckResult(
                    check_name=NO_WEATHER_FILE_REFUSED,
                    passed=not refused,
                    severity=dg.AssetCheckSeverity.WARN,
                    description="; ".join(f"{path}: {reason}" for path, reason in refused[:5])
                    + (f"; and {len(refused) - 5} more" if len(refused) > 5 else "")
                    if refused
                    else "none refused",
                )
            ],
        )
        if unread:
            named = "; ".join(f"{path}: {fault}" for path, fault in unread[:5])
            more = f"; and {len(unread) - 5} more" if len(unread) > 5 else ""
            raise dg.Failure(
                description=f"{named}{more}. Give GloboLatte the right to read it, or remove it; the other weather files are loaded",
                allow_retries=False,
            )

    return weather
