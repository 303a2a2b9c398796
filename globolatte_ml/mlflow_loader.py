"""The loader that MLflow calls; the folders of all registered models name this module. Saving is `training/training_job.py`'s.

Rows are those of `data/flat_rows.py`; the answer has one column of probabilities per product id.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from globolatte_ml.data.flat_rows import contexts_from_rows, states_from_rows
from globolatte_ml.model.model import PreferenceModel


class PreferencePyfunc:
    """What `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, model: PreferenceModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Probabilities for flat rows, one column per product id; MLflow's signature."""
        states = states_from_rows(model_input, self.model.space_.vocabulary.products)
        probabilities = self.model.predict_proba(states, contexts_from_rows(model_input))
        return pd.DataFrame(probabilities, columns=list(self.model.classes_), index=model_input.index)


def _load_pyfunc(data_path: str) -> PreferencePyfunc:
    """MLflow's entry point."""
    return PreferencePyfunc(PreferenceModel.load(Path(data_path)))
