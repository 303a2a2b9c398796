"""Segments as the warehouse's tables hold them, and back."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.segments.fit import ORDERS_TO_BE_HEARD, SegmentFit
from globolatte_ml.segments.profiles import Profile
from globolatte_ml.segments.vectors import Customers

PROFILE_NUMBERS = (
    *("segment_id", "customers", "share_of_customers", "share_of_sales", "orders_per_30_days"),
    *("spend_per_order", "lines_per_order", "days_since_last_order"),
)


def customers_from(
    customer_level: pa.Table, product_level: pa.Table, spend: pa.Table, products: Sequence[str]
) -> Customers:
    """Customers with orders, sorted by id.

    Args:
        customer_level, product_level: as `CustomerStates.from_tables` takes them, the former with home_business_unit.
        spend: customer_id, total_price: what each customer paid in all, over all units; empty where that cannot be said in one currency.
        products: the catalogue.
    """
    states = CustomerStates.from_tables(customer_level, product_level, "customer_id", sorted(products))
    ids = columns.strings(customer_level, "customer_id")
    where = columns.positions(customer_level.column("customer_id"), spend.column("customer_id"))
    paid = np.where(columns.is_null(spend, "total_price"), np.nan, columns.floats(spend, "total_price"))
    paid = np.append(paid, 0.0)[where]
    everyone = Customers(ids, columns.strings(customer_level, "home_business_unit"), states, paid)
    order = np.argsort(ids, kind="stable")
    return everyone.take(order[states.order_count[order] > 0])


def segments_table(
    customers: Customers, fit: SegmentFit, segment: np.ndarray, confidence: np.ndarray, as_of: dt.date
) -> pa.Table:
    """One row per customer; `segment` (positions) and `confidence` as `SegmentFit.assign` gives them."""
    return pa.table(
        {
            "customer_id": pa.array(customers.ids.tolist(), pa.string()),
            "segment_id": pa.array(np.array(fit.ids, dtype=np.int32)[segment]),
            "segment_name": pa.array(list(fit.names), pa.string()).take(pa.array(segment)),
            "confidence": pa.array(confidence),
            "is_provisional": pa.array(customers.states.order_count < ORDERS_TO_BE_HEARD),
            "fit_id": pa.repeat(fit.fit_id, len(customers)),
            "as_of_date": pa.repeat(pa.scalar(as_of, pa.date32()), len(customers)),
        }
    )


def profiles_table(profiles: Sequence[Profile], fit: SegmentFit, as_of: dt.date) -> pa.Table:
    """One row per segment."""
    return pa.Table.from_pylist(
        [
            {
                **{name: getattr(one, name) for name in PROFILE_NUMBERS},
                "segment_name": one.name,
                "favourite_product_id": one.favourite,
                "peak_daypart": DAYPARTS[int(np.argmax(one.daypart_shares))],
                "profile": json.dumps(asdict(one), sort_keys=True),
                "fit_id": fit.fit_id,
                "as_of_date": as_of,
            }
            for one in profiles
        ]
    )


def fit_row(fit: SegmentFit, reason: str, now: dt.datetime) -> pa.Table:
    """One row of the record of fits. `now` is UTC without offset."""
    chosen = fit.chosen
    return pa.table(
        {
            "fit_id": [fit.fit_id],
            "fitted_at": pa.array([now], pa.timestamp("us")),
            "learned_until": pa.array([fit.learned_until], pa.date32()),
            "customers": [fit.customers],
            "segments": pa.array([len(fit.ids)], pa.int32()),
            "stability": pa.array([chosen and chosen.stability], pa.float64()),
            "silhouette": pa.array([chosen and chosen.silhouette], pa.float64()),
            "reason": [reason],
            "parameters": [fit.to_json()],
        }
    )


def latest_fit(fits: pa.Table) -> SegmentFit | None:
    """The fit recorded last (columns fitted_at, parameters); none if there is none."""
    if not fits.num_rows:
        return None
    return SegmentFit.from_json(fits.sort_by("fitted_at")["parameters"][-1].as_py())
