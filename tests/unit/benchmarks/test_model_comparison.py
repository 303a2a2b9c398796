"""The comparison of models is fair: states are those of the definition, peers see no holdout, the verdict is the numbers'."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks.model import comparison, peers
from benchmarks.model.apart import UnfinishedError, run_apart
from benchmarks.model.basket_peers import GP_TOPFREQ, TIFU_KNN, UP_CF
from benchmarks.model.chains import HABIT_DATA, SIMULATED, case
from benchmarks.model.comparison import (
    LOG_LOSS,
    ORACLE,
    TRIVIAL,
    Hits,
    comparisons,
    holm,
    over_all_real,
    p_value,
    results_of,
    shortfalls,
    summarised,
)
from benchmarks.model.peers import FLAML, LIGHTGBM, OURS, Answers, answers, fold_in, product_factors
from benchmarks.model.ranks import basket_quality, ranks
from globolatte_ml.model.metrics import Interval, hit_rate
from globolatte_ml.training.evaluation import POPULARITY
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
    said = answers(snapshot, holdout, small.baskets)
    again = answers(replace(snapshot, y=swapped), holdout, small.baskets)
    assert {LIGHTGBM, FLAML} <= {*said.probabilities, *said.missing}
    assert len(said.probabilities) + len(said.missing) == 11
    assert set(said.scores) == {GP_TOPFREQ, TIFU_KNN, UP_CF}
    for name, probabilities in said.probabilities.items():
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-9, err_msg=name)
        np.testing.assert_array_equal(probabilities, again.probabilities[name], err_msg=name)
    assert said.training is not None
    assert said.training.seconds > 0
    assert said.training.gigabytes > 0.05


@pytest.mark.parametrize("chain", SIMULATED)
def test_every_chain_is_laid_out_whole(chain):
    one = case(chain, 300, 30, 1)
    assert len(one.snapshot) == 300
    assert (one.simulation is None) == (chain == HABIT_DATA)
    assert one.snapshot.states.main_orders.sum(axis=1).tolist() == one.snapshot.states.order_count.tolist()


@pytest.fixture(scope="module")
def results(small):
    """Of the last of three cuts, the only one with enough orders to tell models apart."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(peers, "TRIALS", 2)
        patched.setattr(comparison, "PARTICLES", 2_000)
        ((found, _),) = results_of(small)
    return found


def test_summaries_measure_the_gap_and_who_is_worse(results):
    summaries = {summary.name: summary for summary in summarised(results)}
    assert summaries["popularity"].closed == 0.0
    assert summaries[ORACLE].closed == pytest.approx(100.0)
    assert summaries[OURS].worse_by == Interval(0.0, 0.0, 0.0)
    assert summaries[OURS].seconds
    assert summaries["popularity"].worse_by.low > 0
    assert summaries[UP_CF].worse_by is None
    assert summaries[UP_CF].log_loss is None
    worse = replace(summaries["popularity"], worse_by=Interval(0.01, -0.01, 0.03))
    assert "not better than popularity" in shortfalls([worse])[0]
    assert "the goal is 95 %" in shortfalls([replace(summaries[OURS], closed=94.9)])[0]
    assert not shortfalls([replace(summaries[OURS], closed=95.0)])


def test_hits_are_told_apart_by_whether_the_customer_had_bought_the_product(small, results):
    ours = next(result for result in results if result.name == OURS)
    holdout, customers, chosen = small.snapshot.holdout, small.snapshot.customer_ids, small.snapshot.chosen
    dates, baskets = small.snapshot.contexts.date, small.baskets.toarray()
    before = [
        baskets[(customers == customers[row]) & (dates < dates[row]), chosen[row]].any()
        for row in np.flatnonzero(holdout)
    ]
    assert ours.repeat.tolist() == before
    summary = next(summary for summary in summarised(results) if summary.name == OURS)
    again, new = summary.repeats, summary.evaluated - summary.repeats
    assert again > 0
    assert new > 0
    whole = summary.hits.at_1 * summary.evaluated
    assert whole == pytest.approx(summary.repeat.at_1 * again + summary.explore.at_1 * new)
    assert summary.hits.at_10 is None


