from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from globolatte_ml.data.vocabulary import SEASONS
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.regional import days_of_season, regional_map, regional_table

TODAY = dt.date(2022, 9, 10)


@pytest.mark.parametrize(
    ("season", "today", "first"),
    [
        ("winter", "2024-01-05", "2023-12-15"),
        ("winter", "2024-02-29", "2023-12-15"),
        ("winter", "2024-03-01", "2024-12-15"),
        ("winter", "2024-12-31", "2024-12-15"),
        ("spring", "2024-01-05", "2024-03-15"),
        ("spring", "2024-05-31", "2024-03-15"),
        ("spring", "2024-06-01", "2025-03-15"),
        ("autumn", "2024-12-01", "2025-09-15"),
    ],
)
def test_a_season_is_the_one_under_way_or_else_the_next(season, today, first):
    days = days_of_season(SEASONS.index(season), dt.date.fromisoformat(today))
    assert str(days[0]) == first
    assert len({day.month for day in days}) == 3
    assert days == sorted(days)


@pytest.fixture(scope="module")
def table(scorer):
    days = [
        {"business_unit": "BU_CA", "month": 12, "weather": w, "order_days": n} for w, n in (("Snowy", 3), ("Sunny", 1))
    ]
    return regional_table(scorer, pa.Table.from_pylist(days), TODAY)


def test_every_circumstance_ranks_every_product(scorer, table):
    n_products = len(scorer.products)
    assert table.num_rows == 3 * 4 * 4 * n_products
    cells = table.group_by(["business_unit", "season", "weather"]).aggregate([("probability", "sum"), ("rank", "sum")])
    np.testing.assert_allclose(cells["probability_sum"].to_numpy(), 1.0)
    assert set(cells["rank_sum"].to_pylist()) == {n_products * (n_products + 1) // 2}
    assert {row["season"] for row in table.to_pylist() if row["is_season_now"]} == {"autumn"}


def test_a_cell_is_the_mean_of_what_cold_start_customers_get(scorer, table):
    cell = {
        row["product_id"]: row["probability"]
        for row in table.to_pylist()
        if (row["business_unit"], row["season"], row["weather"]) == ("BU_CA", "winter", "Snowy")
    }
    days = (dt.date(2022, 12, 15), dt.date(2023, 1, 15), dt.date(2023, 2, 15))
    answers = scorer.recommend([Request("nobody", "BU_CA", "Snowy", day) for day in days])
    for product, probability in cell.items():
        probabilities = [one.probability for answer in answers for one in answer.ranked if one.product_id == product]
        assert probability == pytest.approx(np.mean(probabilities))


def test_the_table_says_how_often_the_weather_was_seen(table):
    seen = {
        (row["business_unit"], row["season"], row["weather"]): (row["weather_share"], row["weather_days"])
        for row in table.to_pylist()
    }
    assert seen["BU_CA", "winter", "Snowy"] == (0.75, 3)
    assert seen["BU_CA", "winter", "Sunny"] == (0.25, 1)
    assert seen["BU_MX", "summer", "Snowy"] == (0.0, 0)


def test_it_can_be_drawn(table):
    assert regional_map(table, {}).startswith(b"\x89PNG")
