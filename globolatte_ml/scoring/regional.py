"""What to recommend to a cold-start customer: by region, season and weather, as a table and as a picture."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns
from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.vocabulary import (
    MIDDLE_OF_A_MONTH,
    MONTHS_OF_A_SEASON,
    SEASONS,
    encode,
    season_codes,
    season_of_month,
)
from globolatte_ml.figures import INK, MUTED, new_figure, png_bytes
from globolatte_ml.scoring.scorer import Scorer

NO_HISTORY = -1
_ANY_DAYPART = ""
WIDEST = 10
"""Products that a heat map has room for."""


def days_of_season(season: int, today: dt.date) -> list[dt.date]:
    """The middle of each month of the season (a position in `SEASONS`) that is under way on `today`, or else comes next."""
    month = 12 if season == 0 else season * MONTHS_OF_A_SEASON
    start = 12 * today.year + month - 1  # months since the year 0
    this_month = 12 * today.year + today.month - 1
    if this_month < start - 12 + MONTHS_OF_A_SEASON:
        start -= 12
    elif this_month >= start + MONTHS_OF_A_SEASON:
        start += 12
    ordinals = range(start, start + MONTHS_OF_A_SEASON)
    return [dt.date(one // 12, one % 12 + 1, MIDDLE_OF_A_MONTH) for one in ordinals]


def regional_table(scorer: Scorer, weather_days: pa.Table, today: dt.date) -> pa.Table:
    """Every product ranked for a cold-start customer, by business unit, season and weather: one row each.

    The probability is the mean over the season's three months at no particular hour (the chain's mix of dayparts), on days that are
    no holidays. `weather_days` (business_unit, month, weather, order_days) says how often that weather was seen there: where it
    never was, the model carries over what it learned of that weather elsewhere.
    """
    units, weathers, products = list(scorer.bundle.business_units), scorer.weathers, scorer.products
    grid = [(unit, season, weather) for unit in units for season in range(len(SEASONS)) for weather in weathers]
    days = {season: days_of_season(season, today) for season in range(len(SEASONS))}
    cells = [(unit, day, weather) for unit, season, weather in grid for day in days[season]]
    contexts = Contexts(
        business_unit=np.array([unit for unit, _, _ in cells]),
        date=np.array([day for _, day, _ in cells], dtype="datetime64[D]"),
        weather=np.array([weather for _, _, weather in cells]),
        daypart=np.full(len(cells), _ANY_DAYPART),
        is_holiday=np.zeros(len(cells), dtype=bool),
    )
    answers = scorer.probabilities(np.full(len(cells), NO_HISTORY), contexts)
    probability = answers.reshape(len(grid), MONTHS_OF_A_SEASON, len(products)).mean(axis=1)
    shares, seen = _weather_shares(weather_days, units, weathers)
    order = np.argsort(-probability, axis=1, kind="stable")
    by_cell = np.repeat(np.arange(len(grid)), len(products))
    now = int(season_codes(np.array([today], dtype="datetime64[D]"))[0])
    return pa.table(
        {
            "business_unit": pa.array([unit for unit, _, _ in grid], pa.string()).take(pa.array(by_cell)),
            "season": pa.array([SEASONS[season] for _, season, _ in grid], pa.string()).take(pa.array(by_cell)),
            "weather": pa.array([weather for _, _, weather in grid], pa.string()).take(pa.array(by_cell)),
            "is_season_now": pa.array(np.array([season == now for _, season, _ in grid])[by_cell]),
            "weather_share": pa.array(shares.ravel()[by_cell]),
            "weather_days": pa.array(seen.ravel()[by_cell].astype(np.int64)),
            "rank": pa.array(np.tile(np.arange(1, len(products) + 1, dtype=np.int32), len(grid))),
            "product_id": pa.array(list(products), pa.string()).take(pa.array(order.ravel())),
            "probability": pa.array(np.take_along_axis(probability, order, axis=1).ravel()),
            "model_version": pa.repeat(scorer.model_version, len(by_cell)),
            "state_version": pa.repeat(scorer.state_version, len(by_cell)),
            "as_of_date": pa.repeat(pa.scalar(today, pa.date32()), len(by_cell)),
        }
    )


def _weather_shares(
    weather_days: pa.Table, units: list[str], weathers: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """How a unit's days of a season were shared among weathers, and how many there were; both (units, seasons, weathers)."""
    days = np.zeros((len(units), len(SEASONS), len(weathers)))
    unit = encode(columns.strings(weather_days, "business_unit"), units)
    weather = encode(columns.strings(weather_days, "weather"), weathers)
    season = season_of_month(columns.integers(weather_days, "month"))
    known = (unit >= 0) & (weather >= 0)
    np.add.at(days, (unit[known], season[known], weather[known]), columns.floats(weather_days, "order_days")[known])
    total = days.sum(axis=2, keepdims=True)
    return np.divide(days, total, out=np.zeros_like(days), where=total > 0), days


def regional_map(table: pa.Table, names: Mapping[str, str]) -> bytes:
    """The probability of each product by unit and season, weathers weighed by how often they were seen there."""
    rows = table.to_pylist()
    units = sorted({row["business_unit"] for row in rows})
    means: dict[tuple[str, str, str], float] = {}
    for row in rows:
        cell = row["business_unit"], row["season"], row["product_id"]
        means[cell] = means.get(cell, 0.0) + row["weather_share"] * row["probability"]
    totals = {
        product: sum(value for (_, _, one), value in means.items() if one == product)
        for product in {cell[2] for cell in means}
    }
    products = sorted(sorted(totals, key=lambda product: -totals[product])[:WIDEST])
    figure = new_figure(
        1.4 + 0.42 * len(products), "What new customers will want", "probability by season, weathers as usual there"
    )
    places = np.atleast_1d(figure.subplots(1, len(units), sharey=True))
    values = [
        [[means.get((unit, season, product), 0.0) for season in SEASONS] for product in products] for unit in units
    ]
    most = max(float(np.max(values)), 0.01)
    for axes, unit, cells in zip(places, units, values, strict=True):
        axes.imshow(np.array(cells), cmap="Oranges", vmin=0, vmax=1.3 * most, aspect="auto")
        for (at, season), value in np.ndenumerate(np.array(cells)):
            best = value == max(row[season] for row in cells)
            weight = "bold" if best else "normal"
            axes.text(season, at, f"{value:.0%}", ha="center", va="center", fontsize=8.5, fontweight=weight, color=INK)
        axes.set_xticks(range(len(SEASONS)), SEASONS, rotation=30, ha="right", fontsize=8.5)
        axes.set_yticks(range(len(products)), [names.get(product, product) for product in products], fontsize=9)
        axes.set_title(unit, fontsize=10, color=MUTED)
        axes.tick_params(length=0, colors=INK)
        for side in axes.spines.values():
            side.set_visible(False)
    return png_bytes(figure)
