from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from globolatte_ml.campaigns.audience import (
    Candidates,
    Plan,
    choose_audience,
    expected_orders,
    products_to_push,
    sizes_for_budgets,
)
from globolatte_ml.campaigns.effect import ASSUMED_ODDS_RATIO, Arm, measure, offer_effect, with_offer
from globolatte_ml.campaigns.plots import budget_curve, uplift_chart
from globolatte_ml.campaigns.tables import audience_table, candidates_from, contacts_of
from globolatte_ml.data.customer_hash import hash_share

START = dt.date(2024, 1, 10)
EFFECT = offer_effect([])
PLAN = Plan("20240110-mocha", "B", budget=10.0, cost_per_contact=0.5, starts_on=START)


def candidates(n=200, seed=0) -> Candidates:
    rng = np.random.default_rng(seed)
    return Candidates(
        ids=np.array([f"C{i:04d}" for i in range(n)]),
        units=np.array(["BU_CA", "BU_US"])[np.arange(n) % 2],
        prediction_ids=np.array([f"pr_{i}" for i in range(n)]),
        products=("A", "B", "C"),
        prices=np.array([2.0, 5.0, 3.0]),
        probabilities=rng.dirichlet([1.0, 1.0, 1.0], n),
        orders=rng.gamma(2.0, 0.5, n),
    )


# Visits and effects ---------------------------------------------------------------------------------------------------


def test_expected_orders_are_those_of_a_known_chain():
    rng = np.random.default_rng(0)
    rates, days = rng.gamma(2.0, 1 / 60, 4000), rng.uniform(30, 700, 4000)
    orders = 1 + rng.poisson(rates * days)
    coming = expected_orders(orders.astype(float), days, 14.0)
    assert coming.sum() == pytest.approx(14 * rates.sum(), rel=0.03)
    assert np.corrcoef(coming, rates)[0, 1] > 0.85
    raw = 14 * (orders - 1) / days
    assert ((coming - 14 * rates) ** 2).mean() < ((raw - 14 * rates) ** 2).mean()


def test_one_early_repeat_makes_nobody_a_regular():
    orders, days = np.array([2.0, *[3.0] * 200]), np.array([1.0, *[200.0] * 200])
    assert expected_orders(orders, days, 14.0)[0] < 1.0
    assert expected_orders(np.zeros(0), np.zeros(0), 14.0).shape == (0,)


def test_an_offer_multiplies_the_odds():
    offered = with_offer(np.array([0.5, 0.0, 1.0]), 3.0)
    assert offered == pytest.approx([0.75, 0.0, 1.0])


def test_what_is_measured_replaces_what_is_assumed_by_its_weight():
    assert offer_effect([]).odds_ratio == pytest.approx(ASSUMED_ODDS_RATIO)
    assert "assumed" in offer_effect([]).source
    sure = offer_effect([(math.log(1.1), 0.01)])
    assert sure.odds_ratio == pytest.approx(1.1, rel=0.01)
    assert "1 campaign against" in sure.source
    vague = offer_effect([(math.log(9.0), 5.0)])
    assert vague.odds_ratio == pytest.approx(ASSUMED_ODDS_RATIO, rel=0.02)
    assert sure.interval[0] < 1.1 < sure.interval[1]


def outcomes(rng, n, odds_ratio, rate=0.3):
    orders = rng.poisson(2.0, n).astype(float)
    taste = rng.beta(3, 3 * (1 - rate) / rate, n)
    return Arm(orders, rng.binomial(orders.astype(int), with_offer(taste, odds_ratio)).astype(float))


