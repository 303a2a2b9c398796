"""The simulated chain: determinism, edge cases, and choices that follow the true probabilities. Not here: files."""

from datetime import date

import numpy as np
import pytest

from simulator import Simulation, simulate
from simulator.parameters import FloatArray, IntArray


@pytest.fixture(scope="module")
def reference() -> Simulation:
    return simulate()


def largest_z_score(main_product: IntArray, probabilities: FloatArray) -> float:
    """Largest deviation, in standard errors, of what was bought from what was probable.

    Per product, overall and within each tenth of its probability: the sum of (bought - probability) is a sum of
    martingale differences, whose variance is the sum of probability * (1 - probability).
    """
    largest = 0.0
    for product in range(probabilities.shape[1]):
        probability = probabilities[:, product]
        bought = main_product == product
        tenth = np.searchsorted(np.quantile(probability, np.linspace(0.1, 0.9, 9)), probability)
        for rows in [np.ones(len(bought), dtype=bool), *(tenth == number for number in range(10))]:
            error = np.sqrt((probability[rows] * (1 - probability[rows])).sum())
            largest = max(largest, abs((bought[rows] - probability[rows]).sum()) / error)
    return max(largest, abs(log_loss_z_score(main_product, probabilities)))


def log_loss_z_score(main_product: IntArray, probabilities: FloatArray) -> float:
    """Deviation, in standard errors, of the log loss from the entropy; it sees choices too random or too certain."""
    surprise = -np.log(probabilities)
    entropy = (probabilities * surprise).sum(axis=1)
    variance = (probabilities * surprise**2).sum(axis=1) - entropy**2
    bought = surprise[np.arange(len(main_product)), main_product]
    return float((bought - entropy).sum() / np.sqrt(variance.sum()))


def test_main_products_are_drawn_from_the_true_probabilities(reference: Simulation) -> None:
    # 67 scores: the largest of as many standard normal ones exceeds 4.5 with a chance below 0.0005
    assert largest_z_score(reference.orders["main_product"].to_numpy(), reference.probabilities) < 4.5


def test_the_calibration_bound_sees_slightly_wrong_probabilities(reference: Simulation) -> None:
    main = reference.orders["main_product"].to_numpy()
    for exponent in (0.85, 1.15):
        wrong = reference.probabilities**exponent
        assert largest_z_score(main, wrong / wrong.sum(axis=1, keepdims=True)) > 4.5
    assert largest_z_score(main, np.roll(reference.probabilities, 1, axis=0)) > 4.5


def test_probabilities_sum_to_one(reference: Simulation) -> None:
    np.testing.assert_allclose(reference.probabilities.sum(axis=1), 1.0, atol=1e-12)
    assert (reference.probabilities > 0).all()


def test_the_published_chain_keeps_its_statistics(reference: Simulation) -> None:
    """Values of the reference simulator at 10,000 orders, 1,000 customers, seed 7; tolerances allow other streams."""
    main = reference.orders["main_product"].to_numpy()
    frequency = np.bincount(main, minlength=6) / len(main)
    np.testing.assert_allclose(frequency, [0.257, 0.210, 0.168, 0.155, 0.091, 0.121], atol=0.03)
    log_loss = -np.log(reference.probabilities[np.arange(len(main)), main]).mean()
    assert log_loss == pytest.approx(1.122, abs=0.05)
    assert -np.log(frequency[main]).mean() == pytest.approx(1.737, abs=0.03)
    assert len(reference.lines) / len(main) == pytest.approx(1.637, abs=0.03)


def test_equal_arguments_give_equal_simulations() -> None:
    first, again, other = (simulate(300, 40, seed) for seed in (5, 5, 6))
    assert first.orders.equals(again.orders)
    assert first.lines.equals(again.lines)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert not first.orders.equals(other.orders)


def test_orders_are_in_time_order_and_a_customers_visits_in_sequence(reference: Simulation) -> None:
    orders = reference.orders
    assert orders["ordered_at"].is_monotonic_increasing
    visits = orders.groupby("customer")["visit"]
    assert (visits.cumcount() == orders["visit"]).all()
    assert orders["customer"].nunique() == 1_000


def test_lines_follow_their_orders_main_product_first(reference: Simulation) -> None:
    lines, orders = reference.lines, reference.orders
    assert lines["order"].is_monotonic_increasing
    assert (lines.groupby("order").cumcount() == lines["line"]).all()
    main = lines[lines["line"] == 0]
    assert (main["product"].to_numpy() == orders["main_product"].to_numpy()).all()
    assert (lines.groupby("order").size().to_numpy() == orders["items"].to_numpy()).all()
    assert not lines.duplicated(["order", "product"]).any()


