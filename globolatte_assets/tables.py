"""What assets read from dbt's tables: the columns and types of the Parquet files for `globolatte_ml`, and the dates of sales."""

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
import pyarrow as pa
from pyarrow import parquet

from globolatte_ml.data.money import Money
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Export:
    """A table and how it is exported from the warehouse: all columns unless named, with `casts` to the Arrow types of these names."""

    table: str
    columns: Sequence[str] = ()
    order_by: Sequence[str] = ()
    where: Mapping[str, object] = field(default_factory=dict)
    casts: Mapping[str, str] = field(default_factory=dict)

    def content(self, warehouse: Warehouse) -> bytes:
        """The table as a Parquet file."""
        data = warehouse.read(self.table, self.columns, self.where, self.order_by)
        for name, type_name in self.casts.items():
            position = data.column_names.index(name)
            data = data.set_column(position, name, data.column(name).cast(pa.type_for_alias(type_name)))
        written = io.BytesIO()
        parquet.write_table(data, written, compression="zstd")
        return written.getvalue()


CATALOGUE_EXPORT = Export(
    "marts.dim_product",
    ["product_id", "product_name", "category", "price"],
    ["product_id"],
    where={"is_in_reference": True},
    casts={"price": "float64"},
)
STATE_TABLES: Mapping[str, Export] = {
    "customer_state.parquet": Export("features.feat_customer_state", order_by=["customer_id"]),
    "customer_product_state.parquet": Export(
        "features.feat_customer_product_state", order_by=["customer_id", "product_id"]
    ),
    "products.parquet": CATALOGUE_EXPORT,
    "business_units.parquet": Export(
        "sales_data.business_units",
        ["business_unit_id", "country", "unit_name", "folder", "time_zone"],
        ["business_unit_id"],
    ),
    "holidays.parquet": Export("sales_data.holidays", ["country", "date", "name"], ["country", "date", "name"]),
    "monthly_weather.parquet": Export("marts.mart_monthly_weather", order_by=["business_unit", "month", "weather"]),
}
"""The files of a serving state."""

DAILY_SALES = "intermediate.int_daily_sales"


def last_business_date(warehouse: Warehouse) -> dt.date | None:
    """The last date with an order; none without orders."""
    return max(warehouse.read(DAILY_SALES, ["business_date"])["business_date"].to_pylist(), default=None)


def money_at(warehouse: Warehouse, as_of: dt.date) -> Money:
    """The exchange rates in force on a date, and the units' currencies."""
    return Money.from_tables(
        warehouse.read("intermediate.int_exchange_rates"),
        warehouse.read("marts.dim_business_unit", ["business_unit_id", "currency"]),
        as_of,
    )


def prices_not_compared(
    prices: Mapping[str, Mapping[str, float]], currencies: Mapping[str, str | None], money: Money
) -> dict[str, dg.MetadataValue]:
    """Metadata that name the products of each region (or unit) whose prices cannot be compared, and why; empty without any.

    `currencies`: of each product the currency that its price names.
    """
    missing = {region: sorted(one for one, price in of.items() if price != price) for region, of in prices.items()}
    words = [f"{region}: {', '.join(products)}" for region, products in sorted(missing.items()) if products]
    if not words:
        return {}
    unnamed = sorted(product for product, currency in currencies.items() if currency is None)
    unrated = sorted({currency for currency in currencies.values() if currency is not None} - money.rates.keys())
    if unnamed:
        words.append(f"name the currency of {', '.join(unnamed)} in reference/products.csv")
    if unrated:
        words.append(f"name the rates of {', '.join(unrated)} in reference/exchange_rates.csv")
    return {"prices_not_compared": dg.MetadataValue.text("; ".join(words))}


@dataclass(frozen=True)
class ExampleSpan:
    """The number of training examples, and their first and last business date."""

    orders: int
    first: dt.date
    last: dt.date


def has_examples(warehouse: Warehouse) -> bool:
    """Whether there is an order to learn from."""
    return warehouse.has(DAILY_SALES) and example_span(warehouse) is not None


def example_span(warehouse: Warehouse) -> ExampleSpan | None:
    """Which training examples there are; none without any."""
    days = warehouse.read(DAILY_SALES, ["business_date", "main_orders"]).to_pylist()
    dates = [day["business_date"] for day in days if day["main_orders"]]
    return ExampleSpan(sum(day["main_orders"] for day in days), min(dates), max(dates)) if dates else None
