"""The nodes of an ONNX graph that is being written: few, since a single prediction pays for each node more than for its arithmetic.

Belongs here: tensors and constants, leaving out what was computed before or is not needed, matrix products taken together, matrices
taken apart by one node. Does not belong here: what is to be computed (`onnx_graph.py`). `onnx` is imported only when used.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

OPSET, IR_VERSION = 18, 9
FLOAT, INTEGER = "float64", "int64"
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Tensor:
    """A node's output, an input or a constant. `shape`: None for what is only known when the graph runs. `kind`: numpy's name of
    its type."""

    name: str
    shape: Shape
    kind: str = FLOAT


class Nodes:
    """A graph's nodes and constants so far. Matrix products are Gemm nodes: x A, or x A + c.

    Attributes:
        nodes: in the sequence in which they were added. domains: versions of the operator sets in use.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.domains: dict[str, int] = {"": OPSET}
        self._computed: dict[tuple[Any, ...], Tensor] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Tensor] = {}
        self._values: dict[Tensor, np.ndarray] = {}
        self._products: dict[Tensor, list[Tensor]] = {}
        self._pieces: dict[Tensor, dict[tuple[int, int], Tensor]] = {}
        self._cut_from: dict[Tensor, tuple[Tensor, int]] = {}

    def constant(self, value: Any) -> Tensor:
        """Equal ones are kept once."""
        array = np.asarray(value, order="C")
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            made = self._constants[key] = Tensor(f"constant_{len(self._constants)}", array.shape, array.dtype.name)
            self._values[made] = array
        return self._constants[key]

    def add(
        self, operation: str, inputs: Sequence[Tensor], shape: Shape, kind: str = FLOAT, **attributes: Any
    ) -> Tensor:
        """A node's output; what was computed before is not computed again."""
        from onnx import helper

        key = (operation, *inputs, *sorted(attributes.items()))
        if key not in self._computed:
            made = self._computed[key] = Tensor(f"{operation.lower()}_{len(self.nodes)}", shape, kind)
            self.nodes.append(helper.make_node(operation, [one.name for one in inputs], [made.name], **attributes))
            if operation == "Gemm":
                self._products[made] = list(inputs)
        return self._computed[key]

    def elementwise(self, operation: str, left: Tensor, right: Tensor) -> Tensor:
        """Of tensors of one kind, one spread over the other as in numpy."""
        return self.add(operation, [left, right], together(left.shape, right.shape), left.kind)

    def times(self, left: Tensor, matrix: np.ndarray) -> Tensor:
        """A matrix times constants: of what is a product itself in one go, if that is no more work; of a sum of products too."""
        rows, columns = matrix.shape
        source, first, *added = self._products.get(left, [left, left])
        inner = self._values.get(first, matrix)
        is_product = first in self._values and all(
            len(self._products.get(one, [])) == len((source, first)) for one in added
        )
        if not is_product or len(inner) * columns > inner.size + rows * columns:
            return self._gemm([left, self.constant(matrix)])
        return self._gemm([source, self.constant(inner @ matrix), *(self.times(one, matrix) for one in added)])

    def plus(self, left: Tensor, right: Tensor) -> Tensor:
        """A sum; one with a matrix product is part of it."""
        for product, other in ((left, right), (right, left)):
            inputs = self._products.get(product, [])
            if not inputs or together(product.shape, other.shape) != product.shape or other.shape[-1:] == (None,):
                continue
            if len(inputs) == len((left, right)):
                return self._gemm([*inputs, other])
            if inputs[-1] in self._products:
                return self._gemm([*inputs[:-1], self.plus(inputs[-1], other)])
        return self.elementwise("Add", left, right)

    def minus(self, left: Tensor, right: Tensor) -> Tensor:
        """A difference; one with a matrix product on its right is part of that."""
        negative = self.scaled(right, -1.0)
        if negative is not None and len(self._products[right]) == len((left, right)):
            return self.plus(left, negative)
        return self.elementwise("Sub", left, right)

    def scaled(self, value: Tensor, factor: float) -> Tensor | None:
        """So many times a matrix product, which are one too; None if it is not one with constants alone."""
        source, *constants = self._products.get(value, [value])
        if not constants or not all(one in self._values for one in constants):
            return None
        return self._gemm([source, *(self.constant(factor * self._values[one]) for one in constants)])

    def piece(self, whole: Tensor, start: int, stop: int) -> Tensor:
        """Columns of a matrix of known width. The nodes for all pieces of one matrix are made together, see `in_order`."""
        root, offset = self._cut_from.get(whole, (whole, 0))
        start, stop = start + offset, stop + offset
        if (start, stop) == (0, root.shape[1]):
            return root
        made = Tensor(f"{root.name}_{start}_{stop}", (root.shape[0], stop - start), root.kind)
        self._pieces.setdefault(root, {})[start, stop] = made
        self._cut_from[made] = (root, start)
        return made

    def in_order(self, answer: Tensor) -> tuple[list[Any], list[Any]]:
        """The nodes that `answer` needs, each after what it needs, those that take matrices apart among them; and the constants.

        Raises TypeError for pieces of a matrix that overlap.
        """
        from onnx import numpy_helper

        apart = {root.name: self._split(root, 0, root.shape[1] or 0, pieces) for root, pieces in self._pieces.items()}
        made = {output for node in self.nodes for output in node.output}
        nodes = [node for name, split in apart.items() if name not in made for node in split]
        for node in self.nodes:
            nodes += [node, *(split for output in node.output for split in apart.get(output, []))]
        needed, kept = {answer.name}, []
        for node in reversed(nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(node.input)
        values = [(tensor.name, array) for tensor, array in self._values.items() if tensor.name in needed]
        return kept[::-1], [numpy_helper.from_array(array, name) for name, array in values]

    def _split(self, whole: Tensor, start: int, stop: int, pieces: dict[tuple[int, int], Tensor]) -> list[Any]:
        """A node that makes the outermost `pieces` of the columns `start` to `stop`, which are `whole`; and the same for what lies in
        these."""
        from onnx import helper

        outer: list[tuple[int, int]] = []
        for piece in sorted(pieces, key=lambda one: (one[0], -one[1])):
            if not outer or piece[0] >= outer[-1][1]:
                outer.append(piece)
            elif piece[1] > outer[-1][1]:
                raise TypeError(
                    f"pieces of {whole.name} overlap at column {piece[0]}; cut them so that one holds the other"
                )
        bounds = sorted({start, stop, *(bound for piece in outer for bound in piece)})
        cuts = list(itertools.pairwise(bounds))
        outputs = [pieces[cut].name if cut in pieces else f"{whole.name}_unused_{cut[0]}" for cut in cuts]
        widths = self.constant(np.array([last - first for first, last in cuts], np.int64))
        nodes = [helper.make_node("Split", [whole.name, widths.name], outputs, axis=1)]
        for first, last in outer:
            inner = {
                cut: part for cut, part in pieces.items() if first <= cut[0] and cut[1] <= last and cut != (first, last)
            }
            if inner:
                nodes += self._split(pieces[first, last], first, last, inner)
        return nodes

    def _gemm(self, inputs: list[Tensor]) -> Tensor:
        return self.add("Gemm", inputs, (inputs[0].shape[0], inputs[1].shape[1]))


def together(left: Shape, right: Shape) -> Shape:
    """The shape of two tensors spread over each other."""
    axes = itertools.zip_longest(left[::-1], right[::-1], fillvalue=1)
    return tuple(b if a == 1 else a for a, b in axes)[::-1]
