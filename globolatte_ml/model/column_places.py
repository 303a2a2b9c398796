"""Where each thing lies among the numbers that describe an order: the columns of an `encoding.Encoded`."""

from collections.abc import Sequence

import numpy as np

from globolatte_ml.data.states import RECENT_COLUMNS
from globolatte_ml.data.vocabulary import DAYPARTS, SEASONS, Vocabulary

MONTHS = tuple(f"{month:02d}" for month in range(1, 13))
COUNTS = ("mains", "mains_120d", "mains_30d", "addons")
CONTEXT = ("business_unit", "season", "business_unit_season", "month", "weather", "daypart", "holiday", "trend")
PAST = ("past_trend", "past_seasons", "past_dayparts")
HISTORY = ("daypart_history", "basket_size", "history_length")
TOGETHER = {"context": CONTEXT, "past": PAST, "history": HISTORY, "counts": COUNTS}
"""Neighbours that are also had in one piece."""


def context_names(words: Vocabulary, parts: Sequence[str]) -> list[str]:
    """Names of the columns of some parts of `CONTEXT`: `part=label` for each, or the bare name of a single number."""
    labels: dict[str, Sequence[str]] = {
        "business_unit": words.business_units,
        "season": SEASONS,
        "business_unit_season": [f"{unit} {season}" for unit in words.business_units for season in SEASONS],
        "month": MONTHS,
        "weather": words.weathers,
        "daypart": DAYPARTS,
    }
    return [name for part in parts for name in (named(part, labels[part]) if part in labels else [part])]


def named(part: str, labels: Sequence[str]) -> list[str]:
    """`part=label` for each label."""
    return [f"{part}={label}" for label in labels]


class Places:
    """Columns of n orders over K products, R business units, W weather types.

    The context: indicators (`CONTEXT`) business_unit (R), season (4), business_unit_season (4 R), month (12), weather (W),
    daypart (4), holiday, all zero for a word never seen; of an unknown weather (`UNKNOWN_WEATHER`) the shares that the weathers have
    among the orders of the unit and season, `FeatureSpace.weather_mix`; trend, which runs from 0 to 1 over the training span and
    stays there outside; day, in days since 1970.

    What is known of the customer:

    - last_day: the day of the last order, infinite without one.
    - past_trend: mean trend of the first and the last order. past_seasons (4): see `encoding.season_mix`. past_dayparts (4): shares.
    - daypart_history (4), basket_size, history_length: features as `encoding.encode_states` defines them.
    - order_count; per_order: 1 / order_count, 1 without orders; addon_rate: what each add-on adds to the feature of that name.
    - daypart_orders (4). recent (3): positions among the products, -1 for none.
    - mains (K), mains_120d (K), mains_30d (K), addons (K): the decayed ones as of the last order. None of a catalogue so large that
      only the habit expert answers (`has_counts`).

    Attributes:
        width: how many columns. context_width: how many of them, which come first, are the context; the others are what is known.
    """

    def __init__(self, vocabulary: Vocabulary, has_counts: bool = True) -> None:
        units, products = len(vocabulary.business_units), len(vocabulary.products) if has_counts else 0
        seasons, dayparts = len(SEASONS), len(DAYPARTS)
        widths = {
            "business_unit": units,
            "season": seasons,
            "business_unit_season": units * seasons,
            "month": len(MONTHS),
            "weather": len(vocabulary.weathers),
            "daypart": dayparts,
            "holiday": 1,
            "trend": 1,
            "day": 1,
            "last_day": 1,
            "past_trend": 1,
            "past_seasons": seasons,
            "past_dayparts": dayparts,
            "daypart_history": dayparts,
            "basket_size": 1,
            "history_length": 1,
            "order_count": 1,
            "per_order": 1,
            "addon_rate": 1,
            "daypart_orders": dayparts,
            "recent": len(RECENT_COLUMNS),
            **dict.fromkeys(COUNTS, products),
        }
        ends = np.cumsum(list(widths.values())).tolist()
        self._slices = {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}
        for name, parts in TOGETHER.items():
            self._slices[name] = slice(self._slices[parts[0]].start, self._slices[parts[-1]].stop)
        self.width, self.context_width = ends[-1], self._slices["day"].stop

    def __getitem__(self, name: str) -> slice:
        """The columns of that name."""
        return self._slices[name]

    def within(self, whole: str, part: str) -> slice:
        """The columns of `part` counted from the first of `whole`."""
        start = self._slices[whole].start
        return slice(self._slices[part].start - start, self._slices[part].stop - start)
