"""The model as an ONNX graph, traced from the very code that predicts in numpy: one definition of every feature.

`PreferenceModel.answer` is arithmetic on an `Encoded`. Handed `Traced` tensors in place of arrays, numpy's own protocols (NEP 13
and 18) call back here for each operation, and the graph is written down instead of computed.

Belongs here: the operations that our code uses, the graph file. An operation that is not there raises TypeError: add it.
Does not belong here: how nodes are put together (`onnx_nodes.py`), running the graph (`onnx_serving.py`). `onnx` is imported only
when a graph is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from globolatte_ml.model.encoding import Encoded
from globolatte_ml.model.onnx_nodes import FLOAT, INTEGER, IR_VERSION, Nodes, Shape, Tensor

if TYPE_CHECKING:
    from globolatte_ml.model.model import PreferenceModel

GRAPH_NAME = "preference_model.onnx"
HASH_KEY, LAYOUT_KEY = "content_hash", "layout"
ORDERS, PROBABILITIES = "orders", "probabilities"


def write_graph(model: PreferenceModel, file: Path) -> None:
    """Write `model.answer` as a graph: input `orders` float64 (n, width), the columns of an `Encoded`; output `probabilities` (n, K)."""
    import onnx
    from onnx import TensorProto, helper

    graph, width = Nodes(), model.space_.layout.width
    orders: Any = Traced(graph, Tensor(ORDERS, (None, width)))
    answer: Any = model.answer(Encoded(orders, model.space_.layout))
    nodes, constants = graph.in_order(answer.tensor)
    nodes.append(helper.make_node("Identity", [answer.tensor.name], [PROBABILITIES]))
    described = helper.make_graph(
        nodes,
        "preference_model",
        [helper.make_tensor_value_info(ORDERS, TensorProto.DOUBLE, ["n", width])],
        [helper.make_tensor_value_info(PROBABILITIES, TensorProto.DOUBLE, ["n", len(model.classes_)])],
        constants,
    )
    domains = [helper.make_opsetid(domain, version) for domain, version in graph.domains.items()]
    document = helper.make_model(described, opset_imports=domains, ir_version=IR_VERSION)
    helper.set_model_props(document, {HASH_KEY: model.content_hash(), LAYOUT_KEY: model.space_.layout.digest})
    onnx.checker.check_model(document)
    onnx.save(document, str(file))


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """A tensor of a graph being written, which numpy's functions take for an array."""

    def __init__(self, graph: Nodes, tensor: Tensor) -> None:
        self.graph, self.tensor = graph, tensor

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.__name__ not in _ELEMENTWISE:
            return NotImplemented
        return Traced(self.graph, _ELEMENTWISE[ufunc.__name__](self.graph, *inputs))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        if function is np.hstack or (function is np.concatenate and options == {"axis": 1}):
            parts = [_as(self.graph, part, FLOAT) for part in arguments[0]]
            widths = [part.shape[1] for part in parts]
            width = None if None in widths else sum(width or 0 for width in widths)
            return self._node("Concat", parts, (None, width, *parts[0].shape[2:]), axis=1)
        return NotImplemented

    def _node(self, operation: str, inputs: list[Tensor], shape: Shape, **attributes: Any) -> Traced:
        return Traced(self.graph, self.graph.add(operation, inputs, shape, self.tensor.kind, **attributes))

    def _reduced(self, operation: str, axis: int, keepdims: bool) -> Traced:
        axes, (*before, _), after = (
            np.array([axis], np.int64),
            self.tensor.shape[: axis + 1],
            self.tensor.shape[axis + 1 :],
        )
        shape = (*before, 1, *after) if keepdims else (*before, *after)
        return self._node(operation, [self.tensor, self.graph.constant(axes)], shape, keepdims=int(keepdims))

    def sum(self, axis: int, keepdims: bool = False) -> Traced:
        """As numpy's."""
        width = self.tensor.shape[-1]
        if width is not None and keepdims and axis == len(self.tensor.shape) - 1 == 1:
            return Traced(self.graph, self.graph.times(self.tensor, np.ones((width, 1))))
        return self._reduced("ReduceSum", axis, keepdims)

    def mean(self, axis: int, keepdims: bool = False) -> Traced:
        """As numpy's."""
        return self._reduced("ReduceMean", axis, keepdims)

    def clip(self, min: float) -> Traced:  # noqa: A002 - numpy's word
        """As numpy's, from below."""
        if min == 0.0:
            return self._node("Relu", [self.tensor], self.tensor.shape)
        return self._node("Max", [self.tensor, self.graph.constant(np.float64(min))], self.tensor.shape)

    def astype(self, kind: Any) -> Traced:
        """As numpy's, to float64 or int64."""
        return Traced(self.graph, _as(self.graph, self, np.dtype(kind).name))

    def reshape(self, *shape: int) -> Traced:
        """As numpy's."""
        sizes = self.graph.constant(np.array(shape, np.int64))
        return self._node("Reshape", [self.tensor, sizes], tuple(None if size < 0 else size for size in shape))

    def look_up(self, table: np.ndarray) -> Traced:
        """`table[self]` along the first axis; -1 gives the last entry."""
        shape = (*self.tensor.shape, *table.shape[1:])
        found = self.graph.add("Gather", [self.graph.constant(table), self.tensor], shape, FLOAT, axis=0)
        return Traced(self.graph, found)

    def softmax(self) -> Traced:
        """Shares in proportion to the exponentials of a row."""
        return self._node("Softmax", [self.tensor], self.tensor.shape, axis=-1)

    def __getitem__(self, key: Any) -> Traced:
        """New axes (`x[:, None]`), neighbouring columns of a matrix (`x[:, 2:4]`), the last entry (`x[:, -1]`), and entries by an array
        of positions, of the last axis named."""
        key = key if isinstance(key, tuple) else (key,)
        *before, last = key
        if all(part is None or _is_everything(part) for part in key):
            return self._with_axes([place for place, part in enumerate(key) if part is None])
        if all(_is_everything(part) for part in before):
            if isinstance(last, np.ndarray) or (isinstance(last, int) and last == -1):
                return self._taken(np.asarray(last, np.int64), len(before))
            is_matrix = len(before) == 1 and len(self.tensor.shape) == len(key) and self.tensor.shape[1] is not None
            if is_matrix and isinstance(last, slice) and last.step is None and last.stop is not None:
                return Traced(self.graph, self.graph.piece(self.tensor, last.start or 0, last.stop))
        raise TypeError(f"x[{key}] has no counterpart in the graph; add it to onnx_graph.Traced")

    def _with_axes(self, places: list[int]) -> Traced:
        shape = list(self.tensor.shape)
        for place in places:
            shape.insert(place, 1)
        return self._node("Unsqueeze", [self.tensor, self.graph.constant(np.array(places, np.int64))], tuple(shape))

    def _taken(self, positions: np.ndarray, axis: int) -> Traced:
        shape = (*self.tensor.shape[:axis], *positions.shape, *self.tensor.shape[axis + 1 :])
        return self._node("Gather", [self.tensor, self.graph.constant(positions)], shape, axis=axis)


