"""The asset `models/segments`: every customer's segment. Segments are found anew from time to time, and their ids stay."""

import datetime as dt
from collections.abc import Mapping, Sequence

import dagster as dg
import numpy as np

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.keys import (
    CATALOGUE,
    CUSTOMER_PRODUCT_STATE,
    CUSTOMER_RFM,
    CUSTOMER_STATE,
    OWNER_SCIENCE,
    SEGMENTS,
    WAREHOUSE_POOL,
)
from globolatte_assets.pictures import png
from globolatte_ml.segments.fit import SegmentFit, find_segments, why_refit
from globolatte_ml.segments.plots import evidence_chart, profile_map
from globolatte_ml.segments.profiles import Profile, profiles_of
from globolatte_ml.segments.tables import customers_from, fit_row, latest_fit, profiles_table, segments_table
from globolatte_ml.segments.vectors import Customers
from resources.clock import Clock
from resources.warehouse.warehouse import Warehouse

SEGMENTS_TABLE, PROFILES_TABLE, FITS_TABLE = "ml.segments", "ml.segment_profiles", "ml.segment_fits"


class SegmentsConfig(dg.Config):
    """The configuration in the launchpad.

    refit: find segments anew, no matter when they were found last.
    """

    refit: bool = False


def read_customers(warehouse: Warehouse) -> Customers:
    """Every customer with orders: state, home and spend."""
    pairs = warehouse.read("features.feat_customer_product_state")
    return customers_from(
        warehouse.read("features.feat_customer_state"),
        pairs,
        warehouse.read("marts.mart_customer_rfm", ["customer_id", "total_price"]),
        pairs["product_id"].unique().to_pylist(),
    )


def product_names(warehouse: Warehouse) -> dict[str, str]:
    """The catalogue's names by id."""
    names = warehouse.read("marts.dim_product", ["product_id", "product_name"]).to_pydict()
    return dict(zip(names["product_id"], names["product_name"], strict=True))


def sales_until(customers: Customers) -> dt.date:
    """The last date on which any of the customers ordered."""
    return dt.date.fromisoformat(str(customers.states.last_order_date.max()))


def profiles_in_words(profiles: Sequence[Profile], names: Mapping[str, str]) -> str:
    """The profiles as a Markdown table, largest segment first."""
    lines = [
        "| | segment | customers | of sales | orders a month | per order | lines | last order | favourites |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for one in profiles:
        best = sorted(one.product_shares, key=lambda product: -one.product_shares[product])[:2]
        of_sales = "–" if one.share_of_sales is None else f"{one.share_of_sales:.0%}"
        per_order = "–" if one.spend_per_order is None else f"{one.spend_per_order:.2f}"
        favourites = ", ".join(f"{names.get(product, product)} {one.product_shares[product]:.0%}" for product in best)
        lines.append(
            f"| {one.segment_id} | **{one.name}** | {one.customers:,} ({one.share_of_customers:.0%}) | {of_sales} "
            f"| {one.orders_per_30_days:.1f} | {per_order} | {one.lines_per_order:.2f} "
            f"| {one.days_since_last_order:.0f} days ago | {favourites} |"
        )
    return "\n".join(lines)


def _metadata(
    fit: SegmentFit, reason: str | None, profiles: Sequence[Profile], names: Mapping[str, str]
) -> dict[str, dg.MetadataValue]:
    chosen = fit.chosen
    lasting = [one for one in fit.overlaps if one]
    return {
        "segments": dg.MetadataValue.md(profiles_in_words(profiles, names)),
        "what_stands_out": png(profile_map, profiles, names),
        "how_many": png(evidence_chart, fit.clusters.evidence, len(fit.ids)),
        "stability": dg.MetadataValue.float(round(chosen.stability, 3) if chosen else 1.0),
        "found_anew": dg.MetadataValue.text(
            reason or f"No: customers were assigned to the segments of {fit.learned_until}."
        ),
        "ids_kept": dg.MetadataValue.text(f"{len(lasting)} of {len(fit.ids)}"),
        "fit": dg.MetadataValue.text(fit.fit_id),
    }


def _spend_not_known(customers: Customers) -> dict[str, dg.MetadataValue]:
    """Metadata about customers who paid in a currency that cannot be converted; empty without any."""
    unknown = int(np.isnan(customers.spend).sum())
    if not unknown:
        return {}
    note = (
        f"What {unknown:,} of {len(customers):,} customers paid cannot be said in one currency: amounts are left out where they "
        "count. Tastes, hours, baskets and visits make the segments, amounts do not. Rates are named in reference/exchange_rates.csv."
    )
    return {"amounts_not_compared": dg.MetadataValue.text(note)}


@dg.asset(
    key=SEGMENTS,
    deps=[CUSTOMER_STATE, CUSTOMER_PRODUCT_STATE, CUSTOMER_RFM, CATALOGUE],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"python", "scikitlearn", "table"},
    retry_policy=RETRY_AFTER_A_FAULT,
    description="Customers with like tastes, hours and baskets. Assigned after all new data; found anew after 28 days of new sales, "
    "after a new product, or on request (refit in the launchpad). Ids last from one refit to the next.",
)
def segments(config: SegmentsConfig, warehouse: dg.ResourceParam[Warehouse], clock: Clock) -> dg.MaterializeResult:
    """Assign every customer; find the segments anew where there is a reason to."""
    with warehouse.keep_open():
        customers, names = read_customers(warehouse), product_names(warehouse)
        fits = warehouse.read(FITS_TABLE, ["fitted_at", "parameters"])
    if not len(customers):
        raise dg.Failure(description="no customer has orders yet; load sales first", allow_retries=False)
    until, fit = sales_until(customers), latest_fit(fits)
    reason = why_refit(fit, until, customers.states.products, config.refit)
    if fit is None or reason:
        fit = find_segments(customers, until, names, fit)
        warehouse.replace(FITS_TABLE, fit_row(fit, reason or "", clock.timestamp()), {"fit_id": fit.fit_id})
    coordinates = fit.space.coordinates(customers)
    segment, confidence = fit.assign(coordinates)
    profiles = profiles_of(customers, coordinates, segment, fit.ids, fit.names, fit.space, np.datetime64(until))
    with warehouse.keep_open():
        rows = warehouse.replace(SEGMENTS_TABLE, segments_table(customers, fit, segment, confidence, until))
        warehouse.replace(PROFILES_TABLE, profiles_table(profiles, fit, until))
    metadata = _metadata(fit, reason, profiles, names) | _spend_not_known(customers)
    return dg.MaterializeResult(metadata={"dagster/row_count": rows, **metadata})
