from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import numpy as np
import pytest

from globolatte_ml.data.states import CustomerStates
from globolatte_ml.explain.analysis import analyse, findings_table
from globolatte_ml.explain.card import Identity, model_card, unequal_groups
from globolatte_ml.explain.causal import weather_effects
from globolatte_ml.explain.counterfactuals import changes, share_turned, turning_changes
from globolatte_ml.explain.errors import error_tree, heat_map
from globolatte_ml.explain.explanations import HISTORY, PLAYERS, REGION, WEATHER, Situations, explain
from globolatte_ml.explain.fairness import by_group
from globolatte_ml.explain.page import page
from globolatte_ml.explain.single import explain_request
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.training.evaluation import evaluate_model
from globolatte_ml.training.training_job import train_and_evaluate

PRODUCTS = ("P1", "P2")
NOW = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - as the warehouse holds it
IDENTITY = Identity("7", "a" * 64, "snap", "job", "PreferenceModel")


class Formula:
    """A model whose probability of the first product is known: 0.1, + 0.3 when it rains, + 0.4 in Canada with a past of that product."""

    def predict_proba(self, states, contexts, products=None):
        canada = (contexts.business_unit == "BU_CA") * (states.main_orders[:, 0] > 0)
        first = 0.1 + 0.3 * (contexts.weather == "Rainy") + 0.4 * canada
        return np.column_stack([first, 1 - first])


def orders(n, *, rng=None, weather=None, unit="BU_CA", past=1.0, date="2023-03-15") -> Situations:
    from globolatte_ml.data.orders import Contexts

    main = np.zeros((n, 2))
    main[:, 0] = past
    states = CustomerStates.empty(n, PRODUCTS).with_tables(main_orders=main)
    states = replace(states, order_count=np.full(n, int(past)))
    contexts = Contexts(
        business_unit=np.full(n, unit),
        date=np.full(n, date, "datetime64[D]"),
        weather=np.full(n, "Sunny") if weather is None else weather,
        daypart=np.full(n, "morning"),
        is_holiday=np.zeros(n, bool),
    )
    return Situations(states, contexts)


# Explanations ---------------------------------------------------------------------------------------------------------


def test_shapley_values_are_those_of_the_formula():
    requests = orders(1, weather=np.array(["Rainy"]))
    background = orders(1, unit="BU_MX", past=0.0)
    found = explain(Formula(), requests, background, PRODUCTS)
    first = dict(zip(PLAYERS, found.values[0, :, 0], strict=True))
    assert found.base.tolist() == pytest.approx([0.1, 0.9])
    assert first[WEATHER] == pytest.approx(0.3)
    assert first[REGION] == first[HISTORY] == pytest.approx(0.2)  # they act together only: each gets half
    assert sum(
        abs(value) for player, value in first.items() if player not in (WEATHER, REGION, HISTORY)
    ) == pytest.approx(0)
    np.testing.assert_allclose(found.values[0, :, 1], -found.values[0, :, 0])
    assert found.moved()[PLAYERS.index(WEATHER)] == pytest.approx(0.3)


def test_values_of_a_real_model_add_up_to_its_predictions(model, snapshot):
    rows = np.arange(5)
    everything = Situations(snapshot.states, snapshot.contexts)
    found = explain(model, everything.take(rows), everything.take(rows + 100), snapshot.products)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.predicted, atol=1e-12)
    expected = model.predict_proba(snapshot.states.take(rows), snapshot.contexts.take(rows), snapshot.products)
    np.testing.assert_allclose(found.predicted, expected)


@pytest.mark.parametrize("daypart", [None, "evening"])
def test_a_recommendation_is_explained_as_it_was_given(scorer, snapshot, daypart):
    request = Request("C0001", "Canada", "snowy", dt.date(2022, 9, 10), daypart)
    found = explain_request(scorer, request, snapshot)
    [answer] = scorer.recommend([request])
    assert found.recommendation == answer
    assert found.base + sum(found.values.values()) == pytest.approx(answer.ranked[0].probability)
    newcomer = explain_request(scorer, replace(request, customer_id="nobody"), snapshot)
    assert not newcomer.recommendation.known_customer


# Counterfactuals ------------------------------------------------------------------------------------------------------


