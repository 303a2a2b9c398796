"""Reading a state bundle: everything an endpoint needs to know about customers and the chain, as files."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa

from globolatte_ml.data import columns
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.states import CUSTOMER_LEVEL_COLUMNS, PRODUCT_LEVEL_COLUMNS, CustomerStates


@dataclass(frozen=True)
class BusinessUnit:
    """One row of business_units.parquet; `time_zone` is an IANA name."""

    business_unit_id: str
    country: str
    unit_name: str
    folder: str
    time_zone: str

    @property
    def names(self) -> tuple[str, ...]:
        """Everything a caller may call it."""
        return self.business_unit_id, self.country, self.unit_name, self.folder


@dataclass(frozen=True)
class StateBundle:
    """The contents of a bundle; n customers.

    Attributes:
        state_version: name of the bundle.
        customer_ids: str, shape (n,), sorted. home_business_unit: str, shape (n,), in the same order.
        products: product id -> name, in sorted order of ids.
        business_units: by id, sorted.
        holidays: (country, date) pairs, dates as datetime64[D].
        weathers: the weather types, sorted.
        expected_weather: (business unit id, month 1..12) -> most likely weather.
    """

    state_version: str
    customer_ids: np.ndarray
    home_business_unit: np.ndarray
    products: dict[str, str]
    business_units: dict[str, BusinessUnit]
    holidays: frozenset[tuple[str, np.datetime64]]
    weathers: tuple[str, ...]
    expected_weather: dict[tuple[str, int], str]
    _customer_level: pa.Table
    _product_level: pa.Table

    def states(self, products: tuple[str, ...]) -> CustomerStates:
        """The n customers' states over a catalogue, in the order of `customer_ids`."""
        return CustomerStates.from_tables(self._customer_level, self._product_level, "customer_id", products)

    def rows(self, customer_ids: np.ndarray) -> np.ndarray:
        """Positions of the given ids among `customer_ids`, -1 for unknown ones; shape of the argument."""
        if len(self.customer_ids) == 0:
            return np.full(len(customer_ids), -1, dtype=np.int64)
        found = np.searchsorted(self.customer_ids, customer_ids).clip(max=len(self.customer_ids) - 1)
        return np.where(self.customer_ids[found] == customer_ids, found, -1)

    def is_holiday(self, business_unit_id: str, date: np.datetime64) -> bool:
        """Whether the unit's country has a public holiday on that date."""
        return (self.business_units[business_unit_id].country, date) in self.holidays


@dataclass(frozen=True)
class KnownWords:
    """What callers may call units and weathers: the unit, or the weather's own spelling, by case-folded name."""

    units: Mapping[str, BusinessUnit]
    weathers: Mapping[str, str]

    def known(self, field: str) -> Collection[str]:
        """What a request's `region` or `weather` may say, case-folded."""
        return self.units if field == "region" else self.weathers

    def listed(self, field: str) -> str:
        """The same for messages."""
        return self.unit_list if field == "region" else self.weather_list

    def spelled(self, field: str) -> tuple[str, ...]:
        """The same in the chain's own spelling."""
        if field == "weather":
            return tuple(self.weathers.values())
        return tuple(dict.fromkeys(name for unit in self.units.values() for name in unit.names))

    @property
    def unit_list(self) -> str:
        """The units by all of their names, for messages."""
        return "; ".join(" / ".join(unit.names) for unit in dict.fromkeys(self.units.values()))

    @property
    def weather_list(self) -> str:
        """The weathers, for messages."""
        return ", ".join(self.weathers.values())


def read_state_bundle(folder: Path) -> StateBundle:
    """Read a bundle; raises InvalidDataError naming what is missing."""
    customers = columns.read_table(
        folder / "customer_state.parquet", ("customer_id", "home_business_unit", *CUSTOMER_LEVEL_COLUMNS)
    ).sort_by("customer_id")
    pairs = columns.read_table(
        folder / "customer_product_state.parquet", ("customer_id", "product_id", *PRODUCT_LEVEL_COLUMNS)
    )
    products = columns.read_table(folder / "products.parquet", ("product_id", "product_name"))
    holidays = columns.read_table(folder / "holidays.parquet", ("country", "date"))
    weather = columns.read_table(
        folder / "monthly_weather.parquet", ("business_unit", "month", "weather", "is_most_likely")
    )
    if products.num_rows == 0:
        raise InvalidDataError(f"{folder / 'products.parquet'}: no products; load the catalogue and export again")
    ids, names = (columns.strings(products, name).tolist() for name in ("product_id", "product_name"))
    free = zip(columns.strings(holidays, "country").tolist(), columns.dates(holidays, "date"), strict=True)
    return StateBundle(
        state_version=_state_version(folder / "manifest.json"),
        customer_ids=columns.strings(customers, "customer_id"),
        home_business_unit=columns.strings(customers, "home_business_unit"),
        products=dict(sorted(zip(ids, names, strict=True))),
        business_units=_business_units(folder / "business_units.parquet"),
        holidays=frozenset(free),
        weathers=tuple(np.unique(columns.strings(weather, "weather")).tolist()),
        expected_weather={
            (row["business_unit"], int(row["month"])): row["weather"]
            for row in weather.to_pylist()
            if row["is_most_likely"]
        },
        _customer_level=customers,
        _product_level=pairs,
    )


def _business_units(path: Path) -> dict[str, BusinessUnit]:
    names = tuple(field.name for field in fields(BusinessUnit))
    table = columns.read_table(path, names).select(names)
    if table.num_rows == 0:
        raise InvalidDataError(f"{path}: no business units; load the reference data and export again")
    rows = table.sort_by("business_unit_id").to_pylist()
    return {row["business_unit_id"]: BusinessUnit(**row) for row in rows}


def _state_version(path: Path) -> str:
    if not path.is_file():
        raise InvalidDataError(f"{path}: the file is missing; export the state bundle again")
    version = json.loads(path.read_text(encoding="utf-8")).get("state_version")
    if not version:
        raise InvalidDataError(f"{path}: 'state_version' is missing; export the state bundle again")
    return str(version)
