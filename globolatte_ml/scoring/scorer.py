"""From a model folder and a state bundle to recommendations, one by one or for every customer.

Resolving what callers say, probabilities for requests, the batch and its table. Imports numpy and pyarrow only, for a fast start.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.vocabulary import DAYPARTS, UNKNOWN_WEATHER, months
from globolatte_ml.model.encoding import encode_states
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.model_files import DOCUMENT_NAME
from globolatte_ml.scoring.recommendations import RankedProduct, Recommendation, Request, prediction_id
from globolatte_ml.scoring.state_bundle import BusinessUnit, KnownWords, StateBundle, read_state_bundle

MLFLOW_DATA = Path("data") / "preference_model"
CUSTOMERS_AT_ONCE = 2_000
_ANY_DAYPART = ""


class Scorer:
    """Answers requests with one model and one state bundle. The bundle's catalogue is what can be recommended.

    Args:
        model: a fitted model.
        bundle: the state bundle.
        model_version: what to call the model, for example its registry version; default: 12 digits of its content hash.
    """

    def __init__(self, model: PreferenceModel, bundle: StateBundle, model_version: str | None = None) -> None:
        self.model, self.bundle = model, bundle
        self.model_version = model_version or model.content_hash()[:12]
        self.state_version = bundle.state_version
        self.products = tuple(bundle.products)
        self.weathers = tuple(sorted({*bundle.weathers, *model.space_.vocabulary.weathers}))
        known = bundle.states(model.space_.vocabulary.products).take(np.arange(-1, len(bundle.customer_ids)))
        self._states = encode_states(known, model.space_)  # a cold-start customer first, then those who are known
        self.words = KnownWords(
            {name.casefold(): unit for unit in bundle.business_units.values() for name in unit.names},
            {weather.casefold(): weather for weather in (*self.weathers, UNKNOWN_WEATHER)},
        )

    @classmethod
    def from_folders(cls, model_folder: Path, state_folder: Path, model_version: str | None = None) -> Scorer:
        """Load both; `model_folder` is an MLflow model folder or the preference model's own folder."""
        folder = resolve_model_folder(Path(model_folder))
        return cls(PreferenceModel.load(folder), read_state_bundle(Path(state_folder)), model_version)

    def recommend(self, requests: Sequence[Request]) -> list[Recommendation]:
        """One answer per request, in order.

        Raises:
            ValueError: a business unit, weather, daypart or `top` that does not exist; the message lists what does.
        """
        if not requests:
            return []
        resolved = [self._resolved(request) for request in requests]
        rows = self.bundle.rows(np.array([request.customer_id for request in resolved]))
        contexts = Contexts(
            business_unit=np.array([request.business_unit for request in resolved]),
            date=np.array([request.date for request in resolved], dtype="datetime64[D]"),
            weather=np.array([request.weather for request in resolved]),
            daypart=np.array([request.daypart or _ANY_DAYPART for request in resolved]),
            is_holiday=np.array(
                [self.bundle.is_holiday(one.business_unit, np.datetime64(one.date, "D")) for one in resolved]
            ),
        )
        probabilities = self.probabilities(rows, contexts)
        order = np.argsort(-probabilities, axis=1, kind="stable")
        return [
            self._answer(request, row >= 0, probabilities[i], order[i])
            for i, (request, row) in enumerate(zip(resolved, rows.tolist(), strict=True))
        ]

    def time_zone(self, business_unit: str) -> str:
        """The IANA time zone of a unit, called by any of its names. Raises ValueError, listing the units, for an unknown one."""
        return self._unit(business_unit).time_zone

    def batch(self, date: dt.date, chunk: int = 50_000) -> Iterator[pa.Table]:
        """Every customer in their home unit under every weather type: tables of at most `chunk` customers.

        Columns: prediction_id, customer_id, business_unit, as_of_date, weather, is_expected_weather, rank, product_id,
        probability, model_version, state_version. Rows run by customer, weather, rank; the id is that of the
        same request put to `recommend` without a daypart.

        Raises:
            ValueError: `chunk` is below 1, or a customer's home unit is not in the bundle.
        """
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; it must be at least 1")
        homes = np.unique(self.bundle.home_business_unit).tolist()
        for unit in homes:
            self._unit(unit)
        for start in range(0, len(self.bundle.customer_ids), chunk):
            rows = np.arange(start, min(start + chunk, len(self.bundle.customer_ids)))
            blocks = [
                self._batch_probabilities(rows[i : i + CUSTOMERS_AT_ONCE], date, homes)
                for i in range(0, len(rows), CUSTOMERS_AT_ONCE)
            ]
            yield _ranked_table(self, rows, date, np.concatenate(blocks))

    def probabilities(self, rows: np.ndarray, contexts: Contexts) -> np.ndarray:
        """Probabilities over the bundle's products, shape (n, K).

        Args:
            rows: the customers' positions in the bundle, -1 for a cold-start customer, shape (n,).
            contexts: n contexts; an empty daypart averages over the customer's smoothed daypart history.
        """
        return self.model.predict_any_daypart(self._states.take(rows + 1), contexts, self.products)

    def _batch_probabilities(self, rows: np.ndarray, date: dt.date, homes: list[str]) -> np.ndarray:
        """Shape (customers, weather types, K)."""
        day, types = np.datetime64(date, "D"), len(self.weathers)
        unit = np.repeat(self.bundle.home_business_unit[rows], types)
        closed = [home for home in homes if self.bundle.is_holiday(home, day)]
        contexts = Contexts(
            business_unit=unit,
            date=np.full(len(unit), day),
            weather=np.tile(np.array(self.weathers), len(rows)),
            daypart=np.full(len(unit), _ANY_DAYPART),
            is_holiday=np.isin(unit, closed),
        )
        return self.probabilities(np.repeat(rows, types), contexts).reshape(len(rows), types, len(self.products))

    def _resolved(self, request: Request) -> Request:
        """The request in the chain's own spelling."""
        weather = self.words.weathers.get(request.weather.casefold())
        if weather is None:
            raise ValueError(f"weather {request.weather!r} is unknown; use one of {self.words.weather_list}")
        daypart = request.daypart.casefold() if request.daypart else None
        if daypart is not None and daypart not in DAYPARTS:
            raise ValueError(f"daypart {request.daypart!r} is unknown; use one of {', '.join(DAYPARTS)}, or none")
        if request.top is not None and request.top < 1:
            raise ValueError(f"top is {request.top}; ask for at least 1 product")
        unit = self._unit(request.business_unit).business_unit_id
        return Request(request.customer_id, unit, weather, request.date, daypart, request.top)

    def _unit(self, name: str) -> BusinessUnit:
        unit = self.words.units.get(name.casefold())
        if unit is None:
            raise ValueError(f"business unit {name!r} is unknown; use one of {self.words.unit_list}")
        return unit

    def _answer(self, request: Request, known: bool, probabilities: np.ndarray, order: np.ndarray) -> Recommendation:
        ranked = tuple(
            RankedProduct(
                self.products[position],
                self.bundle.products[self.products[position]],
                float(probabilities[position]),
                i,
            )
            for i, position in enumerate(order[: request.top].tolist(), start=1)
        )
        question = request.customer_id, request.business_unit, request.date, request.weather, request.daypart
        return Recommendation(
            prediction_id=prediction_id(self.model_version, self.state_version, *question),
            customer_id=request.customer_id,
            known_customer=known,
            business_unit=request.business_unit,
            weather=request.weather,
            date=request.date,
            daypart=request.daypart,
            model_version=self.model_version,
            state_version=self.state_version,
            ranked=ranked,
        )


