"""What Azure ML puts in place of a scoring script when an MLflow model is deployed without one."""

import json
import os
from pathlib import Path
from typing import Any

_model: Any = None


def init() -> None:
    """Loads the model; it lies in the only folder below the model's directory."""
    import mlflow

    global _model  # noqa: PLW0603 - the inference server calls `init` and `run` and keeps nothing between them
    root = Path(os.environ["AZUREML_MODEL_DIR"])
    _model = mlflow.pyfunc.load_model(str(next(root.rglob("MLmodel")).parent))


def run(data: str) -> Any:
    """Scores `{"input_data": {"columns": …, "index": …, "data": …}}`."""
    import pandas as pd

    given = json.loads(data)["input_data"]
    frame = pd.DataFrame(**given) if isinstance(given, dict) else pd.DataFrame(given)
    predictions = _model.predict(frame)
    if isinstance(predictions, pd.DataFrame):
        return predictions.to_dict(orient="records")
    return predictions.tolist() if hasattr(predictions, "tolist") else predictions