def test_hours_belong_to_their_dayparts(reference: Simulation) -> None:
    hours = reference.orders["ordered_at"].dt.hour
    expected = np.searchsorted([11, 14, 18], hours, side="right")
    assert (expected == reference.orders["daypart"]).all()


def test_seasons_are_meteorological(reference: Simulation) -> None:
    season = {
        month: code for code, group in enumerate([(12, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]) for month in group
    }
    assert (reference.orders["ordered_at"].dt.month.map(season) == reference.orders["season"]).all()


def test_habit_makes_a_product_more_probable_next_time(reference: Simulation) -> None:
    """Context differs between visits, so compare with the same choice without habit, over all second visits."""
    by_customer = reference.orders.sort_values(["customer", "visit"])
    second = by_customer[by_customer["visit"] == 1]
    first = by_customer.groupby("customer")["main_product"].first().loc[second["customer"]].to_numpy()
    taste = reference.truth.taste[second["customer"]]
    utility = reference.utility_without_taste[second.index] + taste
    without = utility.copy()
    without[np.arange(len(first)), first] -= 0.3  # habit_strength * (1 - habit_decay)
    chance = np.exp(without) / np.exp(without).sum(axis=1, keepdims=True)
    rows = np.arange(len(first))
    gained = reference.probabilities[second.index][rows, first] - chance[rows, first]
    assert (gained > 0).all()
    np.testing.assert_allclose(  # odds against every other product grow by exactly e^0.3
        np.log(reference.probabilities[second.index][rows, first] / chance[rows, first])
        - np.log((1 - reference.probabilities[second.index][rows, first]) / (1 - chance[rows, first])),
        0.3,
        atol=1e-6,
    )


def test_one_product() -> None:
    chain = simulate(orders=50, customers=10, products=1)
    assert len(chain.lines) == 50
    np.testing.assert_array_equal(chain.probabilities, np.ones((50, 1)))


def test_two_products_leave_room_for_one_add_on() -> None:
    chain = simulate(orders=400, customers=20, products=2)
    assert chain.orders["items"].max() == 2
    assert not chain.lines.duplicated(["order", "product"]).any()


def test_nine_products_and_fifty_customers() -> None:
    chain = simulate(orders=2_000, customers=50, products=9)
    assert set(chain.orders["main_product"]) == set(range(9))
    np.testing.assert_allclose(chain.probabilities.sum(axis=1), 1.0, atol=1e-12)
    assert largest_z_score(chain.orders["main_product"].to_numpy(), chain.probabilities) < 4.5


def test_a_single_day() -> None:
    chain = simulate(orders=100, customers=30, start=date(2024, 2, 29), end=date(2024, 2, 29))
    assert set(chain.orders["ordered_at"].dt.date) == {date(2024, 2, 29)}
    assert chain.orders["customer"].nunique() == 30


def test_fewer_orders_than_customers_leave_some_without() -> None:
    chain = simulate(orders=30, customers=100)
    assert len(chain.orders) == 30
    assert (chain.truth.order_count == 0).sum() >= 70
    assert not chain.truth.habit[chain.truth.order_count == 0].any()


def test_one_order_of_one_customer() -> None:
    assert len(simulate(orders=1, customers=1).orders) == 1


@pytest.mark.parametrize(
    ("start", "end"), [(date(2019, 12, 30), date(2020, 1, 2)), (date(1998, 3, 1), date(2031, 7, 4))]
)
def test_any_span(start: date, end: date) -> None:
    chain = simulate(orders=500, customers=50, start=start, end=end)
    dates = chain.orders["ordered_at"].dt.date
    assert dates.min() >= start
    assert dates.max() <= end
    assert (chain.orders["trend"] < 1).all()


def test_holidays_of_every_year_and_country_are_known() -> None:
    orders = simulate(orders=20_000, customers=50, start=date(2019, 12, 30), end=date(2021, 1, 10)).orders
    on = orders["ordered_at"].dt.strftime("%Y-%m-%d")
    new_year = orders[on.isin(["2020-01-01", "2021-01-01"])]
    assert len(new_year) > 20
    assert new_year["is_holiday"].all()
    assert not orders[on == "2020-01-08"]["is_holiday"].any()
    by_unit = orders[on == "2020-07-01"].groupby("business_unit")["is_holiday"].all()  # Canada Day
    assert by_unit.to_dict() == {0: False, 1: True, 2: False}


def test_it_never_snows_in_mexico_nor_in_july(reference: Simulation) -> None:
    snowy = reference.orders[reference.orders["weather"] == 2]
    assert len(snowy) > 100
    assert 2 not in set(snowy["business_unit"])
    assert 7 not in set(snowy["ordered_at"].dt.month)
