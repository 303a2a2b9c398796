"""Campaigns as the warehouse's tables hold them."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from globolatte_ml.campaigns.audience import CONTROL, OFFER, Audience, Candidates, Plan, expected_orders
from globolatte_ml.campaigns.effect import Arm, OfferEffect, measure
from globolatte_ml.data import columns


def candidates_from(
    recommendations: pa.Table,
    states: pa.Table,
    prices: Mapping[str, Mapping[str, float]],
    excluded: frozenset[str],
    plan: Plan,
) -> Candidates:
    """The customers who may be addressed, as the recommendations see them.

    Args:
        recommendations: prediction_id, customer_id, business_unit, product_id, probability: every product of every customer, once.
        states: customer_id, order_count, first_order_date, last_order_date; customers without orders are no candidates. Sales go
            until the last of all orders: what may have been ordered since is not known.
        prices: by unit and product, NaN where a price cannot be compared; a product without a price counts as free, if the unit can
            compare any.
        excluded: customers who must not be addressed.
        plan: says for which days.
    """
    products = tuple(sorted(recommendations["product_id"].unique().to_pylist()))
    ids = np.unique(columns.strings(recommendations, "customer_id"))
    row = np.searchsorted(ids, columns.strings(recommendations, "customer_id"))
    column = np.searchsorted(np.array(products), columns.strings(recommendations, "product_id"))
    probabilities = np.zeros((len(ids), len(products)))
    probabilities[row, column] = columns.floats(recommendations, "probability")
    units, addresses = np.empty(len(ids), dtype=object), np.empty(len(ids), dtype=object)
    units[row] = recommendations["business_unit"].to_pylist()
    addresses[row] = recommendations["prediction_id"].to_pylist()
    at = columns.positions(pa.array(ids.tolist(), pa.string()), states["customer_id"])
    ordered, first = columns.integers(states, "order_count"), columns.dates(states, "first_order_date")
    known = (at >= 0) & (ordered[at] > 0)
    last = columns.dates(states, "last_order_date")
    until = last[~np.isnat(last)].max() if known.any() else np.datetime64(plan.starts_on, "D")
    days = (until - first[at]).astype("timedelta64[D]").astype(np.float64) + 1.0
    orders = np.zeros(len(ids))
    orders[known] = expected_orders(ordered[at][known].astype(np.float64), days[known], float(plan.days))
    eligible = known & ~np.isin(ids, sorted(excluded))
    where, there = np.unique(units[eligible].astype(np.str_), return_inverse=True)
    by_unit = [_prices_of(products, prices.get(unit, {})) for unit in where.tolist()]
    return Candidates(
        ids=ids[eligible],
        units=units[eligible].astype(np.str_),
        prediction_ids=addresses[eligible].astype(np.str_),
        products=products,
        prices=np.array(by_unit).reshape(len(where), len(products))[there],
        probabilities=probabilities[eligible],
        orders=orders[eligible],
    )


def _prices_of(products: Sequence[str], prices: Mapping[str, float]) -> list[float]:
    known = [prices[product] for product in products if product in prices]
    without = 0.0 if np.isfinite(known).any() else math.nan
    return [prices.get(product, without) for product in products]


def audience_table(candidates: Candidates, audience: Audience, plan: Plan) -> pa.Table:
    """One row per customer of the campaign, offers and controls."""
    rows, products = audience.rows, np.array(candidates.products)
    return pa.table(
        {
            "campaign_id": pa.repeat(plan.campaign_id, len(rows)),
            "customer_id": pa.array(candidates.ids[rows].tolist(), pa.string()),
            "business_unit": pa.array(candidates.units[rows].tolist(), pa.string()),
            "product_id": pa.array(products[audience.product].tolist(), pa.string()),
            "arm": pa.array(np.where(audience.is_control, CONTROL, OFFER).tolist(), pa.string()),
            "rank": pa.array(np.arange(1, len(rows) + 1, dtype=np.int32)),
            "probability": pa.array(candidates.probabilities[rows, audience.product]),
            "expected_orders": pa.array(candidates.orders[rows]),
            "expected_purchases": pa.array(audience.purchases),
            "expected_extra": pa.array(audience.extra),
            "prediction_id": pa.array(candidates.prediction_ids[rows].tolist(), pa.string()),
        }
    )


def contacts_of(audience: pa.Table, plan: Plan) -> pa.Table:
    """The contact log's rows: whom the campaign addresses on its first day."""
    offers = audience.filter(pc.equal(audience["arm"], OFFER)).select(["campaign_id", "customer_id", "product_id"])
    return offers.append_column("contacted_on", pa.repeat(pa.scalar(plan.starts_on, pa.date32()), offers.num_rows))