def test_intervals_of_the_measured_effect_hold_what_is_true():
    rng = np.random.default_rng(1)
    inside, odds_inside = [], []
    truth = None
    for _ in range(200):
        offer, control = outcomes(rng, 400, 2.0), outcomes(rng, 400, 1.0)
        if truth is None:
            many = outcomes(rng, 400_000, 2.0), outcomes(rng, 400_000, 1.0)
            truth = many[0].purchases.mean() - many[1].purchases.mean()
            shares = [arm.purchases.sum() / arm.orders.sum() for arm in many]
            odds = math.log(shares[0] / (1 - shares[0])) - math.log(shares[1] / (1 - shares[1]))
        found = measure(offer, control)
        inside.append(found.extra_low <= truth <= found.extra_high)
        odds_inside.append(abs(found.log_odds - odds) <= 1.96 * found.log_odds_error)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.04)
    assert np.mean(odds_inside) == pytest.approx(0.95, abs=0.04)


def test_too_few_customers_are_not_measured():
    one = Arm(np.ones(1), np.ones(1))
    assert measure(one, one) is None
    nobody_came = measure(Arm(np.zeros(9), np.zeros(9)), Arm(np.ones(9), np.ones(9)))
    assert nobody_came.log_odds is None
    assert nobody_came.extra == -1.0


# The audience ---------------------------------------------------------------------------------------------------------


def test_the_budget_buys_the_largest_differences():
    people = candidates()
    chosen = choose_audience(people, PLAN, EFFECT)
    assert (~chosen.is_control).sum() == PLAN.contacts == 20
    extra = people.extra_purchases(EFFECT.odds_ratio)[:, 1]
    assert chosen.extra.tolist() == sorted(extra, reverse=True)[: len(chosen.rows)]
    assert (np.diff(chosen.extra) <= 0).all()


def test_those_who_buy_it_anyway_are_not_first():
    people = replace(
        candidates(3),
        probabilities=np.array([[0.01, 0.98, 0.01], [0.3, 0.45, 0.25], [0.5, 0.01, 0.49]]),
        orders=np.ones(3),
    )
    chosen = choose_audience(people, replace(PLAN, control_share=0.0), EFFECT)
    assert chosen.rows[0] == 1


def test_the_control_group_is_the_same_again_and_of_the_requested_share():
    people = candidates(3000)
    plan = replace(PLAN, budget=1e6, control_share=0.3)
    first, again = choose_audience(people, plan, EFFECT), choose_audience(people, plan, EFFECT)
    np.testing.assert_array_equal(first.is_control, again.is_control)
    assert first.is_control.mean() == pytest.approx(0.3, abs=0.03)
    assert abs(first.extra[first.is_control].mean() - first.extra[~first.is_control].mean()) < 0.02
    other = choose_audience(people, replace(plan, campaign_id="another"), EFFECT)
    assert (other.is_control[np.argsort(other.rows)] == first.is_control[np.argsort(first.rows)]).mean() < 0.75
    held = {one for one in people.ids if hash_share(plan.campaign_id, one) < 0.3}
    assert set(people.ids[first.rows[first.is_control]]) == held


def test_each_unit_pushes_what_is_worth_most_there():
    people = candidates()
    cheap = products_to_push(people, replace(PLAN, product=None), EFFECT)
    assert cheap == {"BU_CA": 1, "BU_US": 1}  # the dearest: it takes the place of cheaper ones
    here = people.units == "BU_CA"
    never = np.where(here[:, None], people.probabilities * [1.0, 1e-6, 1.0], people.probabilities)
    never /= never.sum(axis=1, keepdims=True)
    assert products_to_push(replace(people, probabilities=never), replace(PLAN, product=None), EFFECT) == {
        "BU_CA": 2,
        "BU_US": 1,
    }


def test_more_budget_brings_more_and_each_contact_less():
    rows = sizes_for_budgets(candidates(), PLAN, EFFECT, (0.01, 0.5, 1.0, 2.0, 1000.0))
    assert [row["offers"] for row in rows[:3]] == [10, 20, 40]
    assert all(one["extra"] < two["extra"] and one["last"] > two["last"] for one, two in itertools.pairwise(rows))


