from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import hypergeom

from globolatte_ml.affinity.pairs import (
    Pairs,
    affinity,
    design_effect,
    one_sided_p,
    posterior,
)
from globolatte_ml.affinity.plots import cross_sell_map
from globolatte_ml.affinity.table import COUNTED, Product, affinity_table, pairs_of

PRODUCTS = {
    "A": Product("Latte", "Coffee", 4.0),
    "B": Product("Muffin", "Bakery", 3.0),
    "C": Product("Mocha", "Coffee", 5.0),
    "D": Product("Tea", None, 2.0),
}


def pairs(rows) -> Pairs:
    """From (anchor, companion, orders, both): every customer has one order."""
    anchor, companion, orders, both = (np.array(values) for values in zip(*rows, strict=True))
    return Pairs(anchor, companion, orders, both, both, both, orders, both)


def counts(rows, region="chain") -> pa.Table:
    """The same as the warehouse counts them."""
    of_anchor = {anchor: orders for anchor, _, orders, _ in rows}
    found = [{"region": region, "anchor": a, "orders": n, "orders_squared": n} for a, n in of_anchor.items()]
    found += [
        {
            "region": region,
            "anchor": a,
            "companion": c,
            "pair_orders": x,
            "customers": x,
            "pair_orders_squared": x,
            "pair_orders_by_orders": x,
        }
        for a, c, _, x in rows
        if x
    ]
    names = ("region", "anchor", "companion", "orders", "orders_squared", *COUNTED.values())
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in found])


# Significance ---------------------------------------------------------------------------------------------------------


def test_fisher_is_the_textbook_tail():
    """Fisher's tea: 4 of 4 cups, 8 cups in all, 4 of them milk first: 1/70."""
    guessed = np.array([4.0, 3.0, 0.0])
    four = np.full(3, 4.0)
    assert one_sided_p(guessed, four, 4 - guessed, four) == pytest.approx([1 / 70, 17 / 70, 1.0])


def test_a_pair_that_counts_as_less_than_one_order_proves_nothing():
    little = np.array([0.2])
    assert one_sided_p(little, little, little, little) == pytest.approx([1.0])


def test_both_tests_agree_where_both_apply():
    table = (60, 400, 150, 1500)
    likelihood = one_sided_p(*(np.array([float(n)]) for n in table))[0]
    exact = hypergeom.sf(59, 1900, 210, 400)
    assert likelihood == pytest.approx(exact, rel=0.35)


def test_three_baskets_prove_nothing_and_are_shrunken():
    found = affinity(
        pairs([("A", "B", 3, 3), ("C", "B", 2000, 200), ("A", "C", 3, 0), ("D", "C", 1000, 50), ("D", "B", 1000, 100)])
    )
    assert found.lift[0] == pytest.approx(10)
    assert found.shrunken_lift[0] < 3
    assert found.lift_low[0] < 1.5
    assert not found.significant.any()


def test_a_real_pair_is_significant_and_hardly_shrunken():
    found = affinity(pairs([("A", "B", 1000, 300), ("C", "B", 1000, 100), ("D", "B", 1000, 95)]))
    assert found.significant.tolist() == [True, False, False]
    assert found.shrunken_lift[0] == pytest.approx(found.lift[0], rel=0.05)


def test_among_unrelated_products_few_pairs_are_found():
    rng = np.random.default_rng(0)
    rows = [(f"A{a}", f"B{b}", 800, rng.binomial(800, 0.1)) for a in range(30) for b in range(20)]
    found = affinity(pairs(rows))
    assert found.significant.sum() <= 1
    assert (found.p_value < 0.05).mean() == pytest.approx(0.05, abs=0.025)
    assert np.abs(found.shrunken_lift - 1).max() < 0.1


def test_one_customers_habit_is_one_customer():
    """100 orders of one customer, each with both products: the design effect takes them for one."""
    rows = pairs([("A", "B", 1000, 200), ("C", "B", 1000, 100)])
    habit = Pairs(
        rows.anchor,
        rows.companion,
        rows.orders,
        rows.both,
        np.array([101, 100]),
        np.array([100 + 100**2, 100]),
        np.array([900 + 100**2, 1000]),
        np.array([100 + 100**2, 100]),
    )
    assert design_effect(rows) == pytest.approx([1, 1])
    assert design_effect(habit)[0] > 30
    assert affinity(rows).significant[0]
    assert not affinity(habit).significant[0]


def test_false_discovery_is_benjamini_hochberg():
    some = pairs([("A", "B", 400, 60), ("C", "B", 1500, 150), ("A", "D", 400, 50), ("C", "D", 1500, 150)])
    found = affinity(some)
    ranked = np.sort(found.p_value)
    steps = {p: min(1.0, *(later * 4 / rank for rank, later in enumerate(ranked, 1) if later >= p)) for p in ranked}
    assert found.q_value == pytest.approx([steps[p] for p in found.p_value])
    assert affinity(pairs_of(counts([("A", "B", 1, 0)]), "chain")).q_value.shape == (0,)


