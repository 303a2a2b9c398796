"""The model as an ONNX graph, traced from the very code that predicts in numpy: one definition of every feature.

`PreferenceModel.answer` is arithmetic on an `Encoded`. Handed `Traced` tensors in place of arrays, numpy's own protocols (NEP 13
and 18) call back here for each operation, and the graph is written down instead of computed.

Belongs here: the tensors, the operations that our code uses, the graph file. An operation that is not there raises TypeError: add it.
Does not belong here: running the graph (`onnx_serving.py`). `onnx` is imported only when a graph is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from globolatte_ml.encoding import Encoded
from globolatte_ml.vocabulary import DAYPARTS, SEASONS

if TYPE_CHECKING:
    from globolatte_ml.model import PreferenceModel

GRAPH_NAME = "preference_model.onnx"
HASH_KEY = "content_hash"
OPSET, IR_VERSION = 18, 9
CODES = ("unit", "weather", "daypart", "month", "season")
NUMBERS = ("is_holiday", "trend", "age", "past_trend", "order_count", "line_count")
RECENT = 3
FLOAT, INTEGER, BOOLEAN = "float64", "int64", "bool"


def write_graph(model: PreferenceModel, file: Path) -> None:
    """Write `model.answer` as a graph: inputs `codes` int64 (n, 8) and `numbers` float64 (n, 14 + 4 K), see `bundled`; output
    `probabilities` (n, K)."""
    import onnx
    from onnx import TensorProto, helper

    k = len(model.classes_)
    graph = _Graph()
    answer: Any = model.answer(_unbundled(Traced(graph, "codes", INTEGER), Traced(graph, "numbers", FLOAT), k))
    graph.nodes.append(helper.make_node("Identity", [answer.name], ["probabilities"]))
    described = helper.make_graph(
        graph.nodes,
        "preference_model",
        [
            helper.make_tensor_value_info("codes", TensorProto.INT64, ["n", len(CODES) + RECENT]),
            helper.make_tensor_value_info("numbers", TensorProto.DOUBLE, ["n", width_of_numbers(k)]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, ["n", k])],
        graph.initializers,
    )
    domains = [helper.make_opsetid(domain, version) for domain, version in graph.domains.items()]
    document = helper.make_model(described, opset_imports=domains, ir_version=IR_VERSION)
    helper.set_model_props(document, {HASH_KEY: model.content_hash()})
    onnx.checker.check_model(document)
    onnx.save(document, str(file))


def width_of_numbers(n_products: int) -> int:
    """Columns of the input `numbers`."""
    return len(NUMBERS) + len(SEASONS) + len(DAYPARTS) + 4 * n_products


def bundled(orders: Encoded) -> tuple[np.ndarray, np.ndarray]:
    """The two inputs of the graph: `codes` is CODES and the recent products, `numbers` is NUMBERS, past seasons, dayparts, mains,
    add-ons, mains decayed by 30 and by 120 days."""
    n, k = orders.mains.shape
    codes = np.empty((n, len(CODES) + RECENT), dtype=np.int64)
    for place, name in enumerate(CODES):
        codes[:, place] = getattr(orders, name)
    codes[:, len(CODES) :] = orders.recent
    numbers = np.empty((n, width_of_numbers(k)))
    for place, name in enumerate(NUMBERS):
        numbers[:, place] = getattr(orders, name)
    tables = (
        orders.past_seasons, orders.daypart_orders, orders.mains, orders.addons, orders.mains_30d, orders.mains_120d,
    )  # fmt: skip
    np.concatenate(tables, axis=1, out=numbers[:, len(NUMBERS) :])
    return codes, numbers


def _unbundled(codes: Traced, numbers: Traced, k: int) -> Any:
    start = len(NUMBERS)
    widths = {"past_seasons": len(SEASONS), "daypart_orders": len(DAYPARTS)}
    widths |= dict.fromkeys(("mains", "addons", "mains_30d", "mains_120d"), k)
    parts: dict[str, Any] = {name: codes[:, place] for place, name in enumerate(CODES)}
    parts |= {name: numbers[:, place] for place, name in enumerate(NUMBERS)}
    parts["recent"] = codes[:, np.arange(len(CODES), len(CODES) + RECENT)]
    for name, width in widths.items():
        parts[name] = numbers[:, np.arange(start, start + width)]
        start += width
    return Encoded(**parts)


class _Graph:
    """Nodes and constants so far."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.domains: dict[str, int] = {"": OPSET}
        self._computed: dict[tuple[Any, ...], Traced] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def constant(self, value: Any) -> str:
        """The name of a constant; equal ones are kept once."""
        from onnx import numpy_helper

        array = np.asarray(value, order="C")
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"constant_{len(self._constants)}"
            self.initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def add(self, operation: str, inputs: list[str], kind: str, **attributes: Any) -> Traced:
        """A node's output; what was computed before is not computed again."""
        from onnx import helper

        key = (operation, *inputs, *sorted(attributes.items()))
        if key not in self._computed:
            self._computed[key] = Traced(self, f"{operation.lower()}_{len(self.nodes)}", kind)
            self.nodes.append(helper.make_node(operation, inputs, [self._computed[key].name], **attributes))
        return self._computed[key]


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """A tensor of a graph being written, which numpy's functions take for an array."""

    def __init__(self, graph: _Graph, name: str, kind: str) -> None:
        self.graph, self.name, self.kind = graph, name, kind

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.__name__ not in _ELEMENTWISE:
            return NotImplemented
        return _ELEMENTWISE[ufunc.__name__](self.graph, *inputs)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        if function is np.hstack:
            return self._node("Concat", [_as(self.graph, part, FLOAT).name for part in arguments[0]], axis=1)
        if function is np.where:
            condition, yes, no = arguments
            kind = _common(yes, no)
            names = [condition.name, _as(self.graph, yes, kind).name, _as(self.graph, no, kind).name]
            return self.graph.add("Where", names, kind)
        return NotImplemented

    def _node(self, operation: str, inputs: list[str], kind: str = FLOAT, **attributes: Any) -> Traced:
        return self.graph.add(operation, inputs, kind, **attributes)

    def _reduced(self, operation: str, axis: int, keepdims: bool) -> Traced:
        axes = self.graph.constant(np.array([axis], np.int64))
        return self._node(operation, [self.name, axes], self.kind, keepdims=int(keepdims))

    def sum(self, axis: int, keepdims: bool = False) -> Traced:
        """As numpy's."""
        return self._reduced("ReduceSum", axis, keepdims)

    def mean(self, axis: int, keepdims: bool = False) -> Traced:
        """As numpy's."""
        return self._reduced("ReduceMean", axis, keepdims)

    def max(self, axis: int, keepdims: bool = False) -> Traced:
        """As numpy's."""
        return self._reduced("ReduceMax", axis, keepdims)

    def clip(self, min: float) -> Traced:  # noqa: A002 - numpy's word
        """As numpy's, from below."""
        return self._node("Max", [self.name, self.graph.constant(np.float64(min))])

    def astype(self, kind: Any) -> Traced:
        """As numpy's, to float64 or int64."""
        return _as(self.graph, self, np.dtype(kind).name)

    def reshape(self, *shape: int) -> Traced:
        """As numpy's."""
        return self._node("Reshape", [self.name, self.graph.constant(np.array(shape, np.int64))], self.kind)

    def look_up(self, table: np.ndarray) -> Traced:
        """`table[self]` along the first axis; -1 gives the last entry."""
        return self._node("Gather", [self.graph.constant(table), self.name], axis=0)

    def __getitem__(self, key: Any) -> Traced:
        """New axes (`x[:, None]`), and columns of a matrix by position or by an array of positions."""
        key = key if isinstance(key, tuple) else (key,)
        if all(part is None or part == slice(None) for part in key if not isinstance(part, np.ndarray)) and not any(
            isinstance(part, np.ndarray) for part in key
        ):
            axes = np.array([place for place, part in enumerate(key) if part is None], np.int64)
            return self._node("Unsqueeze", [self.name, self.graph.constant(axes)], self.kind)
        if len(key) == 2 and key[0] == slice(None):
            columns = self.graph.constant(np.asarray(key[1], np.int64))
            return self._node("Gather", [self.name, columns], self.kind, axis=1)
        raise TypeError(f"x[{key}] has no counterpart in the graph; add it to onnx_graph.Traced")