def test_nobody_to_address_is_an_empty_audience():
    nobody = candidates(0)
    chosen = choose_audience(nobody, PLAN, EFFECT)
    assert len(chosen.rows) == 0
    assert audience_table(nobody, chosen, PLAN).num_rows == 0
    assert budget_curve(nobody, PLAN, EFFECT).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"budget": 0.1}, "pays for no contact"),
        ({"cost_per_contact": 0.0}, "above 0"),
        ({"control_share": 1.0}, "control_share"),
        ({"days": 0}, "days"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_says_why(change, said):
    assert said in " ".join(replace(PLAN, **change).faults())
    assert PLAN.faults() == []


def test_candidates_are_known_customers_who_may_be_addressed():
    rows = [
        {"prediction_id": f"pr_{c}", "customer_id": c, "business_unit": "BU_US", "product_id": p, "probability": share}
        for c in ("C1", "C2", "C3")
        for p, share in (("B", 0.25), ("A", 0.75))
    ]
    states = pa.table(
        {
            "customer_id": ["C3", "C2", "C1"],
            "order_count": [5, 0, 3],
            "first_order_date": pa.array([dt.date(2023, 1, 1), None, dt.date(2023, 6, 1)], pa.date32()),
            "last_order_date": pa.array([dt.date(2023, 9, 1), None, dt.date(2023, 8, 1)], pa.date32()),
        }
    )
    recommended = pa.Table.from_pylist(rows)
    found = candidates_from(recommended, states, {"BU_US": {"A": 2.0}}, frozenset({"C1"}), PLAN)
    assert found.ids.tolist() == ["C3"]
    assert found.probabilities.tolist() == [[0.75, 0.25]]
    assert found.prices.tolist() == [[2.0, 0.0]]
    assert found.orders[0] > 0
    of_no_currency = candidates_from(recommended, states, {"BU_US": {"B": np.nan}}, frozenset({"C1"}), PLAN)
    assert np.isnan(of_no_currency.prices).all(), "a product that left the catalogue is worth no more than the others"
    assert products_to_push(of_no_currency, replace(PLAN, product=None), EFFECT) == {"BU_US": 1}


def test_a_price_that_cannot_be_compared_is_never_worth_most_and_replaces_nothing():
    people, plan = candidates(), replace(PLAN, product=None)
    mixed = np.tile([2.0, np.nan, 3.0], (200, 1))
    mixed[people.units == "BU_US"] = np.nan
    found = replace(people, prices=mixed)
    worth = found.worth(1.5)
    assert np.isnan(worth[:, 1]).all()
    alone = replace(
        people, products=("A", "C"), prices=np.array([2.0, 3.0]), probabilities=people.probabilities[:, [0, 2]]
    )
    canada = people.units == "BU_CA"
    assert worth[canada][:, [0, 2]] == pytest.approx(alone.worth(1.5)[canada])
    pushed = products_to_push(found, plan, EFFECT)
    assert pushed["BU_CA"] == 2
    extra = np.sort(people.extra_purchases(EFFECT.odds_ratio)[~canada], axis=0)[::-1][: plan.contacts // 2].sum(axis=0)
    assert pushed["BU_US"] == extra.argmax()


def test_the_contact_log_names_offers_only():
    people = candidates()
    table = audience_table(people, choose_audience(people, PLAN, EFFECT), PLAN)
    contacts = contacts_of(table, PLAN)
    offers = [row for row in table.to_pylist() if row["arm"] == "offer"]
    assert contacts["customer_id"].to_pylist() == [row["customer_id"] for row in offers]
    assert set(contacts["contacted_on"].to_pylist()) == {START}
    assert {row["product_id"] for row in offers} == {"B"}
    assert budget_curve(people, PLAN, EFFECT).startswith(b"\x89PNG")
    result = {"campaign_id": "x", "extra_purchases": 3.0, "extra_low": 1.0, "extra_high": 5.0, "expected_extra": 2.0}
    assert uplift_chart([result]).startswith(b"\x89PNG")
    assert uplift_chart([]).startswith(b"\x89PNG")
