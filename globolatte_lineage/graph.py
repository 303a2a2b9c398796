"""A trace as a graph: what there is, and what came of what. Facts are as they are on record."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a node stands for."""

    PREDICTION = "prediction"
    ANSWERS = "answers"
    CAMPAIGN = "campaign"
    MODEL = "model"
    DECISION = "decision"
    SIGN_OFF = "sign-off"
    JOB = "job"
    SNAPSHOT = "snapshot"
    STATE = "state"
    DBT = "dbt"
    CUSTOMER = "customer"
    LINES = "order lines"
    FILE = "file"
    COLUMN = "column"


@dataclass(frozen=True)
class Node:
    """One thing. `title` says in a few words what it is; `facts` are what is on record about it, by name."""

    id: str
    kind: Kind
    title: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    """`source` came of `target`, or was made with it; `relation` says how: source, relation, target read as a sentence."""

    source: str
    relation: str
    target: str


@dataclass(frozen=True)
class Trace:
    """A graph around one thing, its `root`. `notes`: what is not on record, or differs from what one would expect.

    Raises `ValueError` where two nodes have one id, or an edge or the root names none.
    """

    root: str
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        ids = [node.id for node in self.nodes]
        if twice := sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) < len(ids) else []:
            raise ValueError(f"two nodes are called {twice[0]!r}")
        named = [self.root, *(end for edge in self.edges for end in (edge.source, edge.target))]
        if missing := next((one for one in named if one not in set(ids)), None):
            raise ValueError(f"there is no node {missing!r}")

    def node(self, node_id: str) -> Node:
        """The node of this id. Raises `KeyError` if there is none."""
        return {node.id: node for node in self.nodes}[node_id]

    def of_kind(self, kind: Kind) -> list[Node]:
        """The nodes of a kind, in order."""
        return [node for node in self.nodes if node.kind is kind]

    def walk(self) -> Iterator[tuple[int, str, Node]]:
        """Depth, relation and node of everything, as a tree from the root: each node once, as near to the root as it can be.

        What was reached along an edge leads on to what it came of, what was reached against one to what came of it; there the relation is
        empty. What neither reaches is left out.
        """
        nodes = {node.id: node for node in self.nodes}
        along: dict[str, list[tuple[str, str]]] = {}
        against: dict[str, list[tuple[str, str]]] = {}
        for edge in self.edges:
            along.setdefault(edge.source, []).append((edge.relation, edge.target))
            against.setdefault(edge.target, []).append(("", edge.source))
        below: dict[str, list[tuple[str, str]]] = {}
        seen = {self.root}
        waiting = deque([(self.root, [along, against])])
        while waiting:
            node_id, ways = waiting.popleft()
            for way in ways:
                for relation, other in way.get(node_id, ()):
                    if other not in seen:
                        seen.add(other)
                        below.setdefault(node_id, []).append((relation, other))
                        waiting.append((other, [way]))
        open_nodes = [(0, "", self.root)]
        while open_nodes:
            depth, relation, node_id = open_nodes.pop()
            yield depth, relation, nodes[node_id]
            open_nodes += [(depth + 1, *one) for one in reversed(below.get(node_id, ()))]

    def as_document(self) -> dict[str, Any]:
        """The whole as JSON values, but for dates and times."""
        return {
            "root": self.root,
            "nodes": [{**asdict(node), "kind": str(node.kind)} for node in self.nodes],
            "edges": [asdict(edge) for edge in self.edges],
            "notes": list(self.notes),
        }
