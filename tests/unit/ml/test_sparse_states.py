"""Sparse states give what tables of customers x products gave, in memory that grows with what was bought."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from globolatte_ml.data.orders import Contexts, canonical_order
from globolatte_ml.data.product_rows import AMOUNTS, ProductRows
from globolatte_ml.data.states import CUSTOMER_LEVEL_COLUMNS, CustomerStates

PRODUCTS = tuple(f"P{i}" for i in range(5))


@st.composite
def tables(draw, most=12):
    """The four amounts of up to 12 customers as tables, mostly empty and with many that are equal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, most))
    return {name: rng.choice([0.0, 0.0, 0.0, 1.0, 2.5], size=(n, len(PRODUCTS))) for name in AMOUNTS}


def states_of(amounts, rng=None) -> CustomerStates:
    n = len(amounts["main_orders"])
    rng = rng or np.random.default_rng(0)
    states = replace(CustomerStates.empty(n, PRODUCTS), order_count=rng.integers(0, 2, n))
    return replace(states, recent_products=rng.integers(-1, len(PRODUCTS), (n, 3))).with_tables(**amounts)


def assert_tables(states: CustomerStates, expected) -> None:
    for name, table in expected.items():
        np.testing.assert_array_equal(getattr(states, name), table, err_msg=name)
    rows = states.bought
    assert all((np.diff(rows.product[start:stop]) > 0).all() for start, stop in pairwise(rows.indptr))
    assert np.any(list(rows.amounts.values()), axis=0).all()


@given(tables(), st.data())
def test_rows_are_taken_as_from_tables(amounts, data):
    states, n = states_of(amounts), len(amounts["main_orders"])
    rows = np.array(data.draw(st.lists(st.integers(-1, n - 1), max_size=20)), dtype=np.int64)
    padded = {name: np.vstack([table, np.zeros(len(PRODUCTS))])[rows] for name, table in amounts.items()}
    assert_tables(states.take(rows), padded)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assert_tables(states.take(mask), {name: table[mask] for name, table in amounts.items()})


@given(tables(), st.permutations(["P0", "P2", "P4", "new", "newer"]))
def test_a_catalogue_changes_as_in_tables(amounts, catalogue):
    places = [PRODUCTS.index(one) if one in PRODUCTS else -1 for one in catalogue]
    padded = {name: np.hstack([table, np.zeros((len(table), 1))])[:, places] for name, table in amounts.items()}
    assert_tables(states_of(amounts).for_products(catalogue), padded)


@given(tables(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_pairs_in_any_sequence_and_in_pieces_make_the_same_states(amounts, random, pieces):
    n = len(amounts["main_orders"])
    pairs = [
        {"customer_id": f"C{row}", "product_id": product, **{name: table[row, at] for name, table in amounts.items()}}
        for row in range(n)
        for at, product in enumerate(PRODUCTS)
        if random.random() < 0.9 or any(table[row, at] for table in amounts.values())
    ]
    random.shuffle(pairs)
    pairs += [{**pairs[0], "product_id": "gone"}, {**pairs[0], "customer_id": "nobody"}] if pairs else []
    names = ("customer_id", "product_id", *AMOUNTS)
    table = pa.table({name: [pair[name] for pair in pairs] for name in names}, pa.schema(
        [(name, pa.float64() if name in AMOUNTS else pa.string()) for name in names]
    ))  # fmt: skip
    level = pa.table({"customer_id": [f"C{row}" for row in range(n)]} | {
        name: pa.nulls(n, pa.string() if "recent" in name else pa.date32() if "date" in name else pa.int64())
        for name in CUSTOMER_LEVEL_COLUMNS
    })  # fmt: skip
    size = max(1, -(-table.num_rows // pieces))
    parts = [table.slice(start, size) for start in range(0, table.num_rows, size)]
    for product_level in (table, parts):
        assert_tables(CustomerStates.from_tables(level, product_level, "customer_id", PRODUCTS), amounts)


@given(tables(), tables())
def test_amounts_are_exchanged_and_states_joined_as_tables(mine, theirs):
    n = min(len(mine["main_orders"]), len(theirs["main_orders"]))
    mine, theirs = ({name: table[:n] for name, table in of.items()} for of in (mine, theirs))
    left, right = states_of(mine), states_of(theirs)
    assert_tables(left.with_tables(addon_lines=theirs["addon_lines"]), {**mine, "addon_lines": theirs["addon_lines"]})
    joined = {name: np.vstack([mine[name], theirs[name]]) for name in AMOUNTS}
    assert_tables(CustomerStates.one_after_the_other([left, right]), joined)
    for name, table in mine.items():
        np.testing.assert_allclose(left.bought.total(name), table.sum(axis=1))
        product = np.arange(n) % len(PRODUCTS)
        np.testing.assert_array_equal(left.bought.amount_of(name, product), table[np.arange(n), product])


@given(tables(most=40), st.integers(0, 2**32 - 1))
def test_orders_come_into_the_sequence_that_tables_give(amounts, seed):
    rng = np.random.default_rng(seed)
    states = states_of(amounts, rng)
    n = len(states)
    dates = np.array(["NaT", "2024-01-01", "2024-01-02"], "datetime64[D]")
    states = replace(
        states, first_order_date=dates[rng.integers(0, 3, n)], last_order_date=dates[rng.integers(0, 3, n)]
    )
    contexts = Contexts(
        np.full(n, "US"), dates[rng.integers(1, 3, n)], np.full(n, "Sunny"), np.full(n, "morning"), np.zeros(n, bool)
    )
    chosen = rng.integers(0, 2, n)
    history = (*states.recent_products.T, *states.daypart_orders.T, *states.addon_lines.T, *states.main_orders.T)
    decayed = (*states.decayed_main_30d.T, states.first_order_date, states.last_order_date, states.line_count)
    dense = np.lexsort((*decayed, *history, states.order_count, chosen, contexts.date))
    np.testing.assert_array_equal(canonical_order(states, contexts, chosen), dense)


@pytest.mark.parametrize("empty", [ProductRows.empty(3), ProductRows.of_dense(3)])
def test_rows_of_nobody_are_empty(empty):
    assert len(empty) == 3
    assert not empty.dense("main_orders", 4).any()
    assert len(ProductRows.empty(0).take(np.array([-1, -1]))) == 2


def test_26_000_customers_of_4_000_products_take_little_memory():
    n, k, each = 26_000, 4_000, 20
    rng = np.random.default_rng(0)
    row, product = np.repeat(np.arange(n), each), rng.integers(0, k, n * each)
    catalogue = [f"P{i:04d}" for i in range(k)]
    tracemalloc.start()
    states = replace(
        CustomerStates.empty(n, catalogue),
        bought=ProductRows.of_pairs(n, row, product, {name: np.ones(n * each) for name in AMOUNTS}),
    )
    half = states.take(np.arange(0, n, 2)).for_products(catalogue[1:])
    contexts = Contexts(
        np.full(n, "US"), np.full(n, "2024-01-01", "datetime64[D]"), np.full(n, ""), np.full(n, ""), np.zeros(n, bool)
    )
    order = canonical_order(states, contexts, product[::each])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(np.unique(order)) == n
    assert len(half.bought.product) < n * each / 2
    assert peak < 150e6, "a single table of floats would take 832 MB"
