"""The tabular expert: a classifier over `features.features` that an AutoML search found, stored as an ONNX graph.

A graph needs neither the library that fitted it nor a pickle: whether Azure's AutoML or a local search found it, the rest of the
platform evaluates, promotes, scores and serves it alike. Converters differ (one input or one per column, ZipMap or not, the operator
set), so that what was found is brought into one form first. onnx and onnxruntime are imported only where such a model is in use.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from globolatte_ml.data.columns import InvalidDataError

FOUND_GRAPH = "model.onnx"
COLUMNS, SHARES = "columns", "shares"
OPSET, IR_VERSION = 18, 9


@dataclass(frozen=True)
class TabularClassifier:
    """A classifier as a graph: `columns` float64 (n, d) in, `shares` float (n, T) out, one for each of the T products that were
    chosen in the table it learned from, in catalogue order.

    Attributes:
        graph: the ONNX file's bytes, in the form that `canonical` gives.
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
                "this model's tabular expert was found by AutoML and is an ONNX graph: install onnxruntime to use it"
            ) from error
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])

    def shares(self, inputs: np.ndarray) -> np.ndarray:
        """Probabilities (n, T) of features (n, d)."""
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


def canonical(graph: bytes, columns: int, name: str) -> bytes:
    """The same classifier with one input `columns` double (n, d), one output `shares` float (n, T), in our operator set.

    Raises InvalidDataError, naming `name`, for anything else than a classifier with probabilities over so many numeric columns.
    """
    import onnx
    import onnx.compose
    import onnx.version_converter
    from onnx import TensorProto, helper

    try:
        model = onnx.version_converter.convert_version(onnx.load_from_string(graph), OPSET)
        model = onnx.compose.add_prefix(model, "found_")  # whatever its names are, ours are others
    except Exception as error:
        raise InvalidDataError(f"{name}: is no ONNX model that can be read ({error}); search again") from error
    shares = _without_zipmap(model.graph, name)
    nodes = [*_inputs(model.graph, columns, name), *model.graph.node]
    nodes.append(helper.make_node("Cast", [shares], [SHARES], to=TensorProto.FLOAT))
    built = helper.make_graph(
        nodes,
        "tabular",
        [helper.make_tensor_value_info(COLUMNS, TensorProto.DOUBLE, ["n", columns])],
        [helper.make_tensor_value_info(SHARES, TensorProto.FLOAT, ["n", None])],
        list(model.graph.initializer),
    )
    document = helper.make_model(built, opset_imports=list(model.opset_import), ir_version=IR_VERSION)
    onnx.checker.check_model(document)
    written: bytes = document.SerializeToString(deterministic=True)
    return written


def _without_zipmap(graph: Any, name: str) -> str:
    """The tensor of probabilities; a ZipMap, which makes a list of dictionaries of it, is taken off."""
    for node in list(graph.node):
        if node.op_type == "ZipMap":
            graph.node.remove(node)
            return str(node.input[0])
    from onnx import TensorProto

    floats = [one for one in graph.output if one.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE)]
    if len(floats) != 1:
        outputs = ", ".join(one.name for one in graph.output)
        raise InvalidDataError(f"{name}: gives {outputs}, and no probabilities; it is no classifier, search again")
    return str(floats[0].name)


def _inputs(graph: Any, columns: int, name: str) -> list[Any]:
    """Nodes that make the graph's own inputs of the one input `columns`."""
    from onnx import TensorProto, helper

    constants = {one.name for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in constants]
    widths = [one.type.tensor_type.shape.dim[1].dim_value for one in inputs]
    kinds = {one.type.tensor_type.elem_type for one in inputs}
    if (
        sum(widths) != columns
        or len(inputs) not in (1, columns)
        or not kinds <= {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64}
    ):
        raise InvalidDataError(
            f"{name}: takes {sum(widths)} columns in {len(inputs)} inputs, the table has {columns} numeric ones; "
            "it learned from another table, search again"
        )
    if len(inputs) == 1:
        return [helper.make_node("Cast", [COLUMNS], [inputs[0].name], to=kinds.pop())]
    parts = [f"column_{place}" for place in range(columns)]
    split = helper.make_node("Split", [COLUMNS], parts, axis=1, num_outputs=columns)
    casts = [
        helper.make_node("Cast", [part], [one.name], to=one.type.tensor_type.elem_type)
        for part, one in zip(parts, inputs, strict=True)
    ]
    return [split, *casts]