def many_pairs(n_products=420, seed=0) -> pa.Table:
    """Counts of a catalogue whose possible pairs are too many to evaluate all; every tenth product goes well with the next one."""
    rng = np.random.default_rng(seed)
    rows = []
    for anchor in range(n_products):
        companions = {int(one): 1 for one in rng.integers(0, n_products, 60)} | {int(one): 6 for one in range(20)}
        if anchor % 10 == 0:
            companions[anchor + 1] = 30
        companions.pop(anchor, None)
        rows += [(f"P{anchor:03d}", f"P{companion:03d}", 100, both) for companion, both in companions.items()]
    return counts(rows)


def test_of_a_large_catalogue_only_pairs_that_were_made_often_are_evaluated_and_judged_among_all_possible(monkeypatch):
    made = many_pairs()
    products = {f"P{i:03d}": Product(f"Drink {i}", "Coffee", 3.0) for i in range(421)}
    lean = affinity_table(made, made.slice(0, 0), products, dt.date(2024, 1, 31)).to_pandas()
    monkeypatch.setattr("globolatte_ml.affinity.table.EVERY_PAIR_UP_TO", 10**9)
    whole = affinity_table(made, made.slice(0, 0), products, dt.date(2024, 1, 31)).to_pandas()
    assert len(whole) > 170_000
    assert len(lean) < 10_000
    keys = ["anchor_product_id", "product_id"]
    both = lean.merge(whole, on=keys, suffixes=("", "_whole"))
    assert len(both) == len(lean)
    for name in ("orders", "orders_with_both", "expected_rate", "design_effect", "p_value"):
        np.testing.assert_allclose(both[name], both[f"{name}_whole"], err_msg=name)
    significant = both[both.is_significant_whole]
    assert len(significant) >= 42
    np.testing.assert_allclose(significant.q_value, significant.q_value_whole, rtol=0.05)
    np.testing.assert_allclose(significant.shrunken_lift, significant.shrunken_lift_whole, rtol=0.2)
    assert set(map(tuple, lean[lean.is_significant][keys].values)) == set(
        map(tuple, whole[whole.is_significant][keys].values)
    )


def test_the_posterior_lies_between_the_prior_and_the_counts():
    mean, low = posterior(np.array([30.0, 0.0]), np.array([10.0, 10.0]), 10.0)
    assert mean == pytest.approx([2.0, 0.5])
    assert (low < mean).all()


# The table ------------------------------------------------------------------------------------------------------------

BASKETS = [
    ("A", "B", 1000, 300),
    ("C", "B", 1000, 100),
    ("D", "B", 1000, 90),
    ("A", "D", 1000, 50),
    ("C", "D", 1000, 50),
    ("B", "D", 500, 25),
]
NEXT = [("A", "C", 900, 300), ("D", "C", 900, 90), ("C", "A", 900, 300), ("D", "A", 900, 90), ("A", "D", 900, 90)]


def table(*regions) -> pa.Table:
    baskets = pa.concat_tables([counts(BASKETS), *(counts(rows, region) for region, rows in regions)])
    return affinity_table(baskets, counts(NEXT), PRODUCTS, dt.date(2023, 12, 31))


def row_of(found: pa.Table, region: str, kind: str, anchor: str, companion: str) -> dict:
    [row] = [
        r
        for r in found.to_pylist()
        if (r["region"], r["kind"], r["anchor_product_id"], r["product_id"]) == (region, kind, anchor, companion)
    ]
    return row


def test_every_possible_pair_is_there_counted_or_not():
    found = pairs_of(counts(BASKETS), "chain")
    assert len(found) == 4 * 2 - 2  # two companions, neither with itself
    assert dict(zip(zip(found.anchor, found.companion, strict=True), found.both, strict=True))["B", "D"] == 25


def test_offers_are_ranked_by_what_they_bring():
    found = table()
    offer = row_of(found, "chain", "cross_sell", "A", "B")
    assert offer["rank"] == 1
    assert offer["value_per_100_offers"] == pytest.approx(100 * (0.3 - 0.095) * 3.0, rel=0.05)
    assert row_of(found, "chain", "cross_sell", "C", "B")["rank"] is None


def test_an_upsell_is_dearer_and_of_the_same_category():
    found = [row for row in table().to_pylist() if row["kind"] == "upsell"]
    assert [(row["anchor_product_id"], row["product_id"], row["rank"]) for row in found] == [("A", "C", 1)]
    assert found[0]["value_per_100_offers"] == pytest.approx(100 * 0.3333 * 1.0, rel=0.05)


def test_a_small_region_is_drawn_to_the_chain():
    found = table(("BU_CA", [("A", "B", 10, 1), ("C", "B", 40, 4)]))
    chain, region = (row_of(found, where, "cross_sell", "A", "B") for where in ("chain", "BU_CA"))
    assert region["lift"] == pytest.approx(1.0)
    assert abs(region["shrunken_lift"] - chain["shrunken_lift"]) < abs(region["shrunken_lift"] - region["lift"])
    assert region["lift_low"] < chain["lift_low"]


def test_nothing_sold_gives_an_empty_table():
    nothing = counts(BASKETS).slice(0, 0)
    empty = affinity_table(nothing, nothing, PRODUCTS, dt.date(2023, 12, 31))
    assert empty.num_rows == 0
    assert cross_sell_map(empty, {}).startswith(b"\x89PNG")
    assert cross_sell_map(table(), {}).startswith(b"\x89PNG")
