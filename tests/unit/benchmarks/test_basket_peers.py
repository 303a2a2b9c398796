"""The peers' formulas, by examples computed by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks.model.basket_peers import (
    GP_TOPFREQ,
    TIFU_KNN,
    UP_CF,
    Histories,
    Question,
    asymmetric_similarity,
    basket_rankings,
    latest,
    neighbour_means,
    own_frequency,
    temporal_frequencies,
    tifu_weight,
    user_popularity,
)
from benchmarks.model.chains import case
from benchmarks.model.habit_peers import LAST_AND_SHARES, OWN_SHARES, fitted_habit, habits
from globolatte_ml.model.priors import CONCENTRATIONS

A, B, C = np.eye(3)


@pytest.fixture(scope="module")
def histories() -> Histories:
    """Customer 0 bought a, ab, c; customer 1 a; customer 2 c, c: in that time order of the chain."""
    customers = np.array([0, 2, 0, 1, 0, 2])
    return Histories(customers, csr_matrix(np.array([A, C, A + B, A, C, C])))


def ask(histories: Histories, customers: list[int], length: list[int], known: list[int]) -> Question:
    return Question(histories, np.array(customers), np.array(length), np.array(known))


def test_frequencies_count_the_baskets_before(histories):
    found = histories.vectors(np.array([0, 0, 1, 2]), np.array([2, 3, 0, 1]), own_frequency)
    assert found.toarray().tolist() == [[2, 1, 0], [2, 1, 1], [0, 0, 0], [0, 0, 1]]


def test_tifu_decays_within_and_between_groups(histories):
    found = histories.vectors(np.array([0]), np.array([3]), tifu_weight(2, 0.9, 0.5)).toarray()[0]
    # groups of two from the latest: (ab, c) = (0.9 ab + c) / 2, and (a) decayed by 0.5; their mean
    np.testing.assert_allclose(found, (((0.9 * (A + B) + C) / 2) + 0.5 * A) / 2)


def test_user_popularity_is_the_share_of_the_latest_baskets(histories):
    found = histories.vectors(np.array([0, 1]), np.array([3, 1]), latest(2)).toarray()
    np.testing.assert_allclose(found, [(A + B + C) / 2, A])


def test_neighbours_are_the_nearest_and_never_the_customer_itself():
    others = csr_matrix(np.array([A, A + 0.1 * B, 2 * C]))
    found = neighbour_means(csr_matrix(np.array([A, A])), others, np.array([0, -1]), 1)
    np.testing.assert_allclose(found, [A + 0.1 * B, A])
    both = neighbour_means(csr_matrix(np.array([A])), others, np.array([0]), 2)
    np.testing.assert_allclose(both, [(A + 0.1 * B + 2 * C) / 2])


def test_tifu_mixes_own_and_neighbours(histories):
    question = ask(histories, [1], [1], [0, 1, 2])
    ((_, found),) = temporal_frequencies(question, ((7.0, 1.0, 1.0, 1.0, 0.7),))
    np.testing.assert_allclose(found, [0.7 * A + 0.3 * C])


def test_similarity_is_the_asymmetric_cosine():
    found = asymmetric_similarity(csr_matrix(np.array([A + B])), csr_matrix(np.array([A, A + B + C])), 0.25)
    np.testing.assert_allclose(found, [[1 / (2**0.25 * 1), 2 / (2**0.25 * 3**0.75)]])


def test_upcf_adds_similar_customers_to_ones_own(histories):
    question = ask(histories, [1], [1], [2, 1, 2])
    ((_, found),) = user_popularity(question, ((5.0, 0.5, 2.0),))
    # customer 0 has bought a, b in two baskets (similarity 1 / sqrt(2)), customer 2 has nothing in common
    np.testing.assert_allclose(found, [A + 0.5 * (A + 0.5 * B)])


@pytest.fixture(scope="module")
def chain():
    return case("published", 500, 30, 5)


def test_rankings_know_nothing_of_the_holdout_but_its_customers_past(chain):
    from dataclasses import replace

    snapshot, holdout = chain.snapshot, chain.snapshot.holdout
    last = np.flatnonzero(holdout)[-1]
    y, baskets = snapshot.y.copy(), chain.baskets.tolil()
    y[last] = next(product for product in snapshot.products if product != y[last])
    baskets[last] = 1.0
    found = basket_rankings(snapshot, holdout, chain.baskets)
    again = basket_rankings(replace(snapshot, y=y), holdout, baskets.tocsr())
    assert set(found) == {GP_TOPFREQ, TIFU_KNN, UP_CF}
    for name, scores in found.items():
        assert scores.shape == (holdout.sum(), 6)
        np.testing.assert_array_equal(scores, again[name], err_msg=name)


def test_own_shares_have_the_constants_of_the_highest_likelihood(chain):
    snapshot, past = chain.snapshot, ~chain.snapshot.holdout
    popularity = np.bincount(snapshot.chosen[past], minlength=6) / past.sum()
    strength, weight = fitted_habit(snapshot, past, popularity, [0.0, 0.3])
    found = {}
    for s in CONCENTRATIONS:
        for w in (0.0, 0.3):
            total = 0.0
            for row in np.flatnonzero(past):
                counts, last = snapshot.states.main_orders[row], snapshot.states.recent_products[row, 0]
                shares = (counts + s * popularity) / (counts.sum() + s)
                mixed = shares if last < 0 else (1 - w) * shares + w * np.eye(6)[last]
                total += np.log(mixed[snapshot.chosen[row]])
            found[float(s), w] = total
    assert (strength, weight) == max(found, key=lambda one: found[one])


def test_habits_are_distributions_and_popularity_where_nothing_is_known(chain):
    snapshot = chain.snapshot
    nobody = np.flatnonzero(snapshot.states.order_count == 0)[-1]
    holdout = np.zeros(len(snapshot), bool)
    holdout[[nobody, len(snapshot) - 1]] = True
    for name, found in habits(snapshot, holdout).items():
        assert name in (OWN_SHARES, LAST_AND_SHARES)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
    popularity = (np.bincount(snapshot.chosen[~holdout], minlength=6) + 1) / ((~holdout).sum() + 6)
    np.testing.assert_allclose(found[0], popularity)
