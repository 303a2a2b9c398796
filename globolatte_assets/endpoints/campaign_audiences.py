"""The asset `endpoints/campaign_audiences`: who is offered what within a budget, and who is held back as control group."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from globolatte_assets.keys import (
    CAMPAIGN_AUDIENCES,
    CUSTOMER_STATE,
    DIM_BUSINESS_UNIT,
    DIM_CUSTOMER,
    EXCHANGE_RATES_IN_FORCE,
    OWNER_SCIENCE,
    RECOMMENDATIONS,
    WAREHOUSE_POOL,
)
from globolatte_assets.models.champion import champion_of
from globolatte_assets.pictures import png
from globolatte_assets.tables import money_at, prices_not_compared
from globolatte_ml.campaigns.audience import Audience, Candidates, Plan, choose_audience, sizes_for_budgets
from globolatte_ml.campaigns.effect import OfferEffect, offer_effect
from globolatte_ml.campaigns.plots import budget_curve
from globolatte_ml.campaigns.tables import audience_table, campaign_row, candidates_from, contacts_of
from globolatte_ml.scoring.scorer import Scorer
from resources.clock import Clock
from resources.endpoint.serving_state import ServingStates
from resources.ml.ml_platform import MLPlatform
from resources.warehouse.campaigns import Exclusions, exclusions, keep_campaign, measured_effects
from resources.warehouse.tables import row_count
from resources.warehouse.warehouse import Warehouse

OTHER_BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0)
CUSTOMERS_SHOWN = 10
PRODUCTS_COMPARED = 50
"""Of a catalogue that is larger than what the recommendations store: products of which a campaign may choose one to push."""


class CampaignConfig(dg.Config):
    """The configuration in the launchpad. Every field has a default, so the asset can be materialized without any."""

    product: str = Field(
        default="", description="Product to offer, by id or name. Empty: for each unit the one with the highest value."
    )
    budget: float = Field(default=50.0, description="What all contacts together may cost, in money.")
    cost_per_contact: float = Field(default=0.25, description="What one contact costs, in money.")
    units: list[str] = Field(default=[], description="Business units to address, by any of their names. Empty: all.")
    days: int = Field(default=14, description="For how many days, from today on, purchases count.")
    control_share: float = Field(default=0.2, description="Share of the audience that is held back for comparison.")
    rest_days: int = Field(default=28, description="Customers who were contacted within so many days are left out.")
    odds_ratio: float = Field(
        default=1.5,
        description="The factor by which an offer is assumed to multiply the odds of its product, until campaigns have measured it.",
    )
    name: str = Field(
        default="", description="Name of the campaign; its id is made of this (or the product) and the date."
    )


def resolved(wanted: str, names: Mapping[str, Sequence[str]], what: str) -> str:
    """The id or name `wanted` as an id, in any letter case. Raises `dagster.Failure` that lists the known ones."""
    for one, known in names.items():
        if wanted.strip().casefold() in {name.casefold() for name in known}:
            return one
    there = "; ".join(" / ".join(dict.fromkeys(known)) for known in names.values())
    raise dg.Failure(description=f"{what} {wanted!r} is unknown; use one of {there}", allow_retries=False)


def plan_of(config: CampaignConfig, products: Mapping[str, Sequence[str]], clock: Clock) -> Plan:
    """The requested plan. Raises `dagster.Failure` for an unknown product or a plan that cannot be carried out."""
    product = resolved(config.product, products, "product") if config.product.strip() else None
    label = config.name or (products[product][-1] if product else "push")
    units = "-".join(config.units)
    slug = re.sub(r"[^a-z0-9]+", "-", f"{label} {units}".casefold()).strip("-")
    today = clock.today()
    plan = Plan(
        f"{today:%Y%m%d}-{slug}",
        product,
        config.budget,
        config.cost_per_contact,
        today,
        config.days,
        config.control_share,
    )
    faults = [*plan.faults(), *([] if config.odds_ratio > 0 else ["odds_ratio must be above 0"])]
    if faults:
        raise dg.Failure(description=f"campaign {plan.campaign_id}: {'; '.join(faults)}", allow_retries=False)
    return plan


def candidates_of(
    warehouse: Warehouse,
    scorer_of: Callable[[Mapping[str, str]], Scorer],
    catalogue: int,
    plan: Plan,
    config: CampaignConfig,
    prices: Mapping[str, Mapping[str, float]],
    excluded: Exclusions,
) -> tuple[Candidates, dict[str, str]]:
    """The customers who may be addressed, and the versions behind their recommendations. Raises `dagster.Failure` without any.

    Where the recommendations hold only the best of the `catalogue`'s products, `scorer_of` their versions says what the others would be.
    """
    rows = warehouse.read("serving.recommendations", where={"is_expected_weather": True})
    if not rows.num_rows:
        raise dg.Failure(
            description="there are no recommendations yet; run the job recommend first", allow_retries=False
        )
    versions = {name: str(rows[name][0].as_py()) for name in ("model_version", "state_version")}
    if pc.max(rows["rank"]).as_py() < catalogue:
        scorer = scorer_of(versions)
        known = [plan.product] if plan.product in scorer.products else []
        rows = scorer.of_products(rows["as_of_date"][0].as_py(), known if plan.product else most_expected(rows))
    if config.units:
        known = warehouse.read(
            "sales_data.business_units", ["business_unit_id", "country", "unit_name", "folder"]
        ).to_pylist()
        names = {row["business_unit_id"]: list(row.values()) for row in known}
        units = [resolved(unit, names, "business unit") for unit in config.units]
        rows = rows.filter(pc.is_in(rows["business_unit"], value_set=pa.array(units)))
    states = warehouse.read(
        "features.feat_customer_state", ["customer_id", "order_count", "first_order_date", "last_order_date"]
    )
    return candidates_from(rows, states, prices, excluded.everyone, plan), versions


def most_expected(rows: pa.Table) -> list[str]:
    """The products among which a campaign without one looks for the best to push: those with the largest sum of stored probabilities."""
    totals = rows.group_by("product_id").aggregate([("probability", "sum")])
    ordered = totals.sort_by([("probability_sum", "descending"), ("product_id", "ascending")])
    return sorted(ordered["product_id"].to_pylist()[:PRODUCTS_COMPARED])


def scorer_behind(ml: MLPlatform, states: ServingStates, versions: Mapping[str, str]) -> Scorer:
    """The model and the state that made the stored recommendations. Raises `dagster.Failure` where they are no longer those in use."""
    champion, state = champion_of(ml), states.current()
    if {"model_version": champion.version, "state_version": state.name} != dict(versions):
        raise dg.Failure(
            description=f"the recommendations are of model version {versions['model_version']} and state {versions['state_version']}, "
            f"and {champion.version} and {state.name} are in use: run the job recommend first",
            allow_retries=False,
        )
    return Scorer.from_folders(champion.folder, state, model_version=champion.version)


def by_unit(candidates: Candidates, audience: Audience, names: Mapping[str, str]) -> str:
    """For each unit as Markdown: the offered product, the number of customers, and the expected effect."""
    lines = ["| unit | offer | offers | held back | would buy anyway | extra |", "|---|---|---:|---:|---:|---:|"]
    units = candidates.units[audience.rows]
    for unit in sorted(set(units.tolist())):
        here = units == unit
        offered = here & ~audience.is_control
        product = candidates.products[int(audience.product[here][0])]
        lines.append(
            f"| {unit} | **{names.get(product, product)}** | {int(offered.sum()):,} | {int((here & audience.is_control).sum()):,} "
            f"| {audience.purchases[offered].sum():.1f} | {audience.extra[offered].sum():.1f} |"
        )
    return "\n".join(lines)


def budgets_in_words(rows: Sequence[Mapping[str, float]], budget: float) -> str:
    """The expected effect of other budgets, as Markdown."""
    lines = ["| budget | offers | extra purchases | of the last contact |", "|---:|---:|---:|---:|"]
    for row in rows:
        mark = "**" if row["budget"] == budget else ""
        lines.append(
            f"| {mark}{row['budget']:,.2f}{mark} | {row['offers']:,.0f} | {row['extra']:.1f} | {row['last']:.3f} |"
        )
    return "\n".join(lines)


def _metadata(
    plan: Plan,
    effect: OfferEffect,
    candidates: Candidates,
    audience: Audience,
    campaign: Mapping[str, Any],
    table: pa.Table,
    names: Mapping[str, str],
) -> dict[str, dg.MetadataValue]:
    low, high = effect.interval
    expected = (
        f"{campaign['expected_extra']:.1f} extra purchases from {campaign['offers']:,} offers ({campaign['expected_extra_low']:.1f} to "
        f"{campaign['expected_extra_high']:.1f}), beyond {campaign['expected_purchases']:.1f} that they would make anyway: "
        f"the model's estimate, with an odds ratio of {effect.odds_ratio:.2f} ({low:.2f} to {high:.2f}), {effect.source}"
    )
    left_out = (
        f"{campaign['excluded_opted_out']:,} opted out, {campaign['excluded_recently_contacted']:,} contacted recently, "
        f"{campaign['excluded_held_out']:,} held out by another campaign"
    )
    first = [row for row in table.to_pylist() if row["arm"] == "offer"][:CUSTOMERS_SHOWN]
    people = ["| customer | unit | offer | orders to come | would buy | extra |", "|---|---|---|---:|---:|---:|"] + [
        f"| {row['customer_id']} | {row['business_unit']} | {names.get(row['product_id'], row['product_id'])} "
        f"| {row['expected_orders']:.2f} | {row['expected_purchases']:.2f} | {row['expected_extra']:.3f} |"
        for row in first
    ]
    return {
        "campaign": dg.MetadataValue.text(plan.campaign_id),
        "expected": dg.MetadataValue.text(expected),
        "offers": dg.MetadataValue.md(by_unit(candidates, audience, names)),
        "left_out": dg.MetadataValue.text(left_out),
        "other_budgets": dg.MetadataValue.md(
            budgets_in_words(sizes_for_budgets(candidates, plan, effect, OTHER_BUDGETS), plan.budget)
        ),
        "budget_curve": png(budget_curve, candidates, plan, effect),
        "first_customers": dg.MetadataValue.md("\n".join(people)),
        "measured_by": dg.MetadataValue.text(
            f"endpoints/campaign_results, from {plan.starts_on} to {plan.ends_on}, against {campaign['controls']:,} customers held back"
        ),
    }


@dg.asset(
    key=CAMPAIGN_AUDIENCES,
    deps=[RECOMMENDATIONS, DIM_CUSTOMER, CUSTOMER_STATE, DIM_BUSINESS_UNIT, EXCHANGE_RATES_IN_FORCE],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"python", "table"},
    description="Who to offer what: for a product, or what is worth most to push in each unit, those expected to buy most beyond what they "
    "would anyway, within a budget; without those who opted out or were contacted lately, and with a control group. Made on request: "
    "set product and budget in the launchpad, or run `globolatte campaign`.",
)
def campaign_audiences(
    config: CampaignConfig,
    warehouse: dg.ResourceParam[Warehouse],
    ml: dg.ResourceParam[MLPlatform],
    states: ServingStates,
    clock: Clock,
) -> dg.MaterializeResult:
    """Choose the audience, log the contacts, and report the expected effect."""
    catalogue = warehouse.read("marts.dim_product", ["product_id", "product_name", "price", "currency"]).to_pylist()
    names = {row["product_id"]: row["product_name"] for row in catalogue}
    priced = {
        row["product_id"]: (float(row["price"]), row["currency"]) for row in catalogue if row["price"] is not None
    }
    plan = plan_of(config, {product: [product, name] for product, name in names.items()}, clock)
    money = money_at(warehouse, plan.starts_on)
    prices = {unit: money.comparable(priced, unit) for unit in money.currencies}
    excluded = exclusions(warehouse, plan.campaign_id, plan.starts_on, plan.ends_on, config.rest_days)
    candidates, versions = candidates_of(
        warehouse, partial(scorer_behind, ml, states), len(names), plan, config, prices, excluded
    )
    if plan.product is not None and plan.product not in candidates.products:
        raise dg.Failure(
            description=f"product {plan.product} is not recommended yet; run the job recommend",
            allow_retries=False,
        )
    effect = offer_effect(measured_effects(warehouse), config.odds_ratio)
    audience = choose_audience(candidates, plan, effect)
    counts = {reason: len(who) for reason, who in vars(excluded).items()}
    campaign = campaign_row(plan, effect, candidates, audience, counts, versions, clock.timestamp())
    table = audience_table(candidates, audience, plan)
    keep_campaign(warehouse, plan.campaign_id, campaign, table, contacts_of(table, plan))
    metadata = _metadata(plan, effect, candidates, audience, campaign.to_pylist()[0], table, names)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": row_count(warehouse, "serving.campaign_audiences"),
            **metadata,
            **prices_not_compared(prices, {product: currency for product, (_, currency) in priced.items()}, money),
        }
    )
