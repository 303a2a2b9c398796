"""The steps of a training job as functions: fit on the past, evaluate on the holdout, write the results.

The command line and the communication with Dagster are in `train.py`.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.flat_rows import COUNT_COLUMNS
from globolatte_ml.data.model_rows import OPTIONAL_TEXTS, REQUIRED_TEXTS, model_rows
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.job_entry import write_json
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.predicting import MOST_PRODUCTS
from globolatte_ml.training.evaluation import Evaluated, Evaluation, evaluate
from globolatte_ml.training.proofs import prove, write_proofs

EXAMPLE_ROWS = 3
MODEL_NAME = "preference_model"
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pyarrow")
SERVERS = ("azureml-ai-monitoring>=1.0", "azureml-inference-server-http>=1.4")
"""What Azure ML's own scoring script imports, from the environment that the model describes."""
PACKAGE = Path(__file__).resolve().parents[1]
"""The whole of `globolatte_ml`, which a model folder carries along."""


@dataclass(frozen=True)
class Training:
    """A fitted model with its evaluation on the snapshot's holdout, and how each order of it was predicted."""

    model: PreferenceModel
    evaluated: Evaluated
    seed: int

    @property
    def evaluation(self) -> Evaluation:
        """The model's evaluation."""
        return self.evaluated.evaluation

    def metrics(self) -> dict[str, float]:
        """Flat numbers for a tracker: the model's metrics and each baseline's log loss; without a holdout only that of the search."""
        numbers: dict[str, float] = {}
        if self.model.validation_log_loss_:
            numbers["validation_log_loss"] = min(self.model.validation_log_loss_.values())
        if self.evaluation.model is None:
            return numbers
        numbers |= asdict(self.evaluation.model)
        for name, baseline in self.evaluation.baselines.items():
            numbers[f"baseline_log_loss_{_snake_case(name)}"] = baseline.log_loss
        return numbers

    def parameters(self) -> dict[str, Any]:
        """The chosen and learned parameters in few words."""
        model, space = self.model, self.model.space_
        return {
            "content_hash": model.content_hash(),
            "seed": self.seed,
            "penalty": model.penalty_,
            "penalties": list(model.penalties),
            "half_life_days": model.half_life_,
            "training_orders": model.n_orders_,
            "training_from": str(space.first_date),
            "training_to": str(space.last_date),
            "products": len(model.classes_),
            "features": len(model.feature_names()),
            **({} if model.tabular is None else {"tabular_algorithm": model.tabular.algorithm}),
            "taste_groups": model.groups if model.taste_ is not None else 0,
            "weight_of_taste_model": float(model.blend_[0]),
            "weight_of_regression": float(model.blend_[1]),
            "weight_of_habit_expert": 0.0 if model.habit_ is None else float(model.blend_[2]),
            "experts": experts_of(model),
            **{f"prior_orders_{name}": strength for name, strength in space.concentration.items()},
        }


def experts_of(model: PreferenceModel) -> str:
    """Which experts answer, and why not all."""
    if not model.space_.has_counts:
        many = f"{len(model.classes_):,} products, more than {MOST_PRODUCTS}"
        return f"habits alone, the leaner path: {many}"
    columns = "regression" if model.tabular is None else "tabular classifier"
    there = {"taste model": model.taste_ is not None, columns: True, "habits": model.habit_ is not None}
    return ", ".join(name for name, is_there in there.items() if is_there)


def train_and_evaluate(
    snapshot: SnapshotOrders, seed: int = 0, candidates: Mapping[str, Any] | None = None
) -> Training:
    """Fit on everything before the holdout (on everything when no holdout is possible) and evaluate on the holdout.

    `candidates`: arguments of `PreferenceModel` (`penalties`, `half_lives`, `tabular`) other than its own.
    """
    model = fit_on_the_past(snapshot, seed, candidates)
    return Training(model, evaluate(model, snapshot, seed), seed)


