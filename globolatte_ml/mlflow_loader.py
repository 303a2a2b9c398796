"""The MLflow face of the preference model: saving it as an MLflow model folder, and the loader MLflow calls.

Belongs here: the flat row format and the pyfunc wrapper. mlflow and pandas are imported only here and only when used.
Does not belong here: the endpoint's own path, which scores from a state bundle (`scoring.py`).

Flat rows: `business_unit`, `date` (ISO text), `weather`, `daypart`, `is_holiday`, then the customer-level state columns
(dates as ISO text) and for each product four columns `<state column>__<product id>`. Every state column is optional: what
is absent or empty counts as no history. The answer has one column of probabilities per product id.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from globolatte_ml.data.contexts import Contexts
from globolatte_ml.data.states import DAYPART_COLUMNS, PRODUCT_LEVEL_COLUMNS, RECENT_COLUMNS, CustomerStates
from globolatte_ml.data.vocabulary import encode
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.onnx_serving import load_for_serving

if TYPE_CHECKING:
    import pandas as pd

MODEL_NAME = "preference_model"
COUNT_COLUMNS = ("order_count", "line_count", *DAYPART_COLUMNS)
DATE_COLUMNS = ("first_order_date", "last_order_date")
CONTEXT_TEXT_COLUMNS = ("business_unit", "date", "weather", "daypart")
REQUIREMENTS = ("mlflow", "numpy", "onnxruntime", "pandas", "pyarrow")


class PreferencePyfunc:
    """What `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, model: PreferenceModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Probabilities for flat rows, one column per product id; MLflow's signature."""
        import pandas as pd

        states = states_from_rows(model_input, self.model.space_.vocabulary.products)
        probabilities = self.model.predict_proba(states, contexts_from_rows(model_input))
        return pd.DataFrame(probabilities, columns=list(self.model.classes_), index=model_input.index)


def _load_pyfunc(data_path: str) -> PreferencePyfunc:
    """MLflow's entry point."""
    return PreferencePyfunc(load_for_serving(Path(data_path)))


def contexts_from_rows(rows: pd.DataFrame) -> Contexts:
    """The context columns of flat rows."""
    return Contexts(
        business_unit=rows["business_unit"].to_numpy(dtype=str),
        date=rows["date"].to_numpy(dtype=str).astype("datetime64[D]"),
        weather=rows["weather"].to_numpy(dtype=str),
        daypart=rows["daypart"].to_numpy(dtype=str),
        is_holiday=rows["is_holiday"].to_numpy(dtype=bool),
    )


def states_from_rows(rows: pd.DataFrame, products: tuple[str, ...]) -> CustomerStates:
    """The state columns of flat rows; absent columns and empty cells mean no history."""
    import pandas as pd

    def numbers(name: str) -> np.ndarray:
        return np.nan_to_num(rows[name].to_numpy(np.float64, na_value=np.nan)) if name in rows else np.zeros(len(rows))

    def texts(name: str) -> np.ndarray:
        column = rows[name] if name in rows else pd.Series([None] * len(rows), dtype=object)
        return column.fillna("").to_numpy(dtype=str)

    def dates(name: str) -> np.ndarray:
        written = texts(name)
        return np.where(written == "", "NaT", written).astype("datetime64[D]")

    return CustomerStates(
        products=products,
        order_count=numbers("order_count").astype(np.int64),
        line_count=numbers("line_count").astype(np.int64),
        first_order_date=dates("first_order_date"),
        last_order_date=dates("last_order_date"),
        daypart_orders=np.stack([numbers(name).astype(np.int64) for name in DAYPART_COLUMNS], axis=1),
        recent_products=np.stack([encode(texts(name), products) for name in RECENT_COLUMNS], axis=1),
        **{
            name: np.stack([numbers(f"{name}__{product}") for product in products], axis=1)
            for name in PRODUCT_LEVEL_COLUMNS
        },
    )


def flat_rows(states: CustomerStates, contexts: Contexts) -> pd.DataFrame:
    """The inverse of the two readers: n flat rows."""
    import pandas as pd

    def written(dates: np.ndarray) -> np.ndarray:
        text = np.datetime_as_string(dates).astype(object)
        text[np.isnat(dates)] = None
        return text

    products = np.array([*states.products, None], dtype=object)
    columns: dict[str, np.ndarray] = {
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
    for name in PRODUCT_LEVEL_COLUMNS:
        columns.update({f"{name}__{p}": getattr(states, name)[:, i] for i, p in enumerate(states.products)})
    return pd.DataFrame(columns)


def save_mlflow_model(model: PreferenceModel, data_folder: Path, folder: Path, example: pd.DataFrame) -> None:
    """Write an MLflow model folder around the saved model in `data_folder` (which must be called `preference_model`).

    Args:
        model: the same model, for the signature.
        data_folder: what `model.save` wrote.
        folder: the MLflow model folder; must not exist.
        example: a few flat rows.
    """
    import mlflow.pyfunc

    mlflow.pyfunc.save_model(
        path=str(folder),
        loader_module="globolatte_ml.mlflow_loader",
        data_path=str(data_folder),
        code_paths=[str(Path(__file__).parent)],
        signature=_signature(model),
        input_example=example,
        pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in REQUIREMENTS],
    )


def _signature(model: PreferenceModel) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    products = model.space_.vocabulary.products
    inputs = [ColSpec(DataType.string, name) for name in CONTEXT_TEXT_COLUMNS]
    inputs.append(ColSpec(DataType.boolean, "is_holiday"))
    inputs += [ColSpec(DataType.long, name, required=False) for name in COUNT_COLUMNS]
    inputs += [ColSpec(DataType.string, name, required=False) for name in (*DATE_COLUMNS, *RECENT_COLUMNS)]
    inputs += [
        ColSpec(DataType.double, f"{name}__{product}", required=False)
        for name in PRODUCT_LEVEL_COLUMNS
        for product in products
    ]
    outputs = [ColSpec(DataType.double, product) for product in products]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
