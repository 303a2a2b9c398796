"""Campaigns on a real warehouse: who is left out, what is logged, what is measured and learned."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from globolatte_assets.endpoints.campaign_audiences import CampaignConfig, campaign_audiences, candidates_of
from globolatte_assets.endpoints.campaign_results import campaign_results
from globolatte_ml.campaigns.audience import Candidates, Plan
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.scorer import Scorer
from globolatte_ml.scoring.state_bundle import read_state_bundle
from resources.clock import Clock
from resources.endpoint.serving_state import ServingStates
from resources.ml.local.platform import LocalMLPlatform
from resources.warehouse.campaigns import Exclusions, measured_effects
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import fetch, warehouse_in
from tests.unit.audiences.audience_builders import materialize, small_chain, stocked_warehouse
from tests.unit.ml.ml_builders import chain, write_snapshot, write_state

PRODUCTS = ("P001", "P002", "P003", "P004")
SOLD = small_chain()
LAST = max(order.date for order in SOLD.orders)


def clock(days: int) -> Clock:
    """So many days after the first day of campaigns, which lies a month before the last sales."""
    day = LAST - dt.timedelta(days=30 - days)
    return Clock(fixed_at=f"{day}T10:00:00+00:00")


@pytest.fixture(scope="module")
def _stocked(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """Made once and copied: that takes longer than most tests."""
    made = stocked_warehouse(
        tmp_path_factory.mktemp("campaigns"), SOLD, tuple(sorted({order.customer_id for order in SOLD.orders}))[:3]
    )
    customers = fetch(made, "select customer_id, home_business_unit from features.feat_customer_state")
    rows = [
        {
            "prediction_id": f"pr_{customer}",
            "customer_id": customer,
            "business_unit": unit,
            "as_of_date": LAST,
            "weather": "Sunny",
            "is_expected_weather": True,
            "rank": rank,
            "product_id": product,
            "probability": 0.4 - 0.1 * rank + 0.1,
            "model_version": "1",
            "state_version": "s",
        }
        for customer, unit in customers
        for rank, product in enumerate(PRODUCTS, start=1)
    ]
    made.replace(
        "serving.recommendations",
        pa.Table.from_pylist(rows).set_column(6, "rank", pa.array([r["rank"] for r in rows], pa.int32())),
    )
    return made


@pytest.fixture
def warehouse(_stocked: DuckDBWarehouse, tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    mine = warehouse_in(tmp_path)
    shutil.copy(_stocked.file, mine.file)
    with mine.keep_open():
        yield mine


def campaign(warehouse: DuckDBWarehouse, at: Clock, **config: Any) -> dict[str, Any]:
    settings = {"product": "Drink P002", "budget": 5.0, "cost_per_contact": 0.5, **config}
    nothing = Path(warehouse.file).parent / "nothing"
    ml, states = LocalMLPlatform(folder=str(nothing)), ServingStates(folder=str(nothing))
    return materialize(campaign_audiences, settings, warehouse=warehouse, clock=at, ml=ml, states=states)


def contacted(warehouse: DuckDBWarehouse, campaign_id: str) -> set[str]:
    return {
        str(row[0])
        for row in fetch(warehouse, f"select customer_id from serving.contact_log where campaign_id = '{campaign_id}'")
    }


def test_opted_out_contacted_and_held_out_customers_are_left_alone(warehouse: DuckDBWarehouse) -> None:
    opted_out = {
        str(row[0]) for row in fetch(warehouse, "select customer_id from marts.dim_customer where marketing_opt_out")
    }
    assert len(opted_out) == 3
    first = campaign(warehouse, clock(0))["campaign"]
    offers = contacted(warehouse, first)
    assert len(offers) == 10
    held = {
        str(row[0])
        for row in fetch(warehouse, "select customer_id from serving.campaign_audiences where arm = 'control'")
    }
    assert not held & offers
    second = campaign(warehouse, clock(3), product="P003", budget=100.0)["campaign"]
    everyone = {
        str(row[0])
        for row in fetch(
            warehouse, f"select customer_id from serving.campaign_audiences where campaign_id = '{second}'"
        )
    }
    assert everyone
    assert not everyone & (offers | held | opted_out)
    third = campaign(warehouse, clock(29), product="P003", budget=100.0, rest_days=28)["campaign"]
    assert contacted(warehouse, third) & offers, "after the rest they may be asked again"


def test_the_same_campaign_again_replaces_itself(warehouse: DuckDBWarehouse) -> None:
    first = campaign(warehouse, clock(0))["campaign"]
    before = fetch(warehouse, "select * from serving.campaign_audiences order by rank")
    again = campaign(warehouse, clock(0))["campaign"]
    assert first == again
    assert fetch(warehouse, "select * from serving.campaign_audiences order by rank") == before
    assert fetch(warehouse, "select count(*) from serving.campaigns") == [(1,)]


def test_what_was_sold_measures_the_campaign_and_the_next_one_learns(warehouse: DuckDBWarehouse) -> None:
    results = campaign_results
    made = campaign(warehouse, clock(0), budget=10.0, control_share=0.4, days=14)
    [(starts, ends)] = fetch(warehouse, "select starts_on, ends_on from serving.campaigns")
    materialize(results, warehouse=warehouse, clock=clock(31))
    [row] = warehouse.read("serving.campaign_results").to_pylist()
    assert (row["campaign_id"], row["status"], row["measured_until"]) == (made["campaign"], "complete", ends)
    audience = {row["customer_id"]: row["arm"] for row in warehouse.read("serving.campaign_audiences").to_pylist()}
    within = [order for order in SOLD.orders if order.customer_id in audience and starts <= order.date <= ends]
    for arm in ("offer", "control"):
        mine = [order for order in within if audience[order.customer_id] == arm]
        assert row[f"orders_{arm}"] == len(mine)
        assert row[f"purchases_{arm}"] == sum(order.product_id == "P002" for order in mine)
    assert row["extra_low"] < row["extra_purchases"] < row["extra_high"]
    assert len(measured_effects(warehouse)) == 1
    later = campaign(warehouse, clock(30), product="P003", name="again")
    assert "measured in 1 campaign" in later["expected"]


def test_without_a_product_each_unit_pushes_one(warehouse: DuckDBWarehouse) -> None:
    campaign(warehouse, clock(0), product="", budget=30.0)
    pushed = fetch(
        warehouse, "select business_unit, count(distinct product_id) from serving.campaign_audiences group by 1"
    )
    assert {unit for unit, _ in pushed} == {"BU_CA", "BU_MX", "BU_US"}
    assert {products for _, products in pushed} == {1}


@pytest.mark.parametrize(
    ("config", "said"),
    [({"product": "Tea"}, "Drink P001"), ({"budget": 0.1}, "pays for no contact"), ({"odds_ratio": 0.0}, "odds_ratio")],
)
def test_what_cannot_be_done_is_refused_with_the_remedy(
    warehouse: DuckDBWarehouse, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(dg.Failure, match=said):
        campaign(warehouse, clock(0), **config)
    assert fetch(warehouse, "select count(*) from serving.contact_log") == [(0,)]


def test_a_product_that_is_among_nobodys_best_is_offered_by_what_model_and_state_say(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    learned_from = chain(n_orders=150, n_customers=20, n_products=4)
    snapshot = read_snapshot(write_snapshot(learned_from, tmp_path / "snapshot"))
    model = PreferenceModel((0.01,), iterations=2, groups=2)
    model.fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)
    scorer = Scorer(model, read_state_bundle(write_state(SOLD, tmp_path / "state")))
    warehouse.replace("serving.recommendations", warehouse.read("serving.recommendations", where={"rank": 1}))
    nobody = Exclusions(frozenset(), frozenset(), frozenset())

    def candidates(product: str | None) -> Candidates:
        plan = Plan("c", product, 5.0, 0.5, LAST)
        found, versions = candidates_of(warehouse, lambda _: scorer, 4, plan, CampaignConfig(), {}, nobody)
        assert versions == {"model_version": "1", "state_version": "s"}
        return found

    found = candidates("P004")
    assert found.products == ("P004",)
    for i in range(0, len(found.ids), 7):
        weather = scorer.bundle.expected_weather[found.units[i], LAST.month]
        [answer] = scorer.recommend([Request(found.ids[i], found.units[i], weather, LAST)])
        assert answer.prediction_id == found.prediction_ids[i]
        [probability] = [one.probability for one in answer.ranked if one.product_id == "P004"]
        assert found.probabilities[i, 0] == pytest.approx(probability)
    assert candidates(None).products == ("P001",), "of those that are stored, one is to be pushed"


def test_recommendations_of_another_model_are_no_ground_for_a_campaign_on_other_products(
    warehouse: DuckDBWarehouse,
) -> None:
    warehouse.replace("serving.recommendations", warehouse.read("serving.recommendations", where={"rank": 1}))
    with pytest.raises(dg.Failure, match="there is no champion yet"):
        campaign(warehouse, clock(0))
