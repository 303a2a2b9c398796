"""What features need to know beyond state and context: `FeatureSpace`, learned at fit, and the matrices that follow from it.

How the constants are learned stands in `priors.py`, what is done with them in `encoding.py`, `features.py` and `taste_inputs.py`.

The taste model sees the circumstances of orders. The state does not hold those of single past orders; their means are enough (see
`taste.py`), and follow from what it holds: dayparts are counted; seasons are those of the first and the last order and, for the
orders between them, of the days between them; weather and holidays are what the unit's seasons have on average; the unit is the
one of the request.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from globolatte_ml.data.vocabulary import DAYPARTS, SEASONS, Vocabulary
from globolatte_ml.model.column_places import CONTEXT, COUNTS, PAST, Places, context_names

ALWAYS = 0
SHOWN = ("business_unit", "season", "weather", "daypart", "holiday", "trend", "business_unit_season")


@dataclass(frozen=True)
class FeatureSpace:
    """Everything learned at fit that features need. R business units, K products.

    Attributes:
        vocabulary: the known words.
        popularity: shape (R + 1, 4, K): shares of main products by business unit and season, all positive, rows summing
            to 1; the last business unit stands for one never seen (the whole chain).
        concentration: strength of the Dirichlet prior around `popularity`, in orders; keys `main_orders`
            and `decayed_main_120d`.
        daypart_mix: shape (4,): the chain's shares of orders by daypart.
        lines_per_order: the chain's mean basket size.
        weather_mix: shape (R + 1, 4, W): shares of weather types among the orders of a business unit and season whose
            weather is known, smoothed like `popularity`. What stands for an unknown weather, and for that of past orders.
        holiday_share: share of orders on public holidays.
        first_date, last_date: the training span; the trend runs from 0 to 1 over it and stays there outside.
        has_counts: whether what customers bought is among an order's columns, four per product; else it is had as sparse rows only.
    """

    vocabulary: Vocabulary
    popularity: np.ndarray
    concentration: dict[str, float]
    daypart_mix: np.ndarray
    lines_per_order: float
    weather_mix: np.ndarray
    holiday_share: float
    first_date: np.datetime64
    last_date: np.datetime64
    has_counts: bool = True

    @cached_property
    def places(self) -> Places:
        """Where each number of an order lies."""
        return Places(self.vocabulary, self.has_counts)

    @cached_property
    def encoded_contexts(self) -> dict[Hashable, np.ndarray]:
        """Rows of single contexts, cached by `encoding`."""
        return {}

    @cached_property
    def priors(self) -> np.ndarray:
        """What each column of a context adds to the counts that a customer starts with, (columns, 4 K): prior orders of the COUNTS
        as `popularity` has them."""
        strengths = {"mains": self.concentration["main_orders"], "mains_120d": self.concentration["decayed_main_120d"]}
        by_cell = [strengths.get(name, 0.0) * self.popularity for name in COUNTS]
        return self._by_unit_and_season(np.concatenate(by_cell, axis=2))

    @cached_property
    def past_weather(self) -> tuple[np.ndarray, np.ndarray]:
        """Shares of weather types (4, W) by season in the whole chain, and what each unit and season differs from it, (4 R, W)."""
        chain = self.weather_mix[-1]
        return chain, np.concatenate(self.weather_mix[:-1] - chain)

    @cached_property
    def circumstances(self) -> "Circumstances":
        """What makes circumstances of an order's numbers."""
        return Circumstances.of(self)

    def _by_unit_and_season(self, table: np.ndarray) -> np.ndarray:
        """A table (R + 1, 4, x) as a matrix (context columns, x): a context times it gives the context's cell; the chain's for a
        unit never seen."""
        places, matrix = self.places, np.zeros((self.places["context"].stop, table.shape[2]))
        matrix[places["season"]] = table[-1]
        matrix[places["business_unit_season"]] = (table[:-1] - table[-1]).reshape(-1, table.shape[2])
        return matrix


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
        unit_cells: (C, 4 R), season_cells: (9, 4 R): the unit of the request and the seasons of the past, spread over unit by season:
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
    def of(cls, space: FeatureSpace) -> "Circumstances":
        """The matrices for what a model learned of its chain."""
        words, places, seasons = space.vocabulary, space.places, len(SEASONS)
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
