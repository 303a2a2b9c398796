"""Orders as rows of the model in MLflow's format: what `mlflow models serve` and Azure ML's own scoring script hand over.

A row has the columns of `CONTEXT_COLUMNS`, then what is known of the customer: counts, dates, the last products, and `history`, a JSON
text of what each product was bought: `{"P001": {"main_orders": 3, "decayed_main_30d": 0.4}}`. All of the latter may be absent or empty,
which means no history. No column is called `date`: pandas' `read_json`, by which Azure's script reads a request, makes times of such a one.

Models of earlier releases have a signature with `date` and four columns a product instead; their rows are read as well.
"""

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from globolatte_ml.data.blanks import trimmed
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.flat_rows import COUNT_COLUMNS, DATE_COLUMNS, customer_columns, states_from_rows
from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.product_rows import ProductRows
from globolatte_ml.data.states import PRODUCT_LEVEL_COLUMNS, RECENT_COLUMNS, CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS, UNKNOWN_WEATHER, Vocabulary

DATE, EARLIER_DATE, HISTORY = "business_date", "date", "history"
REQUIRED_TEXTS = ("business_unit", DATE, "weather")
OPTIONAL_TEXTS = ("daypart", *DATE_COLUMNS, *RECENT_COLUMNS, HISTORY)
ANY_DAYPART = ""
MOST_OF_A_PRODUCT = 1_000_000_000
"""What one customer can have bought of a product: more is a fault of the caller, and too much for the arithmetic."""


def model_rows(states: CustomerStates, contexts: Contexts) -> pd.DataFrame:
    """n rows. Counts are floats and texts never null: servers take the types of columns from an example of these rows, where a column
    of nulls alone would become one of numbers."""
    rows = pd.DataFrame(customer_columns(states, contexts)).rename(columns={EARLIER_DATE: DATE})
    texts = {name: rows[name].fillna("") for name in (*DATE_COLUMNS, *RECENT_COLUMNS)}
    return rows.astype(dict.fromkeys(COUNT_COLUMNS, np.float64)).assign(**texts, **{HISTORY: _histories(states)})


def _histories(states: CustomerStates) -> list[str]:
    bought = states.bought
    numbers = np.stack([getattr(bought, name) for name in PRODUCT_LEVEL_COLUMNS], axis=1).tolist()
    amounts = [dict(zip(PRODUCT_LEVEL_COLUMNS, of_one, strict=True)) for of_one in numbers]
    products = [states.products[position] for position in bought.product.tolist()]
    return [
        json.dumps(dict(zip(products[start:stop], amounts[start:stop], strict=True)))
        for start, stop in pairwise(bought.indptr.tolist())
    ]


def contexts_from_model_rows(rows: pd.DataFrame, words: Vocabulary) -> Contexts:
    """The contexts, in the chain's own words; an empty daypart stays empty.

    Raises `InvalidDataError` naming row, column and what is known, for what the endpoint would refuse.
    """
    units, weathers = words.business_units, (*words.weathers, UNKNOWN_WEATHER)
    date = DATE if DATE in rows or EARLIER_DATE not in rows else EARLIER_DATE
    holidays = _cells(rows, "is_holiday")
    return Contexts(
        business_unit=np.array(_known(rows, "business_unit", units), dtype=str),
        date=np.array(_read(rows, date, _day), dtype="datetime64[D]"),
        weather=np.array(_known(rows, "weather", weathers), dtype=str),
        daypart=np.array(_known(rows, "daypart", DAYPARTS, ANY_DAYPART), dtype=str),
        is_holiday=np.array([not _is_empty(one) and bool(one) for one in holidays], dtype=bool),
    )


def states_from_model_rows(rows: pd.DataFrame, products: tuple[str, ...]) -> CustomerStates:
    """The customers' states over a catalogue; products outside it count as never bought.

    Raises `InvalidDataError` naming row and column of what cannot be read.
    """
    read = rows.assign(
        **{name: _read(rows, name, _count, 0.0) for name in COUNT_COLUMNS},
        **{name: _read(rows, name, _day_or_none) for name in DATE_COLUMNS},
        **{name: _read(rows, name, _text, "") for name in RECENT_COLUMNS},
    )
    bought = _bought(_read(rows, HISTORY, _history, {}), products) if HISTORY in rows else None
    return states_from_rows(read, products, bought)


