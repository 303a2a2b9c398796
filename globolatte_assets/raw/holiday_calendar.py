"""The asset `raw/holidays`: public holidays of every country the chain sells in, by the `holidays` library."""

import dagster as dg

from globolatte_assets.keys import BUSINESS_UNITS, HOLIDAYS, OWNER_DATA, WAREHOUSE_POOL
from globolatte_ingest.reference import public_holidays
from resources.clock import Clock
from resources.warehouse.warehouse import Warehouse


def holiday_calendar_asset(first_year: int) -> dg.AssetsDefinition:
    """Builds the asset; the calendar runs from `first_year` through next year."""

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
