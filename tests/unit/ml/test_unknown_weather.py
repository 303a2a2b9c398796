"""An order or a request of unknown weather has the season's mixture of weathers as its features, everywhere, and is no fifth weather."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from globolatte_ml.data.orders import time_split
from globolatte_ml.data.vocabulary import encode, season_codes
from globolatte_ml.explain.causal import weather_effects
from globolatte_ml.explain.explanations import Situations
from globolatte_ml.model.features import feature_names, features
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.scorer import Scorer

WINTER_DAY = dt.date(2023, 1, 10)


def fitted(snapshot):
    past = ~time_split(snapshot.ordered_at)
    return PreferenceModel(penalties=(0.03,), groups=2, draws=4, iterations=4).fit(
        snapshot.states.take(past), snapshot.contexts.take(past), snapshot.y[past], snapshot.products
    )


def with_weather(snapshot, weather):
    return replace(snapshot, contexts=replace(snapshot.contexts, weather=weather))


@pytest.fixture(scope="module")
def partly_known(snapshot):
    """The chain, of which every third order's weather is not known."""
    unknown = np.arange(len(snapshot)) % 3 == 0
    return with_weather(snapshot, np.where(unknown, "Unknown", snapshot.contexts.weather))


@pytest.fixture(scope="module")
def its_model(partly_known):
    return fitted(partly_known)


def mixture_by_hand(orders, unit, season):
    """The shares of weathers among a unit's orders of a season, from the documented formula."""
    known = orders.contexts.weather != "Unknown"
    weather, units = orders.contexts.weather[known], orders.contexts.business_unit[known]
    seasons = season_codes(orders.contexts.date)[known]
    words = sorted(set(weather))

    def shares(rows, prior):
        counts = np.array([(weather[rows] == word).sum() for word in words], dtype=float)
        return (counts + 20 * prior) / (counts.sum() + 20)

    everywhere = np.ones(len(weather), dtype=bool)
    chain = np.array([(weather == word).sum() + 1 for word in words]) / (len(weather) + len(words))
    expected = shares(units == unit, chain) * shares(seasons == season, chain) / chain
    return words, shares(everywhere & (units == unit) & (seasons == season), expected / expected.sum())


def test_the_features_of_an_unknown_weather_are_the_documented_mixture(partly_known, its_model):
    past = partly_known.contexts.take(~time_split(partly_known.ordered_at))
    learned = replace(partly_known, contexts=past)
    names = feature_names(its_model.space_)
    inputs = features(partly_known.states, partly_known.contexts, its_model.space_)
    unknown = np.flatnonzero(partly_known.contexts.weather == "Unknown")
    for row in unknown[:40]:
        season = int(season_codes(partly_known.contexts.date[[row]])[0])
        words, shares = mixture_by_hand(learned, partly_known.contexts.business_unit[row], season)
        columns = [names.index(f"weather={word}") for word in words]
        np.testing.assert_allclose(inputs[row, columns], shares, rtol=1e-12)


def test_an_unknown_weather_is_no_word_of_the_model_and_nothing_is_ranked_for_it(its_model, state_folder, tmp_path):
    its_model.save(tmp_path)
    scorer = Scorer.from_folders(tmp_path, state_folder)
    four = ("Cloudy", "Rainy", "Snowy", "Sunny")
    assert its_model.space_.vocabulary.weathers == scorer.weathers == four
    ranked = {word for table in scorer.batch(WINTER_DAY) for word in table["weather"].unique().to_pylist()}
    assert ranked == set(four)


def test_training_and_serving_say_the_same_of_an_unknown_weather(build, chain, partly_known, its_model, tmp_path):
    its_model.save(tmp_path / "model")
    last_day = chain.orders[-1].date
    scorer = Scorer.from_folders(tmp_path / "model", build.write_state(chain.before(last_day), tmp_path / "state"))
    rows = np.array([i for i, order in enumerate(chain.orders) if order.date == last_day])
    contexts = replace(partly_known.contexts.take(rows), weather=np.full(len(rows), "Unknown"))
    trained = its_model.predict_proba(partly_known.states.take(rows), contexts)
    asked = [chain.orders[row] for row in rows.tolist()]
    answers = scorer.recommend([Request(o.customer_id, o.business_unit, "unknown", o.date, o.daypart) for o in asked])
    one_by_one = [
        scorer.recommend([Request(o.customer_id, o.business_unit, "Unknown", o.date, o.daypart)]) for o in asked
    ]
    assert [answer.weather for answer in answers] == ["Unknown"] * len(rows)
    for answer, [alone], expected in zip(answers, one_by_one, trained, strict=True):
        served = {ranked.product_id: ranked.probability for ranked in answer.ranked}
        np.testing.assert_allclose([served[product] for product in sorted(served)], expected, atol=1e-12)
        assert alone.prediction_id == answer.prediction_id
        np.testing.assert_allclose(
            [one.probability for one in alone.ranked], [one.probability for one in answer.ranked]
        )


def test_orders_of_unknown_weather_are_learned_from(partly_known, its_model):
    known = partly_known.contexts.weather != "Unknown"
    past = ~time_split(partly_known.ordered_at)
    assert its_model.n_orders_ == past.sum() > (past & known).sum()


def test_a_chain_that_knows_no_weather_at_all_has_a_model_and_answers(snapshot, state_folder, tmp_path):
    blind = with_weather(snapshot, np.full(len(snapshot), "Unknown"))
    model = fitted(blind)
    assert model.space_.vocabulary.weathers == ()
    model.save(tmp_path)
    scorer = Scorer.from_folders(tmp_path, state_folder)
    unknown, sunny = scorer.recommend([Request("C0001", "BU_CA", one, WINTER_DAY) for one in ("Unknown", "Sunny")])
    assert [one.probability for one in unknown.ranked] == [one.probability for one in sunny.ranked]
    assert sum(one.probability for one in unknown.ranked) == pytest.approx(1.0)
    assert encode(np.array(["Sunny"]), model.space_.vocabulary.weathers).tolist() == [-1]


def test_an_unknown_weather_has_no_effect_of_its_own(partly_known, its_model):
    orders = Situations(partly_known.states, partly_known.contexts)
    found = weather_effects(its_model, orders, partly_known.chosen, partly_known.customer_ids, partly_known.products)
    assert found
    assert not any("Unknown" in (one.treatment, one.control) for one in found)
