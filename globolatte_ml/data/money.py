"""Prices that can be compared: in one currency, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from globolatte_ml.data import columns

Price = tuple[float, str | None]
"""An amount and its currency, if one is named."""


@dataclass(frozen=True)
class Money:
    """What one unit of each currency is worth in the reporting currency, and which currency each business unit sells in, if it says."""

    rates: Mapping[str, float] = field(default_factory=dict)
    currencies: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def from_tables(cls, rates: pa.Table, units: pa.Table, as_of: object) -> "Money":
        """Of the rates in force on the date `as_of`.

        Args:
            rates: currency, rate, valid_from, valid_before (empty: until today).
            units: business_unit_id, currency.
        """
        in_force = {
            row["currency"]: float(row["rate"])
            for row in rates.to_pylist()
            if row["valid_from"] <= as_of and (row["valid_before"] is None or as_of < row["valid_before"])
        }
        currencies = units["currency"].to_pylist()
        return cls(in_force, dict(zip(columns.strings(units, "business_unit_id").tolist(), currencies, strict=True)))

    def comparable(self, prices: Mapping[str, Price], unit: str | None = None) -> dict[str, float]:
        """By product its price in one currency for all, NaN for a product whose price cannot be said in it.

        Prices that all name the same currency, or none, stay as they are. Else they are converted to the reporting currency; where a rate
        is missing, those in the unit's own currency are compared, as they are. `unit` is a business unit's id; none for all units
        together, which have a currency of their own if they all sell in the same.
        """
        named = {currency for _, currency in prices.values()}
        sold_in = set(self.currencies.values()) if unit is None else {self.currencies.get(unit)}
        own = sold_in.pop() if len(sold_in) == 1 else None
        factors: dict[str | None, float] = dict(self.rates.items())
        if len(named) == 1:
            factors = dict.fromkeys(named, 1.0)
        elif own in named - {None} and not named <= factors.keys():
            factors = {own: 1.0}
        return {product: amount * factors.get(currency, float("nan")) for product, (amount, currency) in prices.items()}
