"""Requests and answers: what is requested, what is answered, and the address of an answer."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """What would this customer like?

    Attributes:
        customer_id: may be unknown; the answer is then the regional, seasonal one.
        business_unit: its id, country, name or folder, in any case.
        weather: one of the chain's weather types, in any case; or Unknown, which is answered as the season's mixture of them.
        date: business date, local to the unit.
        daypart: morning, midday, afternoon or evening; None averages over the hours at which the customer comes.
        top: how many products to return; None for all.
    """

    customer_id: str
    business_unit: str
    weather: str
    date: dt.date
    daypart: str | None = None
    top: int | None = None


@dataclass(frozen=True)
class RankedProduct:
    """One product of an answer; rank 1 is the most probable. Equal probabilities rank by product id."""

    product_id: str
    product_name: str
    probability: float
    rank: int


@dataclass(frozen=True)
class Recommendation:
    """The answer to a `Request`; business unit (as id) and weather in the chain's own spelling. products: how many could be ranked."""

    prediction_id: str
    customer_id: str
    known_customer: bool
    business_unit: str
    weather: str
    date: dt.date
    daypart: str | None
    model_version: str
    state_version: str
    ranked: tuple[RankedProduct, ...]
    products: int = 0

    @property
    def question(self) -> dict[str, Any]:
        """What was answered, under which address; as JSON values."""
        names = "prediction_id", "customer_id", "known_customer", "business_unit", "date", "weather", "daypart"
        return {**{name: getattr(self, name) for name in names}, "date": self.date.isoformat()}


def prediction_id(
    model_version: str,
    state_version: str,
    customer_id: str,
    business_unit: str,
    date: dt.date,
    weather: str,
    daypart: str | None,
) -> str:
    """The address of a prediction: the same question to the same model and state has the same id."""
    question = (model_version, state_version, customer_id, business_unit, date.isoformat(), weather, daypart or "")
    return "pr_" + hashlib.sha256("\x1f".join(question).encode()).hexdigest()[:20]
