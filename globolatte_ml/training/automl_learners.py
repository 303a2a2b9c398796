"""The learners of a local AutoML search: what each may vary, how it is fitted, and its ONNX graph.

Belongs here: scikit-learn's and LightGBM's classifiers under Azure's names for them. Does not belong here: the search itself.
Needs the extra `automl`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from globolatte_ml.model.onnx_nodes import OPSET

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


def _random_forest(settings: Settings, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**settings, random_state=seed, n_jobs=1)


def _extreme_random_trees(settings: Settings, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(**settings, random_state=seed, n_jobs=1)


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
    "random_forest": Learner(FOREST, _random_forest),
    "extreme_random_trees": Learner(FOREST, _extreme_random_trees),
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
