"""The history oracle: the reference filter's numbers, brute force on tiny chains, and the rule of earlier business dates."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from simulator import Scenario, Simulation, continue_chain, history_oracle, oracle, simulate
from simulator.choice import softmax
from simulator.parameters import FloatArray


def mean_loss(probabilities: FloatArray, chain: Simulation) -> float:
    bought = chain.orders["main_product"].to_numpy()
    return float(-np.log(probabilities[np.arange(len(bought)), bought]).mean())


def test_orders_as_they_come_give_the_numbers_of_the_reference_filter() -> None:
    """Pinned from the reference simulator's `bayes_filter_full(simulate(1500, 150, 7), M=3000)`."""
    predicted = history_oracle(simulate(1500, 150, 7), 3000, customers=[3, 17], as_orders_come=True)
    assert predicted[6] == pytest.approx([0.118903, 0.184715, 0.213853, 0.164078, 0.155563, 0.162888], abs=2e-6)
    assert predicted[1134] == pytest.approx([0.148312, 0.165071, 0.233794, 0.277165, 0.06002, 0.115638], abs=2e-6)
    assert predicted[1223] == pytest.approx([0.053503, 0.312948, 0.118431, 0.135971, 0.239085, 0.140062], abs=2e-6)


def test_only_the_customers_requested_are_predicted() -> None:
    chain = simulate(60, 10, 3)
    predicted = history_oracle(chain, 50, customers=[2])
    of_two = (chain.orders["customer"] == 2).to_numpy()
    assert np.isfinite(predicted[of_two]).all()
    assert np.isnan(predicted[~of_two]).all()


def test_a_tiny_chain_gives_what_brute_force_gives() -> None:
    chain = simulate(24, 3, 5, start=date(2023, 5, 1), end=date(2023, 5, 20))
    predicted = history_oracle(chain, particles=50, seed=4)
    assert predicted == pytest.approx(brute_force(chain, 50, 4), abs=1e-5)


def brute_force(chain: Simulation, particles: int, seed: int) -> FloatArray:
    """The same posterior, one order and one particle at a time, in plain words."""
    known, rng = chain.parameters, np.random.default_rng(seed)
    segments = rng.choice(len(known.segments), particles, p=known.segment_share)
    tastes = known.segment_taste[segments] + known.taste_deviation * rng.standard_normal((particles, 6))
    predicted = np.zeros(chain.probabilities.shape)
    for _, orders in chain.orders.groupby("customer"):
        for row in orders.index:
            earlier = orders.index[orders["day"] < orders.loc[row, "day"]]
            same_day = [r for r in orders.index if r < row and orders.loc[r, "day"] == orders.loc[row, "day"]]
            utility = chain.utility_without_taste[row].copy()
            gap = np.zeros(6)
            for other in same_day:
                bought = np.eye(6)[orders.loc[other, "main_product"]]
                gap = known.habit_decay * gap + (1 - known.habit_decay) * (bought - predicted[other])
            utility -= known.habit_strength * gap
            weights = np.empty(particles)
            for p in range(particles):
                weights[p] = np.log(known.segment_daypart[segments[p], orders.loc[row, "daypart"]])
                weights[p] += sum(log_likelihood(chain, r, tastes[p], segments[p]) for r in earlier)
            weights = np.exp(weights - weights.max())
            choices = np.array([softmax(utility + taste) for taste in tastes])
            predicted[row] = weights @ choices / weights.sum()
    return predicted


def log_likelihood(chain: Simulation, row: int, taste: FloatArray, segment: int) -> float:
    known, order = chain.parameters, chain.orders.loc[row]
    utility = chain.utility_without_taste[row] + taste
    basket = chain.lines[chain.lines["order"] == row].sort_values("line")["product"].tolist()
    add_on, wanted = known.segment_add_on[segment], len(basket) - 1
    likely = softmax(utility)[basket[0]] * known.segment_daypart[segment, order["daypart"]]
    likely *= [(1 - add_on) ** 2, 2 * add_on * (1 - add_on), add_on**2][wanted]
    attraction = known.add_on_utility_weight * utility
    attraction = attraction + known.add_on_affinity_weight * known.add_on_affinity[basket[0]]
    left = [product for product in range(6) if product != basket[0]]
    for product in basket[1:]:
        likely *= np.exp(attraction[product]) / np.exp(attraction[left]).sum()
        left.remove(product)
    return float(np.log(likely))


def test_an_order_reveals_nothing_about_others_of_its_day() -> None:
    chain = simulate(60, 1, 3, start=date(2023, 5, 1), end=date(2023, 5, 10))
    last_day = (chain.orders["day"] == chain.orders["day"].max()).to_numpy()
    first_of_day = int(np.flatnonzero(last_day)[0])
    bought = chain.orders["main_product"].to_numpy().copy()
    bought[last_day] = (bought[last_day] + 1) % 6
    otherwise = replace(chain, orders=chain.orders.assign(main_product=bought))
    assert history_oracle(chain, 100)[first_of_day] == pytest.approx(history_oracle(otherwise, 100)[first_of_day])


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = simulate(200, 2, 3)
    whole = history_oracle(chain, 200)
    monkeypatch.setattr(oracle, "ORDERS_AT_ONCE", 7)
    assert history_oracle(chain, 200) == pytest.approx(whole, abs=1e-5)


def test_the_oracle_lies_between_popularity_and_the_truth() -> None:
    chain = simulate(2000, 100, 7)
    popular = np.tile(np.bincount(chain.orders["main_product"]) / len(chain.orders), (len(chain.orders), 1))
    predicted = history_oracle(chain, 1000)
    assert mean_loss(chain.probabilities, chain) < mean_loss(predicted, chain) < mean_loss(popular, chain)


def test_any_number_of_products_will_do() -> None:
    for products in (1, 2, 9):
        predicted = history_oracle(simulate(60, 10, 3, products=products), 20)
        assert predicted.sum(axis=1) == pytest.approx(np.ones(60))


def test_a_continued_chain_is_refused() -> None:
    further = continue_chain(simulate(50, 5, 3).truth, Scenario.NONE, date(2024, 1, 1), date(2024, 1, 9), 10)
    with pytest.raises(ValueError, match="from its first order on"):
        history_oracle(further, 10)
