"""ONNX graphs of classifiers, whoever wrote them, brought into one form; and written into the model's own graph.

Belongs here: what converters differ in: one input or one per column, ZipMap or not, the operator set.
Does not belong here: running a graph (`tabular.py`), tracing our own code (`onnx_graph.py`). `onnx` is imported only when used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.model.onnx_graph import Traced
from globolatte_ml.model.onnx_nodes import IR_VERSION, OPSET, Tensor
from globolatte_ml.model.tabular import COLUMNS, SHARES


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


def splice(graph: bytes, columns: Traced) -> Traced:
    """Writes a canonical graph's nodes into the graph that `columns` belongs to; its output there."""
    import onnx
    from onnx import numpy_helper

    model, target = onnx.load_from_string(graph), columns.graph
    names = {COLUMNS: columns.tensor.name} | {
        one.name: target.constant(numpy_helper.to_array(one)).name for one in model.graph.initializer
    }
    for opset in model.opset_import:
        if opset.domain not in ("", "ai.onnx"):
            target.domains[opset.domain] = opset.version
    for node in model.graph.node:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        for output in node.output:
            names.setdefault(output, f"tabular_{output}" if output else "")
        del copied.input[:], copied.output[:]
        copied.input.extend(names[one] if one else "" for one in node.input)
        copied.output.extend(names[one] for one in node.output)
        copied.name = f"tabular_{len(target.nodes)}"
        target.nodes.append(copied)
    return Traced(target, Tensor(names[SHARES], (None, None), "float32")).astype(np.float64)


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
