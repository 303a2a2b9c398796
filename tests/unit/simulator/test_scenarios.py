"""Chains that go on: what stays, what each scenario changes, and the files of further days. Not here: how fast it is found."""

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulator import Scenario, Simulation, Truth, continue_chain, continue_into, simulate, write
from simulator.parameters import WEATHERS

START, END = date(2024, 1, 1), date(2024, 6, 30)


@pytest.fixture(scope="module")
def chain() -> Simulation:
    return simulate(4000, 400, 7)


def further(chain: Simulation, scenario: Scenario, seed: int = 1) -> Simulation:
    return continue_chain(chain.truth, scenario, START, END, 4000, seed)


def shares(simulation: Simulation, column: str = "main_product") -> pd.Series:
    return simulation.orders[column].value_counts(normalize=True).sort_index()


def test_nothing_changes_without_a_scenario(chain: Simulation) -> None:
    stationary = further(chain, Scenario.NONE)
    same_time_of_year = chain.orders[pd.DatetimeIndex(chain.orders["ordered_at"]).month <= 6]
    before = same_time_of_year["main_product"].value_counts(normalize=True).sort_index()
    assert shares(stationary).to_numpy() == pytest.approx(before.to_numpy(), abs=0.05)
    assert (stationary.truth.taste == chain.truth.taste).all()
    assert stationary.truth.order_total == 8000
    assert stationary.days[0] == np.datetime64(START)


def test_equal_seeds_give_equal_days(chain: Simulation) -> None:
    pd.testing.assert_frame_equal(further(chain, Scenario.NONE).orders, further(chain, Scenario.NONE).orders)
    assert not further(chain, Scenario.NONE, seed=2).orders.equals(further(chain, Scenario.NONE).orders)


def test_habits_go_on_where_they_were(chain: Simulation) -> None:
    forgetful = replace(chain.truth, habit=np.zeros_like(chain.truth.habit))
    days = (Scenario.NONE, START, END, 300)
    usual, without = continue_chain(chain.truth, *days), continue_chain(forgetful, *days)
    first = (~usual.orders["customer"].duplicated()).to_numpy()
    of_habit = (usual.utility_without_taste - without.utility_without_taste)[first]
    expected = chain.parameters.habit_strength * chain.truth.habit[usual.orders["customer"][first]]
    assert of_habit == pytest.approx(expected)


def test_a_launch_adds_a_product_that_many_want(chain: Simulation) -> None:
    launch = further(chain, Scenario.PRODUCT_LAUNCH)
    assert len(launch.parameters.products) == len(chain.parameters.products) + 1
    assert shares(launch)[6] > 0.1
    assert launch.truth.taste.shape == launch.truth.habit.shape == (400, 7)


def test_a_taste_shift_moves_customers_to_cold_drinks(chain: Simulation) -> None:
    shifted = further(chain, Scenario.TASTE_SHIFT)
    assert shares(shifted)[[2, 3]].sum() > shares(further(chain, Scenario.NONE))[[2, 3]].sum() + 0.1
    moved = (shifted.truth.taste != chain.truth.taste).any(axis=1).mean()
    assert 0.55 < moved < 0.8


def test_a_weather_shift_brings_rain(chain: Simulation) -> None:
    rainy = WEATHERS.index("Rainy")
    assert shares(further(chain, Scenario.WEATHER_SHIFT), "weather")[rainy] > 0.5
    assert shares(further(chain, Scenario.NONE), "weather")[rainy] < 0.3


def test_a_broken_upstream_changes_files_and_nobodys_wishes(chain: Simulation) -> None:
    broken = further(chain, Scenario.BROKEN_UPSTREAM)
    pd.testing.assert_frame_equal(broken.orders, further(chain, Scenario.NONE).orders)
    assert broken.blanks is not None
    assert 0.3 < (broken.blanks > 0).mean() < 0.7