def campaign_row(
    plan: Plan,
    effect: OfferEffect,
    candidates: Candidates,
    audience: Audience,
    counts: Mapping[str, int],
    model: Mapping[str, str],
    now: dt.datetime,
) -> pa.Table:
    """One row of the record of campaigns. `counts`: customers excluded by reason. `now` is UTC without offset."""
    offered = ~audience.is_control
    low, high = (float(_extra_at(candidates, audience, ratio)[offered].sum()) for ratio in effect.interval)
    return pa.Table.from_pylist(
        [
            {
                "campaign_id": plan.campaign_id,
                "product_id": plan.product,
                "starts_on": plan.starts_on,
                "ends_on": plan.ends_on,
                "budget": plan.budget,
                "cost_per_contact": plan.cost_per_contact,
                "control_share": plan.control_share,
                "odds_ratio": effect.odds_ratio,
                "odds_ratio_source": effect.source,
                "eligible": len(candidates.ids),
                **{f"excluded_{reason}": number for reason, number in counts.items()},
                "offers": int(offered.sum()),
                "controls": int(audience.is_control.sum()),
                "expected_purchases": float(audience.purchases[offered].sum()),
                "expected_extra": float(audience.extra[offered].sum()),
                "expected_extra_low": low,
                "expected_extra_high": high,
                **model,
                "created_at": now,
            }
        ]
    )


def outcomes_of(audience: pa.Table, orders: pa.Table) -> pa.Table:
    """customer_id, arm, orders, purchases (orders of the offered product), one row per customer of a campaign.

    Args:
        audience: customer_id, arm, product_id; each customer once.
        orders: customer_id, main_product_id: those of the campaign's days, of whatever customer.
    """
    at = columns.positions(orders["customer_id"], audience["customer_id"])
    ours, customers = at >= 0, audience.num_rows
    at, products = at[ours], columns.strings(orders, "main_product_id")[ours]
    bought = at[products == columns.strings(audience, "product_id")[at]]
    counted = audience.select(["customer_id", "arm"])
    counted = counted.append_column("orders", pa.array(np.bincount(at, minlength=customers)))
    return counted.append_column("purchases", pa.array(np.bincount(bought, minlength=customers)))


def result_row(
    campaign: Mapping[str, object], outcomes: pa.Table, measured_until: dt.date, complete: bool, now: dt.datetime
) -> pa.Table:
    """One row of `serving.campaign_results`.

    Args:
        campaign: its row in the record of campaigns.
        outcomes: one row per customer: arm, orders, purchases.
    """
    arms, totals = [], dict[str, int]()
    for arm in (OFFER, CONTROL):
        rows = outcomes.filter(pc.equal(outcomes["arm"], arm))
        arms.append(Arm(columns.floats(rows, "orders"), columns.floats(rows, "purchases")))
        totals[f"customers_{arm}"] = rows.num_rows
        totals |= {f"{name}_{arm}": pc.sum(rows[name]).as_py() or 0 for name in ("orders", "purchases")}
    found, offers = measure(*arms), totals[f"customers_{OFFER}"]
    odds = None if found is None else found.log_odds
    row = {
        "campaign_id": campaign["campaign_id"],
        "status": "complete" if complete else "running",
        "measured_until": measured_until,
        **totals,
        "expected_extra": campaign["expected_extra"],
        "extra_purchases": None if found is None else found.extra * offers,
        "extra_low": None if found is None else found.extra_low * offers,
        "extra_high": None if found is None else found.extra_high * offers,
        "odds_ratio": None if odds is None else math.exp(odds),
        "log_odds_ratio": odds,
        "log_odds_error": None if found is None else found.log_odds_error,
        "measured_at": now,
    }
    return pa.Table.from_pylist([row])


def _extra_at(candidates: Candidates, audience: Audience, odds_ratio: float) -> np.ndarray:
    return candidates.extra_purchases(odds_ratio)[audience.rows, audience.product]