def _is_everything(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)


def _as(graph: Nodes, value: Any, kind: str) -> Tensor:
    """A tensor of that kind made of a traced one, an array or a number."""
    if not isinstance(value, Traced):
        return graph.constant(np.asarray(value).astype(kind))
    if value.tensor.kind == kind:
        return value.tensor
    from onnx import TensorProto

    target = {FLOAT: TensorProto.DOUBLE, INTEGER: TensorProto.INT64}[kind]
    return graph.add("Cast", [value.tensor], value.tensor.shape, kind, to=target)


def _alike(graph: Nodes, left: Any, right: Any) -> tuple[Tensor, Tensor]:
    """Both as whole numbers, if they are, or else not."""
    kinds = {
        value.tensor.kind if isinstance(value, Traced) else np.asarray(value).dtype.name for value in (left, right)
    }
    kind = INTEGER if kinds == {INTEGER} else FLOAT
    return _as(graph, left, kind), _as(graph, right, kind)


def _multiple(graph: Nodes, left: Any, right: Any) -> Tensor:
    for factor, value in ((left, right), (right, left)):
        if not isinstance(factor, Traced) and np.ndim(factor) == 0:
            scaled = graph.scaled(value.tensor, float(factor))
            if scaled is not None:
                return scaled
    return graph.elementwise("Mul", *_alike(graph, left, right))


def _product(graph: Nodes, left: Any, right: Any) -> Tensor:
    first, second = _as(graph, left, FLOAT), _as(graph, right, FLOAT)
    if isinstance(right, np.ndarray) and len(first.shape) == len(second.shape) == len(("rows", "columns")):
        return graph.times(first, right.astype(np.float64))
    stacked = second.shape[:-2] if len(second.shape) > len(first.shape) else first.shape[:-2]
    return graph.add("MatMul", [first, second], (*stacked, *first.shape[:-1][-1:], second.shape[-1]))


def _binary(operation: str) -> Callable[..., Tensor]:
    return lambda graph, left, right: graph.elementwise(operation, _as(graph, left, FLOAT), _as(graph, right, FLOAT))


def _unary(operation: str) -> Callable[..., Tensor]:
    def emit(graph: Nodes, value: Traced) -> Tensor:
        taken = _as(graph, value, FLOAT)
        return graph.add(operation, [taken], taken.shape)

    return emit


_ELEMENTWISE: dict[str, Callable[..., Tensor]] = {
    "add": lambda graph, left, right: graph.plus(*_alike(graph, left, right)),
    "subtract": lambda graph, left, right: graph.minus(*_alike(graph, left, right)),
    "multiply": _multiple,
    "divide": _binary("Div"),
    "matmul": _product,
    "exp": _unary("Exp"),
    "log": _unary("Log"),
}