def test_a_cut_is_evaluated_on_what_follows_and_learns_from_what_precedes(small, monkeypatch):
    seen = []

    def asked(snapshot, holdout, baskets):
        seen.append((snapshot, holdout, baskets))
        return Answers({POPULARITY: np.full((int(holdout.sum()), 6), 1 / 6)}, {}, {}, None)

    monkeypatch.setattr(comparison, "answers", asked)
    found = [of_cut for of_cut, _ in results_of(replace(small, simulation=None), cuts=3)]
    assert len(found) == 3
    for (snapshot, holdout, baskets), (result,) in zip(seen, found, strict=True):
        dates = snapshot.contexts.date
        assert dates[~holdout].max() < np.datetime64(result.cut) <= dates[holdout].min()
        assert baskets.shape[0] == len(snapshot)
        assert len(result.rank) == holdout.sum()
    np.testing.assert_array_equal(seen[-1][1], small.snapshot.holdout)
    assert sum(len(result.rank) for (result,) in found) < len(small.snapshot) / 2


def test_every_peer_is_compared_by_every_measure_that_it_has(results):
    found = comparisons(results)
    measures = {name: {one.measure for one in found if one.name == name} for name in (UP_CF, POPULARITY, ORACLE, OURS)}
    assert measures == {UP_CF: {"hit@1", "hit@3"}, POPULARITY: {LOG_LOSS, "hit@1", "hit@3"}, ORACLE: set(), OURS: set()}
    gap = next(one for one in found if (one.name, one.measure) == (POPULARITY, LOG_LOSS))
    assert gap.p < 0.001
    assert replace(gap, adjusted=0.01).verdict == 1
    peer = replace(gap, worse_by=Interval(-0.02, -0.03, -0.01), adjusted=0.01)
    assert peer.verdict == -1
    assert "popularity is better beyond chance in log loss (+0.0200" in shortfalls([], [peer])[0]
    assert not shortfalls([], [replace(peer, adjusted=0.2), replace(gap, adjusted=0.01)])


def test_the_best_trivial_peer_is_beaten_over_all_real_chains_or_it_is_said(results):
    assert over_all_real(results) is None
    real = [replace(result, case=replace(result.case, chain="cracker", simulation=None)) for result in results]
    trivial = min((result for result in real if result.name in TRIVIAL), key=lambda result: result.loss.mean())
    ours = next(result for result in real if result.name == OURS)
    gap = over_all_real(real)
    assert gap.estimate == pytest.approx((trivial.loss - ours.loss).mean())
    assert "all real chains" in shortfalls([], [], Interval(0.0, -0.1, 0.1))[0]
    assert not shortfalls([], [], Interval(0.1, 0.05, 0.15))


def test_holm_multiplies_by_the_tests_that_are_left():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
    assert holm([]).tolist() == []


def test_a_p_value_is_of_the_bootstraps_standard_error():
    assert p_value(Interval(1.959964, 0.0, 3.919928)) == pytest.approx(0.05)
    assert p_value(Interval(-1.959964, -3.919928, 0.0)) == pytest.approx(0.05)
    assert p_value(Interval(0.0, 0.0, 0.0)) == 1.0


def test_ranks_and_hits_are_those_of_the_metrics():
    rng = np.random.default_rng(3)
    scores, chosen = rng.integers(0, 4, (200, 12)) / 4, rng.integers(0, 12, 200)
    hits = Hits.of(ranks(scores, chosen), 12)
    assert (hits.at_1, hits.at_3, hits.at_10) == tuple(hit_rate(scores, chosen, k) for k in (1, 3, 10))


def test_a_basket_is_found_at_the_top():
    scores = np.array([[0.5, 0.3, 0.2] + [0.0] * 9])
    baskets = csr_matrix([[1, 0, 1] + [0] * 9])
    found = basket_quality(scores, baskets, probabilities=False)
    assert (found.recall, found.loss) == (1.0, None)
    assert found.ndcg == pytest.approx((1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3)))
    sure = basket_quality(np.full((1, 3), 1 / 3), csr_matrix([[1, 0, 1]]), probabilities=True)
    assert sure.loss == pytest.approx(np.log(3))


def test_work_apart_is_measured_and_held_within_its_limits():
    done = run_apart(sum, [1, 2], most_gigabytes=4, most_minutes=1)
    assert done.result == 3
    assert done.gigabytes < 4
    with pytest.raises(UnfinishedError, match="needs more than 1 GB"):
        run_apart(np.ones, 400_000_000, most_gigabytes=1, most_minutes=1)
    with pytest.raises(UnfinishedError, match="not done after"):
        run_apart(time.sleep, 60, most_gigabytes=1, most_minutes=0.001)
    with pytest.raises(UnfinishedError, match="ended with 3"):
        run_apart(os._exit, 3, most_gigabytes=1, most_minutes=1)


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
