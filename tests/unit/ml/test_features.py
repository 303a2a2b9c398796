from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from globolatte_ml.data.states import CustomerStates
from globolatte_ml.model.encoding import daypart_preference
from globolatte_ml.model.features import decayed_to, expected_shares, feature_names, features


def column(snapshot, model, name):
    return features(snapshot.states, snapshot.contexts, model.space_)[:, feature_names(model.space_).index(name)]


def test_every_column_has_one_name_and_every_value_is_finite(snapshot, model):
    inputs, names = features(snapshot.states, snapshot.contexts, model.space_), feature_names(model.space_)
    assert inputs.shape == (len(snapshot), len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(inputs).all()


def test_a_row_does_not_depend_on_its_neighbours(snapshot, model):
    whole = features(snapshot.states, snapshot.contexts, model.space_)
    rows = np.random.default_rng(1).permutation(len(snapshot))[:50]
    np.testing.assert_array_equal(
        features(snapshot.states.take(rows), snapshot.contexts.take(rows), model.space_), whole[rows]
    )


def test_the_order_of_the_catalogue_does_not_matter(snapshot, model):
    turned = snapshot.states.for_products(snapshot.products[::-1])
    np.testing.assert_array_equal(
        features(turned, snapshot.contexts, model.space_), features(snapshot.states, snapshot.contexts, model.space_)
    )


def test_decayed_sums_at_the_context_date_equal_the_sum_over_earlier_orders(chain, snapshot):
    for column_name, half_life in (("decayed_main_30d", 30), ("decayed_main_120d", 120)):
        decayed = decayed_to(snapshot.states, snapshot.contexts.date, column_name)
        for i in range(0, len(chain.orders), 37):
            order, expected = chain.orders[i], np.zeros(len(chain.products))
            for other in chain.orders:
                if other.customer_id == order.customer_id and other.date < order.date:
                    position = chain.products.index(other.product_id)
                    expected[position] += 2 ** (-(order.date - other.date).days / half_life)
            np.testing.assert_allclose(decayed[i], expected, rtol=1e-12)


def test_nothing_decays_for_a_date_before_the_last_order(snapshot):
    long_ago = np.full(len(snapshot), np.datetime64("2000-01-01"))
    np.testing.assert_array_equal(
        decayed_to(snapshot.states, long_ago, "decayed_main_30d"), snapshot.states.decayed_main_30d
    )


def test_a_customer_without_history_is_expected_to_choose_like_the_region_in_season(snapshot, model):
    nobody = CustomerStates.empty(len(snapshot), snapshot.products)
    inputs = features(nobody, snapshot.contexts, model.space_)
    names = feature_names(model.space_)
    share = inputs[:, [names.index(f"share={product}") for product in snapshot.products]]
    shares = share / share.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected_shares(snapshot.contexts, model.space_), rtol=1e-12)


def test_unseen_words_are_encoded_as_all_zero(snapshot, model):
    n = len(snapshot)
    strange = replace(
        snapshot.contexts, business_unit=np.full(n, "BU_FR"), weather=np.full(n, "Hail"), daypart=np.full(n, "night")
    )
    inputs, names = features(snapshot.states, strange, model.space_), feature_names(model.space_)
    blocks = ("business_unit=", "business_unit_season=", "weather=", "daypart=")
    encoded = [i for i, name in enumerate(names) if name.startswith(blocks)]
    assert len(encoded) == 3 + 12 + 4 + 4
    assert not inputs[:, encoded].any()
    np.testing.assert_allclose(expected_shares(strange, model.space_).sum(axis=1), 1.0)


@pytest.mark.parametrize(("date", "trend"), [("1999-01-01", 0.0), ("2099-01-01", 1.0)])
def test_the_trend_stays_within_the_training_span(snapshot, model, date, trend):
    moved = replace(snapshot, contexts=replace(snapshot.contexts, date=np.full(len(snapshot), np.datetime64(date))))
    assert (column(moved, model, "trend") == trend).all()


@pytest.mark.parametrize(
    ("date", "season"), [("2022-12-01", "winter"), ("2022-02-28", "winter"), ("2022-03-01", "spring"),
                         ("2022-06-01", "summer"), ("2022-11-30", "autumn")]
)  # fmt: skip
def test_seasons_are_those_of_the_warehouse(snapshot, model, date, season):
    moved = replace(snapshot, contexts=replace(snapshot.contexts, date=np.full(len(snapshot), np.datetime64(date))))
    assert (column(moved, model, f"season={season}") == 1.0).all()


def test_daypart_preference_starts_at_the_chains_mix_and_follows_the_customer(snapshot, model):
    preference = daypart_preference(snapshot.states.daypart_orders, model.space_)
    np.testing.assert_allclose(preference.sum(axis=1), 1.0)
    fresh = snapshot.states.order_count == 0
    assert fresh.any()
    np.testing.assert_allclose(preference[fresh], np.tile(model.space_.daypart_mix, (fresh.sum(), 1)))
    busiest = int(snapshot.states.order_count.argmax())
    counts = snapshot.states.daypart_orders[busiest]
    assert preference[busiest].argmax() == (counts + 4 * model.space_.daypart_mix).argmax()


def test_states_from_tables_hold_what_the_naive_replay_says(build, chain, snapshot):
    for i in range(0, len(chain.orders), 53):
        order = chain.orders[i]
        past = [o for o in chain.orders if o.customer_id == order.customer_id and o.date < order.date]
        level, pairs = build.state(past)
        assert snapshot.order_keys[i] == order.key
        assert snapshot.states.order_count[i] == level["order_count"]
        assert snapshot.states.line_count[i] == level["line_count"]
        last = level["last_order_date"]
        assert str(snapshot.states.last_order_date[i]) == (str(last) if last else "NaT")
        recents = [level[f"recent_product_{j}"] for j in (1, 2, 3)]
        recent = [snapshot.products[p] if p >= 0 else None for p in snapshot.states.recent_products[i]]
        assert recent == recents
        mains = {pair["product_id"]: pair["main_orders"] for pair in pairs}
        assert snapshot.states.main_orders[i].tolist() == [mains.get(p, 0) for p in snapshot.products]


def test_taking_row_minus_one_gives_the_empty_state(snapshot):
    taken = snapshot.states.take(np.array([5, -1]))
    assert taken.order_count.tolist() == [snapshot.states.order_count[5], 0]
    assert np.isnat(taken.last_order_date[1])
    assert (taken.recent_products[1] == -1).all()
    assert not taken.decayed_main_120d[1].any()


def test_a_withdrawn_product_leaves_the_states_and_a_new_one_enters_without_history(snapshot):
    moved = snapshot.states.for_products(("P002", "P999"))
    np.testing.assert_array_equal(moved.main_orders[:, 0], snapshot.states.main_orders[:, 1])
    assert not moved.main_orders[:, 1].any()
    was_first = snapshot.states.recent_products == 1
    np.testing.assert_array_equal(moved.recent_products, np.where(was_first, 0, -1))


def test_a_holiday_reaches_the_model_inputs(build, chain, snapshot, model):
    on_holiday = np.array([o.date == dt.date(2022, 7, 4) and o.business_unit == "BU_US" for o in chain.orders])
    np.testing.assert_array_equal(column(snapshot, model, "holiday") == 1.0, on_holiday)
