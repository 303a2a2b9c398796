"""The simulator's arguments. Not here: its results."""

from datetime import date

import pytest

from simulator import simulate


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"orders": 0}, "orders is 0, .* give at least 1"),
        ({"customers": -3}, "customers is -3, .* give at least 1"),
        ({"products": 0}, "products is 0, .* give at least 1"),
        ({"seed": -1}, "seed is -1, .* give at least 0"),
        ({"start": date(2023, 5, 2), "end": date(2023, 5, 1)}, "end 2023-05-01 lies before start 2023-05-02; give"),
    ],
)
def test_nonsense_is_refused_by_name(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(**arguments)


@pytest.mark.parametrize("arguments", [{"orders": 2.5}, {"customers": True}, {"start": "2022-01-01"}])
def test_another_type_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=next(iter(arguments))):
        simulate(**arguments)
