"""The days of a simulation: season, holidays, how busy they are, and each store's weather."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from simulator.parameters import BusinessUnit, ChainParameters, FloatArray, IntArray

DateArray = npt.NDArray[np.datetime64]


def days_between(start: date, end: date) -> DateArray:
    """All dates from `start` to `end`, both included, as datetime64[D] (days,)."""
    return np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + 1)


def month_index(days: DateArray) -> IntArray:
    """0 for January … 11 for December."""
    return days.astype("datetime64[M]").astype(np.int64) % 12


def season_of(days: DateArray) -> IntArray:
    """Meteorological season: winter is December to February, and so on."""
    return (month_index(days) + 1) % 12 // 3


def is_holiday(units: Sequence[BusinessUnit], days: DateArray) -> npt.NDArray[np.bool_]:
    """Public holidays (units, days); only the years of `days` are computed."""
    from holidays import country_holidays

    years = range(days[0].astype(object).year, days[-1].astype(object).year + 1)
    calendars = [list(country_holidays(unit.holiday_country, years=years)) for unit in units]
    return np.stack([np.isin(days, np.array(calendar, dtype="datetime64[D]")) for calendar in calendars])


def sales_intensity(parameters: ChainParameters, days: DateArray) -> FloatArray:
    """Relative sales expected on each day (days,): growth over the span x day of week x a yearly wave."""
    position = np.arange(len(days))
    monday_first = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    day_of_year = (days - days.astype("datetime64[Y]")).astype(np.int64) + 1
    growth = 1 + parameters.growth * position / len(days)
    wave = 1 + parameters.winter_peak * np.cos((day_of_year - 15) / 365 * 2 * np.pi)
    return growth * parameters.day_of_week_intensity[monday_first] * wave


def draw_weather(parameters: ChainParameters, days: DateArray, rng: np.random.Generator) -> IntArray:
    """Weather codes (units * stores_per_unit, days); store s belongs to unit s // stores_per_unit."""
    months = month_index(days)
    stores = len(parameters.business_units) * parameters.stores_per_unit
    weather = np.empty((stores, len(days)), dtype=np.int64)
    for store in range(stores):
        probability = parameters.weather_probability[store // parameters.stores_per_unit, months]
        weather[store] = draw_codes(probability, rng)
    return weather


def draw_codes(probability: FloatArray, rng: np.random.Generator) -> IntArray:
    """One category per row of `probability` (rows, categories), by the inverse of its cumulative distribution."""
    above = rng.random(len(probability))[:, None] > probability.cumsum(axis=1)
    return above.sum(axis=1).clip(0, probability.shape[1] - 1)
