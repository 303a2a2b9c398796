"""The words a model knows: product ids, business units, weather types, dayparts, seasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

DAYPARTS = ("morning", "midday", "afternoon", "evening")
FEW = 16
"""So few words are looked up one by one: comparing arrays costs more."""
SEASONS = ("winter", "spring", "summer", "autumn")
UNKNOWN_WEATHER = "Unknown"
"""The weather of an order or a request of which nobody knows it. No weather type: its features are what the season has on average."""
MONTHS_OF_A_SEASON, MIDDLE_OF_A_MONTH = 3, 15


@dataclass(frozen=True)
class Vocabulary:
    """What was seen at fit, each in sorted order. Nothing in the code knows how many there are of each."""

    products: tuple[str, ...]
    business_units: tuple[str, ...]
    weathers: tuple[str, ...]

    @classmethod
    def learn(cls, products: Iterable[str], business_units: Iterable[str], weathers: Iterable[str]) -> "Vocabulary":
        """The distinct words, without `UNKNOWN_WEATHER`; raises ValueError when there is no product at all."""
        known = (weather for weather in weathers if weather != UNKNOWN_WEATHER)
        vocabulary = cls(_distinct(products), _distinct(business_units), _distinct(known))
        if not vocabulary.products:
            raise ValueError("the catalogue is empty; a model needs at least one product")
        return vocabulary


def encode(values: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Position of each value in `words`, int64 of the shape of `values`; -1 for a word never seen."""
    if values.ndim == 1 and len(values) <= FEW:
        known = _positions(tuple(words))
        return np.array([known.get(value, -1) for value in values.tolist()], dtype=np.int64)
    codes = np.full(values.shape, -1, dtype=np.int64)
    for position, word in enumerate(words):
        codes[values == word] = position
    return codes


@lru_cache(maxsize=64)
def _positions(words: tuple[str, ...]) -> dict[str, int]:
    return {word: position for position, word in enumerate(words)}


def one_hot(codes: np.ndarray, width: int) -> np.ndarray:
    """Indicator matrix of shape (n, width), float64; -1 gives a row of zeros."""
    return _indicators(width)[codes]


@lru_cache(maxsize=64)
def _indicators(width: int) -> np.ndarray:
    """An indicator row per position, and one of zeros for -1, which is the last."""
    table = np.eye(width + 1, width)
    table.setflags(write=False)
    return table


def months(dates: np.ndarray) -> np.ndarray:
    """Month of each date, 1..12."""
    return dates.astype("datetime64[M]").astype(np.int64) % 12 + 1


def season_codes(dates: np.ndarray) -> np.ndarray:
    """Position of each date's season in SEASONS."""
    return season_of_month(months(dates))


def season_of_month(month: np.ndarray) -> np.ndarray:
    """Position in SEASONS of months 1..12: winter is December to February, spring March to May, and so on."""
    return month % 12 // MONTHS_OF_A_SEASON


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({str(word) for word in words}))
