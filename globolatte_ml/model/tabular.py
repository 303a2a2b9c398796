"""The tabular expert: a classifier over `features.features` that an AutoML search found, kept as an ONNX graph.

Belongs here: asking the graph, in numpy or as part of the model's own graph, and reading it from a search's folder.
Does not belong here: the search (`automl_search.py`), bringing a graph into one form (`tabular_graph.py`).

A graph needs neither the library that fitted it nor a pickle: whether Azure's AutoML or FLAML found it, the rest of the platform
evaluates, promotes, scores and serves it alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from globolatte_ml.data.columns import InvalidDataError

FOUND_GRAPH = "model.onnx"
COLUMNS, SHARES = "columns", "shares"


@dataclass(frozen=True)
class TabularClassifier:
    """A classifier as a graph: `columns` float64 (n, d) in, `shares` float (n, T) out, one for each of the T products that were
    chosen in the table it learned from, in catalogue order.

    Attributes:
        graph: the ONNX file's bytes, in the form that `tabular_graph.canonical` gives.
        algorithm: what the search says it is, for people.
    """

    graph: bytes = field(repr=False)
    algorithm: str = "unknown"

    @property
    def sha256(self) -> str:
        """The graph's name."""
        return hashlib.sha256(self.graph).hexdigest()

    @cached_property
    def _session(self) -> Any:
        try:
            from onnxruntime import InferenceSession, SessionOptions
        except ImportError as error:
            raise InvalidDataError(
                "this model's tabular expert was found by AutoML and is an ONNX graph: install onnxruntime to ask it"
            ) from error
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])

    def shares(self, inputs: Any) -> Any:
        """Probabilities (n, T) of features (n, d): arrays, or tensors of a graph that is being written."""
        if not isinstance(inputs, np.ndarray):
            from globolatte_ml.model.tabular_graph import splice

            return splice(self.graph, inputs)
        width = self._session.get_inputs()[0].shape[1]
        if inputs.shape[1] != width:
            raise InvalidDataError(
                f"the tabular classifier takes {width} columns, these orders have {inputs.shape[1]}: it learned from another table, "
                "search again"
            )
        answer: np.ndarray = self._session.run(None, {COLUMNS: inputs.astype(np.float64, copy=False)})[0]
        return answer.astype(np.float64)


def read_found(folder: Path, columns: int, algorithm: str = "unknown") -> TabularClassifier:
    """The classifier that a search left in a folder, over so many feature columns.

    Raises InvalidDataError for a folder without a graph, and for a graph that is none of a classifier over these columns.
    """
    from globolatte_ml.model.tabular_graph import canonical

    file = folder / FOUND_GRAPH
    if not file.is_file():
        raise InvalidDataError(
            f"{folder}: has no {FOUND_GRAPH}; the AutoML search left no ONNX model: block the algorithms that have none, search again"
        )
    found = TabularClassifier(canonical(file.read_bytes(), columns, str(file)), algorithm)
    try:
        found.shares(np.zeros((1, columns)))
    except Exception as error:
        raise InvalidDataError(
            f"{file}: onnxruntime cannot run it ({error}); block {algorithm} in [automl] and search again"
        ) from error
    return found
