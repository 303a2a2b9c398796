"""Answering with the ONNX graph: what an endpoint loads in place of numpy code.

Belongs here: the session and its checks. onnxruntime is imported only here, when a model is loaded for serving; where it is missing,
numpy answers the same. Does not belong here: the graph (`onnx_graph.py`).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from globolatte_ml.columns import InvalidDataError
from globolatte_ml.encoding import Encoded
from globolatte_ml.model import PreferenceModel
from globolatte_ml.onnx_graph import GRAPH_NAME, HASH_KEY, bundled


class GraphAnswers:
    """`PreferenceModel.answer` by ONNX Runtime, on one thread: endpoints scale by processes."""

    def __init__(self, file: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.content_hash = self._session.get_modelmeta().custom_metadata_map.get(HASH_KEY)

    def __call__(self, orders: Encoded) -> np.ndarray:
        """Probabilities (n, K)."""
        codes, numbers = bundled(orders)
        return self.run(codes, numbers)

    def run(self, codes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Probabilities (n, K) of inputs bundled already."""
        answer: np.ndarray = self._session.run(None, {"codes": codes, "numbers": numbers})[0]
        return answer


def load_for_serving(folder: Path) -> PreferenceModel:
    """The model saved in `folder`, answering by its graph if it has one and onnxruntime is installed.

    Raises InvalidDataError for files that cannot be used, and for a graph that is not this model's.
    """
    model, file = PreferenceModel.load(folder), folder / GRAPH_NAME
    if not file.is_file() or importlib.util.find_spec("onnxruntime") is None:
        return model
    answers = GraphAnswers(file)
    if answers.content_hash != model.content_hash():
        raise InvalidDataError(f"{file}: is the graph of another model; train again")
    model.answers_by(answers)
    return model