def fit_on_the_past(
    snapshot: SnapshotOrders, seed: int = 0, candidates: Mapping[str, Any] | None = None
) -> PreferenceModel:
    """A model of everything before the holdout, or of everything when no holdout is possible."""
    past = ~snapshot.holdout
    return PreferenceModel(random_state=seed, **(candidates or {})).fit(
        snapshot.states.take(past),
        snapshot.contexts.take(past),
        snapshot.y[past],
        snapshot.products,
        fresh_from=snapshot.fresh_from,
    )


def write(training: Training, snapshot: SnapshotOrders, out: Path) -> None:
    """Write model/ (with proofs.json), metrics.json, parameters.json, evaluation.json and holdout_predictions.parquet into `out`; for a
    large catalogue also holdout_rest.parquet (see `answers.Predictions`).

    A model folder from an earlier run is replaced; raises InvalidDataError if `out/model` is something else.
    """
    out.mkdir(parents=True, exist_ok=True)
    _write_model(training.model, snapshot, out / "model")
    chosen = training.model
    candidates = {"penalties": chosen.penalties, "half_lives": chosen.half_lives, "tabular": chosen.tabular}
    again = partial(fit_on_the_past, seed=training.seed, candidates=candidates)
    write_proofs(prove(training.model, snapshot, out / "model", again, training.seed), out / "model")
    write_json(out / "metrics.json", training.metrics())
    write_json(out / "parameters.json", training.parameters())
    write_json(out / "evaluation.json", training.evaluation.as_dict())
    predictions = training.evaluated.predictions
    pq.write_table(predictions.listed, out / "holdout_predictions.parquet")
    if predictions.rest.num_rows:
        pq.write_table(predictions.rest, out / "holdout_rest.parquet")


def _write_model(model: PreferenceModel, snapshot: SnapshotOrders, folder: Path) -> None:
    if folder.exists():
        if not (folder / "MLmodel").is_file():
            raise InvalidDataError(f"{folder}: exists and is not a model folder; choose another --out")
        shutil.rmtree(folder)
    rows = np.arange(min(EXAMPLE_ROWS, len(snapshot)))
    states = snapshot.states.take(rows).for_products(model.space_.vocabulary.products)
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / MODEL_NAME
        model.save(data)
        save_mlflow_model(model, data, folder, model_rows(states, snapshot.contexts.take(rows)))


def save_mlflow_model(model: PreferenceModel, data_folder: Path, folder: Path, example: pd.DataFrame) -> None:
    """Write an MLflow model folder around the saved model in `data_folder` (which must be called `preference_model`).

    Args:
        model: the same model, for the signature.
        data_folder: what `model.save` wrote.
        folder: the MLflow model folder; must not exist.
        example: a few rows of `data/model_rows.py`.
    """
    import mlflow.pyfunc

    needed = REQUIREMENTS if model.tabular is None else (*REQUIREMENTS, "onnxruntime")
    mlflow.pyfunc.save_model(
        path=str(folder),
        loader_module="globolatte_ml.mlflow_loader",
        data_path=str(data_folder),
        code_paths=[str(PACKAGE)],
        signature=_signature(model),
        input_example=example,
        pip_requirements=[*(f"{name}=={importlib.metadata.version(name)}" for name in needed), *SERVERS],
    )


def _signature(model: PreferenceModel) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = [ColSpec(DataType.string, name) for name in REQUIRED_TEXTS]
    inputs.append(ColSpec(DataType.boolean, "is_holiday", required=False))
    # doubles, since whole numbers cannot be missing there
    inputs += [ColSpec(DataType.double, name, required=False) for name in COUNT_COLUMNS]
    inputs += [ColSpec(DataType.string, name, required=False) for name in OPTIONAL_TEXTS]
    outputs = [ColSpec(DataType.double, product) for product in model.space_.vocabulary.products]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def _snake_case(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name).strip("_")
