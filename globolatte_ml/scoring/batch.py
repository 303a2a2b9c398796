"""The table of a batch: probabilities of many customers laid out as ranked rows.

Belongs here: ranking and column layout, whole arrays at a time.
Does not belong here: computing probabilities (`scoring.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from globolatte_ml.data.vocabulary import months
from globolatte_ml.scoring.recommendations import prediction_id

if TYPE_CHECKING:
    from globolatte_ml.scoring.scoring import Scorer


def ranked_table(scorer: Scorer, rows: np.ndarray, date: dt.date, probabilities: np.ndarray) -> pa.Table:
    """Lay out `probabilities` (customers, weather types, K) of the bundle's customers at `rows`."""
    n_customers, n_types, n_products = probabilities.shape
    order = np.argsort(-probabilities, axis=2, kind="stable")
    customers, units = scorer.bundle.customer_ids[rows], scorer.bundle.home_business_unit[rows]
    unit_words, unit = np.unique(units, return_inverse=True)
    by_customer = np.repeat(np.arange(n_customers), n_types * n_products)
    by_question = np.repeat(np.arange(n_customers * n_types), n_products)
    weather = by_question % n_types
    n = len(by_question)
    columns = {
        "prediction_id": _spread(_prediction_ids(scorer, customers, units, date), by_question),
        "customer_id": _spread(customers.tolist(), by_customer),
        "business_unit": _spread(unit_words.tolist(), unit[by_customer]),
        "as_of_date": pa.repeat(pa.scalar(date, pa.date32()), n),
        "weather": _spread(scorer.weathers, weather),
        "is_expected_weather": pa.array(_expected(scorer, unit_words, date)[unit[by_customer], weather]),
        "rank": pa.array(np.tile(np.arange(1, n_products + 1, dtype=np.int32), n_customers * n_types)),
        "product_id": _spread(scorer.products, order.ravel()),
        "probability": pa.array(np.take_along_axis(probabilities, order, axis=2).ravel()),
        "model_version": pa.repeat(scorer.model_version, n),
        "state_version": pa.repeat(scorer.state_version, n),
    }
    return pa.table(columns)


def _prediction_ids(scorer: Scorer, customers: np.ndarray, units: np.ndarray, date: dt.date) -> list[str]:
    """One hash per customer and weather type: SHA-256 has no array form."""
    model, state = scorer.model_version, scorer.state_version
    return [
        prediction_id(model, state, customer, unit, date, weather, None)
        for customer, unit in zip(customers.tolist(), units.tolist(), strict=True)
        for weather in scorer.weathers
    ]


def _expected(scorer: Scorer, unit_words: np.ndarray, date: dt.date) -> np.ndarray:
    """Whether each weather type is the most likely one of the month, shape (units, weather types)."""
    month = int(months(np.array([date], dtype="datetime64[D]"))[0])
    likely = [scorer.bundle.expected_weather.get((unit, month)) for unit in unit_words.tolist()]
    return np.array([[weather == most for weather in scorer.weathers] for most in likely], dtype=bool)


def _spread(words: Sequence[str], index: np.ndarray) -> pa.Array:
    """`words[index]` as an Arrow string column."""
    return pa.array(list(words), pa.string()).take(pa.array(index))
