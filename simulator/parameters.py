"""The parameters of a coffee chain: everything that decides how its customers behave.

Axes, in the order of the tuples below: K products, R business units, G segments, 4 seasons, weather types and dayparts.
Effects are additive utilities in nats (log-odds) of the multinomial logit model in `choice.py`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SEASONS = ("winter", "spring", "summer", "autumn")
WEATHERS = ("Sunny", "Rainy", "Snowy", "Cloudy")
DAYPARTS = ("morning", "midday", "afternoon", "evening")
DAYPART_FIRST_HOUR = (6, 11, 14, 18)
"""Local hour at which the sales of a daypart begin; they go on for `DAYPART_HOURS`."""
DAYPART_HOURS = 3


@dataclass(frozen=True)
class Product:
    """One product of the catalogue; the price is the same in every business unit."""

    name: str
    category: str
    price_cents: int


@dataclass(frozen=True)
class BusinessUnit:
    """One business unit; `folder` is its folder in the landing zone, `holiday_country` its ISO 3166 code."""

    business_unit_id: str
    country: str
    unit_name: str
    folder: str
    time_zone: str
    holiday_country: str


@dataclass(frozen=True, eq=False)
class ChainParameters:
    """All parameters of one chain; each array with its shape, which is checked."""

    products: tuple[Product, ...]
    business_units: tuple[BusinessUnit, ...]
    segments: tuple[str, ...]

    # What is bought: utility of product k
    base: Annotated[FloatArray, "K"]
    unit_effect: Annotated[FloatArray, "R K"]
    season_effect: Annotated[FloatArray, "4 K"]
    season_strength: Annotated[FloatArray, "R"]  # how strongly a unit feels the seasons
    weather_effect: Annotated[FloatArray, "4 K"]
    daypart_effect: Annotated[FloatArray, "4 K"]
    holiday_effect: Annotated[FloatArray, "K"]
    trend_effect: Annotated[FloatArray, "K"]  # gained from the first to the last day of the span
    segment_taste: Annotated[FloatArray, "G K"]  # mean taste of a segment
    taste_deviation: float  # standard deviation of a customer's taste around it
    habit_strength: float  # utility of a product that was the last, and every earlier, choice
    habit_decay: float  # weight of the old habit when a new order comes in
    add_on_affinity: Annotated[FloatArray, "K K"]
    add_on_affinity_weight: float
    add_on_utility_weight: float  # weight of the main choice's utility in the choice of add-ons

    # Who buys, where and when
    segment_share: Annotated[FloatArray, "G"]  # sums to 1
    segment_activity: Annotated[FloatArray, "G"]  # relative number of orders
    segment_add_on: Annotated[FloatArray, "G"]  # chance of each of two possible add-ons
    segment_daypart: Annotated[FloatArray, "G 4"]  # rows sum to 1
    unit_share: Annotated[FloatArray, "R"]  # sums to 1: homes of customers, and where travellers go
    travel_share: float  # chance that an order is placed while travelling
    activity_shape: float  # gamma shape and scale of a customer's own activity
    activity_scale: float
    founding_share: float  # customers who are there from the first day
    joining_span: float  # the others join within this part of the span
    double_quantity_share: float  # chance that a line is for two
    stores_per_unit: int
    day_of_week_intensity: Annotated[FloatArray, "7"]  # Monday first
    growth: float  # relative growth of sales over the span
    winter_peak: float  # amplitude of the yearly wave of sales
    weather_probability: Annotated[FloatArray, "R 12 4"]  # rows sum to 1

    def __post_init__(self) -> None:
        sizes = {"K": len(self.products), "R": len(self.business_units), "G": len(self.segments)}
        for field in fields(self):
            for axes in getattr(field.type, "__metadata__", ()):
                shape = tuple(sizes.get(axis) or int(axis) for axis in axes.split())
                actual = getattr(self, field.name).shape
                if actual != shape:
                    raise ValueError(f"chain parameter {field.name} has shape {actual}; give it shape {shape}")
        for name in ("segment_share", "unit_share", "segment_daypart", "weather_probability"):
            if not np.allclose(getattr(self, name).sum(axis=-1), 1.0):
                raise ValueError(f"chain parameter {name} does not sum to 1; give shares that do")

    def as_json(self) -> dict[str, Any]:
        """All parameters as JSON types; floats survive the round trip exactly."""
        document = asdict(self)
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in document.items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "ChainParameters":
        """The inverse of `as_json`; raises `ValueError` when parameters are missing or unknown."""
        expected, given = {field.name for field in fields(cls)}, set(document)
        if expected != given:
            raise ValueError(
                f"chain parameters differ from those this version knows (missing {sorted(expected - given)}, "
                f"unknown {sorted(given - expected)}); simulate the dataset again"
            )
        values: dict[str, Any] = {
            name: np.asarray(value, dtype=np.float64) if isinstance(value, list) else value
            for name, value in document.items()
            if name not in ("products", "business_units", "segments")
        }
        values["products"] = tuple(Product(**product) for product in document["products"])
        values["business_units"] = tuple(BusinessUnit(**unit) for unit in document["business_units"])
        values["segments"] = tuple(document["segments"])
        return cls(**values)
