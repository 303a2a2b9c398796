"""Which assets are behind their inputs: one line per rule."""

import dagster as dg
import pytest

from globolatte_assets.behind import behind_its_inputs

GRAPH = {"model": ["data"], "report": ["data", "model"], "page": ["verdict", "model"]}
"""`data` and `verdict` come from elsewhere."""


def keys(*names: str) -> set[dg.AssetKey]:
    return {dg.AssetKey(name) for name in names}


def behind(wrong: tuple[str, ...] = (), held: tuple[str, ...] = (), **places: int) -> set[str]:
    graph = {dg.AssetKey(asset): keys(*inputs) for asset, inputs in GRAPH.items()}
    there = {dg.AssetKey(name): place for name, place in places.items()}
    return {key.to_user_string() for key in behind_its_inputs(graph, there, keys(*wrong), keys(*held))}


CURRENT = {"data": 1, "verdict": 2, "model": 3, "report": 4, "page": 5}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, set()),
        ({"data": 9}, {"model", "report", "page"}),
        ({"verdict": 9}, {"page"}),
        ({"model": 9}, {"report", "page"}),
        ({"report": 0}, {"report"}),
    ],
    ids=["current", "new data", "a new verdict", "made again by hand", "older than its input"],
)
def test_what_is_older_than_its_inputs_is_made_again_with_what_follows(
    changed: dict[str, int], expected: set[str]
) -> None:
    assert behind(**CURRENT | changed) == expected


def without(*names: str) -> dict[str, int]:
    return {name: place for name, place in CURRENT.items() if name not in names}


def test_what_is_missing_is_made() -> None:
    assert behind(**without("report")) == {"report"}
    assert behind(**without("model", "report", "page")) == {"model", "report", "page"}


def test_nothing_is_made_whose_input_is_missing_and_will_not_be_made() -> None:
    assert behind(**without("data", "model", "report", "page")) == set()
    assert behind(**without("verdict", "page")) == set()
    assert behind(**without("verdict", "model", "report", "page")) == {"model", "report"}


def test_what_is_wrong_is_made_again_whatever_its_age() -> None:
    assert behind(wrong=("model",), **CURRENT) == {"model", "report", "page"}
    assert behind(wrong=("page",), **CURRENT) == {"page"}


def test_what_a_check_holds_back_is_waited_for() -> None:
    assert behind(held=("data",), **CURRENT | {"data": 9}) == {"page"}
    assert behind(held=("model",), **CURRENT | {"data": 9}) == {"model"}
