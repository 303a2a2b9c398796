"""Chains other than the published one, to see whether a model is good only where it was built."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from simulator.choice import Contexts, context_utility
from simulator.parameters import ChainParameters, FloatArray

STRENGTH_OF_THE_STRONGEST = 1.5
"""Where one effect stands for all, it stands for more than itself."""
HALVED = (
    "unit_effect",
    "season_effect",
    "weather_effect",
    "daypart_effect",
    "holiday_effect",
    "trend_effect",
    "segment_taste",
    "taste_deviation",
    "habit_strength",
)


@dataclass(frozen=True)
class Variant:
    """How a chain differs: its parameters made of the published ones, and what utility circumstances give, (n, products)."""

    name: str
    parameters: Callable[[ChainParameters], ChainParameters]
    utility: Callable[[ChainParameters, Contexts], FloatArray]


def _halved(parameters: ChainParameters) -> ChainParameters:
    """Everything that sets customers and circumstances apart is half as strong."""
    return replace(parameters, **{name: getattr(parameters, name) * 0.5 for name in HALVED})


def _strongest_effect(parameters: ChainParameters, contexts: Contexts) -> FloatArray:
    """Effects do not add up: for each product the strongest of unit, season, weather, daypart and holiday counts alone."""
    effects = np.stack(
        [
            parameters.unit_effect[contexts.unit],
            parameters.season_effect[contexts.season] * parameters.season_strength[contexts.unit][:, None],
            parameters.weather_effect[contexts.weather],
            parameters.daypart_effect[contexts.daypart],
            contexts.is_holiday[:, None] * parameters.holiday_effect,
        ]
    )
    strongest = np.take_along_axis(effects, np.abs(effects).argmax(axis=0)[None], axis=0)[0]
    utility: FloatArray = (
        parameters.base + STRENGTH_OF_THE_STRONGEST * strongest + contexts.trend[:, None] * parameters.trend_effect
    )
    return utility


PUBLISHED_CHAIN = Variant("published", lambda parameters: parameters, context_utility)
HALF_STRENGTH = Variant("half strength", _halved, context_utility)
STRONGEST_EFFECT = Variant("strongest effect", lambda parameters: parameters, _strongest_effect)
