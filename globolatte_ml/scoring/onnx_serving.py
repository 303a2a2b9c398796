"""Answering with the ONNX graph: what an endpoint loads in place of numpy code.

Belongs here: the session and its checks. onnxruntime is imported only here, when a model is loaded for serving; where it is missing,
numpy answers the same. Does not belong here: the graph (`onnx_graph.py`).
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from pathlib import Path

import numpy as np

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.model.encoding import Encoded
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.onnx_graph import GRAPH_NAME, HASH_KEY, LAYOUT_KEY, ORDERS, PROBABILITIES

logger = logging.getLogger(__name__)
ROWS_AT_ONCE = 2_048
"""What a graph computes on the way for so many stays in the processor's cache."""
_ANSWER = [PROBABILITIES]


class GraphAnswers:
    """`PreferenceModel.answer` by ONNX Runtime, on one thread: endpoints scale by processes.

    Single orders go through memory that each calling thread keeps: making and naming tensors would take longer than some of the
    graph. So `__call__` may be called from many threads.
    """

    def __init__(self, file: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_reuse = False  # planning what may overwrite what costs more than it saves at this size
        self._session = InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        described = self._session.get_modelmeta().custom_metadata_map
        self.content_hash, self.layout = described.get(HASH_KEY), described.get(LAYOUT_KEY)
        self._own = threading.local()

    def __call__(self, orders: Encoded) -> np.ndarray:
        """Probabilities (n, K)."""
        if len(orders) == 1:
            return self._one(orders.columns)
        if len(orders) > ROWS_AT_ONCE:
            starts = range(0, len(orders), ROWS_AT_ONCE)
            return np.concatenate([self(orders.take(slice(start, start + ROWS_AT_ONCE))) for start in starts])
        answer: np.ndarray = self._session.run(_ANSWER, {ORDERS: orders.columns})[0]
        return answer

    def _one(self, columns: np.ndarray) -> np.ndarray:
        own = self._own
        if not hasattr(own, "binding"):
            own.orders, own.answer = np.empty_like(columns), np.empty((1, self._session.get_outputs()[0].shape[1]))
            own.binding = self._session.io_binding()
            own.binding.bind_cpu_input(ORDERS, own.orders)
            place = own.answer.ctypes.data
            own.binding.bind_output(PROBABILITIES, "cpu", 0, np.float64, own.answer.shape, place)
        own.orders[:] = columns
        self._session.run_with_iobinding(own.binding)
        answer: np.ndarray = own.answer.copy()
        return answer


def load_for_serving(folder: Path) -> PreferenceModel:
    """The model saved in `folder`, answering by its graph if it has one and onnxruntime is installed.

    Raises InvalidDataError for files that cannot be used, and for a graph that is not this model's.
    """
    model, file = PreferenceModel.load(folder), folder / GRAPH_NAME
    if not file.is_file() or importlib.util.find_spec("onnxruntime") is None:
        return model
    answers = GraphAnswers(file)
    if answers.layout != model.space_.layout.digest:
        logger.warning("%s was written by another release; numpy answers until the next training", file)
        return model
    if answers.content_hash != model.content_hash():
        raise InvalidDataError(f"{file}: is the graph of another model; train again")
    model.answers_by(answers)
    return model
