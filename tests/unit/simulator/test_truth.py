"""True preferences, and their way through files. Not here: how orders come about."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from simulator import Simulation, Truth, simulate

SUMMER, NEW_YEAR = date(2024, 7, 10), date(2024, 1, 1)


@pytest.fixture(scope="module")
def chain() -> Simulation:
    return simulate(orders=600, customers=1_000, seed=11)


def expected_preferences(chain: Simulation, row: int, season: int, weather: int, holiday: bool) -> np.ndarray:
    """The definition written out for the USA after the end of the span, one daypart after the other."""
    p, truth = chain.parameters, chain.truth
    days = (chain.arguments.end - chain.arguments.start).days + 1
    total = np.zeros(6)
    for daypart in range(4):
        utility = p.base + p.unit_effect[0] + p.season_strength[0] * p.season_effect[season] + p.weather_effect[weather]
        utility = utility + p.daypart_effect[daypart] + holiday * p.holiday_effect + p.trend_effect * (days - 1) / days
        weight = np.exp(utility + truth.taste[row] + p.habit_strength * truth.habit[row])
        total += p.segment_daypart[truth.segment[row], daypart] * weight / weight.sum()
    return total


@pytest.mark.parametrize(
    ("day", "weather", "season", "code", "holiday"),
    [(SUMMER, "Sunny", 2, 0, False), (NEW_YEAR, "Snowy", 0, 2, True)],
)
def test_true_preferences_follow_their_definition(
    chain: Simulation, day: date, weather: str, season: int, code: int, holiday: bool
) -> None:
    for row in (0, int(chain.truth.order_count.argmax()), int(chain.truth.order_count.argmin())):
        preferences = chain.truth.true_preferences(f"C{row + 1:04d}", "BU_US", day, weather)
        assert list(preferences) == ["P001", "P002", "P003", "P004", "P005", "P006"]
        assert sum(preferences.values()) == pytest.approx(1.0)
        expected = expected_preferences(chain, row, season, code, holiday)
        np.testing.assert_allclose(list(preferences.values()), expected, rtol=1e-12)


def test_the_habit_is_the_one_after_the_last_order(chain: Simulation) -> None:
    for row in range(50):
        habit = np.zeros(6)
        mine = chain.orders[chain.orders["customer"] == row].sort_values("visit")
        for product in mine["main_product"]:
            habit *= 0.7
            habit[product] += 0.3
        np.testing.assert_allclose(chain.truth.habit[row], habit, atol=1e-12)


def test_the_trend_stands_still_outside_the_span(chain: Simulation) -> None:
    answers = [
        chain.truth.true_preferences("C0005", "BU_CA", date(year, 5, 7), "Rainy") for year in (2024, 2060, 1990, 2021)
    ]
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
    assert answers[0] != answers[2]


def test_true_preferences_are_the_same_after_reload(chain: Simulation, tmp_path: Path) -> None:
    chain.truth.save(tmp_path)
    loaded = Truth.load(tmp_path)
    assert loaded.arguments == chain.arguments
    assert loaded.parameters.as_json() == chain.parameters.as_json()
    for name in ("segment", "home", "joined", "order_count", "taste", "habit"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(chain.truth, name))
    for customer, unit, weather in (("C0001", "BU_MX", "Cloudy"), ("C1000", "BU_US", "Rainy")):
        arguments = (customer, unit, date(2023, 10, 31), weather)
        assert loaded.true_preferences(*arguments) == chain.truth.true_preferences(*arguments)


@pytest.mark.parametrize(
    ("customer", "unit", "weather", "message"),
    [
        ("C9999", "BU_US", "Sunny", "customer 'C9999' is not part .* C0001"),
        ("C0001", "BU_FR", "Sunny", "business unit 'BU_FR' is not part .* BU_US, BU_CA, BU_MX"),
        ("C0001", "BU_US", "Foggy", "weather 'Foggy' is not part .* Sunny, Rainy, Snowy, Cloudy"),
    ],
)
def test_the_unknown_is_refused_by_name(
    chain: Simulation, customer: str, unit: str, weather: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        chain.truth.true_preferences(customer, unit, SUMMER, weather)


def test_a_folder_without_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no simulation's truth here"):
        Truth.load(tmp_path)
