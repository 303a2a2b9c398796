from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from globolatte_ml.data.states import CustomerStates
from globolatte_ml.segments import vectors
from globolatte_ml.segments.clustering import Evidence, choose_k, find_clusters
from globolatte_ml.segments.fit import SegmentFit, find_segments, match, why_refit
from globolatte_ml.segments.plots import evidence_chart, profile_map
from globolatte_ml.segments.profiles import distinct, name_of, profiles_of
from globolatte_ml.segments.tables import fit_row, latest_fit
from globolatte_ml.segments.vectors import Customers, learn_vector_space

PRODUCTS = ("P1", "P2", "P3", "P4")
NAMES = {"P1": "Espresso", "P2": "Mocha", "P3": "Tea", "P4": "Scone"}
TASTES = np.array([[0.85, 0.05, 0.05, 0.05], [0.05, 0.85, 0.05, 0.05], [0.05, 0.05, 0.45, 0.45]])
UNTIL = dt.date(2023, 6, 30)


def customers(n=240, tastes=TASTES, orders=20, seed=0, homes=("BU_CA", "BU_US")) -> Customers:
    """n customers whose true group is their number modulo the number of tastes."""
    rng = np.random.default_rng(seed)
    main = np.stack([rng.multinomial(orders, tastes[i % len(tastes)]) for i in range(n)]).astype(float)
    states = replace(
        CustomerStates.empty(n, PRODUCTS).with_tables(main_orders=main),
        order_count=main.sum(axis=1).astype(int),
        line_count=main.sum(axis=1).astype(int),
        first_order_date=np.full(n, "2023-01-01", "datetime64[D]"),
        last_order_date=np.full(n, "2023-06-01", "datetime64[D]"),
        daypart_orders=rng.multinomial(orders, [0.4, 0.2, 0.2, 0.2], size=n),
    )
    ids = np.array([f"C{i:04d}" for i in range(n)])
    return Customers(ids, np.array(homes)[np.arange(n) // 3 % len(homes)], states, 3.0 * main.sum(axis=1))


def assigned(fit, people):
    return fit.assign(fit.space.coordinates(people))[0]


@pytest.fixture(scope="module")
def fit():
    return find_segments(customers(), UNTIL, NAMES)


def test_planted_groups_are_found_and_their_number_too(fit):
    people = customers()
    segment = assigned(fit, people)
    assert len(fit.ids) == 3
    assert {len(set(segment[group::3])) for group in range(3)} == {1}
    assert len({segment[0], segment[1], segment[2]}) == 3
    assert {"Espresso fans", "Mocha fans"} < set(fit.names)
    assert fit.chosen.stability > 0.9


def test_in_a_large_catalogue_seldom_products_are_one_coordinate_that_names_no_segment(monkeypatch):
    monkeypatch.setattr(vectors, "EVERY_PRODUCT_UP_TO", 2)
    people = customers()
    fit = find_segments(people, UNTIL, NAMES)
    space, main = fit.space, people.states.main_orders
    listed = np.sort(np.argsort(-main.sum(axis=0))[:2])
    assert space.listed_products == tuple(np.array(PRODUCTS)[listed])
    rest = np.delete(main, listed, axis=1).sum(axis=1)
    usual = space.usual[[space.business_units.index(home) for home in people.home]]
    usual = np.column_stack([usual[:, listed], np.delete(usual, listed, axis=1).sum(axis=1)])
    shares = np.column_stack([main[:, listed], rest]) + space.taste_strength * usual
    logs = np.log(shares / shares.sum(axis=1, keepdims=True) / usual)
    coordinates = space.coordinates(people)
    assert coordinates.shape[1] == space.width == 3 + 4 + 1
    np.testing.assert_allclose(coordinates[:, :3], logs - logs.mean(axis=1, keepdims=True), atol=1e-12)
    assert {len(set(assigned(fit, people)[group::3])) for group in range(3)} == {1}
    assert sum(name.startswith("All-rounders") for name in fit.names) == 1, "those who buy what is seldom bought"
    found = profiles_of(people, coordinates, assigned(fit, people), fit.ids, fit.names, space, np.datetime64(UNTIL))
    (other,) = [one for one in found if one.name.startswith("All-rounders")]
    assert set(other.product_lifts) == set(space.listed_products)
    assert set(other.product_shares) == set(PRODUCTS)


def test_segments_with_other_coordinates_are_found_anew_and_their_ids_are_not_given_out_again(fit, monkeypatch):
    monkeypatch.setattr(vectors, "EVERY_PRODUCT_UP_TO", 2)
    assert "one coordinate" in why_refit(fit, UNTIL, PRODUCTS)
    again = find_segments(customers(), UNTIL, NAMES, fit)
    assert not set(again.ids) & set(fit.ids)


def test_one_cloud_is_one_segment():
    people = customers(tastes=np.array([[0.4, 0.3, 0.2, 0.1]]))
    fit = find_segments(people, UNTIL, NAMES)
    assert (fit.ids, fit.names, fit.chosen) == ((1,), ("All-rounders",), None)


def test_regions_do_not_become_segments():
    """Two countries of different tastes, and nothing else to tell customers apart by."""
    both = customers(240, TASTES[:2], homes=("BU_CA",))
    both = Customers(both.ids, np.where(np.arange(240) % 2 == 0, "BU_CA", "BU_MX"), both.states, both.spend)
    assert len(find_segments(both, UNTIL, NAMES).ids) == 1


def test_few_customers_are_one_segment():
    assert len(find_segments(customers(3), UNTIL, NAMES).ids) == 1


def test_nobody_is_an_error():
    with pytest.raises(ValueError, match="load sales"):
        find_segments(customers().take(np.zeros(240, bool)), UNTIL, NAMES)


@pytest.mark.parametrize(
    ("stabilities", "silhouettes", "gaps", "k"),
    [
        ((0.9, 0.85, 0.7), (0.3, 0.3, 0.3), (1, 2, 3), 3),
        ((0.9, 0.7, 0.85), (0.3, 0.3, 0.3), (1, 2, 3), 4),
        ((0.9, 0.9, 0.9), (0.3, 0.6, 0.4), (1, 2, 3), 3),
        ((0.5, 0.5, 0.5), (0.3, 0.3, 0.3), (1, 2, 3), 1),
        ((0.9, 0.9, 0.9), (0.3, 0.3, 0.3), (1, 0.9, 0.8), 2),
        ((0.9, 0.9, 0.9), (0.3, 0.3, 0.3), (0.04, -1, 0), 1),
        ((), (), (), 1),
    ],
    ids=[
        "largest stable",
        "not the first unstable",
        "splits a tight group",
        "none stable",
        "smaller gap",
        "no clusters",
        "too few customers",
    ],
)
def test_k_is_the_largest_that_is_reproduced_and_separates(stabilities, silhouettes, gaps, k):
    seen = zip(stabilities, silhouettes, gaps, strict=True)
    evidence = [Evidence(2 + i, stable, stable, width, gap, 0.0) for i, (stable, width, gap) in enumerate(seen)]
    assert choose_k(tuple(evidence)) == k


# Ids that last --------------------------------------------------------------------------------------------------------


def test_the_sequence_of_customers_changes_nothing(fit):
    people = customers()
    shuffled = people.take(np.random.default_rng(1).permutation(len(people)))
    assert fit.fit_id == find_segments(shuffled, UNTIL, NAMES).fit_id


def test_ids_and_names_survive_a_refit_on_other_customers(fit):
    older = replace(fit, ids=(7, 3, 5), next_id=9)
    later = customers(300, seed=5)
    again = find_segments(later, dt.date(2023, 9, 1), NAMES, older, seed=3)
    assert dict(zip(again.ids, again.names, strict=True)) == dict(zip(older.ids, older.names, strict=True))
    assert again.next_id == 9
    assert min(again.overlaps) > 0.9
    assert {older.ids[at] for at in assigned(older, later)} == {again.ids[at] for at in assigned(again, later)}


def test_a_segment_that_is_new_gets_an_id_that_nobody_had(fit):
    tastes = np.array([[0.25, 0.05, 0.05, 0.65]])
    more = customers(320, np.vstack([TASTES, tastes]))
    again = find_segments(more, UNTIL, NAMES, replace(fit, next_id=12))
    assert sorted(again.ids)[-1] == 12
    assert set(fit.ids) < set(again.ids)
    assert again.next_id == 13


def test_matching_takes_the_best_total_and_leaves_unlike_segments_out():
    old, new = np.array([0, 0, 0, 1, 1, 1, 2, 2]), np.array([1, 1, 0, 0, 0, 0, 2, 3])
    ids, overlaps, next_id = match(old, new, (10, 11, 12), 4, 20)
    assert ids == (11, 10, 12, 20)
    assert overlaps == pytest.approx((3 / 4, 2 / 3, 1 / 2, 0.0))
    assert next_id == 21


# Names and profiles ---------------------------------------------------------------------------------------------------


def test_names_say_what_stands_out():
    space = learn_vector_space(customers())
    centre = np.zeros(space.coordinates(customers()).shape[1])
    assert name_of(centre, space, NAMES) == "All-rounders"
    centre[[1, 3]] = 0.9, 0.6
    assert name_of(centre, space, NAMES) == "Mocha & Scone fans"
    centre[4], centre[-1] = 0.5, 3.0
    assert name_of(centre, space, NAMES) == "Mocha & Scone fans, mornings, large baskets"
    assert distinct(["a", "b", "a"]) == ["a (1)", "b", "a (2)"]


def test_profiles_cover_everyone_and_all_sales(fit):
    people = customers()
    points = fit.space.coordinates(people)
    profiles = profiles_of(people, points, assigned(fit, people), fit.ids, fit.names, fit.space, np.datetime64(UNTIL))
    assert sum(one.customers for one in profiles) == 240
    assert sum(one.share_of_sales for one in profiles) == pytest.approx(1)
    assert {one.spend_per_order for one in profiles} == {3.0}
    espresso = next(one for one in profiles if one.name == "Espresso fans")
    assert espresso.product_shares["P1"] == pytest.approx(0.85, abs=0.03)
    assert espresso.orders_per_30_days == pytest.approx(30 * 20 / 180)
    assert profile_map(profiles, NAMES).startswith(b"\x89PNG")
    assert evidence_chart(fit.clusters.evidence, 3).startswith(b"\x89PNG")
    assert evidence_chart((), 1).startswith(b"\x89PNG")


def test_memberships_are_probabilities_that_follow_the_distance():
    points = np.vstack([np.zeros((50, 2)), np.ones((50, 2)) * 3.0]) + np.random.default_rng(0).normal(0, 0.3, (100, 2))
    clusters = find_clusters(points)
    memberships = clusters.memberships(np.array([[0.0, 0.0], [1.5, 1.5], [3.0, 3.0]]))
    assert memberships.sum(axis=1) == pytest.approx(1)
    assert len(clusters.shares) == 2
    assert memberships[0].max() > 0.99
    assert memberships[1].max() < 0.99


# Keeping --------------------------------------------------------------------------------------------------------------


def test_a_fit_survives_its_document(fit):
    again = SegmentFit.from_json(fit.to_json())
    people = customers(60, seed=9)
    assert again.fit_id == fit.fit_id
    np.testing.assert_array_equal(assigned(again, people), assigned(fit, people))


def test_the_latest_record_is_the_one_that_counts(fit):
    newer = replace(fit, next_id=99)
    now = dt.datetime(2023, 7, 1)  # noqa: DTZ001 - as the warehouse holds it
    rows = pa.concat_tables([fit_row(newer, "later", now + dt.timedelta(days=1)), fit_row(fit, "first", now)])
    assert latest_fit(rows).next_id == 99
    assert latest_fit(rows.slice(0, 0)) is None


@pytest.mark.parametrize(
    ("previous", "days", "products", "requested", "why"),
    [
        (False, 0, PRODUCTS, False, "no segments yet"),
        (True, 5, PRODUCTS, True, "asked"),
        (True, 5, (*PRODUCTS, "P9"), False, "P9 came into the range"),
        (True, 28, PRODUCTS, False, "28 days of sales"),
        (True, 27, PRODUCTS, False, None),
    ],
    ids=["first", "asked", "new product", "old", "daily"],
)
def test_segments_are_found_anew_only_for_a_reason(fit, previous, days, products, requested, why):
    reason = why_refit(fit if previous else None, UNTIL + dt.timedelta(days=days), products, requested)
    assert (reason is None) if why is None else (why in reason)