def test_what_turns_a_prediction_is_found():
    one = orders(1, weather=np.array(["Rainy"]))  # 0.8 for the first product
    found = turning_changes(Formula(), one, PRODUCTS, ["Rainy", "Sunny"], ["BU_CA", "BU_MX"], {})
    assert [turned.text for turned in found] == ["region BU_MX instead of BU_CA"]
    assert found[0].product == "P2"
    assert found[0].probability == pytest.approx(0.6)


def test_further_orders_are_added_to_the_state_consistently():
    one = orders(1, past=3.0)
    two_more = next(
        change for change in changes(one, [], [], {"P2": "Tea"}) if change.text == "2 further orders of Tea"
    )
    states = two_more.orders.states
    assert states.main_orders.tolist() == [[3.0, 2.0]]
    assert (states.order_count[0], states.recent_products[0].tolist()) == (5, [1, 1, -1])
    assert str(states.last_order_date[0]) == "2023-03-14"


def test_the_share_that_a_circumstance_turns():
    weather = np.array(["Rainy", "Sunny", "Sunny", "Sunny"])
    requests = orders(4, weather=weather, past=0.0)  # 0.4 or 0.1: never the first
    assert set(share_turned(Formula(), requests, PRODUCTS, ["Rainy", "Sunny"], ["BU_CA", "BU_MX"]).values()) == {0.0}
    known = orders(4, weather=weather)  # 0.8, or 0.5 three times, which is a tie for the first
    turned = share_turned(Formula(), known, PRODUCTS, ["Rainy", "Sunny"], ["BU_CA", "BU_MX"])
    assert turned == {"weather": 0.0, "hour": 0.0, "season": 0.0, "region": 1.0}


# Fairness and errors --------------------------------------------------------------------------------------------------


def test_a_group_that_is_served_worse_is_found_and_equal_ones_are_not():
    rng = np.random.default_rng(0)
    customers = np.repeat(np.arange(400), 5).astype(str)
    group = np.repeat(np.arange(400) % 2 == 0, 5)
    quality = rng.normal(1.0, 0.3, 2000) + 0.3 * group
    fair = rng.normal(1.0, 0.3, 2000)
    [worse, better] = by_group({"log_loss": quality, "fair": fair}, {("x", "a"): group, ("x", "b"): ~group}, customers)
    assert worse.measures["log_loss"].differs
    assert worse.measures["log_loss"].difference == pytest.approx(0.3, abs=0.05)
    assert not worse.measures["fair"].differs
    assert better.measures["log_loss"].difference < 0
    assert worse.orders == better.orders == 1000


def test_intervals_know_that_orders_of_a_customer_hang_together():
    rng = np.random.default_rng(0)
    customers = np.repeat(np.arange(50), 20).astype(str)
    values = np.repeat(rng.normal(size=50), 20)
    [found] = by_group({"m": values}, {("all", "all"): np.ones(1000, bool)}, customers)
    width = found.measures["m"].high - found.measures["m"].low
    assert width == pytest.approx(2 * 1.96 / np.sqrt(50), rel=0.3)
    assert not found.measures["m"].differs


def test_the_error_tree_finds_where_losses_are(snapshot):
    everything = Situations(snapshot.states, snapshot.contexts)
    losses = np.where(snapshot.contexts.business_unit == "BU_MX", 2.0, 1.0)
    leaves = error_tree(everything, losses, np.zeros(len(losses)), snapshot.customer_ids)
    assert leaves[0].log_loss == pytest.approx(2.0)
    assert "unit is BU_MX" in leaves[0].rule
    assert {leaf.log_loss for leaf in leaves if "unit is not BU_MX" in leaf.rule} == {1.0}
    heat = heat_map(everything, losses)
    column = heat.columns.index("BU_MX")
    assert heat.orders.sum() == len(snapshot)
    assert np.nanmax(heat.log_loss[:, column]) == np.nanmin(heat.log_loss[:, column]) == 2.0


# The effect of weather ------------------------------------------------------------------------------------------------


class Ignorant:
    """A model that knows nothing: the shares of weathers must carry the estimate alone."""

    def predict_proba(self, states, contexts, products=None):
        return np.full((len(contexts), 2), 0.5)


