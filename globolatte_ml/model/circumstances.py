"""The circumstances of orders as the taste model sees them, made of an order's numbers by matrices.

Belongs here: which circumstances there are, and the matrices. Does not belong here: habits and counts (`taste_inputs.py`), what
circumstances are worth (`taste.py`).

The state does not keep the circumstances of single past orders. Their means are enough (see `taste.py`), and follow from what
it keeps: dayparts are counted; seasons are those of the first and the last order and, for the orders between them, of the days
between them; weather and holidays are what the unit's seasons have on average; the unit is the one of the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from globolatte_ml.data.vocabulary import DAYPARTS, SEASONS, Vocabulary
from globolatte_ml.model.layout import CONTEXT, PAST, context_names

if TYPE_CHECKING:
    from globolatte_ml.model.feature_space import FeatureSpace

ALWAYS = 0
SHOWN = ("business_unit", "season", "weather", "daypart", "holiday", "trend", "business_unit_season")


def circumstance_names(words: Vocabulary) -> tuple[str, ...]:
    """Names of the p circumstances: 1 for each order, then `SHOWN`."""
    return ("always", *context_names(words, SHOWN))


@dataclass(frozen=True)
class Circumstances:
    """Matrices that make the p circumstances of columns of an `encoding.Encoded`. R business units, C columns of context.

    Attributes:
        of_context: (C, p): what a context shows.
        of_past: (9, p): what seasons, dayparts and trend of the past show, whatever the unit. of_past_cells: (4 R, p): what the past
            in one unit and season shows beyond that.
        unit_cells: (C, 4 R), season_cells: (9, 4 R): the unit asked for and the seasons of the past, spread over unit by season:
            their product is what `of_past_cells` goes by.
    """

    of_context: np.ndarray
    of_past: np.ndarray
    of_past_cells: np.ndarray
    unit_cells: np.ndarray
    season_cells: np.ndarray

    def now(self, context: np.ndarray) -> np.ndarray:
        """Circumstances (n, p) of contexts (n, C)."""
        return context @ self.of_context

    def earlier(self, context: np.ndarray, past: np.ndarray) -> np.ndarray:
        """Mean circumstances (n, p) of earlier orders (n, 9); all 0 without any."""
        cells = (context @ self.unit_cells) * (past @ self.season_cells)
        return past @ self.of_past + cells @ self.of_past_cells

    @classmethod
    def of(cls, space: FeatureSpace) -> Circumstances:
        """The matrices for what a model learned of its chain."""
        words, places, seasons = space.vocabulary, space.layout, len(SEASONS)
        units, width = len(words.business_units), len(circumstance_names(words))
        target, start = {}, ALWAYS + 1
        for name in SHOWN:
            columns = places[name].stop - places[name].start
            target[name], start = slice(start, start + columns), start + columns

        of_context = np.zeros((places["context"].stop, width))
        for name in SHOWN:
            of_context[places.within(CONTEXT[0], name), target[name]] = np.eye(target[name].stop - target[name].start)
        of_context[places["season"], ALWAYS] = 1.0  # each order has a season

        trend, in_seasons, in_dayparts = (places.within(PAST[0], name) for name in PAST)
        weather_of_chain, weather_of_cells = space.past_weather
        of_past = np.zeros((in_dayparts.stop, width))
        of_past[trend, target["trend"]] = 1.0
        of_past[in_seasons, ALWAYS] = 1.0
        of_past[in_seasons, target["season"]] = np.eye(seasons)
        of_past[in_seasons, target["weather"]] = weather_of_chain
        of_past[in_seasons, target["holiday"]] = space.holiday_share
        of_past[in_dayparts, target["daypart"]] = np.eye(len(DAYPARTS))

        of_past_cells = np.zeros((units * seasons, width))
        of_past_cells[:, target["business_unit"]] = np.repeat(np.eye(units), seasons, axis=0)
        of_past_cells[:, target["weather"]] = weather_of_cells
        of_past_cells[:, target["business_unit_season"]] = np.eye(units * seasons)

        unit_cells = np.zeros((places["context"].stop, units * seasons))
        unit_cells[places["business_unit"]] = np.repeat(np.eye(units), seasons, axis=1)
        season_cells = np.zeros((in_dayparts.stop, units * seasons))
        season_cells[in_seasons] = np.tile(np.eye(seasons), units)
        return cls(of_context, of_past, of_past_cells, unit_cells, season_cells)
