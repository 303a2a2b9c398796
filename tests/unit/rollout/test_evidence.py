"""Evidence of a rollout: what it finds, how rarely it errs, and that it says nothing as long as it knows nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from globolatte_ml.rollout.assignment import is_on_challenger
from globolatte_ml.rollout.evidence import (
    ERRORS,
    HEALTH,
    INVALID,
    QUALITY,
    ROLLBACK_ERROR,
    SAMPLE_RATIO_ERROR,
    SLOW,
    Finding,
)
from globolatte_ml.rollout.paired_loss import (
    FEWEST_CUSTOMERS,
    FEWEST_ORDERS,
    evidence_over_time,
    missing_orders,
    paired_loss_evidence,
    running_sums,
)
from globolatte_ml.rollout.rates import Tick, by_customer, nearest_null, rate_evidence
from globolatte_ml.rollout.rates import evidence_over_time as rates_over_time
from globolatte_ml.rollout.sample_ratio import Split, sample_ratio


def differences(n: int, mean: float, deviation: float = 0.2, customers: int = 300, seed: int = 0):
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, customers, n)
    own = rng.normal(size=customers)[customer]
    return mean + deviation * (0.2 * own + np.sqrt(0.96) * rng.normal(size=n)), customer


def test_all_metrics_and_the_sample_ratio_share_one_error() -> None:
    assert sum(rule.error for rule in (QUALITY, *HEALTH)) + SAMPLE_RATIO_ERROR == pytest.approx(ROLLBACK_ERROR)


def test_running_sums_are_those_of_every_beginning() -> None:
    difference, customers = differences(120, 0.01, customers=17)
    sums = running_sums(difference, customers)
    for n in (1, 2, 5, 60, 120):
        d, c = difference[:n], customers[:n]
        of_customer = [(d[c == one] - d.mean()).sum() for one in np.unique(c)]
        factor = len(of_customer) / max(len(of_customer) - 1, 1)
        assert sums.total[n - 1] == pytest.approx(d.sum())
        assert sums.customers[n - 1] == len(of_customer)
        assert sums.variance[n - 1] == pytest.approx(factor * np.square(of_customer).sum(), abs=1e-12)


@pytest.mark.parametrize(
    ("orders", "customers"), [(FEWEST_ORDERS - 1, 300), (2_000, FEWEST_CUSTOMERS - 1)], ids=["orders", "customers"]
)
def test_few_orders_or_customers_are_no_evidence(orders: int, customers: int) -> None:
    difference, customer = differences(orders, 1.0, customers=customers)
    found = paired_loss_evidence(difference, customer)
    assert found.finding is Finding.NO_EVIDENCE
    assert found.missing != 0
    assert "are missing" in found.sentence


def test_no_order_at_all_is_no_evidence_and_says_how_many_are_missing() -> None:
    found = paired_loss_evidence(np.array([]), np.array([]))
    assert (found.finding, found.n, found.difference) == (Finding.NO_EVIDENCE, 0, None)
    assert found.missing == missing_orders(0.0, 0.2, 0)
    assert "nothing observed yet" in found.sentence


@pytest.mark.parametrize(
    ("mean", "orders", "expected"),
    [
        (0.0, 300, Finding.NO_EVIDENCE),
        (0.0, 1_500, Finding.NOT_WORSE),
        (-0.05, 200, Finding.NOT_WORSE),
        (0.06, 200, Finding.WORSE),
        (0.015, 4_000, Finding.WORSE),
    ],
)
def test_the_paired_loss_finds(mean: float, orders: int, expected: Finding) -> None:
    found = paired_loss_evidence(*differences(orders, mean))
    assert found.finding is expected
    assert f"on {orders:,} orders" in found.sentence
    assert "boundary" in found.sentence


def test_models_that_answer_alike_are_not_worse_as_soon_as_there_are_orders_enough() -> None:
    assert paired_loss_evidence(np.zeros(60), np.arange(60)).finding is Finding.NOT_WORSE


def test_a_model_without_a_probability_for_what_was_bought_is_named() -> None:
    with pytest.raises(ValueError, match="order 2 of 3: the difference of log losses is inf"):
        paired_loss_evidence(np.array([0.0, np.inf, 0.0]), np.arange(3))


def test_the_missing_orders_suffice_if_the_models_are_equal() -> None:
    difference, customers = differences(300, 0.0)
    found = paired_loss_evidence(difference, customers)
    assert found.missing
    later = np.concatenate([difference, np.zeros(found.missing)])
    fresh = np.concatenate([customers, 1_000 + np.arange(found.missing)])
    assert paired_loss_evidence(later, fresh).finding is Finding.NOT_WORSE


def test_missing_orders_grow_with_the_deviation_and_end_at_a_limit() -> None:
    few, many = missing_orders(0.0, 0.1, 0), missing_orders(0.0, 0.4, 0)
    assert few
    assert many
    assert few < many
    assert missing_orders(0.0, 100.0, 0) is None


@pytest.mark.parametrize(
    ("mean", "which", "allowed"), [(QUALITY.tolerated, 0, QUALITY.error), (QUALITY.margin, 1, 0.05)]
)
def test_looking_after_every_order_errs_no_more_than_is_allowed(mean: float, which: int, allowed: float) -> None:
    """400 rollouts at the edge of the null hypothesis, with heavy tails and customers of very different activity."""
    rng = np.random.default_rng(16)
    needed = (QUALITY.needed_for_worse, QUALITY.needed_for_not_worse)[which]
    errors, rollouts = 0, 400
    for _ in range(rollouts):
        activity = rng.gamma(1.5, 1.0, 400)
        customers = rng.choice(400, 2_000, p=activity / activity.sum())
        own = rng.normal(size=400)[customers]
        difference = mean + 0.2 * (0.2 * own + np.sqrt(0.96 * 0.6) * rng.standard_t(5, 2_000))
        errors += bool((evidence_over_time(running_sums(difference, customers))[which] >= needed).any())
    assert errors <= allowed * rollouts + 2.0 * np.sqrt(allowed * rollouts)


def test_a_customer_counts_once_in_a_tick() -> None:
    customers = np.array(["a", "a", "a", "b", "c"])
    assert by_customer(customers, np.array([True, True, False, False, True])) == (3, 2)


@given(
    b=st.floats(0.001, 0.9),
    more=st.floats(0.0, 0.09),
    margin=st.floats(0.0, 0.01),
    n_a=st.integers(1, 500),
    n_b=st.integers(1, 5_000),
    q=st.floats(0.0, 1.0),
    below=st.floats(0.0, 1.0),
)
def test_the_evidence_of_a_tick_is_expected_to_be_at_most_one_under_the_null(
    b, more, margin, n_a, n_b, q, below
) -> None:
    """Exactly, by the generating function: for each pair of rates whose difference is at most the margin."""
    a = b + margin + more
    x = float(nearest_null(np.array(a), np.array(b), np.array(float(n_a)), np.array(float(n_b)), margin))
    y = x + margin
    p_b, p_a = q, min(q + margin, 1.0) * below
    expected_a = p_a * a / y + (1.0 - p_a) * (1.0 - a) / (1.0 - y)
    expected_b = p_b * b / x + (1.0 - p_b) * (1.0 - b) / (1.0 - x)
    assert n_a * np.log(max(expected_a, 1e-300)) + n_b * np.log(max(expected_b, 1e-300)) <= 1e-6


@pytest.mark.parametrize(
    ("rule", "tick", "expected"),
    [
        (ERRORS, Tick(500, 10, 4_500, 5), Finding.WORSE),
        (ERRORS, Tick(500, 1, 4_500, 5), Finding.NOT_WORSE),
        (ERRORS, Tick(40, 0, 400, 0), Finding.NO_EVIDENCE),
        (INVALID, Tick(30, 10, 300, 0), Finding.WORSE),
        (SLOW, Tick(500, 150, 4_500, 230), Finding.WORSE),
        (SLOW, Tick(500, 25, 4_500, 230), Finding.NOT_WORSE),
        (SLOW, Tick(500, 400, 4_500, 3_600), Finding.NO_EVIDENCE),
        (ERRORS, Tick(500, 250, 500, 250), Finding.NO_EVIDENCE),
    ],
    ids=["errors", "equal", "few", "invalid", "doubled", "as slow", "both slow", "outage"],
)
def test_rates_find(rule, tick, expected) -> None:
    found = rate_evidence([tick], rule)
    assert found.finding is expected
    assert (found.missing == 0) == (expected is not Finding.NO_EVIDENCE)


@pytest.mark.parametrize("tick", [Tick(0, 0, 500, 10), Tick(20, 20, 0, 0)], ids=["challenger", "champion"])
def test_a_side_without_customers_is_no_evidence(tick) -> None:
    found = rate_evidence([tick], ERRORS)
    assert (found.finding, found.difference) == (Finding.NO_EVIDENCE, None)
    assert found.missing


def test_the_missing_customers_suffice_if_the_models_are_equal() -> None:
    few = rate_evidence([Tick(40, 2, 400, 20)], SLOW)
    assert few.missing
    later = Tick(few.missing, round(0.05 * few.missing), 10 * few.missing, round(0.5 * few.missing))
    assert rate_evidence([Tick(40, 2, 400, 20), later], SLOW).missing in range(30)


def test_an_outage_of_both_is_no_evidence_against_the_challenger() -> None:
    ticks = [Tick(20, 0, 180, 0)] * 10 + [Tick(20, 10, 180, 90)] * 3 + [Tick(20, 0, 180, 0)] * 10
    worse, _ = rates_over_time(ticks, ERRORS)
    assert worse.max() < ERRORS.needed_for_worse


def test_a_tick_counts_no_more_bad_than_seen() -> None:
    with pytest.raises(ValueError, match="tick of the champion: 4 of 3 customers"):
        Tick(1, 0, 3, 4)


@pytest.mark.parametrize(
    ("splits", "mismatch"),
    [
        ([], False),
        ([Split(0.1, 100, 900)], False),
        ([Split(0.1, 90, 910), Split(0.5, 260, 240)], False),
        ([Split(0.1, 40, 960)], True),
        ([Split(0.5, 400, 600)], True),
        ([Split(0.5, 0, 60)], True),
    ],
)
def test_a_split_that_is_not_the_declared_one_is_found(splits, mismatch) -> None:
    found = sample_ratio(splits)
    assert found.mismatch is mismatch
    assert ("not as declared" in found.sentence) is mismatch


def test_looking_at_the_sample_ratio_after_each_customer_errs_rarely() -> None:
    rng = np.random.default_rng(5)
    looks = np.unique(np.geomspace(1, 2_000, 60).astype(int))
    wrong = 0
    for _ in range(300):
        challenger = np.cumsum(rng.random(2_000) < 0.1)
        wrong += any(
            sample_ratio([Split(0.1, int(challenger[n - 1]), int(n - challenger[n - 1]))]).mismatch for n in looks
        )
    assert wrong <= 6


CUSTOMERS = [f"C{number:05d}" for number in range(10_000)]


def test_customers_are_split_evenly_and_stay_on_the_canary_when_it_grows() -> None:
    canary = {one for one in CUSTOMERS if is_on_challenger("abc", one, 0.1)}
    half = {one for one in CUSTOMERS if is_on_challenger("abc", one, 0.5)}
    assert canary < half
    assert len(canary) == pytest.approx(1_000, abs=100)
    assert len(half) == pytest.approx(5_000, abs=200)


def test_a_customer_is_on_the_same_side_for_ever() -> None:
    on = [one for one in CUSTOMERS[:40] if is_on_challenger("3f2a", one, 0.1)]
    assert on == [one for one in CUSTOMERS[:40] if is_on_challenger("3f2a", one, 0.1)]
    assert on == ["C00004", "C00005", "C00007", "C00012", "C00016", "C00026"]


def test_experiments_split_independently() -> None:
    both = sum(is_on_challenger("a", one, 0.5) and is_on_challenger("b", one, 0.5) for one in CUSTOMERS)
    assert both == pytest.approx(2_500, abs=150)


@given(share=st.floats(0.0, 1.0), larger=st.floats(0.0, 1.0), customer=st.text())
def test_a_larger_share_takes_nobody_off_the_challenger(share, larger, customer) -> None:
    low, high = sorted((share, larger))
    assert is_on_challenger("x", customer, low) <= is_on_challenger("x", customer, high)


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share 1\.5 of customers is not between 0 and 1"):
        is_on_challenger("x", "C1", 1.5)
