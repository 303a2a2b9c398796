"""Orders as flat rows of a data frame: what Azure's Responsible AI components give a model, and the rows of models of earlier releases.

Columns `business_unit`, `date` (ISO text), `weather`, `daypart`, `is_holiday`, then the customer-level state columns (dates as ISO text)
and for each product four columns `<state column>__<product id>`. Every state column is optional: what is absent or empty counts as
no history.
"""

import numpy as np
import pandas as pd

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.product_rows import ProductRows
from globolatte_ml.data.states import DAYPART_COLUMNS, PRODUCT_LEVEL_COLUMNS, RECENT_COLUMNS, CustomerStates
from globolatte_ml.data.vocabulary import encode

COUNT_COLUMNS = ("order_count", "line_count", *DAYPART_COLUMNS)
DATE_COLUMNS = ("first_order_date", "last_order_date")


def contexts_from_rows(rows: pd.DataFrame) -> Contexts:
    """The context columns of flat rows."""
    return Contexts(
        business_unit=rows["business_unit"].to_numpy(dtype=str),
        date=rows["date"].to_numpy(dtype=str).astype("datetime64[D]"),
        weather=rows["weather"].to_numpy(dtype=str),
        daypart=rows["daypart"].to_numpy(dtype=str),
        is_holiday=rows["is_holiday"].to_numpy(dtype=bool),
    )


def states_from_rows(
    rows: pd.DataFrame, products: tuple[str, ...], bought: ProductRows | None = None
) -> CustomerStates:
    """The state columns of flat rows; absent columns and empty cells mean no history.

    `bought` stands for the columns of the products, if those who have the rows know it already.
    """

    def numbers(name: str) -> np.ndarray:
        return np.nan_to_num(rows[name].to_numpy(np.float64, na_value=np.nan)) if name in rows else np.zeros(len(rows))

    def texts(name: str) -> np.ndarray:
        column = rows[name] if name in rows else pd.Series([None] * len(rows), dtype=object)
        return column.fillna("").to_numpy(dtype=str)

    def dates(name: str) -> np.ndarray:
        written = texts(name)
        return np.where(written == "", "NaT", written).astype("datetime64[D]")

    def table(name: str) -> np.ndarray:
        return np.stack([numbers(f"{name}__{product}") for product in products], axis=1)

    return CustomerStates(
        products=products,
        order_count=numbers("order_count").astype(np.int64),
        line_count=numbers("line_count").astype(np.int64),
        first_order_date=dates("first_order_date"),
        last_order_date=dates("last_order_date"),
        daypart_orders=np.stack([numbers(name).astype(np.int64) for name in DAYPART_COLUMNS], axis=1),
        recent_products=np.stack([encode(texts(name), products) for name in RECENT_COLUMNS], axis=1),
        bought=bought or ProductRows.of_dense(len(rows), **{name: table(name) for name in PRODUCT_LEVEL_COLUMNS}),
    )


def flat_rows(states: CustomerStates, contexts: Contexts) -> pd.DataFrame:
    """The inverse of the two readers: n flat rows."""
    columns = customer_columns(states, contexts)
    for name in PRODUCT_LEVEL_COLUMNS:
        columns.update(zip([f"{name}__{product}" for product in states.products], states.table(name).T, strict=True))
    return pd.DataFrame(columns)


def customer_columns(states: CustomerStates, contexts: Contexts) -> dict[str, np.ndarray]:
    """The columns of n flat rows but for those of the products."""

    def written(dates: np.ndarray) -> np.ndarray:
        text = np.datetime_as_string(dates).astype(object)
        text[np.isnat(dates)] = None
        return text

    products = np.array([*states.products, None], dtype=object)
    return {
        "business_unit": contexts.business_unit,
        "date": np.datetime_as_string(contexts.date),
        "weather": contexts.weather,
        "daypart": contexts.daypart,
        "is_holiday": contexts.is_holiday,
        "order_count": states.order_count,
        "line_count": states.line_count,
        **{name: written(getattr(states, name)) for name in DATE_COLUMNS},
        **{name: states.daypart_orders[:, i] for i, name in enumerate(DAYPART_COLUMNS)},
        **{name: products[states.recent_products[:, i]] for i, name in enumerate(RECENT_COLUMNS)},
    }
