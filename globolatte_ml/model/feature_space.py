"""What features need to know beyond state and context: `FeatureSpace`, learnt at fit.

Belongs here: the learnt constants, and the matrices that follow from them.
Does not belong here: how the constants are learnt (`priors.py`), what is done with them (`encoding.py`, `features.py`,
`taste_inputs.py`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from globolatte_ml.data.vocabulary import Vocabulary
from globolatte_ml.model.circumstances import Circumstances
from globolatte_ml.model.layout import COUNTS, Layout


@dataclass(frozen=True)
class FeatureSpace:
    """Everything learnt at fit that features need. R business units, K products.

    Attributes:
        vocabulary: the known words.
        popularity: shape (R + 1, 4, K): shares of main products by business unit and season, all positive, rows summing
            to 1; the last business unit stands for one never seen (the whole chain).
        concentration: strength of the Dirichlet prior around `popularity`, in orders; keys `main_orders`
            and `decayed_main_120d`.
        daypart_mix: shape (4,): the chain's shares of orders by daypart.
        lines_per_order: the chain's mean basket size.
        weather_mix: shape (R + 1, 4, W): shares of weather types among the orders of a business unit and season, smoothed like
            `popularity`.
        holiday_share: share of orders on public holidays.
        first_date, last_date: the training span; the trend runs from 0 to 1 over it and stays there outside.
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

    @cached_property
    def layout(self) -> Layout:
        """Where each number of an order lies."""
        return Layout(self.vocabulary)

    @cached_property
    def contexts_asked(self) -> dict[Hashable, np.ndarray]:
        """Rows kept by `encoding` for single contexts asked about before."""
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
        return chain, (self.weather_mix[:-1] - chain).reshape(-1, chain.shape[1])

    @cached_property
    def circumstances(self) -> Circumstances:
        """What makes circumstances of an order's numbers."""
        return Circumstances.of(self)

    def _by_unit_and_season(self, table: np.ndarray) -> np.ndarray:
        """A table (R + 1, 4, x) as a matrix (context columns, x): a context times it gives the context's cell; the chain's for a
        unit never seen."""
        places, matrix = self.layout, np.zeros((self.layout["context"].stop, table.shape[2]))
        matrix[places["season"]] = table[-1]
        matrix[places["business_unit_season"]] = (table[:-1] - table[-1]).reshape(-1, table.shape[2])
        return matrix