@pytest.mark.parametrize("model", [Ignorant(), Formula()], ids=["a wrong model", "the right model"])
def test_the_effect_of_rain_is_found_though_rainy_units_are_different(model):
    """Rain adds 0.3; Canada, where it rains more, likes the product better anyway: the raw difference is far off."""
    rng = np.random.default_rng(0)
    n = 6000
    canada = rng.random(n) < 0.5
    rainy = rng.random(n) < np.where(canada, 0.7, 0.2)
    first = 0.1 + 0.3 * rainy + 0.4 * canada
    chosen = (rng.random(n) >= first).astype(int)
    requests = orders(n, weather=np.where(rainy, "Rainy", "Sunny"))
    days = np.datetime64("2023-03-01") + rng.integers(0, 31, n)
    contexts = replace(requests.contexts, business_unit=np.where(canada, "BU_CA", "BU_MX"), date=days)
    [found] = weather_effects(model, Situations(requests.states, contexts), chosen, np.arange(n).astype(str), PRODUCTS)
    raw = (chosen[rainy] == 0).mean() - (chosen[~rainy] == 0).mean()
    assert raw > 0.4
    assert (found.treatment, found.control, found.left_out) == ("Rainy", "Sunny", 0.0)
    assert found.low[0] < 0.3 < found.high[0]
    assert found.effect[0] == pytest.approx(0.3, abs=0.05)
    assert found.effect.sum() == pytest.approx(0, abs=1e-9)


def test_where_a_weather_was_never_seen_nothing_is_claimed():
    weather = np.array(["Sunny"] * 100 + ["Snowy"] * 3)
    assert (
        weather_effects(
            Formula(), orders(103, weather=weather), np.zeros(103, int), np.arange(103).astype(str), PRODUCTS
        )
        == []
    )


# The whole ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def analysis(model, snapshot):
    return analyse(model, snapshot, {"P001": "Latte &amp; <milk> | #"})


def test_every_part_is_there(analysis, snapshot):
    assert {group.kind for group in analysis.groups} == {"unit", "history"}
    assert analysis.portraits
    assert set(analysis.turned) == {"weather", "hour", "season", "region"}
    assert len(analysis.effects) == 3
    assert str(len(snapshot)) in analysis.data[0].value.replace(",", "")


def test_findings_are_rows_with_their_model(analysis):
    table = findings_table(analysis, "7", "snap", NOW)
    assert set(table["section"].to_pylist()) == {"importance", "counterfactual", "fairness", "errors", "effect"}
    assert set(table["model_version"].to_pylist()) == {"7"}
    assert table["estimate"].null_count == 0


def test_the_page_is_self_contained_and_says_what_is_in_the_card(analysis, model, snapshot):
    evaluation = evaluate_model(model, snapshot)
    card = model_card(IDENTITY, evaluation, analysis)
    for heading in ("Intended use", "Data", "Quality", "Limits"):
        assert f"## {heading}" in card
    assert f"{evaluation.model.log_loss:.4f}" in card
    text = page(IDENTITY, evaluation, analysis, {"P001": "Latte &amp; <milk> | #"})
    assert re.findall(r"(?:src|href)=\"(?!data:)", text) == []
    assert "<script" not in text
    assert "<milk>" not in text
    assert "Latte &amp;amp; &lt;milk&gt; | #" in page(
        IDENTITY, evaluation, analysis, {"P001": "Latte &amp; <milk> | #"}
    )
    assert len(re.findall("<img", text)) >= 6
    assert len(text.encode()) < 1_000_000


def test_what_differs_is_stated_in_a_sentence(analysis):
    assert unequal_groups(replace(analysis, groups=())) == "No group is served measurably worse than all others."


@pytest.mark.parametrize(
    "shape",
    [{"n_orders": 1}, {"n_orders": 12}, {"n_orders": 60, "n_products": 1}, {"n_orders": 80, "sold": 2}],
    ids=str,
)
def test_odd_chains_have_a_page_too(build, read, shape):
    snapshot = read(build.chain(**shape))
    training = train_and_evaluate(snapshot)
    found = analyse(training.model, snapshot, {})
    assert page(IDENTITY, training.evaluation, found, {}).startswith("<!doctype html>")
    findings_table(found, "1", "snap", NOW)
    assert isinstance(training.model, PreferenceModel)
