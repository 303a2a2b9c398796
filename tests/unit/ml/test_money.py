"""Prices are compared in one currency, or not at all."""

import datetime as dt
import math

import pyarrow as pa
import pytest

from globolatte_ml.data.money import Money

UNITS = {"BU_CA": "CAD", "BU_MX": "MXN", "BU_US": "USD"}
RATES = {"CAD": 0.75, "MXN": 0.05, "USD": 1.0}
PRICES = {"A": (4.0, "USD"), "B": (60.0, "MXN"), "C": (5.0, "CAD"), "D": (9.0, None)}


@pytest.mark.parametrize(
    ("money", "prices", "unit", "compared"),
    [
        (Money(), {"A": (4.0, None), "B": (3.0, None)}, "BU_US", {"A": 4.0, "B": 3.0}),
        (Money({}, UNITS), {"A": (4.0, "USD"), "B": (3.0, "USD")}, "BU_MX", {"A": 4.0, "B": 3.0}),
        (Money(RATES, UNITS), PRICES, "BU_US", {"A": 4.0}),
        (Money(RATES, UNITS), dict(list(PRICES.items())[:3]), "BU_US", {"A": 4.0, "B": 3.0, "C": 3.75}),
        (Money(RATES, UNITS), dict(list(PRICES.items())[:3]), None, {"A": 4.0, "B": 3.0, "C": 3.75}),
        (Money({}, UNITS), PRICES, "BU_MX", {"B": 60.0}),
        (Money({}, UNITS), PRICES, None, {}),
        (Money({}, {"BU_US": "USD", "BU_2": "USD"}), PRICES, None, {"A": 4.0}),
        (Money({"USD": 1.0, "CAD": 0.75}, {}), PRICES, "BU_MX", {"A": 4.0, "C": 3.75}),
    ],
    ids=[
        "nothing declared",
        "one currency",
        "one names none",
        "rates",
        "chain",
        "own",
        "chain without rates",
        "same",
        "some rates",
    ],
)
def test_prices_are_compared_in_one_currency(money, prices, unit, compared) -> None:
    found = money.comparable(prices, unit)
    assert found.keys() == prices.keys()
    assert {one: price for one, price in found.items() if not math.isnan(price)} == pytest.approx(compared)


def test_the_rate_in_force_counts() -> None:
    days = [dt.date(2024, 1, 1), dt.date(2024, 2, 1), dt.date(2024, 3, 1)]
    rates = pa.table(
        {
            "currency": ["MXN", "MXN", "CAD"],
            "rate": [0.05, 0.06, 0.7],
            "valid_from": [days[0], days[1], days[2]],
            "valid_before": pa.array([days[1], None, None], pa.date32()),
        }
    )
    units = pa.table({"business_unit_id": ["BU_MX"], "currency": ["MXN"]})
    assert Money.from_tables(rates, units, dt.date(2024, 1, 31)) == Money({"MXN": 0.05}, {"BU_MX": "MXN"})
    assert Money.from_tables(rates, units, days[1]).rates == {"MXN": 0.06}