def _ranked_table(scorer: Scorer, rows: np.ndarray, date: dt.date, probabilities: np.ndarray) -> pa.Table:
    """Lay out `probabilities` (customers, weather types, K) of the bundle's customers at `rows`."""
    n_customers, n_types, n_products = probabilities.shape
    order = np.argsort(-probabilities, axis=2, kind="stable")
    customers, units = scorer.bundle.customer_ids[rows], scorer.bundle.home_business_unit[rows]
    unit_words, unit = np.unique(units, return_inverse=True)
    by_customer = np.repeat(np.arange(n_customers), n_types * n_products)
    by_question = np.repeat(np.arange(n_customers * n_types), n_products)
    weather = by_question % n_types
    n = len(by_question)
    month = int(months(np.array([date], dtype="datetime64[D]"))[0])
    likely = [scorer.bundle.expected_weather.get((one, month)) for one in unit_words.tolist()]
    expected = np.array([[one == most for one in scorer.weathers] for most in likely], dtype=bool)
    columns = {
        "prediction_id": _spread(_prediction_ids(scorer, customers, units, date), by_question),
        "customer_id": _spread(customers.tolist(), by_customer),
        "business_unit": _spread(unit_words.tolist(), unit[by_customer]),
        "as_of_date": pa.repeat(pa.scalar(date, pa.date32()), n),
        "weather": _spread(scorer.weathers, weather),
        "is_expected_weather": pa.array(expected[unit[by_customer], weather]),
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


def _spread(words: Sequence[str], index: np.ndarray) -> pa.Array:
    """`words[index]` as an Arrow string column."""
    return pa.array(list(words), pa.string()).take(pa.array(index))


def resolve_model_folder(folder: Path) -> Path:
    """The preference model's own folder, given it or the MLflow folder around it."""
    for candidate in (folder, folder / MLFLOW_DATA):
        if (candidate / DOCUMENT_NAME).is_file():
            return candidate
    raise InvalidDataError(f"{folder}: neither {DOCUMENT_NAME} nor {MLFLOW_DATA / DOCUMENT_NAME} in it; train a model")
