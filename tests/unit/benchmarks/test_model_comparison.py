"""The comparison of models is fair: states are those of the definition, peers see no holdout, the verdict is the numbers'."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.model import comparison, peers
from benchmarks.model.chains import CHAINS, HABIT_DATA, case
from benchmarks.model.comparison import ORACLE, results_of, shortfalls, summarised
from benchmarks.model.peers import FLAML, LIGHTGBM, OURS, answers, fold_in, product_factors
from globolatte_ml.model.metrics import Interval
from simulator.identifiers import product_ids
from tests.unit.dbt.replay import Order, customer_state, history, product_states

PRODUCT_COLUMNS = ("main_orders", "addon_lines", "decayed_main_30d", "decayed_main_120d")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """FLAML searches less long, and the oracle knows less exactly: how well they do is the benchmark's matter."""
    monkeypatch.setattr(peers, "TRIALS", 2)
    monkeypatch.setattr(comparison, "PARTICLES", 2_000)


@pytest.fixture(scope="module")
def small():
    return case("published", 700, 40, 5)


def test_states_are_those_of_a_naive_replay(small):
    snapshot, simulation = small.snapshot, small.simulation
    products = np.array(product_ids(6))
    lines = simulation.lines.groupby("order")["product"].apply(list)
    orders = [
        Order(
            order_key=f"{i:05d}",
            order_id=str(i),
            business_unit=str(snapshot.contexts.business_unit[i]),
            business_date=snapshot.contexts.date[i].astype(object),
            customer_id=str(snapshot.customer_ids[i]),
            ordered_at=snapshot.ordered_at[i].astype(object),
            weather="",
            lines=tuple((str(products[code]), place == 0) for place, code in enumerate(lines[i])),
        )
        for i in range(len(snapshot))
    ]
    states = snapshot.states
    for i in range(0, len(orders), 23):
        past = history(orders, orders[i].customer_id, orders[i].business_date)
        expected, per_product = customer_state(past), product_states(past)
        assert states.order_count[i] == expected["order_count"]
        assert states.line_count[i] == expected["line_count"]
        assert states.first_order_date[i].astype(object) == expected["first_order_date"]
        assert states.last_order_date[i].astype(object) == expected["last_order_date"]
        assert states.daypart_orders[i].tolist() == [
            expected[f"{part}_orders"] for part in ("morning", "midday", "afternoon", "evening")
        ]
        recent = [products[code] if code >= 0 else None for code in states.recent_products[i]]
        assert recent == [expected[f"recent_product_{back}"] for back in (1, 2, 3)]
        for column in PRODUCT_COLUMNS:
            wanted = [per_product.get(product, {}).get(column, 0.0) for product in products]
            np.testing.assert_allclose(getattr(states, column)[i], wanted, rtol=1e-9, atol=1e-12)


def test_every_answer_is_a_distribution_and_blind_to_what_was_chosen_in_the_holdout(small):
    snapshot, holdout = small.snapshot, small.snapshot.holdout
    swapped = snapshot.y.copy()
    swapped[holdout] = snapshot.products[0]
    (found, missing), (again, _) = answers(snapshot, holdout), answers(replace(snapshot, y=swapped), holdout)
    assert {LIGHTGBM, FLAML} <= {*found, *missing}
    assert len(found) + len(missing) == 9
    for name, probabilities in found.items():
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-9, err_msg=name)
        np.testing.assert_array_equal(probabilities, again[name], err_msg=name)


@pytest.mark.parametrize("chain", CHAINS)
def test_every_chain_is_laid_out_whole(chain):
    one = case(chain, 300, 30, 1)
    assert len(one.snapshot) == 300
    assert (one.simulation is None) == (chain == HABIT_DATA)
    assert one.snapshot.states.main_orders.sum(axis=1).tolist() == one.snapshot.states.order_count.tolist()


def test_summaries_measure_the_gap_and_who_is_worse(small):
    results, _ = results_of(small)
    summaries = {summary.name: summary for summary in summarised(results)}
    assert summaries["popularity"].closed == 0.0
    assert summaries[ORACLE].closed == pytest.approx(100.0)
    assert summaries[OURS].worse_by == Interval(0.0, 0.0, 0.0)
    assert summaries["popularity"].worse_by.low > 0
    worse = replace(summaries["popularity"], worse_by=Interval(0.01, -0.01, 0.03))
    assert "not better than popularity" in shortfalls([worse])[0]
    assert "the goal is 95 %" in shortfalls([replace(summaries[OURS], closed=94.9)])[0]
    assert not shortfalls([replace(summaries[OURS], closed=95.0)])


def test_the_factorisation_finds_who_likes_what():
    counts = np.repeat(np.eye(3)[:, [0, 0, 1, 1, 2]] * 4, 20, axis=0)
    factors = product_factors(counts)
    offered = fold_in(counts, factors) @ factors.T
    assert (offered[:20, :2].min(axis=1) > offered[:20, 2:].max(axis=1)).all()


def test_speed_is_measured_against_the_promises(tmp_path, monkeypatch):
    from benchmarks.model import speed

    monkeypatch.setattr(speed, "PREDICTIONS", 20)
    rows = [*speed.prediction_rows(tmp_path, customers=4_000), *speed.training_rows(600, 50)]
    assert [row.limit for row in rows] == [1.0, 1.5, 1.0, 1.0, 1.0]
    assert all(row.ours > 0 for row in rows)
