"""The table of first choices: which products most customers will want, by unit."""

from collections import Counter

import pyarrow as pa

from globolatte_assets.endpoints.recommendations import PRODUCTS_SHOWN, favourites_table, first_choices


def test_only_first_ranks_in_the_expected_weather_count() -> None:
    rows = pa.table(
        {
            "customer_id": ["C1", "C1", "C1", "C2", "C3"],
            "business_unit": ["BU_US", "BU_US", "BU_US", "BU_US", "BU_CA"],
            "product_id": ["P1", "P2", "P2", "P1", "P2"],
            "rank": [1, 2, 1, 1, 1],
            "is_expected_weather": [True, True, False, True, True],
        }
    )
    assert first_choices(rows) == {"P1": Counter(BU_US=2), "P2": Counter(BU_CA=1)}


def test_products_go_by_name_and_the_most_wanted_comes_first() -> None:
    table = favourites_table({"P2": Counter(BU_CA=1), "P1": Counter(BU_US=4, BU_CA=2)}, {"P1": "Latte"})
    assert table.splitlines() == [
        "| first choice | BU_CA | BU_US | customers | |",
        "|---|---:|---:|---:|---|",
        "| Latte | 2 | 4 | 6 | ████████████ |",
        "| P2 | 1 | 0 | 1 | ██ |",
    ]


def test_a_large_catalogue_is_cut() -> None:
    many = {f"P{number}": Counter(BU_US=number + 1) for number in range(50)}
    assert len(favourites_table(many, {}).splitlines()) == 2 + PRODUCTS_SHOWN
    assert len(favourites_table({}, {}).splitlines()) == 2