def _bought(histories: Sequence[dict[str, dict[str, float]]], products: tuple[str, ...]) -> ProductRows:
    place = {product: position for position, product in enumerate(products)}
    pairs = [
        (row, place[product], *(amounts.get(name, 0.0) for name in PRODUCT_LEVEL_COLUMNS))
        for row, history in enumerate(histories)
        for product, amounts in history.items()
        if product in place
    ]
    row, product, *amounts = np.array(pairs, dtype=np.float64).reshape(len(pairs), 2 + len(PRODUCT_LEVEL_COLUMNS)).T
    named = dict(zip(PRODUCT_LEVEL_COLUMNS, amounts, strict=True))
    return ProductRows.of_pairs(len(histories), row.astype(np.int64), product.astype(np.int64), named)


def _cells(rows: pd.DataFrame, column: str) -> list[Any]:
    return list(rows[column]) if column in rows else [None] * len(rows)


def _is_empty(value: Any) -> bool:
    return (
        value is None
        or value is pd.NaT
        or value is pd.NA
        or (isinstance(value, float) and math.isnan(value))
        or value == ""
    )


def _read(rows: pd.DataFrame, column: str, read: Callable[[Any], Any], empty: Any = None) -> list[Any]:
    """Each cell of a column, read; `empty` for those without a value, where the reader is not to see them."""
    found = []
    for number, value in enumerate(_cells(rows, column), start=1):
        try:
            found.append(empty if empty is not None and _is_empty(value) else read(value))
        except ValueError as error:
            raise InvalidDataError(f"row {number}, {column}: {error}") from None
    return found


def _known(rows: pd.DataFrame, column: str, words: Sequence[str], empty: str | None = None) -> list[str]:
    spelled = {word.casefold(): word for word in words}

    def word(value: Any) -> str:
        if _is_empty(value):
            raise ValueError(f"is missing; use one of {', '.join(words)}")
        known = spelled.get(_text(value).casefold())
        if known is None:
            raise ValueError(f"{value!r} is unknown; use one of {', '.join(words)}")
        return known

    return _read(rows, column, word, empty)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text; send text")  # noqa: TRY004 - the value's fault, as all others here
    return trimmed(value)


def _day(value: Any) -> np.datetime64:
    """A date, written or made a time by a server on the way."""
    if isinstance(value, str):
        try:
            return np.datetime64(pd.Timestamp.fromisoformat(value).date(), "D")
        except ValueError:
            pass
    elif not _is_empty(value) and hasattr(value, "date"):
        return np.datetime64(value.date(), "D")
    raise ValueError(f"{None if _is_empty(value) else value!r} is no date; write it as YYYY-MM-DD")


def _day_or_none(value: Any) -> str | None:
    return None if _is_empty(value) else str(_day(value))


def _count(value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.number)
        or not float(value).is_integer()
        or value < 0
    ):
        raise ValueError(f"{value!r} is no count; send a whole number from 0, or nothing")
    return float(value)


def _history(value: Any) -> dict[str, dict[str, float]]:
    """What was bought, by product. Raises `ValueError` for anything else than numbers from 0 under known names."""
    shape = f'{{"P001": {{"{PRODUCT_LEVEL_COLUMNS[0]}": 1}}}}'
    try:
        document = json.loads(_text(value))
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error.msg} at column {error.colno}); write it like {shape}") from None
    if not isinstance(document, dict) or not all(isinstance(one, dict) for one in document.values()):
        raise ValueError(f"is no object of products; write it like {shape}")
    for product, numbers in document.items():
        for name, number in numbers.items():
            if name not in PRODUCT_LEVEL_COLUMNS:
                raise ValueError(f"{product}: {name!r} is unknown; use {', '.join(PRODUCT_LEVEL_COLUMNS)}")
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if number is not None and not (is_number and 0 <= number <= MOST_OF_A_PRODUCT):
                raise ValueError(
                    f"{product}, {name}: {number!r} is no amount; send a number from 0 to {MOST_OF_A_PRODUCT:,}"
                )
    return {
        product: {name: float(number or 0) for name, number in numbers.items()} for product, numbers in document.items()
    }
