"""The classifiers that a local AutoML search tries and the metrics that it maximizes, named as in Azure's AutoML.

How models are evaluated stands in `model/metrics.py`: no gate reads these. The learners need the extra `automl`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from globolatte_ml.model.tabular import OPSET

Metric = Callable[[np.ndarray, np.ndarray], float]
ONNX_ML = 3
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Learner:
    """One algorithm.

    Attributes:
        bounds: by setting, (low, high) on a logarithmic scale, whole numbers where both are; the low end is the cheap one.
        build: an unfitted classifier of settings and a seed.
    """

    bounds: Mapping[str, tuple[float, float]]
    build: Callable[[Settings, int], Any] = field(repr=False)


def _logistic_regression(settings: Settings, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=settings["C"], max_iter=500, random_state=seed))


def _light_gbm(settings: Settings, seed: int) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        **settings, random_state=seed, n_jobs=1, verbosity=-1, deterministic=True, force_row_wise=True, subsample_freq=1
    )


def _forest(kind: str, settings: Settings, seed: int) -> Any:
    from sklearn import ensemble

    return getattr(ensemble, kind)(**settings, random_state=seed, n_jobs=1)


FOREST: Mapping[str, tuple[float, float]] = {
    "n_estimators": (20, 200),
    "max_leaf_nodes": (4, 512),
    "max_features": (0.1, 1.0),
}
LEARNERS: Mapping[str, Learner] = {
    "logistic_regression": Learner({"C": (0.001, 1.0)}, _logistic_regression),
    "light_gbm": Learner(
        {
            "n_estimators": (10, 400),
            "num_leaves": (4, 64),
            "min_child_samples": (2, 128),
            "learning_rate": (0.01, 0.3),
            "reg_lambda": (0.001, 100.0),
        },
        _light_gbm,
    ),
    "random_forest": Learner(FOREST, partial(_forest, "RandomForestClassifier")),
    "extreme_random_trees": Learner(FOREST, partial(_forest, "ExtraTreesClassifier")),
}


def as_onnx(model: Any, columns: int) -> bytes:
    """A fitted classifier as an ONNX graph of float columns, probabilities as a tensor."""
    opsets = {"": OPSET, "ai.onnx.ml": ONNX_ML}
    if type(model).__name__ == "LGBMClassifier":
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        inputs = [("columns", FloatTensorType([None, columns]))]
        graph = convert_lightgbm(model, "tabular", inputs, target_opset=min(OPSET, 15), zipmap=False)
    else:
        from skl2onnx import to_onnx

        options = {"zipmap": False}
        graph = to_onnx(model, np.zeros((1, columns), np.float32), name="tabular", target_opset=opsets, options=options)
    written: bytes = graph.SerializeToString()
    return written


def accuracy(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Share of orders whose most probable class was chosen; `chosen` (n,) are columns of `shares` (n, T)."""
    return float((shares.argmax(axis=1) == chosen).mean())


def auc_weighted(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Area under the curve of each class against the others, weighted by how often it was chosen."""
    from sklearn.metrics import roc_auc_score

    return _weighted(roc_auc_score, chosen, shares)


def average_precision_score_weighted(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Average precision of each class, weighted by how often it was chosen."""
    from sklearn.metrics import average_precision_score

    return _weighted(average_precision_score, chosen, shares)


def norm_macro_recall(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Mean recall of the classes that were chosen, moved so that guessing gives 0."""
    from sklearn.metrics import recall_score

    recall = recall_score(chosen, shares.argmax(axis=1), labels=np.unique(chosen), average="macro")
    guess = 1.0 / shares.shape[1]
    return float((recall - guess) / (1.0 - guess))


def precision_score_weighted(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Precision of each class, weighted by how often it was chosen."""
    from sklearn.metrics import precision_score

    return float(precision_score(chosen, shares.argmax(axis=1), average="weighted", zero_division=0.0))


def _weighted(score: Callable[..., float], chosen: np.ndarray, shares: np.ndarray) -> float:
    """Over the classes that some orders chose and others did not: only these can be distinguished."""
    classes = np.unique(chosen)
    if len(classes) == 1:
        return 0.5
    return float(score(chosen[:, None] == classes, shares[:, classes], average="weighted"))


METRICS: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        accuracy,
        auc_weighted,
        average_precision_score_weighted,
        norm_macro_recall,
        precision_score_weighted,
    )
}
