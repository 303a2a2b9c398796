"""The arguments of a simulation."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True)
class SimulationArguments:
    """The arguments of `simulate`; equal arguments mean an equal dataset.

    `start` and `end` both belong to the span. Raises `ValueError` for an argument that makes no sense, `TypeError` for
    one of another type.
    """

    orders: int
    customers: int
    seed: int
    start: date
    end: date
    products: int

    def __post_init__(self) -> None:
        for name, least in (("orders", 1), ("customers", 1), ("products", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} is {value!r}, not an int; give a whole number of at least {least}")
            if value < least:
                raise ValueError(f"{name} is {value}, below the smallest possible {least}; give at least {least}")
        for name in ("start", "end"):
            if type(getattr(self, name)) is not date:
                raise TypeError(f"{name} is {getattr(self, name)!r}, not a date; give a datetime.date")
        if self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}; give an end on or after the start")


class Scenario(StrEnum):
    """What happens while a chain goes on; `scenarios.py` says how."""

    NONE = "none"
    PRODUCT_LAUNCH = "product_launch"
    TASTE_SHIFT = "taste_shift"
    WEATHER_SHIFT = "weather_shift"
    BROKEN_UPSTREAM = "broken_upstream"


@dataclass(frozen=True)
class Continuation:
    """Further days of a simulated chain: `orders` orders between `start` and `end`, both included."""

    scenario: Scenario
    start: date
    end: date
    orders: int
    seed: int