def test_a_continued_chain_can_be_continued(chain: Simulation) -> None:
    launch = continue_chain(chain.truth, Scenario.PRODUCT_LAUNCH, START, date(2024, 1, 31))
    again = continue_chain(launch.truth, Scenario.PRODUCT_LAUNCH, date(2024, 2, 1), date(2024, 2, 29))
    assert len({product.name for product in again.parameters.products}) == 8
    assert [done.scenario for done in again.truth.continuations] == [Scenario.PRODUCT_LAUNCH] * 2
    assert again.earlier_orders == chain.arguments.orders + len(launch.orders)


def test_days_already_simulated_are_refused(chain: Simulation) -> None:
    with pytest.raises(ValueError, match="lies within the simulated days"):
        continue_chain(chain.truth, Scenario.NONE, date(2023, 12, 31), END)


# Files -----------------------------------------------------------------------------------------------------------------


def rows_since(landing: Path, first: date) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for file in sorted(landing.glob("sales/*/*/*/*/sales.csv")):
        if date(*map(int, file.parts[-4:-1])) >= first:
            with file.open(newline="", encoding="utf-8") as text:
                found += csv.DictReader(text)
    return found


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write(simulate(300, 40, 3, start=date(2023, 11, 1), end=date(2023, 12, 31)), tmp_path)
    return tmp_path


def test_further_days_add_files_and_leave_the_others_alone(dataset: Path) -> None:
    before = {file: file.read_bytes() for file in (dataset / "landing").rglob("*.csv")}
    written = continue_into(dataset, Scenario.NONE, days=10)
    assert written.sales_files == 30
    assert all(file.read_bytes() == content for file, content in before.items())
    assert not [file for file in dataset.rglob(".*") if file.is_file()]


def test_no_identifier_is_given_twice(dataset: Path) -> None:
    for _ in range(2):
        continue_into(dataset, Scenario.NONE, days=20)
    rows = rows_since(dataset / "landing", date(2023, 11, 1))
    assert len({row["transaction_id"] for row in rows}) == len(rows)
    assert len({row["order_id"] for row in rows}) == Truth.load(dataset / "truth").order_total


def test_a_launched_product_is_in_the_catalogue_and_in_the_sales(dataset: Path) -> None:
    continue_into(dataset, Scenario.PRODUCT_LAUNCH, days=20)
    catalogue = (dataset / "landing/reference/products.csv").read_text().splitlines()
    assert len(catalogue) == 8
    assert "P007" in {row["product_id"] for row in rows_since(dataset / "landing", START)}
    truth = Truth.load(dataset / "truth")
    assert set(truth.true_preferences("C0001", "BU_US", date(2024, 2, 1), "Sunny")) == {
        f"P{n:03d}" for n in range(1, 8)
    }


def test_a_broken_till_leaves_weather_and_payment_blank(dataset: Path) -> None:
    continue_into(dataset, Scenario.BROKEN_UPSTREAM, days=20)
    rows = rows_since(dataset / "landing", START)
    assert 0.1 < np.mean([row["weather"] == "" for row in rows]) < 0.8
    assert all(row["payment_method"] == "" for row in rows if row["weather"] == "")


def test_an_interrupted_continuation_is_completed_by_the_same_call(dataset: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in (dataset / "truth").iterdir()}
    continue_into(dataset, Scenario.NONE, days=5)
    whole = {file: file.read_bytes() for file in dataset.rglob("*") if file.is_file()}
    for file, content in before.items():
        file.write_bytes(content)
    next(iter((dataset / "landing").rglob("2024/01/02/sales.csv"))).unlink()
    continue_into(dataset, Scenario.NONE, days=5)
    assert {file: file.read_bytes() for file in dataset.rglob("*") if file.is_file()} == whole


def test_a_continued_dataset_is_not_simulated_over(dataset: Path) -> None:
    continue_into(dataset, Scenario.NONE, days=2)
    with pytest.raises(FileExistsError, match="was continued"):
        write(simulate(300, 40, 3, start=date(2023, 11, 1), end=date(2023, 12, 31)), dataset)


def test_there_must_be_a_truth_to_continue(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no simulation's truth"):
        continue_into(tmp_path)
