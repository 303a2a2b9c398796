"""The loader that MLflow calls; the folders of all registered models name this module. Saving is `training/training_job.py`'s.

Rows are those of `data/model_rows.py`; the answer has one column of probabilities per product id.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.model_rows import contexts_from_model_rows, states_from_model_rows
from globolatte_ml.model.encoding import encode_states
from globolatte_ml.model.model import PreferenceModel


class PreferencePyfunc:
    """What `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, model: PreferenceModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Probabilities for rows, one column per product id; MLflow's signature.

        Raises `MlflowException`, which MLflow's server answers with 400, for what the endpoint refuses.
        """
        from mlflow.exceptions import MlflowException

        words = self.model.space_.vocabulary
        try:
            contexts = contexts_from_model_rows(model_input, words)
            states = encode_states(states_from_model_rows(model_input, words.products), self.model.space_)
        except InvalidDataError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        probabilities = self.model.predict_any_daypart(states, contexts)
        return pd.DataFrame(probabilities, columns=list(self.model.classes_), index=model_input.index)


def _load_pyfunc(data_path: str) -> PreferencePyfunc:
    """MLflow's entry point."""
    return PreferencePyfunc(PreferenceModel.load(Path(data_path)))
