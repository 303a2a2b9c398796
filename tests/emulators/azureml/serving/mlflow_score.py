"""What Azure ML puts in place of a scoring script when an MLflow model is deployed without one, in the shape of Microsoft's own.

Written anew after what that one does (Azure/azureml-assets, `mlflow-py312-inference`): it imports the same packages, so that they must
be in the model's environment; the model's example, read by pandas' `read_json`, gives the types of columns; a request is read by
`inference_schema` in the same way and brought to those types, before MLflow holds it to the signature. `read_json` makes times of a
column called `date`.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from azureml.ai.monitoring import Collector
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType  # type: ignore[import-untyped]
from inference_schema.schema_decorators import input_schema, output_schema  # type: ignore[import-untyped]
from mlflow.models import Model

logger = logging.getLogger(__name__)


def _folder() -> Path:
    """The model's; it lies in the only folder below the model's directory, or is that itself."""
    return next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("MLmodel")).parent


def _example(model: Model, folder: Path) -> pd.DataFrame:
    """The types of the columns: those of the example, else of the signature."""
    try:
        text = json.loads((folder / model.saved_input_example_info["artifact_path"]).read_text())
        return pd.read_json(json.dumps(text), orient="split", dtype=False)
    except Exception as error:  # noqa: BLE001 - as that script does: without a usable example the signature speaks
        logger.warning("no usable example: %s", error)
        inputs = model.get_input_schema()
        return pd.DataFrame(columns=inputs.input_names()).astype(
            dict(zip(inputs.input_names(), inputs.pandas_types(), strict=True))
        )


_described = Model.load(str(_folder()))
_outputs = _described.get_output_schema()
_answers = pd.DataFrame(columns=_outputs.input_names()).astype("float64")
_model = mlflow.pyfunc.load_model(str(_folder()))
_collectors: list[Collector] = []


def init() -> None:
    """Has the data collector ready where it is asked for."""
    if os.environ.get("ENABLE_MDC"):
        _collectors[:] = [Collector(name="model_inputs"), Collector(name="model_outputs")]


@input_schema("input_data", PandasParameterType(_example(_described, _folder()), enforce_shape=False, orient="split"))
@output_schema(PandasParameterType(_answers, enforce_shape=False, orient="records"))
def run(input_data: Any) -> Any:
    """Scores `{"input_data": {"columns": …, "index": …, "data": …}}`."""
    predictions = _model.predict(input_data)
    if _collectors:
        context = _collectors[0].collect(input_data)
        _collectors[1].collect(pd.DataFrame(predictions), context)
    return predictions.to_dict(orient="records") if isinstance(predictions, pd.DataFrame) else predictions.tolist()