def _common(*values: Any) -> str:
    kinds = {value.kind if isinstance(value, Traced) else np.asarray(value).dtype.name for value in values}
    return INTEGER if kinds <= {INTEGER} else FLOAT


def _as(graph: _Graph, value: Any, kind: str) -> Traced:
    """A tensor of that kind made of a tensor, an array or a number."""
    if not isinstance(value, Traced):
        return Traced(graph, graph.constant(np.asarray(value).astype(kind)), kind)
    if value.kind == kind:
        return value
    from onnx import TensorProto

    target = {FLOAT: TensorProto.DOUBLE, INTEGER: TensorProto.INT64}[kind]
    return graph.add("Cast", [value.name], kind, to=target)


def _binary(operation: str, result: str | None = None) -> Callable[..., Traced]:
    def emit(graph: _Graph, left: Any, right: Any) -> Traced:
        kind = FLOAT if operation in ("Div", "MatMul") else _common(left, right)
        names = [_as(graph, left, kind).name, _as(graph, right, kind).name]
        return graph.add(operation, names, result or kind)

    return emit


def _unary(operation: str) -> Callable[..., Traced]:
    return lambda graph, value: graph.add(operation, [_as(graph, value, FLOAT).name], FLOAT)


_ELEMENTWISE: dict[str, Callable[..., Traced]] = {
    "add": _binary("Add"),
    "subtract": _binary("Sub"),
    "multiply": _binary("Mul"),
    "divide": _binary("Div"),
    "matmul": _binary("MatMul"),
    "equal": _binary("Equal", BOOLEAN),
    "less": _binary("Less", BOOLEAN),
    "exp": _unary("Exp"),
    "log": _unary("Log"),
    "negative": _unary("Neg"),
    "exp2": lambda _, value: np.exp(value * np.log(2.0)),
    "log1p": lambda _, value: np.log(value + 1.0),
}
