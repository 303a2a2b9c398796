"""The asset `raw/holidays`: public holidays of every country the chain sells in, by the `holidays` library."""

import dagster as dg

from globolatte_assets.keys import BUSINESS_UNITS, HOLIDAYS, OWNER_DATA, WAREHOUSE_POOL
from resources.clock import Clock
from resources.warehouse.warehouse import Warehouse


def public_holidays(countries: list[str], years: range) -> list[dict[str, object]]:
    """One row per country and public holiday. Countries go by their English names, such as Mexico or USA.

    Raises `ValueError` for a country that the `holidays` library does not know.
    """
    import holidays
    from holidays.registry import EntityLoader

    rows: list[dict[str, object]] = []
    for country in countries:
        calendar = getattr(holidays, country.replace(" ", ""), None)
        if not isinstance(calendar, EntityLoader):
            raise ValueError(  # noqa: TRY004 - the country is wrong, not a type
                f"no holiday calendar is called {country!r}; write the country in reference/business_units.csv as the "
                "`holidays` library does, such as USA, Canada, Mexico"
            )
        rows += [
            {"country": country, "date": date, "name": name}
            for date, name in sorted(calendar(years=list(years)).items())
        ]
    return rows


def holiday_calendar_asset(first_year: int) -> dg.AssetsDefinition:
    """Builds the asset; the calendar runs from `first_year` through next year."""

    @dg.asset(
        key=HOLIDAYS,
        deps=[BUSINESS_UNITS],
        pool=WAREHOUSE_POOL,
        group_name="raw",
        owners=[OWNER_DATA],
        kinds={"python", "table"},
        description="Public holidays per country, from the first year of business through next year.",
    )
    def holiday_calendar(warehouse: dg.ResourceParam[Warehouse], clock: Clock) -> dg.MaterializeResult:
        import pyarrow as pa

        units = warehouse.read("sales_data.business_units", ["country"])
        countries = sorted(set(units["country"].to_pylist()))
        years = range(first_year, clock.today().year + 2)
        schema = pa.schema([("country", pa.string()), ("date", pa.date32()), ("name", pa.string())])
        rows = warehouse.replace("sales_data.holidays", pa.Table.from_pylist(public_holidays(countries, years), schema))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows,
                "countries": ", ".join(countries),
                "years": f"{years[0]} to {years[-1]}",
            }
        )

    return holiday_calendar
