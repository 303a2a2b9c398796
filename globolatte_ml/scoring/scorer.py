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
from globolatte_ml.data.ranking import CELLS_AT_ONCE, best
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
        order = best(probabilities, max(request.top or len(self.products) for request in resolved))
        return [
            self._answer(request, row >= 0, probabilities[i], order[i])
            for i, (request, row) in enumerate(zip(resolved, rows.tolist(), strict=True))
        ]

    def time_zone(self, business_unit: str) -> str:
        """The IANA time zone of a unit, called by any of its names. Raises ValueError, listing the units, for an unknown one."""
        return self._unit(business_unit).time_zone

    def batch(self, date: dt.date, chunk: int = 50_000, top: int | None = None) -> Iterator[pa.Table]:
        """Every customer in their home unit under every weather type, the best `top` products (all unless given): tables of at most
        `chunk` customers. Memory is bounded, however many customers and products there are.

        Columns: prediction_id, customer_id, business_unit, as_of_date, weather, is_expected_weather, rank, product_id,
        probability, model_version, state_version. Rows run by customer, weather, rank; the id is that of the
        same request put to `recommend` without a daypart.

        Raises:
            ValueError: `chunk` is below 1, or a customer's home unit is not in the bundle.
        """
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; it must be at least 1")
        count = min(top or len(self.products), len(self.products))
        homes = np.unique(self.bundle.home_business_unit).tolist()
        for unit in homes:
            self._unit(unit)
        weathers = np.array(self.weathers)
        for start in range(0, len(self.bundle.customer_ids), chunk):
            rows = np.arange(start, min(start + chunk, len(self.bundle.customer_ids)))
            ranked, shares = [], []
            for block in self._blocks(rows, len(weathers)):
                of_block = self._at_home(
                    np.repeat(block, len(weathers)), np.tile(weathers, len(block)), np.datetime64(date, "D")
                )
                ranked.append(best(of_block, count))
                shares.append(np.take_along_axis(of_block, ranked[-1], axis=1))
            yield _ranked_table(self, rows, date, np.concatenate(ranked), np.concatenate(shares))

    def of_products(self, date: dt.date, products: Sequence[str]) -> pa.Table:
        """What every customer would choose in their home unit, in the weather that is most likely there: prediction_id, customer_id,
        business_unit, product_id, probability, for some of the products. Customers of a unit without such a weather are left out."""
        units, at = np.unique(self.bundle.home_business_unit, return_inverse=True)
        month = int(months(np.array([date], dtype="datetime64[D]"))[0])
        likely = np.array([self.bundle.expected_weather.get((unit, month), "") for unit in units.tolist()], dtype=str)
        weather = likely[at]
        rows = np.flatnonzero(weather != "")
        position = {product: i for i, product in enumerate(self.products)}
        wanted = [position[product] for product in products]
        day = np.datetime64(date, "D")
        shares = [self._at_home(block, weather[block], day)[:, wanted] for block in self._blocks(rows, 1)]
        customers, homes = self.bundle.customer_ids[rows], self.bundle.home_business_unit[rows]
        ids = [
            prediction_id(self.model_version, self.state_version, customer, unit, date, likely_here, None)
            for customer, unit, likely_here in zip(
                customers.tolist(), homes.tolist(), weather[rows].tolist(), strict=True
            )
        ]
        by_customer = np.repeat(np.arange(len(rows)), len(wanted))
        return pa.table(
            {
                "prediction_id": _spread(ids, by_customer),
                "customer_id": _spread(customers.tolist(), by_customer),
                "business_unit": _spread(homes.tolist(), by_customer),
                "product_id": _spread(list(products), np.tile(np.arange(len(wanted)), len(rows))),
                "probability": pa.array(np.concatenate([np.empty((0, len(wanted))), *shares]).ravel()),
            }
        )

    def probabilities(self, rows: np.ndarray, contexts: Contexts) -> np.ndarray:
        """Probabilities over the bundle's products, shape (n, K).

        Args:
            rows: the customers' positions in the bundle, -1 for a cold-start customer, shape (n,).
            contexts: n contexts; an empty daypart averages over the customer's smoothed daypart history.
        """
        return self.model.predict_any_daypart(self._states.take(rows + 1), contexts, self.products)

    def _blocks(self, rows: np.ndarray, questions: int) -> Iterator[np.ndarray]:
        """`rows` in pieces that can be predicted at once, with so many questions about each customer."""
        size = min(CUSTOMERS_AT_ONCE, CELLS_AT_ONCE // (questions * len(DAYPARTS) * len(self.products)))
        return (rows[i : i + max(1, size)] for i in range(0, len(rows), max(1, size)))

    def _at_home(self, rows: np.ndarray, weather: np.ndarray, day: np.datetime64) -> np.ndarray:
        """Probabilities (n, K) for the customers at `rows` in their home units, in a weather each, at no particular hour."""
        unit = self.bundle.home_business_unit[rows]
        closed = [home for home in np.unique(unit).tolist() if self.bundle.is_holiday(home, day)]
        contexts = Contexts(
            business_unit=unit,
            date=np.full(len(unit), day),
            weather=weather,
            daypart=np.full(len(unit), _ANY_DAYPART),
            is_holiday=np.isin(unit, closed),
        )
        return self.probabilities(rows, contexts)

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
            products=len(self.products),
        )


def _ranked_table(scorer: Scorer, rows: np.ndarray, date: dt.date, ranked: np.ndarray, shares: np.ndarray) -> pa.Table:
    """Lay out ranked products and their probabilities, both (customers x weather types, products), of the customers at `rows`."""
    n_customers, n_types, n_products = len(rows), len(scorer.weathers), ranked.shape[1]
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
        "product_id": _spread(scorer.products, ranked.ravel()),
        "probability": pa.array(shares.ravel()),
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
